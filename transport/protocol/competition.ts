// RFC 9438 §4.1, §4.6
const CUBIC_C = 0.4;
const CUBIC_BETA = 0.7;
/** Who does not know how much there is to have adds this share each round, until that brings nothing more for some rounds. */
const SEARCH_SHARE = 0.125;
const PLATEAU_GROWTH = 1.03;
const PLATEAU_ROUNDS = 3;
/** When it steps back to see whether it is alone: twice as late each time in vain; to which share of what the path holds, for how many rounds. */
const LOOK_MS_MIN = 12_000;
const LOOK_MS_MAX = 48_000;
const LOOK_SHARE = 0.5;
const LOOK_ROUNDS = 2;
/** Who sees the path this much shorter than ever when it looks has never seen it empty, and may not now. */
const SHORTER_SHARE = 0.95;
/** How long queues are that drop something is averaged over so many losses; of more than this share of one nothing is taken. */
const FULL_MEMORY = 4;
const FULL_SHARE = 0.9;
/** After a loss the next round still shows what was before. */
const CUT_ROUNDS = 1;

/** What a round was like. */
export interface CompetingRound {
  /** Monotonic ms. */
  readonly now: number;
  /** The present window, symbols. */
  readonly window: number;
  /** Symbols a ms that came. */
  readonly rate: number;
  /** What the path holds without a queue, symbols. */
  readonly pipe: number;
  /** Whether more was lost than the path loses by itself. */
  readonly isLossy: boolean;
  /** By how much answers come later than where there is no queue, ms. */
  readonly queue: number;
  /** Whether the queue is short enough for one who is alone. */
  readonly isQueueShort: boolean;
  /** Whether the window held us back. */
  readonly isLimited: boolean;
  /** Smoothed round trip, and the shortest, ms. */
  readonly roundTrip: number;
  readonly leastTrip: number;
}

/** The next window, and for how many rounds it is to be left alone; or that nobody else is there. */
export type CompetingMove = { readonly window: number; readonly hold: number } | "alone";

/**
 * How to live beside others who fill the queue: by CUBIC (RFC 9438), the law of most of them, with the loss that is above the path's own.
 * Now and then it steps back, and if the queue goes, they have gone.
 */
export class Competition {
  #peak: number;
  #since: number;
  #bestRate = 0;
  #plateau = 0;
  /** How long the queue was when something got lost, ms; 0: not known. */
  #fullQueue = 0;
  /** While it has stepped back: its window before, and the shortest round trip then. */
  #before: { readonly window: number; readonly leastTrip: number } | undefined;
  #lookMs = LOOK_MS_MIN;
  #nextLook: number;

  /** `peak`: the window at which the path was full, if that is known; `before`: an earlier competition on it. */
  constructor(now: number, peak: number | undefined, before: Competition | undefined) {
    this.#peak = peak ?? 0;
    this.#fullQueue = before ? before.#fullQueue : 0;
    this.#since = now;
    this.#nextLook = now + LOOK_MS_MIN;
  }

  /** What to do after a round. */
  move(round: CompetingRound): CompetingMove {
    const { now, window, leastTrip, queue, isLossy, isQueueShort, isLimited } = round;
    if (this.#before !== undefined) {
      const before = this.#before;
      this.#before = undefined;
      this.#lookMs = Math.min(2 * this.#lookMs, LOOK_MS_MAX);
      this.#nextLook = now + this.#lookMs;
      const isEmpty = isQueueShort && leastTrip > before.leastTrip * SHORTER_SHARE;
      return isEmpty ? "alone" : { window: before.window, hold: 0 };
    }
    if (isLossy) {
      this.#fall(now, window);
      this.#fullQueue += (queue - this.#fullQueue) / (this.#fullQueue === 0 ? 1 : FULL_MEMORY);
      return { window: window * CUBIC_BETA, hold: CUT_ROUNDS };
    }
    if (now >= this.#nextLook) {
      this.#before = { window, leastTrip };
      return { window: round.pipe * LOOK_SHARE, hold: LOOK_ROUNDS };
    }
    if (!isLimited) return { window, hold: 0 };
    if (this.#fullQueue > 0 && queue > this.#fullQueue * FULL_SHARE) {
      // The queue is as good as full: who fills it now loses something, and bursts more than others. Nor is it made up for later.
      this.#since += round.roundTrip;
      return { window, hold: 0 };
    }
    return { window: this.#peak > 0 ? this.#cubic(round) : this.#search(round), hold: 0 };
  }

  #fall(now: number, peak: number): void {
    this.#peak = peak;
    this.#since = now;
  }

  /** RFC 9438 §4.2 and §4.3, figures 1 and 4. */
  #cubic({ now, window, roundTrip }: CompetingRound): number {
    const seconds = (now - this.#since) / 1000;
    const k = Math.cbrt(this.#peak * (1 - CUBIC_BETA) / CUBIC_C);
    const cubic = CUBIC_C * (seconds - k) ** 3 + this.#peak;
    const reno = this.#peak * CUBIC_BETA +
      3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA) * (seconds * 1000 / roundTrip);
    return Math.max(window, cubic, reno);
  }

  /** More and more, while more comes of it. */
  #search({ now, window, rate }: CompetingRound): number {
    this.#plateau = rate > this.#bestRate * PLATEAU_GROWTH ? 0 : this.#plateau + 1;
    this.#bestRate = Math.max(this.#bestRate, rate);
    if (this.#plateau < PLATEAU_ROUNDS) return window * (1 + SEARCH_SHARE);
    this.#fall(now, window);
    return window;
  }
}
