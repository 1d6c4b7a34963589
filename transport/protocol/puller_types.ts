import type { Address } from "../../codec/address.ts";
import type { Grant } from "../../codec/grant.ts";
import type { Group } from "../../codec/group.ts";
import type { Manifest } from "../../codec/manifest.ts";
import type { RgtpError } from "../../core/errors.ts";
import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import type { ChunkPlanOptions, PiecePlan } from "./chunk_plan.ts";
import type { PostQuantum } from "./handshake_shape.ts";
import type { ChunkMemory } from "./pieces_in_hand.ts";
import type { SourceFacts } from "./source.ts";
import type { TrafficClassName } from "./traffic_class.ts";

/** What a puller asks its shell to do. */
export type PullerOutput =
  /** Send one packet. */
  | { readonly kind: "send"; readonly to: Address; readonly bytes: Uint8Array }
  /** The exposer has granted the pull: prepare, then call `begin`. */
  | {
    readonly kind: "granted";
    readonly grant: Grant;
    readonly manifest: Manifest;
    readonly exposerKey: Uint8Array;
  }
  /** Verify a piece: a leaf page against the root, a chunk against its leaf; open and store it; then call `handleOpened`. The bytes are the machine's again after that, unless they are lent ({@linkcode ChunkMemory}). */
  | { readonly kind: "open"; readonly piece: number; readonly sealed: Uint8Array }
  /** Check a chunk that may be at hand against its leaf; then call `handleChecked`. */
  | { readonly kind: "check"; readonly chunk: number }
  /** All chunks of a page are here: its leaves are needed no longer. */
  | { readonly kind: "pageDone"; readonly page: number }
  /** Nothing has come for a while, and this is what is known of why. */
  | { readonly kind: "stalled"; readonly reason: string }
  /** It goes on. */
  | { readonly kind: "resumed" }
  /** Listen to this multicast group, then call `joined`. */
  | { readonly kind: "join"; readonly group: Group }
  /** Nothing of the group is wanted any more: the pull goes on by itself, and why. */
  | { readonly kind: "leave"; readonly group: Group; readonly reason: string }
  /** A source serves it too, from now on. */
  | { readonly kind: "joined"; readonly source: Address }
  /** A source is asked for nothing more; others go on. */
  | { readonly kind: "dropped"; readonly source: string; readonly error: RgtpError }
  /** Everything wanted so far is here, and there is more to come: call `want`. */
  | { readonly kind: "wanting" }
  /** Everything wanted is here. */
  | { readonly kind: "done" }
  /** It cannot go on. */
  | { readonly kind: "failed"; readonly error: RgtpError };

/** What a puller is made of; the facts are those of the exposer that the ticket names. */
export interface PullerOptions extends SourceFacts {
  /** Cryptography. */
  readonly engine: Engine;
  /** Random bytes. */
  readonly random: Random;
  /** X25519 private key of this node, or of this pull. */
  readonly staticPrivate: Uint8Array;
  /** What to pull: 32 bytes. */
  readonly exposureId: Uint8Array;
  /** Its key, 32 bytes, when it is known without a grant. */
  readonly exposureKey?: Uint8Array;
  /** Pulls for others what it cannot read: no key is asked for, and none is taken. */
  readonly isSealed?: boolean;
  /** Whether handshakes are hybrid; absent: `auto`. */
  readonly postQuantum?: PostQuantum;
  /** Who else serves it. What they are not trusted with is to be right: that shows. */
  readonly others?: readonly SourceFacts[];
  /** Packets that our receive buffer holds in one burst. */
  readonly burstPacketsMax: number;
  /** As many at first; more when many have come. Absent: all that the buffer holds. */
  readonly burstPacketsFirst?: number;
  /** The symbol size to begin with; a path that does not carry it is noticed. */
  readonly symbolSize?: number;
  /** Bytes a second to ask for at most. */
  readonly limitRate?: number;
  /** How it behaves towards other traffic; absent: `normal`. */
  readonly trafficClass?: TrafficClassName;
  /** Whether it joins the multicast group of a grant. */
  readonly joinsGroups?: boolean;
  /** Without any progress for this long, it fails. */
  readonly timeoutMs: number;
  /** The same for the first contact. */
  readonly handshakeTimeoutMs: number;
  /** What this machine's network says of our packets, for people; empty when it takes them. Absent: nothing is known. */
  readonly network?: () => string;
}

/** What a pull begins with. */
export interface PullBeginning extends Omit<ChunkPlanOptions, "chunks"> {
  /** What to pull, and in which order; absent: what is wanted, from front to end. */
  readonly plan?: PiecePlan;
  /** What else is wanted shows only when this is here: see `want` of the machine. */
  readonly isMoreToCome?: boolean;
  /**
   * How many pieces that were handed out with `open` the shell holds only because others must come before them. Absent: none. When it
   * holds no others, silence is the network's, not the shell's.
   */
  readonly heldBack?: () => number;
  /** Where full chunks are put together. Absent: in some memory of our own. */
  readonly memory?: ChunkMemory;
}

/** Where a chunk was found without being pulled, if it was: in what an earlier pull left, or in memory that the exposer shares. */
export type Found = "on disk" | "shared" | "nowhere";

/** How far a pull is. */
export interface PullerProgress {
  /** Plaintext bytes wanted. */
  readonly total: number;
  /** Of these, verified and stored. */
  readonly done: number;
  /** Of these, found on disk. */
  readonly reused: number;
  /** Of these, taken from memory that the exposer shares. */
  readonly shared: number;
  /** Bytes of CHUNK_DATA received. */
  readonly wireBytes: number;
  /** Symbols received, and asked for again. */
  readonly symbolsReceived: number;
  /** Symbols that did not come when they should have. */
  readonly symbolsLost: number;
  /** Smoothed, in ms; 0 before the first request. */
  readonly roundTrip: number;
}

/** How much a puller keeps while it pulls. */
export interface PullerMemory {
  /** Pieces that are being assembled, or wait to be opened and stored. */
  readonly pieces: number;
  /** Of these, whole ones that wait for their leaf page. */
  readonly awaitingLeaves: number;
  /** Symbols asked for that have not come. */
  readonly symbolsUnderWay: number;
  /** Pieces that came wrong and have not come right yet. */
  readonly wrongPieces: number;
}

/** From first to last: monotonic ms; undefined for what has not happened. */
export interface PullerTimes {
  /** Start of the handshake. */
  readonly startedAt: number;
  /** The grant. */
  grantedAt?: number;
  /** When it first asked for what is missing, and looked at what is at hand. */
  requestedAt?: number;
  /** The last chunk was stored. */
  finishedAt?: number;
}
