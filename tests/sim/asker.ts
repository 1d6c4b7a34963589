import type { Address } from "../../codec/address.ts";
import { blockPlan } from "../../codec/geometry.ts";
import type { Grant } from "../../codec/grant.ts";
import { chunkDataReceipt, isChunkData } from "../../codec/packet.ts";
import { encodePullRequest } from "../../codec/pull_request.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { packetMac } from "../../crypto/tokens.ts";
import { Attempts } from "../../transport/protocol/attempts.ts";
import { pieceBytes } from "../../transport/exposure/pieces.ts";
import { exposerAddress } from "./transfer.ts";
import type { SimExposure } from "./transfer.ts";
import { seededRandom } from "./random.ts";
import type { SimHost, World } from "./world.ts";

/** What an asker claims, beside what it asks for. */
export interface Claims {
  /** A receipt; absent: the newest that it was given. */
  readonly receipt?: number;
  /** Bytes received under the token; absent: the truth. */
  readonly received?: number;
  /** Which of its grants, the first by default. */
  readonly grant?: number;
}

const SYMBOL_SIZE = 1428;

/** Holds a valid ticket, and asks for what it likes, as often as it likes: a puller without manners. */
export class SimAsker implements SimHost {
  readonly address: Address;
  /** In the order in which they came. */
  readonly grants: Grant[] = [];
  /** Bytes of CHUNK_DATA that arrived. */
  receivedBytes = 0;
  /** The newest receipt that it was given. */
  receipt = 0;
  readonly #world: World;
  readonly #exposure: SimExposure;
  readonly #random: ReturnType<typeof seededRandom>["bytes"];
  #attempts: Attempts | undefined;
  #next = 1;
  #chunk = 0;

  /** It shakes hands at once. */
  constructor(world: World, address: Address, exposure: SimExposure) {
    this.#world = world;
    this.address = address;
    this.#exposure = exposure;
    this.#random = seededRandom(world.seed, `asker ${address.host}`).bytes;
    world.add(this);
    this.shakeHands();
  }

  /** Begins another handshake: it ends with one more grant. */
  shakeHands(): void {
    const { engine, sealed, staticKey, psk } = this.#exposure;
    this.#attempts = new Attempts(this.#world.now, [exposerAddress], {
      engine,
      random: this.#random,
      staticPrivate: this.#random(32),
      ask: { kind: 0, exposureId: sealed.id, ticketId: ticketId(engine, psk) },
      exposerKey: staticKey,
      psk,
    });
    this.timeout(this.#world.now);
  }

  /** A request for about `bytes` of chunks that it has not asked for lately, as a packet. */
  request(bytes: number, claims: Claims = {}): Uint8Array {
    const { engine, manifest, sealed } = this.#exposure;
    const { token, pullKey } = this.grants[claims.grant ?? 0];
    const entries = [];
    for (let left = bytes; left > 0; left -= manifest.chunkSize) {
      const piece = this.#chunk++ % (sealed.chunkCount - 1);
      const count = blockPlan(pieceBytes(manifest, piece)!, SYMBOL_SIZE).symbols;
      entries.push({ piece, first: 0, count, parityFirst: 0, parityCount: 0 });
    }
    return encodePullRequest({
      tag: new Uint8Array(8).fill(7),
      number: this.#next++,
      receipt: claims.receipt ?? this.receipt,
      received: (claims.received ?? this.receivedBytes) % 2 ** 32,
      token,
      symbolSize: SYMBOL_SIZE,
      sections: [entries.sort((a, b) => a.piece - b.piece)],
    }, (packet) => packetMac(engine, pullKey, packet));
  }

  deliver(now: number, _from: Address, packet: Uint8Array): void {
    if (isChunkData(packet)) {
      this.receivedBytes += packet.length;
      this.receipt = chunkDataReceipt(packet);
      return;
    }
    const result = this.#attempts?.handle(now, packet);
    if (result === "next") this.timeout(now);
    else if (typeof result === "object" && result.answer.granted) {
      this.#attempts = undefined;
      this.grants.push(result.answer.grant);
      this.receipt = result.answer.grant.receipt;
    }
  }

  deadline(): number {
    return this.#attempts?.deadline ?? Infinity;
  }

  timeout(now: number): void {
    for (const { to, bytes } of this.#attempts?.due(now) ?? []) this.#world.send(this.address, to, bytes);
  }
}
