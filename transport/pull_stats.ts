import type { Address } from "../codec/address.ts";
import { chunkCount } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import type { RgtpError } from "../core/errors.ts";
import { handshakeName } from "./protocol/handshake_shape.ts";
import type { HandshakeName } from "./protocol/handshake_shape.ts";
import type { PullerMachine } from "./protocol/puller.ts";
import type { PullerProgress } from "./protocol/puller_types.ts";

/** How far a pull is. */
export interface PullProgress extends PullerProgress {
  /** Bytes a second, over the whole pull so far, without what was found on disk. */
  readonly rate: number;
}

/** Where a pull stands: not begun, asking for a grant, pulling, or at its end. */
export type PullState = "idle" | "contacting" | "pulling" | "done" | "failed";

/** Who serves a pull. */
export interface PullSource {
  /** Where it is. */
  readonly address: Address;
  /** Bytes of chunks that came from it, headers included. */
  readonly wireBytes: number;
  /** The share of symbols that did not come when they should have, 0 to 1. */
  readonly loss: number;
  /** Smoothed, in ms; 0 before the first request. */
  readonly roundTripMs: number;
  /** What the keys of its last handshake were made with. */
  readonly handshake: HandshakeName;
  /** The shortest of the last 15 to 30 seconds, ms: what the way takes while no queue stands on it. */
  readonly leastRoundTripMs: number;
  /** Bytes a second that it lets one puller have; absent: it says none. */
  readonly rateMax?: number;
  /** Whether it is asked for nothing more. */
  readonly isGone: boolean;
}

/** What a pull has done so far. */
export interface PullStats {
  /** Where it stands. */
  readonly state: PullState;
  /** Why nothing comes; absent while something does. */
  readonly stalled?: string;
  /** Plaintext bytes that are wanted; 0 before the grant. */
  readonly totalBytes: number;
  /** Of these, verified and stored, or given to the reader. */
  readonly bytes: number;
  /** Of these, found on disk. */
  readonly reusedBytes: number;
  /** Of these, taken from memory that an exposer on this machine shares. */
  readonly sharedBytes: number;
  /** Bytes of chunks received, headers included. */
  readonly wireBytes: number;
  /** Bytes a second, over the whole pull so far, without what was found on disk. */
  readonly rate: number;
  /** The share of symbols that did not come when they should have, 0 to 1. */
  readonly loss: number;
  /** Smoothed, in ms; 0 before the first request. */
  readonly roundTripMs: number;
  /** Packets dropped, by reason: most often symbols that came twice, or late. */
  readonly drops: Readonly<Record<string, number>>;
  /** Who serves it, or has: nobody before the grant. */
  readonly sources: readonly PullSource[];
}

/** How a pull to a file ended. */
export interface PullResult {
  /** Plaintext bytes; of a collection those of the files that were wanted. */
  readonly bytes: number;
  /** From the first request to the last verified byte. */
  readonly seconds: number;
  /** From the start to the grant. */
  readonly handshakeSeconds: number;
  /** What the handshake's keys were made with; of several sources where none has less. */
  readonly handshake: HandshakeName;
  /** Bytes of chunks received, headers included. */
  readonly wireBytes: number;
  /** Bytes that were found on disk and did not have to be pulled. */
  readonly reusedBytes: number;
  /** Bytes that came as shared memory, from an exposer on this machine. */
  readonly sharedBytes: number;
  /** The exposure's ID, base64url. */
  readonly id: string;
  /** Where the file is, or the folder that holds the collection's contents. */
  readonly path: string;
  /** SHA-256 of the file as it stands on disk, hex; of a collection that of its index, in which each file's own stands. Absent: unwanted. */
  readonly sha256?: string;
  /** Whether everything had been there already, whole and right. */
  readonly alreadyComplete: boolean;
  /** Of a collection: how many files were wanted. */
  readonly files?: number;
}

/** Something happened to a pull; what it has done by then is in its `stats()`. */
export type PullEvent =
  /** The exposer lets it pull: so many bytes in so many chunks, all that is exposed. */
  | { readonly kind: "granted"; readonly source: Address; readonly bytes: number; readonly chunks: number }
  /** It listens to the exposer's multicast group. */
  | { readonly kind: "group"; readonly group: Address }
  /** It does not, or not any longer, and why: the rest comes by unicast. */
  | { readonly kind: "unicast"; readonly reason: string }
  /** Nothing comes, and why. */
  | { readonly kind: "stalled"; readonly reason: string }
  /** It goes on. */
  | { readonly kind: "resumed" }
  /** One more source serves it. */
  | { readonly kind: "joined"; readonly source: Address }
  /** A source is asked for nothing more, and why; the others go on. One that has sent something else than what is exposed: MERKLE_FAIL. */
  | { readonly kind: "dropped"; readonly source: string; readonly error: RgtpError }
  /** All that was wanted is here, verified. */
  | { readonly kind: "done" }
  /** It ended before that: an `RgtpError`, unless its caller made a mistake. */
  | { readonly kind: "failed"; readonly error: unknown };

/** The event that a grant is. */
export function grantedEvent(manifest: Manifest, source: Address): PullEvent {
  return { kind: "granted", source, bytes: manifest.totalSize, chunks: chunkCount(manifest) };
}

/** How far a machine is; one that is not there yet is nowhere. */
export function progressOf(machine: PullerMachine | undefined): PullProgress {
  if (!machine) {
    const none = {
      total: 0,
      done: 0,
      reused: 0,
      shared: 0,
      wireBytes: 0,
      symbolsReceived: 0,
      symbolsLost: 0,
    };
    return { ...none, roundTrip: 0, rate: 0 };
  }
  const { progress, times } = machine;
  const since = times.requestedAt;
  const seconds = since === undefined ? 0 : ((times.finishedAt ?? performance.now()) - since) / 1000;
  return { ...progress, rate: seconds > 0 ? (progress.done - progress.reused) / seconds : 0 };
}

/** The same in the words of {@linkcode PullStats}. */
export function statsOf(
  state: PullState,
  stalled: string | undefined,
  machine: PullerMachine | undefined,
): PullStats {
  const progress = progressOf(machine);
  const { total, done, reused, shared, wireBytes, rate, symbolsLost, symbolsReceived, roundTrip } = progress;
  return {
    state,
    ...(stalled !== undefined && { stalled }),
    totalBytes: total,
    bytes: done,
    reusedBytes: reused,
    sharedBytes: shared,
    rate,
    wireBytes,
    loss: lossOf({ symbolsLost, symbolsReceived }),
    roundTripMs: roundTrip,
    drops: machine?.drops.all() ?? {},
    sources: (machine?.sources ?? []).map((source) => ({
      address: source.address,
      wireBytes: source.wireBytes,
      loss: lossOf(source),
      roundTripMs: source.roundTrip,
      handshake: handshakeName(source.isHybrid),
      leastRoundTripMs: source.leastRoundTrip,
      ...(source.rateMax !== undefined && { rateMax: source.rateMax }),
      isGone: source.isGone,
    })),
  };
}

function lossOf(
  { symbolsLost, symbolsReceived }: Pick<PullerProgress, "symbolsLost" | "symbolsReceived">,
): number {
  return symbolsLost / Math.max(1, symbolsLost + symbolsReceived);
}
