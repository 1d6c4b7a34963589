/*
 * How much may be under way at one source. The puller learns from its own requests how fast the path delivers, how long it takes when
 * its queue is empty, and what share gets lost whatever it does. Once a round trip it decides anew:
 *
 * - start: the window doubles each round trip (faster while trains of symbols show that the path is far from full) until the queue
 *   grows, more is lost than before, or nothing more is delivered.
 * - steady: it grows a little until a short queue stands, then falls to what the path holds without one. Loss that does not depend on
 *   our rate changes nothing.
 * - competing: when a queue stands that does not answer to us, somebody else keeps it full. Then the window follows CUBIC (RFC 9438),
 *   the law of most of those others, up to where the queue is nearly full, and steps back now and then to see whether they have gone.
 *
 * Each constant has its reason in docs/decisions/0007.
 */
import { Competition } from "./competition.ts";
import { ForeignQueue } from "./foreign_queue.ts";
import { Growth } from "./growth.ts";
import { LossModel, SMALL_LOSS } from "./loss_model.ts";
import { bringsLess, isDip, isEnough, verdictOf } from "./loss_trial.ts";
import type { LossTrial } from "./loss_trial.ts";
import { isOverrun, newRound, underWayOf } from "./round.ts";
import type { EndedRound, Round } from "./round.ts";
import { RoundTrips } from "./round_trips.ts";
import type { Trip } from "./round_trips.ts";
import { isShort, ShortPath, type ShortPathOptions } from "./short_path.ts";
import { StartUp } from "./start_up.ts";
import { queueTarget, type TrafficClass } from "./traffic_class.ts";

/** What a {@linkcode Congestion} starts from. */
export interface CongestionOptions extends ShortPathOptions {
  /** Round trip of the handshake, ms. */
  readonly roundTrip: number;
  /** How it behaves towards others. */
  readonly traffic: TrafficClass;
}

const WINDOW_START = 32;
const WINDOW_MIN = 4;
/** After a silence: two trains, so that the second can show what the first has lost. */
const WINDOW_SILENT = 16;
const WINDOW_MAX = 32_768;
/** A round takes at least this long, so that what it counts says something. */
const ROUND_MS_MIN = 4;
/** Of a window a round trip. What comes in clumps is asked for in clumps; where a policer's bucket has paid for them they are smoothed out. */
const PACE = 1.25;
const PACE_CAUTIOUS = 1.1;
/** What late timers are worth; where others keep the queue full, little of it. */
const PACE_SLACK_MS = { alone: 3, crowded: 1 };
const BURST_MS = 2;
/** What is sent is more than what comes; but bursts that are lost for being too long must not become longer for it. */
const BURST_SENT_MAX = 1.5;
const BURST_MS_MAX = 6;
const BURST_MIN = 4;
const BURST_USUAL = 8;
/** A queue that others keep full drops half of a burst; slow lines have to carry the requests as well. */
const BURST_CROWDED = 2;
const BURST_CROWDED_MS = 1;
/** After a loss of our own making bursts grow again by this factor each round. */
const BURST_REGROWTH = 1.1;
/** A window is at least so many bursts. */
const BURSTS_MIN = 4;
const BURST_MAX = 176;
/** To see what the path loses by itself, somewhat less is asked for than it bears. */
const TRIAL_SHARE = 0.85;
/** As often may a trial end unclear; then the loss is the path's. */
const DOUBTS_MAX = 2;
/** After a loss of our own making it goes on with this share of what was delivered: at the edge the next loss is at hand. */
const OURS_SHARE = 0.95;
/** A cut for loss leaves this share at least. */
const CUT_MOST = 0.5;
/** Rounds until a change of the window shows in what arrives, and in nothing else. */
const ROUNDS_TO_SHOW = 2;
/** A cut for a queue leaves less than this share, so that it shows. */
const DRAIN_SHARE = 0.95;
const CAPACITY_ROUNDS = 6;
/** The window, the burst and the timeout for one source. Windows in symbols, times in ms. */
export class Congestion {
  readonly #traffic: TrafficClass;
  readonly #short: ShortPath;
  readonly #loss = new LossModel();
  /** Symbols a ms that came, in the last rounds. */
  readonly #rates: number[] = [];
  #window: number;
  #mode: "start" | "steady" | "competing" = "start";
  #round: Round;
  readonly #trips: RoundTrips;
  /** The law of the start. */
  #startUp: StartUp;
  /** Whether more than the path bears was asked for before: then there is no need to find out again. */
  #isKnown = false;
  /** Rounds that pass before a change shows. */
  #hold = 0;
  /** Whether a queue that stands is ours. */
  readonly #foreign = new ForeignQueue();
  /** While it is tried whether a loss is of our making. */
  #trial: LossTrial | undefined;
  /** Trials in a row that could be read either way. */
  #doubts = 0;
  readonly #growth: Growth;
  /** Symbols of a burst that the queues on the way have been seen not to hold. */
  #burstCap = Infinity;
  /** Requests from this one on were sent under the present window. */
  #countFrom = 0;
  /** The law beside others. */
  #competition: Competition | undefined;

  /** `now` is the time of the grant. */
  constructor(now: number, options: CongestionOptions) {
    this.#traffic = options.traffic;
    this.#growth = new Growth(options.traffic);
    this.#short = new ShortPath(options);
    this.#trips = new RoundTrips(now, options.roundTrip);
    this.#startUp = new StartUp(this.#trips);
    this.#round = newRound(now, 1);
    this.#window = Math.min(WINDOW_START, this.#most);
  }

  /** Symbols that may be under way. */
  get window(): number {
    return Math.floor(this.#window);
  }

  /** Symbols that one request may ask for: they arrive as one burst, and every queue on the way must hold it. */
  get burst(): number {
    // Half a window at most: what nothing overtakes is lost only when nothing has come for long.
    const { burstMax, isLoopback } = this.#short;
    const longest = this.#isNear && isLoopback ? Infinity : BURST_MAX;
    const most = Math.min(burstMax, longest, this.window >> 1);
    // Each request wakes both sides; what takes long within one machine is a busy process, and no queue on a way.
    if (this.#isNear || isLoopback) return Math.max(1, most);
    // At first what came in trains says more of the path than what came in a round.
    if (this.#mode === "start") {
      const { rate, trainMin } = this.#startUp;
      return clamp(Math.min(this.#window / BURSTS_MIN, rate * BURST_MS), trainMin, most);
    }
    if (this.#mode === "competing") {
      return clamp(this.#rate * BURST_CROWDED_MS, this.#startUp.rate < 1 ? BURST_MIN : BURST_CROWDED, most);
    }
    const least = Math.max(BURST_MIN, Math.min(BURST_USUAL, this.#rate * BURST_MS_MAX));
    const sent = Math.min(this.#capacity, this.#rate * BURST_SENT_MAX);
    const wished = Math.min(this.#window / BURSTS_MIN, sent * BURST_MS, this.#burstCap);
    return clamp(this.#trial ? 0 : wished, least, most);
  }

  /** Symbols a ms at which requests may follow each other. Arrivals set the pace by themselves, but for a window that grows or was unused. */
  get pace(): number {
    // What the handshake took says little: it may have been slow for other reasons than the way.
    if (this.#isNear || !this.#trips.isMeasured) return Infinity;
    if (this.#mode === "start") return this.#startUp.pace(this.#window);
    // Others fill every gap, so what comes back in a clump meets a full queue: it is smoothed to what it makes on average.
    if (this.#mode === "competing") return PACE * this.#window / this.#trips.smoothed;
    return (this.#growth.isCautious ? PACE_CAUTIOUS : PACE) * this.#window / this.#trips.empty;
  }

  /** What requests have fallen behind may be caught up with at once, up to this, ms. */
  get paceSlackMs(): number {
    return this.#mode === "competing" ? PACE_SLACK_MS.crowded : PACE_SLACK_MS.alone;
  }

  /** Smoothed round trip. */
  get roundTrip(): number {
    return this.#trips.smoothed;
  }

  /** Share of symbols that get lost, of late. */
  get lossRate(): number {
    return this.#loss.rate;
  }

  /** Symbols that one loss takes: more than one where they get lost in bursts. */
  get lossPerEvent(): number {
    return this.#loss.perEvent;
  }

  /** How long nothing may arrive before what is under way counts as lost. */
  get timeout(): number {
    return this.#trips.timeout;
  }

  /** Whether it has only begun to learn what the path is like. */
  get isStarting(): boolean {
    return this.#mode === "start";
  }

  /** For tables and tests. */
  get state(): { mode: string; leastTrip: number; capacity: number; baseline: number } {
    const [leastTrip, capacity, { baseline }] = [this.#trips.least, this.#capacity, this.#loss];
    return { mode: this.#mode, leastTrip, capacity, baseline };
  }

  /** Symbols arrived. */
  handleArrivals(count: number): void {
    this.#short.handleArrivals(count);
    this.#trips.handleContact();
    this.#round.arrived += count;
    if (this.#mode !== "start" || isOverrun(this.#round, this.#loss.baseline)) return;
    if (this.#isNear) return this.#setWindow(this.#window + count);
    for (let i = 0; i < count; i++) this.#setWindow(this.#window + this.#startUp.gain(this.#window));
  }

  /** Nothing more comes of a request for `symbols`: the first and the last that came were `duration` ms apart. */
  handleTrain(symbols: number, duration: number): void {
    this.#startUp.handleTrain(symbols, duration);
  }

  /**
   * The first symbol of request `number` arrived, which was sent when `underWay` symbols were under way. `next` is the number of the next
   * request.
   */
  handleAnswer(now: number, number: number, trip: Trip, underWay: number, next: number): void {
    const sample = this.#trips.note(now, trip);
    const round = this.#round;
    round.trips.least = Math.min(round.trips.least, sample);
    round.trips.sum += sample;
    round.trips.answers++;
    round.underWay += underWay;
    if (this.#mode === "start" && this.#startUp.handleAnswer(sample, this.#window)) {
      this.#foreign.handleStartEnd(now, this.#window);
      this.#enterSteady(next);
      // What was under way when the queue began is what the path holds.
      this.#setWindow(Math.min(this.#window, underWay * this.#trips.empty / sample + this.burst));
    }
    if (number < round.until || now - round.startedAt < ROUND_MS_MIN) return;
    this.#round = newRound(now, next);
    this.#endRound(now, { ...round, next, duration: now - round.startedAt });
  }

  /** Of the symbols that request `number` asked for, `lost` did not come. */
  handleSettled(number: number, symbols: number, lost: number): void {
    this.#loss.noteRate(symbols, lost);
    if (lost > 0) this.#startUp.handleLost();
    if (number < this.#countFrom) return;
    this.#round.settled += symbols;
    this.#round.lost += lost;
    this.#round.requests++;
    if (lost > 0) this.#round.lossy++;
    if (this.#mode === "competing" && this.#hold === 0 && this.#isPressed(this.#round)) this.#round.until = 0;
  }

  /** More could have been asked for but for the window. */
  handleLimited(): void {
    this.#round.limited = true;
  }

  /** The other side is there again. */
  handleContact(): void {
    this.#trips.handleContact();
  }

  /** Nothing arrived for {@linkcode timeout}: what is known of the path may be true no longer. */
  handleSilence(now: number, next: number): void {
    this.#trips.handleSilence();
    this.#setWindow(Math.min(Math.max(this.#window, WINDOW_SILENT), WINDOW_START));
    this.#enterStart();
    this.#startUp.handleLost();
    this.#countFrom = next;
    this.#loss.restart();
    this.#round = newRound(now, next);
  }

  get #isNear(): boolean {
    return isShort(this.#trips.least);
  }

  get #most(): number {
    return this.#isNear || this.#short.isLoopback ? this.#short.most : WINDOW_MAX;
  }

  /** Symbols a ms that the path delivers. */
  get #rate(): number {
    return Math.max(0, ...this.#rates);
  }

  /** Symbols a ms that have to be asked for to fill it. */
  get #capacity(): number {
    return this.#rate / (1 - this.#loss.baseline);
  }

  /** What the path holds without a queue. */
  get #pipe(): number {
    return this.#capacity * this.#trips.empty + this.burst;
  }

  /** The queue that we may keep, ms. */
  get #queueTarget(): number {
    return this.#short.queueTarget(queueTarget(this.#traffic, this.#capacity));
  }

  #setWindow(symbols: number): void {
    this.#window = Math.max(Math.min(WINDOW_MIN, this.#short.burstMax), Math.min(this.#most, symbols));
  }

  #endRound(now: number, round: EndedRound): void {
    const rate = round.arrived / round.duration;
    this.#loss.note(round.settled, round.lost, round.requests, round.lossy, this.#mode === "competing");
    // A round in which we asked for less than we might have proves no lower rate.
    if (round.limited || rate > Math.max(...this.#rates)) this.#rates.push(rate);
    if (this.#rates.length > CAPACITY_ROUNDS) this.#rates.shift();
    const own = this.#capacity > 0 ? this.burst / this.#capacity : 0;
    const queue = this.#trips.queueOf(now, round.trips, own);
    if (this.#mode === "start") this.#start(round, rate, queue);
    else if (this.#hold > 0) this.#wait(round);
    else if (this.#mode === "steady") this.#steady(now, round, queue);
    else this.#compete(now, round);
  }

  #enterStart(): void {
    this.#mode = "start";
    this.#startUp = new StartUp(this.#trips);
    this.#rates.length = 0;
    this.#trial = this.#competition = undefined;
    this.#foreign.forget();
    this.#hold = 0;
    this.#growth.forgetOverruns();
  }

  #start(round: EndedRound, rate: number, queue: number): void {
    this.#loss.raise(this.#startUp.handleLoss(round.settled, round.lost));
    const hasExcess = this.#loss.takeExcess() > 0;
    const end = this.#startUp.handleRound({
      rate,
      window: this.#window,
      isLimited: round.limited,
      isQueued: queue > this.#queueTarget,
      hasExcess: hasExcess && this.#loss.last > this.#loss.baseline + SMALL_LOSS,
      excess: this.#loss.last - this.#loss.baseline,
      isEverywhere: round.lossy > round.requests / 2,
    });
    if (!end) return;
    const window = underWayOf(round);
    if (end.isLossy) this.#trial = this.#state(window, rate, true);
    this.#enterSteady(round.next);
    this.#isKnown = end.isPlateau;
    if (end.isQueued) this.#setWindow(Math.min(this.#window, this.#pipe));
    // Perhaps twice as much as the path bears, as with every window that doubles; perhaps the path is so.
    if (end.isLossy) this.#setWindow(Math.min(this.#window, window / 2));
  }

  #enterSteady(next: number): void {
    this.#mode = "steady";
    this.#growth.rest();
    this.#restart(next);
  }

  /** What is lost while a queue drains was lost because it was full: it was approached too fast. */
  #wait(round: EndedRound): void {
    this.#hold--;
    const isDraining = this.#mode === "steady" && !this.#trial && this.#growth.isAtRest;
    if (isDraining && this.#loss.isMuch(round.settled, round.lost)) this.#growth.handleOverrun(this.#window);
  }

  #steady(now: number, round: EndedRound, queue: number): void {
    if (this.#judgeLoss(round, queue)) return;
    if (queue > this.#queueTarget) return this.#drain(now, round, queue);
    if (queue === 0 && !this.#isKnown && this.#startUp.goesOn(this.#window)) {
      return void (this.#mode = "start");
    }
    // What is lost beyond the usual may be chance: that shows without asking for still more.
    if (!round.limited || this.#loss.isMuch(round.settled, round.lost)) return;
    this.#setWindow(this.#growth.next(this.#window, queue / this.#queueTarget, this.#trips.empty));
    this.#foreign.handleGrowth(this.#window);
    this.#burstCap *= BURST_REGROWTH;
  }

  /** The queue is too long: only what the path holds without it stays under way. While it stands, what comes is what the path carries. */
  #drain(now: number, round: EndedRound, queue: number): void {
    const rate = round.arrived / round.duration;
    const ours = this.#foreign.handleCut(now, { window: this.#window, rate, queue });
    if (this.#traffic.competes && ours !== undefined) return this.#enterCompeting(now, ours);
    // One round may have been slow because this machine was.
    const lately = Math.max(...this.#rates.slice(-2), rate) / (1 - this.#loss.baseline);
    const pipe = Math.min(this.#pipe, lately * this.#trips.empty + this.burst);
    this.#setWindow(Math.max(this.#window / 2, Math.min(pipe, this.#window * DRAIN_SHARE)));
    this.#growth.rest();
    this.#hold = 1;
  }

  /**
   * More is lost than the path loses by itself: less is asked for, in small bursts. If then as large a share is lost of less that comes, it was not for
   * asking too much: the path has become worse.
   */
  #judgeLoss(round: EndedRound, queue: number): boolean {
    const excess = this.#loss.takeExcess();
    const trial = this.#trial;
    const rate = round.arrived / round.duration;
    if (trial) {
      trial.rounds++;
      if (this.#loss.isFresh && isEnough(trial, this.#loss)) this.#conclude(trial, rate, queue);
      return true;
    }
    if (excess === 0) return false;
    // A path that is too full delivers as much as it can. Where less comes than a moment ago, and nothing waits, it is the weather.
    const { last: loss, baseline } = this.#loss;
    if (queue <= this.#queueTarget && isDip({ rate, bestRate: this.#rate, loss, baseline })) {
      this.#loss.accept(Math.max(baseline, Math.min(loss, this.#loss.usual)));
      return false;
    }
    this.#isKnown = true;
    const window = Math.min(this.#window, underWayOf(round) + this.burst);
    this.#trial = this.#state(window, rate, false);
    // One sample may be of a burst: what is lost on average is what has to go.
    const usual = Math.min(excess, Math.max(0, this.#loss.usual - this.#loss.baseline));
    this.#setWindow(TRIAL_SHARE * Math.max(window * CUT_MOST, Math.min(window * (1 - usual), this.#pipe)));
    this.#restart(round.next);
    this.#growth.rest();
    return true;
  }

  #state(window: number, rate: number, isOfStart: boolean): LossTrial {
    const { last: loss, usual, perEvent } = this.#loss;
    const common = Math.min(loss, usual);
    return { window, rate, loss, usual: common, perEvent, burst: this.burst, isOfStart, rounds: 0 };
  }

  #conclude(trial: LossTrial, rate: number, queue: number): void {
    this.#trial = undefined;
    const { since, baseline } = this.#loss;
    const loss = since.lost / since.symbols;
    const isQueued = queue > this.#queueTarget;
    const outcome = { window: this.#window, rate, loss, baseline, isQueued };
    const verdict = verdictOf(trial, outcome);
    if (verdict === "ours") {
      this.#isKnown = true;
      this.#doubts = 0;
      this.#loss.lower(isQueued || !bringsLess(trial, outcome));
      this.#burstCap = Math.max(BURST_USUAL, trial.burst / 2);
      this.#setWindow(OURS_SHARE * trial.window * (1 - trial.loss + this.#loss.baseline));
      return this.#growth.handleOverrun(this.#window);
    }
    if (verdict === "unclear" && ++this.#doubts < DOUBTS_MAX) return;
    this.#doubts = 0;
    this.#growth.forgetOverruns();
    this.#loss.accept(loss);
    this.#setWindow(trial.window);
    if (trial.isOfStart) this.#mode = "start";
  }

  /** The window has changed: what is seen before that shows is not counted. */
  #restart(next: number): void {
    this.#hold = this.#trial ? 1 : ROUNDS_TO_SHOW;
    this.#countFrom = next;
    this.#loss.restart();
  }

  /** Whether more is lost than chance makes of what the path loses by itself in all of a round: then there is no time to lose. */
  #isPressed({ settled, lost }: Round): boolean {
    return this.#loss.isUnlikely(Math.max(settled, this.#window), lost);
  }

  #enterCompeting(now: number, window: number): void {
    this.#mode = "competing";
    this.#setWindow(window);
    // Where the path loses much by itself a search would not see its end.
    const lineRate = this.#loss.baseline > SMALL_LOSS ? 0 : this.#startUp.rate;
    this.#competition = new Competition(now, lineRate, this.#competition);
    this.#trial = undefined;
    this.#foreign.forget();
  }

  #compete(now: number, round: EndedRound): void {
    const isLossy = this.#loss.takeExcess() > 0 || this.#isPressed(round);
    if (isLossy) {
      this.#isKnown = true;
      this.#loss.restart();
      this.#countFrom = round.next;
    }
    const move = this.#competition!.move({
      now,
      window: this.#window,
      used: underWayOf(round),
      rate: round.arrived / round.duration,
      pipe: this.#capacity * this.#trips.empty,
      isLossy,
      trip: round.trips.least,
      roundTrip: this.#trips.smoothed,
      leastTrip: this.#trips.least,
      spread: this.#trips.spread,
      queueMax: this.#queueTarget,
      duration: round.duration,
      isLimited: round.limited,
    });
    if (move !== "alone") {
      this.#hold = move.hold;
      return this.#setWindow(move.window);
    }
    this.#mode = "steady";
    this.#growth.rest();
    this.#setWindow(this.#pipe);
  }
}

function clamp(symbols: number, least: number, most: number): number {
  return Math.max(1, Math.floor(Math.min(most, Math.max(least, symbols))));
}
