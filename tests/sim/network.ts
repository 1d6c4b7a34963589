import type { Address } from "../../codec/address.ts";
import { Bursts, Link, Pauses } from "./link.ts";
import { HEADER_BYTES, perfectPath } from "./path.ts";
import type { PathOptions, PathRule } from "./path.ts";
import { seededRandom } from "./random.ts";
import type { SeededRandom } from "./random.ts";

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

/** What has happened to packets. */
export interface NetworkStats {
  /** Packets handed in. */
  packets: number;
  /** Bytes handed in, headers not counted. */
  bytes: number;
  /** Lost by chance. */
  lost: number;
  /** Lost in a burst. */
  burstLost: number;
  /** Lost as the queue was full. */
  queueDrops: number;
  /** Lost as they were more than the policer allows. */
  policed: number;
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

/** Why a packet never arrives. */
export type Drop = "lost" | "burstLost" | "queueDrops" | "policed" | "mtuDrops" | "partitionDrops";

/** What an observer learns of a packet that is sent. */
export interface Passage {
  /** When it was sent, ms. */
  readonly now: number;
  /** From where. */
  readonly fromHost: string;
  /** Where to. */
  readonly toHost: string;
  /** What it occupies on the wire, bytes. */
  readonly wireBytes: number;
  /** How long it waits in the queue, or would, ms. */
  readonly waitMs: number;
  /** Why it does not arrive; absent when it does. */
  readonly drop?: Drop;
}

/**
 * The network between simulated hosts. It has no clock and calls nobody: packets go in with the time at which they are
 * sent, and what comes out are deliveries with the time at which they arrive.
 *
 * Each direction between two hosts (their ports share it) is a path with a stream of chance of its own, and a queue of its own unless
 * it names a link; so another host more, or another packet elsewhere, does not change what happens here.
 */
export class SimNetwork {
  /** Counters over all paths. */
  readonly stats: NetworkStats = noStats();
  /** Sees every packet that is sent. */
  observe: ((passage: Passage) => void) | undefined;
  readonly #seed: number;
  readonly #rules: PathRule[] = [];
  readonly #paths = new Map<string, Map<string, Path>>();
  readonly #links = new Map<string, Link>();

  /** All paths have the options `common` (and are perfect beyond them) until they are changed. */
  constructor(seed: number, common: Partial<PathOptions> | PathRule = {}) {
    this.#seed = seed;
    this.#rules.push(typeof common === "function" ? common : () => common);
  }

  /** Changes the path between two hosts in one direction; options that are not named stay. */
  setPath(fromHost: string, toHost: string, changes: Partial<PathOptions>): void {
    const path = this.#path(fromHost, toHost);
    path.options = { ...path.options, ...changes };
  }

  /** Changes all paths, also those that are used later only; options that the rule does not name stay. */
  change(rule: PathRule): void {
    this.#rules.push(rule);
    for (const [fromHost, paths] of this.#paths) {
      for (const [toHost, path] of paths) path.options = { ...path.options, ...rule(fromHost, toHost) };
    }
  }

  /** From now on nothing that is sent gets from one host to the other; what is under way still arrives. */
  partition(fromHost: string, toHost: string): void {
    this.setPath(fromHost, toHost, { open: false });
  }

  /** Ends a partition. */
  heal(fromHost: string, toHost: string): void {
    this.setPath(fromHost, toHost, { open: true });
  }

  /** Counters of one direction between two hosts. */
  statsOf(fromHost: string, toHost: string): Readonly<NetworkStats> {
    return this.#path(fromHost, toHost).stats;
  }

  /** Sends a packet at `now` (virtual ms, never less than before): nothing, one delivery, or two. */
  send(now: number, from: Address, to: Address, bytes: Uint8Array): Delivery[] {
    const path = this.#path(from.host, to.host);
    this.#count(path, "packets");
    this.#count(path, "bytes", bytes.length);
    const wireBytes = bytes.length + HEADER_BYTES;
    const waitMs = path.link.wait(now);
    const sent = path.send(now, wireBytes);
    const drop = typeof sent === "string" ? sent : undefined;
    this.observe?.({ now, fromHost: from.host, toHost: to.host, wireBytes, waitMs, ...(drop && { drop }) });
    if (typeof sent === "string") {
      this.#count(path, sent);
      return [];
    }

    const copy = bytes.slice();
    if (sent.corrupt && copy.length > 0) {
      copy[Math.floor(sent.place * copy.length)] ^= 1 << sent.bit;
      this.#count(path, "corrupted");
    }
    if (sent.reorder) this.#count(path, "reordered");
    const deliveries = [{ at: path.arrival(sent, sent.jitter, sent.reorder), from, to, bytes: copy }];
    if (sent.duplicate) {
      this.#count(path, "duplicated");
      deliveries.push({ at: path.arrival(sent, sent.copyJitter, false), from, to, bytes: copy.slice() });
    }
    return deliveries;
  }

  #count(path: Path, what: keyof NetworkStats, by = 1): void {
    this.stats[what] += by;
    path.stats[what] += by;
  }

  #path(fromHost: string, toHost: string): Path {
    let paths = this.#paths.get(fromHost);
    if (paths === undefined) this.#paths.set(fromHost, paths = new Map<string, Path>());
    let path = paths.get(toHost);
    if (path === undefined) paths.set(toHost, path = this.#newPath(fromHost, toHost));
    return path;
  }

  #newPath(fromHost: string, toHost: string): Path {
    const name = `${fromHost} ${toHost}`;
    const options = this.#rules.reduce(
      (before, rule) => ({ ...before, ...rule(fromHost, toHost) }),
      perfectPath,
    );
    // A stream of its own for bursts: switching them on does not change the fate of what they spare.
    const bursts = new Bursts(seededRandom(this.#seed, `${name} bursts`));
    const pauses = new Pauses(seededRandom(this.#seed, `${name} pauses`));
    return new Path(options, seededRandom(this.#seed, name), { bursts, pauses }, (link) => this.#link(link));
  }

  #link(name: string): Link {
    let link = this.#links.get(name);
    if (link === undefined) this.#links.set(name, link = new Link());
    return link;
  }
}

/** One direction between two hosts. */
class Path {
  readonly stats: NetworkStats = noStats();
  options: PathOptions;
  readonly #random: SeededRandom;
  readonly #bursts: Bursts;
  readonly #pauses: Pauses;
  readonly #own = new Link();
  readonly #shared: (name: string) => Link;
  /** When the last packet arrives that waits for those before it. */
  #lastArrival = 0;

  constructor(
    options: PathOptions,
    random: SeededRandom,
    { bursts, pauses }: { readonly bursts: Bursts; readonly pauses: Pauses },
    shared: (name: string) => Link,
  ) {
    this.options = options;
    this.#random = random;
    this.#bursts = bursts;
    this.#pauses = pauses;
    this.#shared = shared;
  }

  get link(): Link {
    return this.options.link === undefined ? this.#own : this.#shared(this.options.link);
  }

  /** What becomes of a packet: how it comes out of the bottleneck, or why it does not. */
  send(now: number, wireBytes: number): Sent | Drop {
    const { options } = this;
    // Every packet draws the same numbers, whatever the options: switching one on does not change the fate of others.
    const fate = drawFate(this.#random, options);
    if (!options.open) return "partitionDrops";
    if (wireBytes > options.mtu) return "mtuDrops";
    const left = this.link.carry(now, wireBytes, options);
    if (typeof left === "string") return left;
    const inBurst = this.#bursts.lost(now, options);
    if (fate.lost) return "lost";
    return inBurst ? "burstLost" : { left, ...fate };
  }

  /** When a packet that has left the bottleneck arrives. */
  arrival({ left }: Sent, jitter: number, isHeldBack: boolean): number {
    const { delayMs, jitterMs, jitterKeepsOrder, reorderMs } = this.options;
    const at = this.#pauses.arrival(left, this.options) + delayMs + jitter * jitterMs;
    if (isHeldBack) return at + reorderMs;
    if (!jitterKeepsOrder) return at;
    return this.#lastArrival = Math.max(this.#lastArrival, at);
  }
}

/** What chance has in store for one packet. Jitter and place are shares, 0 to 1. */
interface Fate {
  readonly lost: boolean;
  readonly duplicate: boolean;
  readonly reorder: boolean;
  readonly corrupt: boolean;
  readonly jitter: number;
  readonly copyJitter: number;
  /** Where the bit is flipped. */
  readonly place: number;
  readonly bit: number;
}

interface Sent extends Fate {
  /** When it has left the bottleneck, ms. */
  readonly left: number;
}

function drawFate(random: SeededRandom, options: PathOptions): Fate {
  return {
    lost: random.chance(options.lossRate),
    duplicate: random.chance(options.duplicateRate),
    reorder: random.chance(options.reorderRate),
    corrupt: random.chance(options.corruptRate),
    jitter: random.float(),
    copyJitter: random.float(),
    place: random.float(),
    bit: random.integer(8),
  };
}

function noStats(): NetworkStats {
  return {
    packets: 0,
    bytes: 0,
    lost: 0,
    burstLost: 0,
    queueDrops: 0,
    policed: 0,
    mtuDrops: 0,
    partitionDrops: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
  };
}
