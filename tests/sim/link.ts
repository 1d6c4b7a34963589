import type { PathOptions } from "./path.ts";
import type { SeededRandom } from "./random.ts";

type LinkOptions = Pick<
  PathOptions,
  "bytesPerSecond" | "queueBytes" | "queueMs" | "policedBytesPerSecond" | "policedBurstBytes"
>;

/**
 * A policer and a drop-tail queue before a bottleneck, for one path or for all that share them. Packets leave in the order in which they
 * came, so it is known at once when each will have left.
 */
export class Link {
  /** When the bottleneck has sent all that it took, ms. */
  #busyUntil = 0;
  /** What the policer has let pass, less what time has allowed since: at most its burst. */
  #overBytes = 0;
  #policedAt = 0;

  /** How long a packet that comes at `now` waits before its first byte is sent, ms. */
  wait(now: number): number {
    return Math.max(0, this.#busyUntil - now);
  }

  /** When a packet of `bytes` on the wire has left the bottleneck, or why it never does. */
  carry(now: number, bytes: number, options: LinkOptions): number | "policed" | "queueDrops" {
    if (!this.#passesPolicer(now, bytes, options)) return "policed";
    const { bytesPerSecond, queueBytes, queueMs } = options;
    if (bytesPerSecond === Infinity) return now;
    const bytesPerMs = bytesPerSecond / 1000;
    const wait = this.wait(now);
    if (wait > queueMs || wait * bytesPerMs + bytes > queueBytes) return "queueDrops";
    this.#busyUntil = now + wait + bytes / bytesPerMs;
    return this.#busyUntil;
  }

  #passesPolicer(
    now: number,
    bytes: number,
    { policedBytesPerSecond, policedBurstBytes }: LinkOptions,
  ): boolean {
    if (policedBytesPerSecond === Infinity) return true;
    const allowed = (now - this.#policedAt) * policedBytesPerSecond / 1000;
    this.#overBytes = Math.max(0, this.#overBytes - allowed);
    this.#policedAt = now;
    if (this.#overBytes + bytes > policedBurstBytes) return false;
    this.#overBytes += bytes;
    return true;
  }
}

type BurstOptions = Pick<PathOptions, "burstLossRate" | "burstPackets" | "burstMs">;

/**
 * Loss in bursts (Gilbert 1960): two states, one of which loses everything. A burst ends with each packet with probability 1/L, and begins
 * with p / (L (1 - p)), so that its mean length is L packets and the mean loss p. What is rarely used would stay in a burst for long:
 * so one also ends with time.
 */
export class Bursts {
  readonly #random: SeededRandom;
  /** When the present burst began, ms; undefined between bursts. */
  #since: number | undefined;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** Whether a packet is lost that comes at `now`. */
  lost(now: number, { burstLossRate, burstPackets, burstMs }: BurstOptions): boolean {
    if (this.#since !== undefined && now - this.#since > burstMs) this.#since = undefined;
    const inBurst = this.#since !== undefined;
    const change = inBurst ? 1 / burstPackets : burstLossRate / (burstPackets * (1 - burstLossRate));
    if (this.#random.chance(change)) this.#since = inBurst ? undefined : now;
    return this.#since !== undefined;
  }
}

/** Pauses of a path: their lengths, and the times between them, are exponential. */
export class Pauses {
  readonly #random: SeededRandom;
  /** The present one, or the next. */
  #start = 0;
  #end = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** When a packet arrives that would arrive at `at` without them. Times must not descend. */
  arrival(at: number, { pauseMs, pauseEveryMs }: Pick<PathOptions, "pauseMs" | "pauseEveryMs">): number {
    if (pauseMs === 0) return at;
    while (this.#end <= at) {
      this.#start = this.#end + this.#exponential(pauseEveryMs);
      this.#end = this.#start + this.#exponential(pauseMs);
    }
    return at < this.#start ? at : this.#end;
  }

  #exponential(mean: number): number {
    return -mean * Math.log(1 - this.#random.float());
  }
}
