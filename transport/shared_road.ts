import type { Grant } from "../codec/grant.ts";
import { chunkBytes, chunkCount } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import { SEGMENT_BYTES, shareAnswer, shareAsk, ShareStatus } from "../codec/share.ts";
import type { ShareMac } from "../codec/share.ts";
import { equalBytes } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { systemRandom } from "../core/machine.ts";
import type { Random } from "../core/machine.ts";
import type { Engine } from "../crypto/engine.ts";
import { shareMac } from "../crypto/tokens.ts";
import { chunkOffset } from "./exposure/pieces.ts";
import { openCommonWindow } from "./link/sealed_memory.ts";
import { shareAddress, ShareSocket } from "./link/share_socket.ts";
import type { ShareDatagram } from "./link/share_socket.ts";
import type { PullOptions } from "./pull.ts";
import type { PullerEvents, SharedBytes } from "./puller_shell.ts";

/** What a road is made of. */
export interface SharedRoadOptions {
  readonly engine: Engine;
  readonly random: Random;
  /** The newest grant. */
  readonly grant: () => Grant;
  readonly manifest: Manifest;
  /** The chunk that is wanted first: its memory proves that the exposer is on this machine. */
  readonly first: number;
  /** No chunk from this one on is wanted, as far as is known. */
  readonly end: number;
  /** Room for all of the exposure, where its memory is to appear and stay. Absent: a few segments have room, in turn. */
  readonly window?: Uint8Array<ArrayBuffer>;
}

/** Opens the road of a pull, unless its options say something of the network. `isAlone`: it has one source. */
export function sharing(
  engine: Engine,
  { link, limitRate, mayContact, shared }: Pick<PullOptions, "link" | "limitRate" | "mayContact" | "shared">,
  isAlone: boolean,
  grant: () => Grant,
): NonNullable<PullerEvents["share"]> {
  return (_grant, manifest, sink) => {
    const isWanted = shared ?? ((link ?? limitRate ?? mayContact) === undefined && isAlone);
    // Who leaves what he does not have wants no bytes.
    if (!isWanted || sink.leave) return undefined;
    return SharedRoad.open({
      engine,
      random: systemRandom,
      grant,
      manifest,
      first: sink.wanted?.[0]?.first ?? 0,
      end: (sink.wantMore ? undefined : sink.wanted?.at(-1)?.end) ?? chunkCount(manifest),
      ...(sink.window && { window: sink.window }),
    });
  };
}

/** Segments that have room at once, in turn: those that chunks are taken from, and the next. */
const SEGMENTS_AT_HAND = 4;

/** A segment that was asked for. */
interface Segment {
  /** Where its memory appears. */
  readonly room: Uint8Array;
  /** Under the key of the grant that it was asked for with. */
  readonly mac: ShareMac;
  /** Ends when it is here, or will never be. */
  readonly arrival: PromiseWithResolvers<void>;
  isHere: boolean;
  /** Chunks in it that somebody is about to take, or has, and that were not given back. */
  held: number;
}

/**
 * The exposure as memory that an exposer on the same machine hands over. Nothing that the exposer says is believed: that it is on this
 * machine shows when the memory comes, that nothing can change there the kernel says, and every chunk is compared with its leaf as any other.
 */
export class SharedRoad implements SharedBytes {
  readonly #options: SharedRoadOptions;
  readonly #socket: ShareSocket;
  readonly #door: Uint8Array;
  readonly #window: Uint8Array;
  readonly #segments = new Map<number, Segment>();
  #current = -1;
  /** Ends when nobody needs some segment any more. */
  #freed = Promise.withResolvers<void>();
  #closed = false;
  #failure: RgtpError | undefined;

  /**
   * Asks for the first segment that is wanted, and does not wait for it. `undefined` when nothing will come of it: the exposer offers
   * none, or is not on this machine. One that does not let this user in shows when the first chunk is to be taken.
   */
  static open(options: SharedRoadOptions): SharedRoad | undefined {
    const { manifest: { totalSize }, first, random } = options;
    const { share } = options.grant();
    if (!share || totalSize === 0) return undefined;
    const socket = ShareSocket.open(random(16));
    if (!socket) return undefined;
    const window = options.window ?? openCommonWindow(Math.min(totalSize, SEGMENTS_AT_HAND * SEGMENT_BYTES));
    const road = window && new SharedRoad(options, socket, shareAddress(share), window);
    if (!road) {
      socket.close();
      return undefined;
    }
    return road.#ask(road.#segmentOf(first)) && road;
  }

  private constructor(
    options: SharedRoadOptions,
    socket: ShareSocket,
    door: Uint8Array,
    window: Uint8Array,
  ) {
    this.#options = options;
    this.#socket = socket;
    this.#door = door;
    this.#window = window;
    this.#run().catch((cause) => {
      // Not the end of this road alone: there is a hole where bytes were to appear, whatever road they come on.
      this.#failure = new RgtpError(
        "NOMEM",
        "the memory that the exposer shares cannot be mapped: try again",
        {
          cause,
        },
      );
    }).finally(() => this.close());
  }

  get isOpen(): boolean {
    return !this.#closed;
  }

  get memory(): SharedArrayBuffer | undefined {
    const { buffer } = this.#window;
    return buffer instanceof SharedArrayBuffer ? buffer : undefined;
  }

  ready(chunk: number): Promise<void> | undefined {
    const number = this.#segmentOf(chunk);
    const segment = this.#segments.get(number);
    const isReady = this.#closed || segment?.isHere && !this.#socket.turn.isOver;
    if (!isReady || this.#failure) return this.#enter(number);
    if (segment) segment.held++;
    return undefined;
  }

  take(chunk: number): Uint8Array | undefined {
    const segment = this.#segments.get(this.#segmentOf(chunk));
    if (!segment?.isHere) return undefined;
    const at = chunkOffset(this.#options.manifest, chunk) % SEGMENT_BYTES;
    return segment.room.subarray(at, at + chunkBytes(this.#options.manifest, chunk));
  }

  giveBack(chunk: number): void {
    const segment = this.#segments.get(this.#segmentOf(chunk));
    if (segment && --segment.held === 0) this.#free();
  }

  close(): void {
    this.#closed = true;
    this.#socket.close();
    for (const { arrival } of this.#segments.values()) arrival.resolve();
    this.#segments.clear();
    this.#free();
  }

  #segmentOf(chunk: number): number {
    return Math.floor(chunkOffset(this.#options.manifest, chunk) / SEGMENT_BYTES);
  }

  /** Waits for a segment; asks for the next one too, where they are taken one after the other. */
  async #enter(number: number): Promise<void> {
    const isNext = number === this.#current + 1;
    this.#current = number;
    let segment = this.#ask(number);
    // A slow thread, or a slow disk, may have a chunk of long ago where this one is to appear.
    for (; !segment && !this.#closed; segment = this.#ask(number)) await this.#freed.promise;
    // Others must not take its room while this one waits.
    if (segment) segment.held++;
    const { manifest, end } = this.#options;
    if (isNext && (number + 1) * SEGMENT_BYTES < chunkOffset(manifest, end)) this.#ask(number + 1);
    if (segment && !segment.isHere) await segment.arrival.promise;
    // Checking need not wait for anything: the network's socket and timers have their turn all the same.
    await this.#socket.turn.yield();
    if (this.#failure) throw this.#failure;
  }

  #free(): void {
    this.#freed.resolve();
    this.#freed = Promise.withResolvers();
  }

  #ask(number: number): Segment | undefined {
    const known = this.#segments.get(number);
    const room = known || this.#closed ? undefined : this.#roomFor(number);
    if (!room) return known;
    const { engine } = this.#options;
    const { token, pullKey, exposureKey } = this.#options.grant();
    const mac = shareMac(engine, pullKey, exposureKey);
    if (!this.#socket.send(this.#door, shareAsk.encode({ token, segment: number }, mac))) {
      this.close();
      return undefined;
    }
    const segment = { room, mac, arrival: Promise.withResolvers<void>(), isHere: false, held: 0 };
    this.#segments.set(number, segment);
    const timer = setTimeout(() => this.close(), limits.shareAnswerMsMax);
    segment.arrival.promise.finally(() => clearTimeout(timer));
    return segment;
  }

  async #run(): Promise<void> {
    for (let heard = await this.#socket.receive(); heard; heard = await this.#socket.receive()) {
      try {
        this.#handleAnswer(heard);
      } finally {
        if (heard.descriptor !== undefined) this.#socket.closeDescriptor(heard.descriptor);
      }
    }
  }

  #handleAnswer({ bytes, descriptor }: ShareDatagram): void {
    const answer = shareAnswer.decode(bytes);
    const segment = answer && this.#segments.get(answer.segment);
    if (!segment || segment.isHere) return;
    const [covered, mac] = shareAnswer.authenticated(bytes);
    if (!equalBytes(segment.mac(covered), mac)) return;
    const isGiven = answer.status === ShareStatus.GIVEN && descriptor !== undefined;
    if (!isGiven || !this.#socket.map(descriptor, segment.room)) return this.close();
    segment.isHere = true;
    segment.arrival.resolve();
  }

  /** In a window for all, its own place; else that of an earlier segment, which is forgotten, unless somebody needs it. */
  #roomFor(number: number): Uint8Array | undefined {
    const { window, manifest: { totalSize } } = this.#options;
    const bytes = Math.min(SEGMENT_BYTES, totalSize - number * SEGMENT_BYTES);
    if (window) return window.subarray(number * SEGMENT_BYTES, number * SEGMENT_BYTES + bytes);
    const place = number % SEGMENTS_AT_HAND;
    for (const [other, { isHere, held }] of this.#segments) {
      if (other % SEGMENTS_AT_HAND !== place) continue;
      if (!isHere || held > 0) return undefined;
      this.#segments.delete(other);
    }
    return this.#window.subarray(place * SEGMENT_BYTES, place * SEGMENT_BYTES + bytes);
  }
}
