import type { Address } from "../../codec/address.ts";
import type { Run } from "../../codec/listing.ts";
import { CHUNK_HEADER_BYTES, stampChunkHeader } from "../../codec/packet.ts";
import { equalBytes } from "../../core/bytes.ts";
import { drain } from "../../core/machine.ts";
import { HASH_BYTES } from "../../crypto/engine.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { leafHash } from "../../crypto/merkle.ts";
import { packetsFor } from "../../transport/answer_train.ts";
import { NO_KEY } from "../../transport/protocol/exposed.ts";
import { ExposerMachine } from "../../transport/protocol/exposer.ts";
import type { ExposerOutput } from "../../transport/protocol/exposer_types.ts";
import { PullerMachine } from "../../transport/protocol/puller.ts";
import type { PullerOutput } from "../../transport/protocol/puller_types.ts";
import { exposedOf } from "./exposure.ts";
import type { SimExposure } from "./exposure.ts";
import { seededRandom } from "./random.ts";
import type { SimHost, World } from "./world.ts";

const PULL_PORT = 40_000;
const SERVE_PORT = 9000;

/**
 * One of many who pull everything, sealed, and serve what they have meanwhile: from another one who does so, and from the exposer when
 * that one is gone. What it holds is verified, and sent from the exposure's own store, since it is the same.
 */
export class SimPeer {
  /** When it had everything; `Infinity` before that. */
  endedAt = Infinity;
  /** Bytes of chunks that it has sent. */
  get bytesSent(): number {
    return this.#exposer.bytesSent;
  }
  readonly #world: World;
  readonly #exposure: SimExposure;
  readonly #puller: PullerMachine;
  readonly #exposer: ExposerMachine;
  readonly #sides: { readonly pulls: Side; readonly serves: Side };
  readonly #held = new Set<number>();
  #version = 0;

  /** Pulls from `parent`, another peer's host, or (absent) from the exposer. */
  constructor(
    world: World,
    host: string,
    exposure: SimExposure,
    exposer: Address,
    parent: string | undefined,
  ) {
    this.#world = world;
    this.#exposure = exposure;
    const { engine, staticPrivate, staticKey, psk, sealed } = exposure;
    const { bytes: random } = seededRandom(world.seed, `peer ${host}`);
    const facts = { exposerKey: staticKey, ticket: { id: ticketId(engine, psk), psk } };
    const edge = parent && { ...facts, addresses: [{ host: parent, port: SERVE_PORT }], isEdge: true };
    this.#puller = new PullerMachine(world.now, {
      engine,
      random,
      staticPrivate: random(32),
      exposureId: sealed.id,
      isSealed: true,
      ...facts,
      addresses: [exposer],
      others: edge ? [edge] : [],
      burstPacketsMax: 80,
      timeoutMs: 30_000,
      handshakeTimeoutMs: 30_000,
    });
    this.#exposer = new ExposerMachine(world.now, { engine, random, staticPrivate });
    const version = () => this.#version;
    this.#exposer.add({
      ...exposedOf(exposure, () => psk),
      exposureKey: NO_KEY,
      holdings: {
        get version() {
          return version();
        },
        has: (piece) => this.#held.has(piece),
        runs: () => runsOf([...this.#held].sort((a, b) => a - b)),
        want: () => {},
      },
    });
    this.#sides = {
      pulls: new Side({ host, port: PULL_PORT }, this.#puller, () => this.#drain()),
      serves: new Side({ host, port: SERVE_PORT }, this.#exposer, () => this.#drain()),
    };
    for (const side of Object.values(this.#sides)) world.add(side);
    this.#drain();
  }

  /** `kill -9`. */
  crash(): void {
    for (const { address } of Object.values(this.#sides)) this.#world.remove(address);
  }

  #drain(): void {
    const reports: (() => void)[] = [];
    do {
      for (const report of reports.splice(0)) report();
      drain(this.#puller, (output) => this.#pull(output, reports));
      drain(this.#exposer, (output) => this.#serve(output, reports));
    } while (reports.length > 0);
    for (const side of Object.values(this.#sides)) side.look();
  }

  #pull(output: PullerOutput, reports: (() => void)[]): void {
    const { now } = this.#world;
    if (output.kind === "send") this.#world.send(this.#sides.pulls.address, output.to, output.bytes);
    if (output.kind === "granted") {
      reports.push(() => this.#puller.begin(now, { hasLeaves: () => true, candidates: () => undefined }));
    }
    if (output.kind === "open") reports.push(() => this.#take(now, output.piece, output.sealed));
    if (output.kind === "done") this.endedAt = now;
    if (output.kind === "failed") throw output.error;
  }

  /** Few leaves: all of them have come with the grant. */
  #take(now: number, chunk: number, bytes: Uint8Array): void {
    const { engine, sealed } = this.#exposure;
    const leaf = sealed.leaves.subarray(chunk * HASH_BYTES, (chunk + 1) * HASH_BYTES);
    const isRight = equalBytes(leafHash(engine.sha256, bytes), leaf);
    if (isRight) this.#held.add(chunk);
    this.#version++;
    this.#puller.handleOpened(now, chunk, isRight);
    this.#exposer.handleHoldings(now);
  }

  #serve(output: ExposerOutput, reports: (() => void)[]): void {
    const { now } = this.#world;
    const from = this.#sides.serves.address;
    if (output.kind === "send") this.#world.send(from, output.to, output.bytes);
    if (output.kind !== "serve") return;
    const { puller, symbolSize, request, receipt } = output;
    const packets = packetsFor(this.#exposure.sealed.store, puller.exposed.manifest, output)!;
    const stride = CHUNK_HEADER_BYTES + symbolSize;
    for (let at = 0; at < packets.length; at += stride) {
      const packet = packets.subarray(at, at + stride);
      stampChunkHeader(packet, 0, puller.tag, request, receipt);
      this.#world.send(from, puller.address, packet);
    }
    reports.push(() => this.#exposer.handleServed(now, puller, true));
  }
}

/** What both machines have in common. */
interface PeerMachine {
  handleDatagram(now: number, from: Address, packet: Uint8Array): void;
  handleTimeout(now: number): void;
  readonly deadline: number;
}

/** One socket of a peer. Among a thousand hosts that are asked at each step, its deadline is looked up only when it may have changed. */
class Side implements SimHost {
  readonly address: Address;
  readonly #machine: PeerMachine;
  readonly #drain: () => void;
  #deadline = Infinity;

  constructor(address: Address, machine: PeerMachine, drain: () => void) {
    this.address = address;
    this.#machine = machine;
    this.#drain = drain;
  }

  deliver(now: number, from: Address, bytes: Uint8Array): void {
    this.#machine.handleDatagram(now, from, bytes);
    this.#drain();
  }

  deadline(): number {
    return this.#deadline;
  }

  timeout(now: number): void {
    this.#machine.handleTimeout(now);
    this.#drain();
  }

  look(): void {
    this.#deadline = this.#machine.deadline;
  }
}

function runsOf(chunks: readonly number[]): Run[] {
  const runs: { first: number; count: number }[] = [];
  for (const chunk of chunks) {
    const last = runs.at(-1);
    if (last && last.first + last.count === chunk) last.count++;
    else runs.push({ first: chunk, count: 1 });
  }
  return runs;
}
