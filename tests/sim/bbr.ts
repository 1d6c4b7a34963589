import type { Ack, CongestionControl } from "./tcp.ts";

const STARTUP_GAIN = 2 / Math.LN2;
/** A round of a little more, one of a little less, six of what there is. */
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1];
const WINDOW_GAIN = 2;
const WINDOW_MIN = 4;
const INITIAL_WINDOW = 10;
/** A little less than there seems to be. */
const PACE_SHARE = 0.99;
const RATE_ROUNDS = 10;
const LEAST_MS = 10_000;
const PROBE_MS = 200;

/**
 * BBR, first version (draft-cardwell-iccrg-bbr-congestion-control-00), simplified: no packet conservation in recovery, no long-term
 * sampling for policers, and the cycle begins where it likes. It does not answer to loss.
 */
export class Bbr implements CongestionControl {
  readonly answersLoss = false;
  #phase: "startup" | "drain" | "cycle" | "probe" = "startup";
  /** The best rate of each of the last rounds, the newest first, segments a ms. */
  #rates: number[] = [0];
  #leastRoundTrip = Infinity;
  #leastAt = 0;
  #fullRate = 0;
  #roundsWithoutGrowth = 0;
  #cycleAt = 0;
  #cyclePhase = 2;
  #probeEndsAt = Infinity;
  #hasTimedOut = false;

  get window(): number {
    if (this.#hasTimedOut) return 1;
    if (this.#phase === "probe") return WINDOW_MIN;
    if (this.#leastRoundTrip === Infinity) return INITIAL_WINDOW;
    const gain = this.#phase === "cycle" ? WINDOW_GAIN : STARTUP_GAIN;
    return Math.max(this.#phase === "startup" ? INITIAL_WINDOW : WINDOW_MIN, gain * this.#product);
  }

  get pace(): number {
    const rate = this.#rate > 0 ? this.#rate : INITIAL_WINDOW / Math.min(this.#leastRoundTrip, 1);
    return rate * this.#gain * PACE_SHARE;
  }

  handleAck(ack: Ack): void {
    this.#hasTimedOut = false;
    if (ack.isRound) this.#rates = [0, ...this.#rates.slice(0, RATE_ROUNDS - 1)];
    this.#rates[0] = Math.max(this.#rates[0], ack.rate);
    const isStale = ack.now > this.#leastAt + LEAST_MS;
    if (ack.roundTrip <= this.#leastRoundTrip || isStale) {
      this.#leastRoundTrip = ack.roundTrip;
      this.#leastAt = ack.now;
    }
    if (isStale && this.#phase === "cycle") this.#phase = "probe";
    this.#handlers[this.#phase](ack);
  }

  handleLoss(): void {}

  handleTimeout(): void {
    this.#hasTimedOut = true;
  }

  get #rate(): number {
    return Math.max(...this.#rates);
  }

  /** What the path holds, segments. */
  get #product(): number {
    return this.#rate * this.#leastRoundTrip;
  }

  get #gain(): number {
    if (this.#phase === "startup") return STARTUP_GAIN;
    if (this.#phase === "drain") return 1 / STARTUP_GAIN;
    return this.#phase === "cycle" ? CYCLE[this.#cyclePhase] : 1;
  }

  readonly #handlers = {
    /** Doubles until the rate has not grown by a quarter in three rounds. */
    startup: ({ isRound }: Ack): void => {
      if (!isRound) return;
      if (this.#rate >= 1.25 * this.#fullRate) {
        this.#fullRate = this.#rate;
        this.#roundsWithoutGrowth = 0;
      } else if (++this.#roundsWithoutGrowth >= 3) this.#phase = "drain";
    },
    drain: ({ now, underWay }: Ack): void => {
      if (underWay > this.#product) return;
      this.#phase = "cycle";
      this.#cycleAt = now;
    },
    cycle: ({ now, underWay }: Ack): void => {
      const isEmpty = this.#gain < 1 && underWay <= this.#product;
      if (now - this.#cycleAt < this.#leastRoundTrip && !isEmpty) return;
      this.#cyclePhase = (this.#cyclePhase + 1) % CYCLE.length;
      this.#cycleAt = now;
    },
    /** Lets the queue run empty, to see how short the path is. */
    probe: ({ now, underWay, roundTrip }: Ack): void => {
      if (this.#probeEndsAt === Infinity && underWay <= WINDOW_MIN) {
        this.#probeEndsAt = now + Math.max(PROBE_MS, roundTrip);
        this.#leastRoundTrip = Infinity;
      }
      this.#leastRoundTrip = Math.min(this.#leastRoundTrip, roundTrip);
      this.#leastAt = now;
      if (now < this.#probeEndsAt) return;
      this.#probeEndsAt = Infinity;
      this.#phase = "cycle";
      this.#cycleAt = now;
    },
  };
}
