/*
 * How much may be under way at one source. The puller learns from its own requests how fast the path delivers, how long it takes when
 * its queue is empty, and what share gets lost whatever it does. Once a round trip it decides anew:
 *
 * - start: the window doubles each round trip (faster while trains of symbols show that the path is far from full) until the queue
 *   grows, more is lost than before, or nothing more is delivered.
 * - steady: it grows a little until a short queue stands, then falls to what the path holds without one. Loss that does not depend on
 *   our rate changes nothing.
 * - competing: when a queue stands that does not answer to us, somebody else keeps it full. Then the window follows CUBIC (RFC 9438),
 *   the law of most of those others, and steps back now and then to see whether they have gone.
 *
 * Each constant has its reason in docs/decisions/0007.
 */
import { LossModel } from "./loss_model.ts";

/** What a kind of transfer gives others, and expects of them. */
export interface TrafficClass {
  /** Length of the queue that it may keep, as a share of that of `normal`. */
  readonly queueShare: number;
  /** Whether it holds its own against those who fill queues. */
  readonly competes: boolean;
  /** How fast it takes what is free, as a multiple of `normal`. */
  readonly growth: number;
  /** Standard deviations of luck that repairs allow for. */
  readonly margin: number;
}

/** Kinds of transfer by name. */
export const trafficClasses: Readonly<Record<TrafficClassName, TrafficClass>> = {
  realtime: { queueShare: 0.5, competes: true, growth: 1, margin: 2 },
  high: { queueShare: 1, competes: true, growth: 2, margin: 0.5 },
  normal: { queueShare: 1, competes: true, growth: 1, margin: 1 },
  batch: { queueShare: 0.5, competes: false, growth: 1, margin: 0.5 },
};

/** The kinds of transfer. */
export const trafficClassNames = ["realtime", "high", "normal", "batch"] as const;

/** The name of a kind of transfer: how it behaves beside other traffic. */
export type TrafficClassName = (typeof trafficClassNames)[number];

/** What a {@linkcode Congestion} starts from. */
export interface CongestionOptions {
  /** Round trip of the handshake, ms. */
  readonly roundTrip: number;
  /** Packets that our receive buffer holds in one burst. */
  readonly burstPacketsMax: number;
  /** How it behaves towards others. */
  readonly traffic: TrafficClass;
}

const WINDOW_START = 32;
const WINDOW_MIN = 4;
const WINDOW_MAX = 32_768;
/** A path this short is of this machine or its neighbour: what is under way must fit our receive buffer at once. */
const NEAR_MS = 3;
/** A round takes at least this long, so that what it counts says something. */
const ROUND_MS_MIN = 4;
const PACE = 1.25;
const PACE_MS_FIRST = 40;
const BURST_MS = 2;
const BURST_MS_MAX = 6;
const BURST_MIN = 4;
const BURST_USUAL = 8;
/** A window is at least so many bursts, and more while it is not known what a burst meets. */
const BURSTS_MIN = 4;
const BURSTS_MIN_START = 16;
const BURST_MAX = 176;
/** The standing queue of `normal`: never less than this, and on slow paths as long as some packets take. */
const QUEUE_MS_MIN = 3;
const QUEUE_ROOT = 9.7;
/** What a round adds at first, in symbols and as a share of the window; and the share that it adds at most. */
const STEP = 2;
const STEP_SHARE = 1 / 64;
const STEP_SHARE_MAX = 0.25;
/** Rounds of small steps after a loss of our own making. */
const CAUTIOUS_ROUNDS = 16;
/** To see what the path loses by itself, somewhat less is asked for than it bears. */
const TRIAL_SHARE = 0.85;
/** A cut for loss leaves this share at least. */
const CUT_MOST = 0.5;
/** Rounds until a change of the window shows in what arrives, and in nothing else. */
const ROUNDS_TO_SHOW = 2;
/** Start: how a path that is far from full is told, and when one that is full. */
const TRAIN_MIN = 8;
const TRAIN_RESOLUTION_MS = 0.25;
const FAR_FROM_FULL = 0.4;
const NEARLY_FULL = 0.75;
const GAIN_FAR = 3;
const GAIN_NEAR = 0.3;
const PLATEAU_GROWTH = 1.25;
const PLATEAU_ROUNDS = 3;
const DELAYED_ANSWERS = 3;
// RFC 9406 §4.3
const DELAY_MS_MIN = 4;
const DELAY_MS_MAX = 16;
const DELAY_SPREADS = 2;
/** Round trips that say how far they lie apart, and rounds over which that is averaged. */
const MEAN_REQUESTS = 4;
const SPREAD_MEMORY = 4;
const LOSSY_ROUNDS = 2;
const LOSSY_SHARE = 0.2;
/** A cut for a queue leaves less than this share, so that it shows; and a queue of others keeps more than that. */
const DRAIN_SHARE = 0.95;
const FOREIGN_QUEUE_SHARE = 0.65;
const FOREIGN_HINTS = 2;
/** Who competes without knowing how much there is to have adds this share each round. */
const SEARCH_SHARE = 0.125;
/** How often a competitor looks whether it is alone. */
const LOOK_EVERY_MS = 12_000;
const LOOK_SHARE = 0.5;
const LOOK_ROUNDS = 2;
// RFC 9438 §4.1, §4.6
const CUBIC_C = 0.4;
const CUBIC_BETA = 0.7;
/** The shortest round trip is that of the last one or two of these. */
const LEAST_TRIP_MS = 15_000;
const CAPACITY_ROUNDS = 6;
const RTO_MS_MIN = 30;
const RTO_MS_FIRST = 1000;
const RTO_MS_MAX = 3000;
const BACKOFF_MAX = 8;

interface Round {
  readonly startedAt: number;
  /** The round is over when this request is answered, or a later one. */
  readonly until: number;
  arrived: number;
  settled: number;
  lost: number;
  /** Requests that lost something. */
  lossy: number;
  leastTrip: number;
  /** All round trips, in sum. */
  trips: number;
  /** Requests that were answered, and what was under way when they were sent, in sum. */
  requests: number;
  underWay: number;
  /** Whether the window held us back. Otherwise what came says little of what the path could carry. */
  limited: boolean;
}

interface EndedRound extends Round {
  readonly duration: number;
  /** The number of the first request after it. */
  readonly next: number;
}

/** The window, the burst and the timeout for one source. Windows in symbols, times in ms. */
export class Congestion {
  readonly #traffic: TrafficClass;
  readonly #burstMax: number;
  readonly #loss = new LossModel();
  /** Symbols a ms that came, in the last rounds. */
  readonly #rates: number[] = [];
  #window: number;
  #mode: "start" | "steady" | "competing" = "start";
  #round: Round;
  #smoothed: number;
  #variation: number;
  #isMeasured = false;
  /** The shortest round trip of all, and the shortest mean of a round: that of a path without a queue. */
  #least: LeastTrip;
  #empty: LeastTrip;
  #backoff = 0;
  /** Symbols a ms that trains have shown, smoothed; 0 before the first. */
  #trainRate = 0;
  #spread = 0;
  /** Whether more than the path bears was asked for before: then there is no need to find out again. */
  #isKnown = false;
  #bestRate = 0;
  #plateau = 0;
  /** Answers in a row that came late, and rounds in a row in which more was lost than before. */
  #delayed = 0;
  #lossy = 0;
  #velocity = 1;
  #cautious = 0;
  /** Rounds that pass before a change shows. */
  #hold = 0;
  /** The latest of several cuts in a row: the window, the rate and the queue then, the window before the first, and signs of others. */
  #cut:
    | {
      readonly window: number;
      readonly rate: number;
      readonly queue: number;
      readonly first: number;
      readonly hints: number;
    }
    | undefined;
  /** A cut for loss, and what the loss was: if it stays, it is not of our making. */
  #trial: { readonly window: number; readonly rate: number; readonly loss: number } | undefined;
  /** Requests from this one on were sent under the present window. */
  #countFrom = 0;
  #cubic = { peak: 0, since: 0 };
  /** While a competitor has stepped back: its window, and when it looks again. */
  #look: { readonly window: number; readonly queue: number } | undefined;
  #nextLook = Infinity;

  /** `now` is the time of the grant. */
  constructor(now: number, { roundTrip, burstPacketsMax, traffic }: CongestionOptions) {
    this.#traffic = traffic;
    this.#burstMax = burstPacketsMax;
    this.#smoothed = roundTrip;
    this.#variation = roundTrip / 2;
    this.#least = new LeastTrip(now, roundTrip);
    this.#empty = new LeastTrip(now, roundTrip);
    this.#round = newRound(now, 1);
    this.#window = Math.min(WINDOW_START, this.#most);
  }

  /** Symbols that may be under way. */
  get window(): number {
    return Math.floor(this.#window);
  }

  /** Symbols that one request may ask for: they arrive as one burst, and every queue on the way must hold it. */
  get burst(): number {
    const most = Math.min(this.#burstMax, BURST_MAX);
    if (this.#isNear) return Math.max(1, Math.min(most, this.window >> 1));
    // At first what came in trains says more of the path than what came in a round.
    const rate = this.#mode === "start" ? this.#trainRate || Infinity : this.#capacity;
    const least = this.#mode === "start"
      ? TRAIN_MIN
      : Math.max(BURST_MIN, Math.min(BURST_USUAL, rate * BURST_MS_MAX));
    return Math.max(
      1,
      Math.floor(Math.min(most, Math.max(least, Math.min(this.#window / 4, rate * BURST_MS)))),
    );
  }

  /**
   * Symbols a ms at which requests may follow each other: somewhat more than a window a round trip. Arrivals set the pace by themselves,
   * but for a window that grows or that was not used.
   */
  get pace(): number {
    if (this.#isNear) return Infinity;
    // The handshake may have been slow for other reasons than the way.
    const trip = this.#isMeasured ? this.#empty.value : Math.min(this.#empty.value, PACE_MS_FIRST);
    return PACE * this.#window / trip;
  }

  /** Smoothed round trip. */
  get roundTrip(): number {
    return this.#smoothed;
  }

  /** Share of symbols that get lost, of late. */
  get lossRate(): number {
    return this.#loss.rate;
  }

  /** Standard deviations of luck that repairs allow for. */
  get margin(): number {
    return this.#traffic.margin;
  }

  /** How long nothing may arrive before what is under way counts as lost. RFC 6298 §2, with a shorter floor. */
  get timeout(): number {
    const plain = Math.max(RTO_MS_MIN, this.#smoothed + 4 * this.#variation);
    const first = this.#isMeasured ? plain : Math.min(plain, RTO_MS_FIRST);
    return Math.min(RTO_MS_MAX, first * 2 ** this.#backoff);
  }

  /** Whether it has only begun to learn what the path is like. */
  get isStarting(): boolean {
    return this.#mode === "start";
  }

  /** For tables and tests. */
  get state(): { mode: string; leastTrip: number; capacity: number; baseline: number } {
    return {
      mode: this.#mode,
      leastTrip: this.#least.value,
      capacity: this.#capacity,
      baseline: this.#loss.baseline,
    };
  }

  /** A symbol arrived. */
  handleArrival(): void {
    this.#backoff = 0;
    this.#round.arrived++;
    if (this.#mode !== "start") return;
    this.#setWindow(this.#window + this.#gain);
  }

  /** Nothing more comes of a request for `symbols`: the first and the last that came were `duration` ms apart. */
  handleTrain(symbols: number, duration: number): void {
    if (symbols < TRAIN_MIN) return;
    const rate = (symbols - 1) / (duration + TRAIN_RESOLUTION_MS);
    this.#trainRate += this.#trainRate === 0 ? rate : (rate - this.#trainRate) / 4;
  }

  /**
   * The first symbol of request `number` arrived, which was sent when `underWay` symbols were under way. It was sent `longest` ms ago, and
   * for the last time `shortest` ms ago. `next` is the number of the next request.
   */
  handleAnswer(
    now: number,
    number: number,
    { longest, shortest }: { readonly longest: number; readonly shortest: number },
    underWay: number,
    next: number,
  ): void {
    // What is too short for a round trip is no answer to the last sending. Else it may be one to any.
    const sample = shortest < this.#least.value ? longest : shortest;
    if (this.#isMeasured) {
      this.#variation += (Math.abs(sample - this.#smoothed) - this.#variation) / 4;
      this.#smoothed += (sample - this.#smoothed) / 8;
    } else {
      this.#isMeasured = true;
      this.#smoothed = sample;
      this.#variation = sample / 2;
      this.#least = new LeastTrip(now, sample);
      this.#empty = new LeastTrip(now, sample);
    }
    this.#least.note(now, sample);
    const round = this.#round;
    round.leastTrip = Math.min(round.leastTrip, sample);
    round.trips += sample;
    round.requests++;
    round.underWay += underWay;
    if (this.#mode === "start") this.#watchQueue(sample, underWay, next);
    if (number < round.until || now - round.startedAt < ROUND_MS_MIN) return;
    this.#round = newRound(now, next);
    this.#endRound(now, { ...round, next, duration: now - round.startedAt });
  }

  /** Of the symbols that request `number` asked for, `lost` did not come. */
  handleSettled(number: number, symbols: number, lost: number): void {
    this.#loss.noteRate(symbols, lost);
    if (number < this.#countFrom) return;
    this.#round.settled += symbols;
    this.#round.lost += lost;
    if (lost > 0) this.#round.lossy++;
  }

  /** More could have been asked for but for the window. */
  handleLimited(): void {
    this.#round.limited = true;
  }

  /** The other side is there again. */
  handleContact(): void {
    this.#backoff = 0;
  }

  /** Nothing arrived for {@linkcode timeout}: what is known of the path may be true no longer. */
  handleSilence(now: number, next: number): void {
    this.#backoff = Math.min(this.#backoff + 1, BACKOFF_MAX);
    this.#setWindow(Math.min(this.#window, WINDOW_START));
    this.#enterStart();
    this.#round = newRound(now, next);
  }

  /** Start: symbols that each arrival adds to the window. */
  get #gain(): number {
    if (this.#isNear || this.#trainRate === 0) return 1;
    if (this.#isFarFromFull) return this.#delayed < DELAYED_ANSWERS ? GAIN_FAR : 1;
    return this.#window < this.#full * NEARLY_FULL ? 1 : GAIN_NEAR;
  }

  /** What the path holds if it carries everything as fast as trains; 0 when that is not known. */
  get #full(): number {
    return this.#trainRate * this.#empty.value;
  }

  get #isFarFromFull(): boolean {
    return this.#window < this.#full * FAR_FROM_FULL;
  }

  get #isNear(): boolean {
    return this.#least.value < NEAR_MS;
  }

  get #most(): number {
    return this.#isNear ? this.#burstMax : WINDOW_MAX;
  }

  /** Symbols a ms that have to be asked for to fill the path. */
  get #capacity(): number {
    return Math.max(0, ...this.#rates) / (1 - this.#loss.baseline);
  }

  /** What the path holds without a queue. */
  get #pipe(): number {
    return this.#capacity * this.#empty.value + this.burst;
  }

  /** The queue that we may keep, ms: of a length that grows with the root of the rate, so that equal flows end up equal. */
  get #queueTarget(): number {
    const rooted = this.#capacity > 0 ? QUEUE_ROOT / Math.sqrt(this.#capacity) : QUEUE_MS_MIN;
    return this.#traffic.queueShare * Math.max(QUEUE_MS_MIN, rooted);
  }

  #setWindow(symbols: number): void {
    this.#window = Math.max(Math.min(WINDOW_MIN, this.#burstMax), Math.min(this.#most, symbols));
  }

  #endRound(now: number, round: EndedRound): void {
    const rate = round.arrived / round.duration;
    this.#loss.note(round.settled, round.lost, round.lossy);
    // A round in which we asked for less than we might have proves no lower rate.
    if (round.limited || rate > Math.max(...this.#rates)) this.#rates.push(rate);
    if (this.#rates.length > CAPACITY_ROUNDS) this.#rates.shift();
    const queue = this.#queueOf(now, round);
    if (this.#mode === "start") this.#start(round, rate, queue);
    else if (this.#hold > 0) this.#hold--;
    else if (this.#mode === "steady") this.#steady(now, round, queue);
    else this.#compete(now, round, queue);
  }

  /** By how much round trips are longer than they were when there was no queue; ms. */
  #queueOf(now: number, { requests, trips, leastTrip }: Round): number {
    if (requests === 0) return 0;
    const mean = trips / requests;
    if (requests >= MEAN_REQUESTS || mean < this.#empty.value) {
      // How far they lie apart that are of one time: no queue of ours does that, but for the bursts that we ask for.
      const own = this.#capacity > 0 ? this.burst / this.#capacity : 0;
      this.#spread += (Math.max(0, mean - leastTrip - own) - this.#spread) / SPREAD_MEMORY;
      this.#empty.note(now, mean);
    }
    return Math.max(0, mean - this.#empty.value - this.#spread);
  }

  #enterStart(): void {
    this.#mode = "start";
    this.#bestRate =
      this.#plateau =
      this.#delayed =
      this.#lossy =
        0;
    this.#rates.length = 0;
    this.#cut = this.#trial = this.#look = undefined;
    this.#hold = this.#cautious = 0;
  }

  /** A window that doubles must not wait for the end of a round: what was under way when the queue began is what the path holds. */
  #watchQueue(sample: number, underWay: number, next: number): void {
    const usual = Math.max(DELAY_MS_MIN, Math.min(DELAY_MS_MAX, this.#least.value / 8));
    const delay = Math.max(usual, this.#spread * DELAY_SPREADS);
    this.#delayed = sample - this.#least.value > delay ? this.#delayed + 1 : 0;
    // Trains have come much faster than all that is under way: it is not what delays them.
    if (this.#delayed < DELAYED_ANSWERS || this.#isFarFromFull) return;
    this.#enterSteady(next);
    this.#setWindow(Math.min(this.#window, underWay * this.#empty.value / sample + this.burst));
  }

  #start(round: EndedRound, rate: number, queue: number): void {
    if (rate > this.#bestRate * PLATEAU_GROWTH) {
      this.#bestRate = rate;
      this.#plateau = 0;
    } else if (round.limited) this.#plateau++;
    const excess = this.#loss.takeExcess();
    // One request that got lost takes many symbols with it: that alone is no sign of a full path.
    this.#lossy = excess > 0 ? this.#lossy + 1 : 0;
    const isLossy = this.#lossy >= LOSSY_ROUNDS || this.#loss.last > this.#loss.baseline + LOSSY_SHARE;
    const isQueued = queue > this.#queueTarget && !this.#isFarFromFull;
    if (!isQueued && this.#plateau < PLATEAU_ROUNDS && !isLossy) return;
    this.#enterSteady(round.next);
    if (isLossy || isQueued) this.#setWindow(Math.min(this.#window, this.#pipe));
    // Twice as much as the path bore, as with every window that doubles.
    if (isLossy) this.#setWindow(Math.min(this.#window, underWayOf(round) / 2));
    this.#isKnown = isLossy || this.#plateau >= PLATEAU_ROUNDS;
  }

  #enterSteady(next: number): void {
    this.#mode = "steady";
    this.#velocity = 1;
    this.#restart(next);
  }

  #steady(now: number, round: EndedRound, queue: number): void {
    if (this.#judgeLoss(round)) return;
    if (queue > this.#queueTarget) return this.#drain(now, round, queue);
    if (!round.limited) return;
    const share = this.#cautious > 0 ? 0 : STEP_SHARE;
    const step = Math.max(STEP, this.#window * share) * this.#traffic.growth;
    this.#setWindow(
      this.#window + Math.min(step * this.#velocity, Math.max(step, this.#window * STEP_SHARE_MAX)),
    );
    if (this.#cut && this.#window >= this.#cut.first) this.#cut = undefined;
    if (this.#cautious > 0) this.#cautious--;
    else this.#velocity *= 2;
  }

  /** The queue is too long: only what the path holds without it stays under way. While it stands, what comes is what the path carries. */
  #drain(now: number, round: EndedRound, queue: number): void {
    const rate = round.arrived / round.duration;
    const cut = this.#cut;
    // A queue of ours gets shorter when we ask for less, and as much comes as before. Of one that others keep full we only lose our share.
    const isForeign = cut !== undefined && this.#window < cut.window &&
      queue > cut.queue * FOREIGN_QUEUE_SHARE &&
      rate < cut.rate * (1 + this.#window / cut.window) / 2;
    const first = cut?.first ?? this.#window;
    const hints = isForeign ? cut.hints + 1 : 0;
    if (this.#traffic.competes && hints >= FOREIGN_HINTS) return this.#enterCompeting(now, first);
    this.#cut = { window: this.#window, rate, queue, first, hints };
    // One round may have been slow because this machine was.
    const lately = Math.max(...this.#rates.slice(-2), rate) / (1 - this.#loss.baseline);
    const pipe = Math.min(this.#pipe, lately * this.#empty.value + this.burst);
    this.#setWindow(Math.max(this.#window / 2, Math.min(pipe, this.#window * DRAIN_SHARE)));
    this.#velocity = 1;
    this.#hold = 1;
  }

  /**
   * More is lost than the path loses by itself: less is asked for. If then as large a share is lost of less that comes, it was not for
   * asking too much: the path has become worse.
   */
  #judgeLoss(round: EndedRound): boolean {
    const excess = this.#loss.takeExcess();
    const trial = this.#trial;
    const rate = round.arrived / round.duration;
    this.#trial = undefined;
    if (trial) {
      const isStill = this.#loss.last > (trial.loss + this.#loss.baseline) / 2;
      const isLess = rate < trial.rate * (1 + this.#window / trial.window) / 2;
      if (isStill && isLess) {
        this.#loss.accept(Math.min(trial.loss, this.#loss.last));
        this.#setWindow(trial.window);
        return true;
      }
      this.#loss.lower();
      this.#setWindow(trial.window * (1 - trial.loss + this.#loss.baseline));
      this.#cautious = CAUTIOUS_ROUNDS;
      return true;
    }
    if (excess === 0) return false;
    this.#isKnown = true;
    const window = Math.min(this.#window, underWayOf(round) + this.burst);
    this.#trial = { window, rate, loss: this.#loss.last };
    this.#setWindow(Math.max(window * CUT_MOST, TRIAL_SHARE * Math.min(window * (1 - excess), this.#pipe)));
    this.#restart(round.next);
    this.#velocity = 1;
    return true;
  }

  /** The window has changed: what is seen before that shows is not counted. */
  #restart(next: number): void {
    this.#hold = ROUNDS_TO_SHOW;
    this.#countFrom = next;
    this.#loss.restart();
  }

  #enterCompeting(now: number, window: number): void {
    this.#mode = "competing";
    this.#setWindow(window);
    this.#cubic = { peak: this.#isKnown ? this.#window : 0, since: now };
    this.#cut = this.#trial = undefined;
    this.#plateau = this.#bestRate = 0;
    this.#nextLook = now + LOOK_EVERY_MS;
  }

  #compete(now: number, round: EndedRound, queue: number): void {
    const look = this.#look;
    if (look) {
      this.#look = undefined;
      this.#nextLook = now + LOOK_EVERY_MS;
      if (queue <= this.#queueTarget) {
        this.#mode = "steady";
        this.#velocity = 1;
        return this.#setWindow(this.#pipe);
      }
      this.#setWindow(look.window);
      this.#cubic = { peak: look.window, since: now };
      return;
    }
    if (this.#loss.takeExcess() > 0) {
      this.#isKnown = true;
      this.#cubic = { peak: this.#window, since: now };
      this.#setWindow(this.#window * CUBIC_BETA);
      this.#hold = 1;
      return;
    }
    if (now >= this.#nextLook) {
      this.#look = { window: this.#window, queue };
      this.#setWindow(this.#capacity * this.#empty.value * LOOK_SHARE);
      this.#hold = LOOK_ROUNDS;
      return;
    }
    if (!round.limited) return;
    if (this.#cubic.peak > 0) return this.#setWindow(Math.max(this.#window, this.#cubicWindow(now)));
    // Nobody knows yet how much there is to have: more and more, while more comes of it.
    const rate = round.arrived / round.duration;
    this.#plateau = rate > this.#bestRate * (1 + SEARCH_SHARE / 4) ? 0 : this.#plateau + 1;
    this.#bestRate = Math.max(this.#bestRate, rate);
    if (this.#plateau >= PLATEAU_ROUNDS) this.#cubic = { peak: this.#window, since: now };
    else this.#setWindow(this.#window * (1 + SEARCH_SHARE));
  }

  /** RFC 9438 §4.2 and §4.3, figure 1 and 4. */
  #cubicWindow(now: number): number {
    const seconds = (now - this.#cubic.since) / 1000;
    const { peak } = this.#cubic;
    const k = Math.cbrt(peak * (1 - CUBIC_BETA) / CUBIC_C);
    const cubic = CUBIC_C * (seconds - k) ** 3 + peak;
    const reno = peak * CUBIC_BETA +
      3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA) * (seconds * 1000 / this.#smoothed);
    return Math.max(cubic, reno);
  }
}

/** The shortest of the round trips of the last while; what is older is forgotten, as paths change. */
class LeastTrip {
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

/** What was under way when its requests were sent, on average. */
function underWayOf({ underWay, requests }: Round): number {
  return underWay / Math.max(1, requests);
}

function newRound(now: number, until: number): Round {
  return {
    startedAt: now,
    until,
    arrived: 0,
    settled: 0,
    lost: 0,
    lossy: 0,
    leastTrip: Infinity,
    trips: 0,
    requests: 0,
    underWay: 0,
    limited: false,
  };
}
