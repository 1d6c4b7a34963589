/** The shortest round trip is that of the last one or two of these: paths change. */
const LEAST_TRIP_MS = 15_000;
/** Answers that a round must have for their mean to count, and rounds over which their spread is averaged. */
const MEAN_ANSWERS = 4;
const SPREAD_MEMORY = 4;
/** How far the least answer of a round is from the least of all, as a share of how far their mean is from it. */
const LEAST_SPREADS = 0.5;
const RTO_MS_MIN = 30;
const RTO_MS_FIRST = 1000;
const RTO_MS_MAX = 3000;
const BACKOFF_MAX = 8;

/** When a request was answered: so many ms after it was first sent, and after it was last sent. */
export interface Trip {
  readonly longest: number;
  readonly shortest: number;
}

/** How long answers take: to time out, and to see a queue. Times in ms. */
export class RoundTrips {
  #smoothed: number;
  #variation: number;
  #least: Least;
  #empty: Least;
  #spread = 0;
  #backoff = 0;
  #isMeasured = false;

  /** `roundTrip` is that of the handshake, which may have been slow for other reasons than the way. */
  constructor(now: number, roundTrip: number) {
    this.#smoothed = roundTrip;
    this.#variation = roundTrip / 2;
    this.#least = new Least(now, roundTrip);
    this.#empty = new Least(now, roundTrip);
  }

  /** Whether a request has been answered. */
  get isMeasured(): boolean {
    return this.#isMeasured;
  }

  /** Smoothed. */
  get smoothed(): number {
    return this.#smoothed;
  }

  /** The shortest of late. */
  get least(): number {
    return this.#least.value;
  }

  /** The shortest mean of a round of late: what a path takes that has no queue, jitter included. */
  get empty(): number {
    return this.#empty.value;
  }

  /** How far those of one time lie apart: no queue of ours does that. */
  get spread(): number {
    return this.#spread;
  }

  /** How long nothing may arrive before what is under way counts as lost. RFC 6298 §2, with a shorter floor. */
  get timeout(): number {
    const plain = Math.max(RTO_MS_MIN, this.#smoothed + 4 * this.#variation);
    const first = this.#isMeasured ? plain : Math.min(plain, RTO_MS_FIRST);
    return Math.min(RTO_MS_MAX, first * 2 ** this.#backoff);
  }

  /** A request was answered. Answers with what is believed to be its round trip. */
  note(now: number, { longest, shortest }: Trip): number {
    // What is too short for a round trip is no answer to the last sending. Else it may be one to any.
    const sample = shortest < this.#least.value ? longest : shortest;
    if (this.#isMeasured) {
      this.#variation += (Math.abs(sample - this.#smoothed) - this.#variation) / 4;
      this.#smoothed += (sample - this.#smoothed) / 8;
    } else {
      this.#isMeasured = true;
      this.#smoothed = sample;
      this.#variation = sample / 2;
    }
    this.#least.note(now, sample);
    return sample;
  }

  /**
   * By how much the answers of a round came later than they do when there is no queue. `own` is how far apart our own bursts put them.
   */
  queueOf(now: number, trips: { answers: number; sum: number; least: number }, own: number): number {
    if (trips.answers === 0) return 0;
    const mean = trips.sum / trips.answers;
    if (trips.answers >= MEAN_ANSWERS || mean < this.#empty.value) {
      this.#spread += (Math.max(0, mean - trips.least - own) - this.#spread) / SPREAD_MEMORY;
      this.#empty.note(now, mean);
    }
    // A machine that pauses makes many answers late, but not all of a round; a queue does. The least of few answers is late by chance, too.
    const least = trips.least - this.#least.value - this.#spread * LEAST_SPREADS;
    return Math.max(0, Math.min(mean - this.#empty.value - this.#spread, least));
  }

  /** The other side is there. */
  handleContact(): void {
    this.#backoff = 0;
  }

  /** Nothing arrived for {@linkcode timeout}. */
  handleSilence(): void {
    this.#backoff = Math.min(this.#backoff + 1, BACKOFF_MAX);
  }
}

/** The least of the last while. */
class Least {
  #present: number;
  #before: number;
  #since: number;

  constructor(now: number, sample: number) {
    this.#present = this.#before = sample;
    this.#since = now;
  }

  get value(): number {
    return Math.min(this.#present, this.#before);
  }

  note(now: number, sample: number): void {
    if (now - this.#since > LEAST_TRIP_MS) {
      this.#before = this.#present;
      this.#present = sample;
      this.#since = now;
    } else this.#present = Math.min(this.#present, sample);
  }
}
