import type { RoundTrips } from "./round_trips.ts";

/** Symbols of a train that says something of the path, and how finely their times are known. */
const TRAIN_MIN = 8;
const TRAIN_RESOLUTION_MS = 0.25;
const TRAIN_MEMORY_SYMBOLS = 32;
/** Shares of what the path holds if it carries everything as fast as trains; and what an arrival adds to the window below and above them. */
const FAR_FROM_FULL = 0.4;
const NEARLY_FULL = 0.75;
const GAIN_FAR = 3;
/** Trains pass a policer that will not let more pass than this: symbols, or symbols a ms where a round trip is longer. */
const FAR_WINDOW_MAX = 256;
const FAR_RATE_MAX = 6.4;
const GAIN_NEAR = 0.3;
const PACE = 1.25;
/** Answers in a row that come late when a queue has begun, and how late; RFC 9406 §4.3. */
const DELAYED_ANSWERS = 3;
const DELAY_MS_MIN = 4;
const DELAY_MS_MAX = 16;
const DELAY_SPREADS = 2;
/** As often may a delay that was no queue end a start. */
const RESUMES_MAX = 3;
/** Rounds that bring no more than those before: the path is full, or somebody else is. */
const PLATEAU_GROWTH = 1.25;
const PLATEAU_ROUNDS = 3;
/** Rounds in a row that lose more than before, or the share that one round must lose. */
const LOSSY_ROUNDS = 2;
const LOSSY_SHARE = 0.2;

/** Symbols of earlier rounds that say what the path loses by itself, and the share that is believed: bursts may have been too long for it. */
const EARLY_SYMBOLS = 64;
const EARLY_SHARE_MAX = 0.1;

/** Why a start is over. */
export interface StartEnd {
  /** The queue is longer than it may be. */
  readonly isQueued: boolean;
  /** More is lost than before: the window was too large by far. */
  readonly isLossy: boolean;
  /** More brings no more. */
  readonly isPlateau: boolean;
}

/** How fast a window grows that does not know its path yet, and when it has grown enough. */
export class StartUp {
  readonly #trips: RoundTrips;
  /** Symbols a ms that trains have shown, smoothed; 0 before the first. */
  #trainRate = 0;
  #bestRate = 0;
  #plateau = 0;
  #delayed = 0;
  /** How often a delay has ended it, and whether it may go on. */
  #delayEnds = 0;
  #mayGoOn = false;
  #hasLost = false;
  #lossy = 0;
  /** What was asked for and lost in all rounds but the last two, and in those. */
  readonly #early = { symbols: 0, lost: 0 };
  readonly #late: { readonly symbols: number; readonly lost: number }[] = [];

  /** At the beginning, or after a silence. */
  constructor(trips: RoundTrips) {
    this.#trips = trips;
  }

  /** Symbols a ms that trains have shown; `Infinity` while nothing is known. */
  get rate(): number {
    return this.#trainRate || Infinity;
  }

  /** Symbols that the least train has. */
  get trainMin(): number {
    return TRAIN_MIN;
  }

  /** What each arrival adds to a window. */
  gain(window: number): number {
    if (this.#trainRate === 0) return 1;
    if (this.#isFarFromFull(window)) {
      return this.#delayed < DELAYED_ANSWERS && window < this.#farWindowMax ? GAIN_FAR : 1;
    }
    return window < this.#full * NEARLY_FULL ? 1 : GAIN_NEAR;
  }

  /**
   * Symbols a ms at which requests may follow each other: as trains have come, until the path is nearly full or something is lost. Trains
   * pass a policer that lets nothing pass after them. Otherwise it is somewhat more than a window a round trip.
   */
  pace(window: number): number {
    const usual = PACE * window / this.#trips.empty;
    return !this.#hasLost && window < this.#full * NEARLY_FULL ? Math.max(usual, this.#trainRate) : usual;
  }

  /** Something that was asked for did not come. */
  handleLost(): void {
    this.#hasLost = true;
  }

  /** Nothing more comes of a request for `symbols`: the first and the last that came were `duration` ms apart. */
  handleTrain(symbols: number, duration: number): void {
    if (symbols < TRAIN_MIN) return;
    const rate = (symbols - 1) / (duration + TRAIN_RESOLUTION_MS);
    const weight = this.#trainRate === 0 ? 1 : Math.min(1, symbols / TRAIN_MEMORY_SYMBOLS);
    this.#trainRate += (rate - this.#trainRate) * weight;
  }

  /** An answer took `sample` ms. Whether a queue has begun: a window that doubles must not wait for the end of a round to see it. */
  handleAnswer(sample: number, window: number): boolean {
    const { least, spread } = this.#trips;
    const usual = Math.max(DELAY_MS_MIN, Math.min(DELAY_MS_MAX, least / 8));
    this.#delayed = sample - least > Math.max(usual, spread * DELAY_SPREADS) ? this.#delayed + 1 : 0;
    // Trains have come much faster than all that is under way: it is not what delays them.
    const isOver = this.#delayed >= DELAYED_ANSWERS && !this.#isFarFromFull(window);
    if (isOver) this.#mayGoOn = this.#delayEnds++ < RESUMES_MAX;
    return isOver;
  }

  /**
   * After the end, when nothing waits: whether it goes on, since a delay ended it that has gone, and trains show far more than this window
   * (RFC 9406 §4.3). Something else was slow then, as a program that has just begun.
   */
  goesOn(window: number): boolean {
    if (!this.#mayGoOn || !this.#isFarFromFull(window)) return false;
    this.#mayGoOn = false;
    return true;
  }

  /** A round has ended; whether the start has, too. */
  handleRound(round: {
    readonly rate: number;
    readonly window: number;
    readonly isLimited: boolean;
    readonly isQueued: boolean;
    /** Loss above what was lost at first: whether it is sure, and the share. */
    readonly hasExcess: boolean;
    readonly excess: number;
    /** Whether most requests have lost something: a burst hits a few. */
    readonly isEverywhere: boolean;
  }): StartEnd | undefined {
    if (round.rate > this.#bestRate * PLATEAU_GROWTH) {
      this.#bestRate = round.rate;
      this.#plateau = 0;
    } else if (round.isLimited) this.#plateau++;
    // One request that got lost takes many symbols with it: that alone is no sign of a full path.
    this.#lossy = round.hasExcess ? this.#lossy + 1 : 0;
    const end = {
      isQueued: round.isQueued && !this.#isFarFromFull(round.window),
      isLossy: this.#lossy >= LOSSY_ROUNDS || (round.excess > LOSSY_SHARE && round.isEverywhere),
      isPlateau: this.#plateau >= PLATEAU_ROUNDS,
    };
    return end.isQueued || end.isLossy || end.isPlateau ? end : undefined;
  }

  /**
   * A round has ended, in which `lost` of so many symbols did not come. Returns the share that was lost when windows were a quarter of the
   * present one, 0 while too little is known: a path that was overrun then would have stopped the start since.
   */
  handleLoss(symbols: number, lost: number): number {
    this.#late.push({ symbols, lost });
    if (this.#late.length > 2) {
      const { symbols, lost } = this.#late.shift()!;
      this.#early.symbols += symbols;
      this.#early.lost += lost;
    }
    if (this.#early.symbols < EARLY_SYMBOLS) return 0;
    return Math.min(EARLY_SHARE_MAX, this.#early.lost / this.#early.symbols);
  }

  get #farWindowMax(): number {
    return Math.max(FAR_WINDOW_MAX, FAR_RATE_MAX * this.#trips.empty);
  }

  get #full(): number {
    return this.#trainRate * this.#trips.empty;
  }

  #isFarFromFull(window: number): boolean {
    return window < this.#full * FAR_FROM_FULL;
  }
}
