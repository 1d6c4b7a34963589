import type { Address } from "../codec/address.ts";
import type { StoreCounters } from "./exposure/store.ts";
import type { LinkStats } from "./link/link.ts";
import { handshakeName } from "./protocol/handshake_shape.ts";
import type { HandshakeName } from "./protocol/handshake_shape.ts";
import type { ExposerMemory, HandshakeOutcome, PullerStatus } from "./protocol/exposer_types.ts";
import type { ShareStats } from "./share_door.ts";

/** A puller came or went. */
export interface ExposureEvent {
  /** `"granted"`: it may pull. `"completed"`: it says that it has everything. `"left"`: it fell silent. */
  readonly kind: "granted" | "completed" | "left";
  /** Where it is. */
  readonly address: Address;
  /** Bytes sent to it under its present token. */
  readonly bytesSent: number;
  /** Of `"granted"`: what the keys of the handshake were made with. */
  readonly handshake?: HandshakeName;
}

/** The event that a grant is. */
export function grantedEvent({ to, isHybrid }: { to: Address; isHybrid: boolean }): ExposureEvent {
  return { kind: "granted", address: to, bytesSent: 0, handshake: handshakeName(isHybrid) };
}

/** What whoever serves, an exposure or an edge, has done so far. */
export interface ServingStats {
  /** Bytes of chunks sent, headers included. */
  readonly bytesSent: number;
  /** Who pulls now. */
  readonly pullers: readonly PullerStatus[];
  /** Pulls that have said that they are complete. */
  readonly completed: number;
  /** Pulls that fell silent before that. They may go on at any time. */
  readonly left: number;
  /** Handshake packets, by what came of them. */
  readonly handshakes: Readonly<Record<HandshakeOutcome, number>>;
  /** Packets dropped, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** What is kept for pullers at present. */
  readonly memory: ExposerMemory;
  /** Counters of the socket. */
  readonly link: LinkStats;
}

/** What an exposure has done so far. */
export interface ExposureStats extends ServingStats {
  /** What the store of sealed chunks has done. */
  readonly store: StoreCounters;
  /** Bytes of packets that the store holds in memory. */
  readonly storeBytes: number;
  /** What was handed out as shared memory; absent where none can be. */
  readonly shared?: ShareStats;
  /** Of its multicast group, if it has one: receivers that still want something, and bytes a second at present. */
  readonly multicast?: { readonly receivers: number; readonly rate: number };
}

/** What was done for exposures beside sending: by stores, and by doors to shared memory. */
export interface Work {
  readonly store: StoreCounters;
  readonly shared?: ShareStats;
}

/** Nothing yet. */
export const noWork = {
  store: { seals: 0, reseals: 0, spillReads: 0 },
  shared: { bytesGiven: 0, bytesRead: 0, memoryBytes: 0, drops: {} },
} as const satisfies Work;

/** Both together. */
export function addWork(a: Work, b: Work): Work {
  const { shared: given = noWork.shared } = a;
  const { shared: more = noWork.shared } = b;
  return {
    store: {
      seals: a.store.seals + b.store.seals,
      reseals: a.store.reseals + b.store.reseals,
      spillReads: a.store.spillReads + b.store.spillReads,
    },
    shared: {
      bytesGiven: given.bytesGiven + more.bytesGiven,
      bytesRead: given.bytesRead + more.bytesRead,
      memoryBytes: given.memoryBytes + more.memoryBytes,
      drops: addCounts([given.drops, more.drops]),
    },
  };
}

/** Counts by reason, added up. */
export function addCounts(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const [key, count] of counts.flatMap((one) => Object.entries(one))) all[key] = (all[key] ?? 0) + count;
  return all;
}
