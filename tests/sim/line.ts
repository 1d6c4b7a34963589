import { Congestion } from "../../transport/protocol/congestion.ts";
import { trafficClasses } from "../../transport/protocol/traffic_class.ts";
import type { TrafficClassName } from "../../transport/protocol/traffic_class.ts";
import { seededRandom } from "./random.ts";

/** What a {@linkcode Line} is like. Rates in symbols a ms, queues in symbols. */
export interface LinePath {
  readonly rate: number;
  /** There and back, without a queue. */
  readonly delayMs: number;
  readonly queueMax?: number;
  /** Behind the queue. */
  readonly lossRate?: number;
  /** Symbols that somebody else keeps under way, whatever happens. */
  readonly rival?: number;
}

interface Sent {
  readonly sentAt: number;
  readonly symbols: number;
  readonly underWay: number;
  arrived: number;
  firstAt: number;
}

/** What came of some time on a line. */
export interface LineReport {
  /** Of what the line can carry, as much arrived. */
  readonly share: number;
  /** How long a symbol waited in the queue, on average. */
  readonly queueMs: number;
  readonly windowMost: number;
  readonly burstMost: number;
  /** Share of symbols that found the queue full. */
  readonly dropped: number;
  readonly modes: ReadonlySet<string>;
}

/** A controller that always has more to ask for, on a line with one queue. Nothing overtakes anything; what is overtaken is lost. */
export class Line {
  now = 0;
  path: LinePath;
  readonly congestion: Congestion;
  /** When there was a timeout. */
  readonly silences: number[] = [];
  readonly #chance = seededRandom(1, "line").chance;
  readonly #requests = new Map<number, Sent>();
  /** In order of arrival; `number` 0 is the rival's. */
  #onTheWay: { readonly at: number; readonly number: number; readonly waited: number }[] = [];
  #head = 0;
  #next = 1;
  #underWay = 0;
  #nextAt = -Infinity;
  #activity = 0;
  #freeAt = 0;
  #rivals = 0;
  #asked = 0;
  #dropped = 0;

  constructor(
    path: LinePath,
    traffic: TrafficClassName = "normal",
    burstPacketsMax = 5000,
    burstPacketsFirst = burstPacketsMax,
  ) {
    this.path = path;
    this.congestion = new Congestion(0, {
      roundTrip: path.delayMs,
      burstPacketsMax,
      burstPacketsFirst,
      traffic: trafficClasses[traffic],
    });
  }

  run(ms: number): LineReport {
    const end = this.now + ms;
    const [asked, dropped] = [this.#asked, this.#dropped];
    let [arrived, waited, windowMost, burstMost] = [0, 0, 0, 0];
    const modes = new Set<string>();
    for (;;) {
      for (const most = this.path.rival ?? 0; this.#rivals < most; this.#rivals++) this.#put(0);
      const isPaced = this.#send();
      const oldest = this.#requests.values().next().value?.sentAt ?? Infinity;
      const silentAt = Math.max(this.#activity, oldest) + this.congestion.timeout;
      const first = this.#onTheWay[this.#head];
      const at = Math.min(first?.at ?? Infinity, isPaced ? this.#nextAt : Infinity, silentAt);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      const { window, burst, state } = this.congestion;
      modes.add(state.mode);
      windowMost = Math.max(windowMost, window);
      burstMost = Math.max(burstMost, burst);
      if (first?.at === at) {
        this.#head++;
        if (first.number === 0) this.#rivals--;
        else {
          arrived++;
          waited += first.waited;
          this.#arrive(first.number);
        }
      } else if (at === silentAt) this.#silence();
    }
    this.now = end;
    this.#onTheWay = this.#onTheWay.slice(this.#head);
    this.#head = 0;
    return {
      share: arrived / ms / this.path.rate,
      queueMs: waited / arrived,
      windowMost,
      burstMost,
      dropped: (this.#dropped - dropped) / Math.max(1, this.#asked - asked),
      modes,
    };
  }

  /** Asks for what may be asked for; whether only the pace says no. */
  #send(): boolean {
    for (;;) {
      const { window, burst, pace } = this.congestion;
      const room = window - this.#underWay;
      if (room < 1 || (this.#underWay > 0 && room < burst)) {
        this.congestion.handleLimited();
        return false;
      }
      if (this.#nextAt > this.now) return true;
      const symbols = Math.min(room, burst);
      const number = this.#next++;
      if (this.#underWay === 0) this.#activity = this.now;
      this.#asked += symbols;
      this.#underWay += symbols;
      this.#nextAt = Math.max(this.#nextAt, this.now - 3) + symbols / pace;
      const sent = { sentAt: this.now, symbols, underWay: this.#underWay, arrived: 0, firstAt: Infinity };
      this.#requests.set(number, sent);
      for (let i = 0; i < symbols; i++) this.#put(number);
    }
  }

  #put(number: number): void {
    const { rate, delayMs, queueMax = Infinity, lossRate = 0 } = this.path;
    const waited = Math.max(0, this.#freeAt - this.now);
    const isFull = waited * rate >= queueMax;
    const isOurs = number !== 0;
    if (isFull && isOurs) this.#dropped++;
    if (!isFull) this.#freeAt = Math.max(this.#freeAt, this.now) + 1 / rate;
    // What the rival lost it sends again.
    if (isOurs && (isFull || this.#chance(lossRate))) return;
    const at = Math.max(this.#onTheWay.at(-1)?.at ?? 0, this.#freeAt + delayMs);
    this.#onTheWay.push({ at, number, waited });
  }

  #arrive(number: number): void {
    const { congestion, now } = this;
    this.#activity = now;
    congestion.handleArrivals(1);
    const sent = this.#requests.get(number);
    if (sent) {
      if (sent.arrived++ === 0) {
        const trip = now - sent.sentAt;
        congestion.handleAnswer(now, number, { longest: trip, shortest: trip }, sent.underWay, this.#next);
        sent.firstAt = now;
      }
      this.#underWay--;
      if (sent.arrived === sent.symbols) {
        congestion.handleTrain(sent.symbols, now - sent.firstAt);
        this.#settle(number, sent);
      }
    }
    for (const [earlier, one] of this.#requests) {
      if (earlier >= number) break;
      this.#settle(earlier, one);
    }
  }

  #settle(number: number, sent: Sent): void {
    const lost = sent.symbols - sent.arrived;
    this.#requests.delete(number);
    this.#underWay -= lost;
    this.congestion.handleSettled(number, sent.symbols, lost);
  }

  #silence(): void {
    this.#requests.clear();
    this.#underWay = 0;
    this.#activity = this.now;
    this.silences.push(this.now);
    this.congestion.handleSilence(this.now, this.#next);
  }
}

/** Somebody else comes, more and more of him. */
export function rivalComes(line: Line, symbols: number): void {
  for (let i = 1; i <= 20; i++) {
    line.path = { ...line.path, rival: symbols * i / 20 };
    line.run(100);
  }
}
