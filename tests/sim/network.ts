import type { Address } from "../../codec/address.ts";
import { type SeededRandom, seededRandom } from "./random.ts";

/** What the way from one host to another does to packets. Sizes count payload bytes, without UDP and IP headers. */
export interface PathOptions {
  /** Every packet takes this long, ms, after it has left the queue. */
  readonly delayMs: number;
  /** And up to this much longer, ms, evenly spread. Packets may overtake each other then. */
  readonly jitterMs: number;
  /** Share of packets that vanish. */
  readonly lossRate: number;
  /** Share of packets that come twice. The copy has its own jitter. */
  readonly duplicateRate: number;
  /** Share of packets that are held back by `reorderMs`, so that later ones overtake them. */
  readonly reorderRate: number;
  /** How long they are held back, ms. */
  readonly reorderMs: number;
  /** Share of packets of which one bit is flipped. Empty ones have none. */
  readonly corruptRate: number;
  /** What the bottleneck carries, bytes a second. */
  readonly bytesPerSecond: number;
  /** What waits before the bottleneck, bytes, the packet in transmission included; a packet that does not fit is dropped. */
  readonly queueBytes: number;
  /** The largest packet, bytes; larger ones vanish, as where ICMP is filtered. */
  readonly mtu: number;
}

/** A perfect path: no time, no loss, no limits. */
export const perfectPath: PathOptions = Object.freeze({
  delayMs: 0,
  jitterMs: 0,
  lossRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  reorderMs: 10,
  corruptRate: 0,
  bytesPerSecond: Infinity,
  queueBytes: Infinity,
  mtu: 65507,
});

/** A packet on its way. */
export interface Delivery {
  /** When it arrives, virtual ms. */
  readonly at: number;
  /** Who sent it. */
  readonly from: Address;
  /** Where it arrives. */
  readonly to: Address;
  /** A copy of what was sent. */
  readonly bytes: Uint8Array;
}

/** What has happened to packets, all paths together. */
export interface NetworkStats {
  /** Packets handed in. */
  packets: number;
  /** Bytes handed in. */
  bytes: number;
  /** Lost by chance. */
  lost: number;
  /** Lost as the queue was full. */
  queueDrops: number;
  /** Lost as they were longer than the MTU. */
  mtuDrops: number;
  /** Lost as there was no way. */
  partitionDrops: number;
  /** Came twice. */
  duplicated: number;
  /** Were held back. */
  reordered: number;
  /** Had a bit flipped. */
  corrupted: number;
}

/**
 * The network between simulated hosts. It has no clock and calls nobody: packets go in with the time at which they are
 * sent, and what comes out are deliveries with the time at which they arrive.
 *
 * Each direction between two hosts (their ports share it) is a path with a queue and a stream of chance of its own, so
 * that another host more, or another packet elsewhere, does not change what happens here.
 */
export class SimNetwork {
  /** Counters. */
  readonly stats: NetworkStats = {
    packets: 0,
    bytes: 0,
    lost: 0,
    queueDrops: 0,
    mtuDrops: 0,
    partitionDrops: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
  };
  readonly #seed: number;
  readonly #common: PathOptions;
  readonly #paths = new Map<string, Path>();

  /** All paths have the options `common` (and are perfect beyond them) until `setPath` says otherwise. */
  constructor(seed: number, common: Partial<PathOptions> = {}) {
    this.#seed = seed;
    this.#common = { ...perfectPath, ...common };
  }

  /** Changes the path between two hosts in one direction; options that are not named stay. */
  setPath(fromHost: string, toHost: string, changes: Partial<PathOptions>): void {
    const path = this.#path(fromHost, toHost);
    path.options = { ...path.options, ...changes };
  }

  /** From now on nothing that is sent gets from one host to the other; what is under way still arrives. */
  partition(fromHost: string, toHost: string): void {
    this.#path(fromHost, toHost).open = false;
  }

  /** Ends a partition. */
  heal(fromHost: string, toHost: string): void {
    this.#path(fromHost, toHost).open = true;
  }

  /** Sends a packet at `now` (virtual ms, never less than before): nothing, one delivery, or two. */
  send(now: number, from: Address, to: Address, bytes: Uint8Array): Delivery[] {
    const path = this.#path(from.host, to.host);
    const { options, random } = path;
    // Every packet draws the same numbers, whatever the options: switching one on does not change the fate of others.
    const fate = drawFate(random, options);
    this.stats.packets++;
    this.stats.bytes += bytes.length;
    if (!path.open) return this.#dropped("partitionDrops");
    if (bytes.length > options.mtu) return this.#dropped("mtuDrops");
    const left = path.transmit(now, bytes.length);
    if (left === undefined) return this.#dropped("queueDrops");
    if (fate.lost) return this.#dropped("lost");

    const copy = bytes.slice();
    if (fate.corrupt && copy.length > 0) {
      copy[Math.floor(fate.place * copy.length)] ^= 1 << fate.bit;
      this.stats.corrupted++;
    }
    if (fate.reorder) this.stats.reordered++;
    const at = left + options.delayMs + fate.jitterMs + (fate.reorder ? options.reorderMs : 0);
    const deliveries = [{ at, from, to, bytes: copy }];
    if (fate.duplicate) {
      this.stats.duplicated++;
      deliveries.push({ at: left + options.delayMs + fate.copyJitterMs, from, to, bytes: copy.slice() });
    }
    return deliveries;
  }

  #dropped(reason: "lost" | "queueDrops" | "mtuDrops" | "partitionDrops"): Delivery[] {
    this.stats[reason]++;
    return [];
  }

  #path(fromHost: string, toHost: string): Path {
    const name = `${fromHost} ${toHost}`;
    let path = this.#paths.get(name);
    if (path === undefined) {
      path = new Path(this.#common, seededRandom(this.#seed, name));
      this.#paths.set(name, path);
    }
    return path;
  }
}

/** One direction between two hosts. */
class Path {
  options: PathOptions;
  open = true;
  readonly random: SeededRandom;
  /** When the bottleneck has sent all that it took. */
  #busyUntil = 0;

  constructor(options: PathOptions, random: SeededRandom) {
    this.options = options;
    this.random = random;
  }

  /** When a packet has left the bottleneck, or `undefined` when the queue has no room for it. */
  transmit(now: number, length: number): number | undefined {
    const { bytesPerSecond, queueBytes } = this.options;
    if (bytesPerSecond === Infinity) return now;
    const bytesPerMs = bytesPerSecond / 1000;
    const start = Math.max(now, this.#busyUntil);
    if ((start - now) * bytesPerMs + length > queueBytes) return undefined;
    this.#busyUntil = start + length / bytesPerMs;
    return this.#busyUntil;
  }
}

/** What chance has in store for one packet. */
interface Fate {
  readonly lost: boolean;
  readonly duplicate: boolean;
  readonly reorder: boolean;
  readonly corrupt: boolean;
  readonly jitterMs: number;
  readonly copyJitterMs: number;
  /** Where the bit is flipped, as a share of the length. */
  readonly place: number;
  readonly bit: number;
}

function drawFate(random: SeededRandom, options: PathOptions): Fate {
  return {
    lost: random.chance(options.lossRate),
    duplicate: random.chance(options.duplicateRate),
    reorder: random.chance(options.reorderRate),
    corrupt: random.chance(options.corruptRate),
    jitterMs: random.float() * options.jitterMs,
    copyJitterMs: random.float() * options.jitterMs,
    place: random.float(),
    bit: random.integer(8),
  };
}
