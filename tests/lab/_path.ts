/*
 * What one direction of a link does to packets: a token bucket that polices, a queue before a bottleneck, delay, chance. It holds no
 * packet, clock or socket: a packet's time and size go in, and out comes when it arrives, if ever. Sizes are those of IPv4 packets.
 */
import type { SeededRandom } from "../sim/random.ts";
import { Histogram } from "./_histogram.ts";

/** How one direction of a link is. */
export interface PathOptions {
  /** Every packet takes this long, ms, after it has left the queue. */
  readonly delayMs: number;
  /** And up to this much longer, ms, evenly spread: packets overtake each other then. */
  readonly jitterMs: number;
  /** Share of packets that are held back by `reorderMs`, so that later ones overtake them. */
  readonly reorderRate: number;
  /** How long they are held back, ms. */
  readonly reorderMs: number;
  /** What the bottleneck carries, 10^6 bits a second. */
  readonly mbitPerSecond: number;
  /** What waits before the bottleneck at most, as the time that it takes to send, ms. A packet that finds more is dropped. */
  readonly queueMs: number;
  /** Share of packets that vanish after the bottleneck: they have used it. */
  readonly lossRate: number;
  /** How many vanish in a row on average: 1 for independent losses, more for the bursts of a Gilbert model. */
  readonly lossRun: number;
  /** What a policer lets through before the queue, 10^6 bits a second; what is above it is dropped at once. */
  readonly policerMbitPerSecond: number;
  /** What the policer lets through in one go after silence, bytes. */
  readonly policerBytes: number;
}

/** A perfect path: no time, no loss, no limits. */
export const perfectPath: PathOptions = Object.freeze({
  delayMs: 0,
  jitterMs: 0,
  reorderRate: 0,
  reorderMs: 5,
  mbitPerSecond: Infinity,
  queueMs: Infinity,
  lossRate: 0,
  lossRun: 1,
  policerMbitPerSecond: Infinity,
  policerBytes: 32_000,
});

/** What has happened to packets. Those that are in no other column than `packets` are on their way. */
export interface Tally {
  /** Handed in. */
  packets: number;
  /** Handed in. */
  bytes: number;
  /** Dropped, as the policer had no tokens. */
  policed: number;
  /** Dropped, as the queue was full. */
  queueDrops: number;
  /** Vanished by chance. */
  lost: number;
  /** Handed out at the other end. */
  deliveredPackets: number;
  /** Handed out at the other end. */
  deliveredBytes: number;
}

/** One direction of a link. Each flow has its own tally, but all share queue and chance. */
export class Path {
  /** Tallies by whatever number the caller knows a flow by. */
  readonly flows: Map<number, Tally> = new Map();
  /** How long packets waited in the queue, ms. */
  readonly queueing: Histogram = new Histogram(1, 10_000);
  readonly #options: PathOptions;
  readonly #random: SeededRandom;
  /** Of the Gilbert model: whether the last packet vanished, and how likely that changes. */
  #losing = false;
  readonly #beginLosing: number;
  readonly #endLosing: number;
  /** When the bottleneck has sent all that waits for it. */
  #freeAt = 0;
  #tokens: number;
  #tokensAt = 0;

  /** `random` is this direction's alone. @throws {RangeError} for a loss that such runs cannot make */
  constructor(options: PathOptions, random: SeededRandom) {
    this.#options = options;
    this.#random = random;
    this.#tokens = options.policerBytes;
    const { lossRate, lossRun } = options;
    this.#endLosing = 1 / lossRun;
    this.#beginLosing = lossRate / (lossRun * (1 - lossRate));
    if (lossRun > 1 && !(this.#beginLosing <= 1)) {
      throw new RangeError(`a loss of ${lossRate} does not come in runs of ${lossRun} packets`);
    }
  }

  /** Takes a packet at `now` (ms, never less than before). Answers when it arrives, in ms; -1 for never. */
  offer(now: number, bytes: number, flow: number): number {
    const tally = this.tally(flow);
    tally.packets++;
    tally.bytes += bytes;
    if (!this.#passesPolicer(now, bytes)) return tally.policed++, -1;
    const { delayMs, jitterMs, reorderRate, reorderMs, mbitPerSecond, queueMs } = this.#options;
    const wait = Math.max(0, this.#freeAt - now);
    if (wait > queueMs) return tally.queueDrops++, -1;
    this.queueing.add(wait);
    this.#freeAt = now + wait + bytes * 8 / (mbitPerSecond * 1000);
    if (this.#loses()) return tally.lost++, -1;
    let at = this.#freeAt + delayMs;
    if (jitterMs > 0) at += this.#random.float() * jitterMs;
    if (reorderRate > 0 && this.#random.chance(reorderRate)) at += reorderMs;
    return at;
  }

  /** A packet has been handed out. */
  delivered(bytes: number, flow: number): void {
    const tally = this.tally(flow);
    tally.deliveredPackets++;
    tally.deliveredBytes += bytes;
  }

  /** What has happened to one flow. */
  tally(flow: number): Tally {
    let tally = this.flows.get(flow);
    if (!tally) this.flows.set(flow, tally = noTally());
    return tally;
  }

  #passesPolicer(now: number, bytes: number): boolean {
    const { policerMbitPerSecond: rate, policerBytes } = this.#options;
    if (rate === Infinity) return true;
    this.#tokens = Math.min(policerBytes, this.#tokens + (now - this.#tokensAt) * rate * 125);
    this.#tokensAt = now;
    if (this.#tokens < bytes) return false;
    this.#tokens -= bytes;
    return true;
  }

  #loses(): boolean {
    const { lossRate, lossRun } = this.#options;
    if (lossRate === 0) return false;
    if (lossRun <= 1) return this.#random.chance(lossRate);
    if (this.#random.chance(this.#losing ? this.#endLosing : this.#beginLosing)) this.#losing = !this.#losing;
    return this.#losing;
  }
}

/** Nothing has happened. */
export function noTally(): Tally {
  return { packets: 0, bytes: 0, policed: 0, queueDrops: 0, lost: 0, deliveredPackets: 0, deliveredBytes: 0 };
}

/** All of some tallies. */
export function sumOf(tallies: Iterable<Readonly<Tally>>): Tally {
  const sum = noTally();
  for (const tally of tallies) {
    for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += tally[key];
  }
  return sum;
}

/** What has happened since `before`. */
export function since(before: Readonly<Tally>, now: Readonly<Tally>): Tally {
  const gone = noTally();
  for (const key of Object.keys(gone) as (keyof Tally)[]) gone[key] = now[key] - before[key];
  return gone;
}
