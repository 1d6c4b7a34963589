// RFC 9438 §4.1
const CUBIC_C = 0.4;
const CUBIC_BETA = 0.7;
/** What a loss leaves to one who had not grown in the last rounds, as the queue was nearly full: it was others who did. */
const HELD_BETA = 0.85;
const HELD_ROUNDS = 3;
/** Symbols that each round since a loss adds at least. */
const STEP = 1;
/** Who has come with little adds this share each round, and takes half of the room at most, up to this share of the line, or until something was lost so often. */
const SEARCH_SHARE = 0.125;
const SEARCH_ROOM_SHARE = 0.5;
const SEARCH_LINE_SHARE = 0.5;
const SEARCH_LOSSES = 2;
/** Where nothing gets lost, so many rounds that bring nothing more are the end as well. */
const PLATEAU_GROWTH = 1.03;
const PLATEAU_ROUNDS = 3;
/** When it steps back to see whether it is alone: twice as late each time in vain; to which share of what the path holds, for how many rounds. */
const LOOK_MS_MIN = 12_000;
const LOOK_MS_MAX = 48_000;
const LOOK_SHARE = 0.5;
const LOOK_ROUNDS = 2;
/** Who sees the path this much shorter than ever when it looks has never seen it empty, and may not now. */
const SHORTER_SHARE = 0.95;
/** Answers that come so much sooner than a round before, without our doing: somebody else has been cut. */
const RELIEF_SHARE = 0.93;
/** How long answers take when something is lost is averaged over so many losses; of a queue that is nearly so long nothing is taken. */
const FULL_MEMORY = 4;
const FULL_SHARE = 0.95;
/** Less than this share of the window for so many rounds, and what is not used is given up, and searched for again: others may have it by now. */
const USED_SHARE = 0.5;
const UNUSED_ROUNDS = 3;
/** After a loss the next round still shows what was before. */
const CUT_ROUNDS = 1;

/** What a round was like. */
export interface CompetingRound {
  /** Monotonic ms. */
  readonly now: number;
  /** The present window, and what of it was under way, symbols. */
  readonly window: number;
  readonly used: number;
  /** Symbols a ms that came. */
  readonly rate: number;
  /** What the path holds without a queue, symbols. */
  readonly pipe: number;
  /** Whether more was lost than the path loses by itself. */
  readonly isLossy: boolean;
  /** The shortest time that an answer took, ms: a pause of this machine's makes many of them late, but not all. */
  readonly trip: number;
  /** The latest answers, smoothed: those beside something that was lost. */
  readonly roundTrip: number;
  /** The shortest of late, by how much answers differ where there is no queue, and how long a queue may be for one who is alone, ms. */
  readonly leastTrip: number;
  readonly spread: number;
  readonly queueMax: number;
  /** How long the round took, ms. */
  readonly duration: number;
  /** Whether the window held us back. */
  readonly isLimited: boolean;
}

/** The next window, and for how many rounds it is to be left alone; or that nobody else is there. */
export type CompetingMove = { readonly window: number; readonly hold: number } | "alone";

/**
 * How to live beside others who fill the queue: by CUBIC (RFC 9438), the law of most of them, with the loss that is above the path's own;
 * but of a queue that is nearly as long as it can be nothing more is taken, so that what is lost there is the making of those who do.
 * Now and then it steps back, and if the queue goes, they have gone.
 */
export class Competition {
  /** The window at the latest loss, after it, and how long CUBIC takes from there to there, s. */
  #peak = 0;
  #base = 0;
  #k = 0;
  #since = 0;
  /** Losses since it began, and while it searches, what came of that. */
  #losses = 0;
  #isSearching = true;
  readonly #fairRate: number;
  /** Rounds in which it has grown since the latest loss, and since it last held its window back. */
  #steps = 0;
  #freeRounds = Infinity;
  #bestRate = 0;
  #plateau = 0;
  /** How long answers take when something gets lost, ms; 0: not known. */
  #fullTrip: number;
  #tripBefore = 0;
  #unused = 0;
  /** While it has stepped back: how it was before. */
  #before: CompetingRound | undefined;
  #lookMs = LOOK_MS_MIN;
  #nextLook: number;

  /** `lineRate`: what the line carries, symbols a ms, as far as that is known, else `Infinity`; `before`: an earlier competition on it. */
  constructor(now: number, lineRate: number, before: Competition | undefined) {
    this.#fairRate = lineRate * SEARCH_LINE_SHARE;
    this.#fullTrip = before ? before.#fullTrip : 0;
    this.#nextLook = now + LOOK_MS_MIN;
  }

  /** What to do after a round. */
  move(round: CompetingRound): CompetingMove {
    const { now, window, trip, isLossy, isLimited } = round;
    if (this.#before) return this.#endLook(round, this.#before);
    const tripBefore = this.#tripBefore;
    this.#tripBefore = trip;
    if (isLossy || trip < tripBefore * RELIEF_SHARE) {
      // Others are there.
      this.#nextLook = Math.max(this.#nextLook, now + LOOK_MS_MIN);
    }
    if (isLossy) return this.#lose(round, Math.max(trip, tripBefore));
    // A queue that loses nothing at this length is longer.
    if (this.#fullTrip > 0 && trip > this.#fullTrip) this.#learnFull(trip);
    if (now >= this.#nextLook) {
      this.#before = round;
      return { window: round.pipe * LOOK_SHARE, hold: LOOK_ROUNDS };
    }
    if (!isLimited) return stay(window);
    this.#unused = round.used < window * USED_SHARE ? this.#unused + 1 : 0;
    if (this.#unused === UNUSED_ROUNDS) {
      this.#losses = this.#bestRate = this.#plateau = 0;
      this.#isSearching = true;
      return stay(round.used);
    }
    const room = this.#fullTrip === 0 ? Infinity : this.#fullTrip * FULL_SHARE - trip;
    if (room < 0) {
      // Nor is it made up for later.
      this.#since += round.duration;
      this.#freeRounds = 0;
      return stay(window);
    }
    this.#freeRounds++;
    return stay(this.#isSearching ? this.#search(round, room) : this.#cubic(now, window));
  }

  /** It was alone if the queue has gone, and the path was known to be as short as that. */
  #endLook({ now, trip, leastTrip, queueMax }: CompetingRound, before: CompetingRound): CompetingMove {
    this.#before = undefined;
    this.#lookMs = Math.min(2 * this.#lookMs, LOOK_MS_MAX);
    this.#nextLook = now + this.#lookMs;
    // Requests of the look are still being answered.
    this.#unused = -LOOK_ROUNDS;
    this.#tripBefore = 0;
    const isShort = trip - leastTrip - before.spread / 2 <= queueMax;
    return isShort && leastTrip > before.leastTrip * SHORTER_SHARE ? "alone" : stay(before.window);
  }

  #lose({ now, window, roundTrip }: CompetingRound, trip: number): CompetingMove {
    if (this.#fullTrip === 0) this.#fullTrip = Math.max(trip, roundTrip);
    else this.#learnFull(trip);
    if (++this.#losses === SEARCH_LOSSES) this.#isSearching = false;
    const share = this.#freeRounds < HELD_ROUNDS ? HELD_BETA : CUBIC_BETA;
    this.#fallTo(now, window * share, window);
    return { window: window * share, hold: CUT_ROUNDS };
  }

  #learnFull(trip: number): void {
    this.#fullTrip += (trip - this.#fullTrip) / FULL_MEMORY;
  }

  #fallTo(now: number, window: number, peak: number): void {
    this.#peak = peak;
    this.#base = window;
    this.#steps = 0;
    this.#k = Math.cbrt((peak - window) / CUBIC_C);
    this.#since = now;
  }

  /** RFC 9438 §4.2, figure 1, and §4.3: not less than by steps. */
  #cubic(now: number, window: number): number {
    const seconds = (now - this.#since) / 1000;
    const stepped = this.#base + STEP * ++this.#steps;
    return Math.max(window, stepped, CUBIC_C * (seconds - this.#k) ** 3 + this.#peak);
  }

  /** More and more, while more comes of it, and not so much at once that it would fill the `room` that is left of the queue, ms. */
  #search({ now, window, used, rate }: CompetingRound, room: number): number {
    this.#plateau = rate > this.#bestRate * PLATEAU_GROWTH ? 0 : this.#plateau + 1;
    this.#bestRate = Math.max(this.#bestRate, rate);
    if (rate >= this.#fairRate || (this.#plateau >= PLATEAU_ROUNDS && room === Infinity)) {
      this.#isSearching = false;
      this.#fallTo(now, window, window);
    }
    const most = room === Infinity ? Infinity : rate * room * SEARCH_ROOM_SHARE;
    // What was added last has to show before more is.
    return Math.max(window, used + Math.max(STEP, Math.min(used * SEARCH_SHARE, most)));
  }
}

function stay(window: number): CompetingMove {
  return { window, hold: 0 };
}
