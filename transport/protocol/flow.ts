import type { Grant } from "../../codec/grant.ts";
import { keepalive } from "../../codec/control.ts";
import {
  CHUNK_HEADER_BYTES,
  chunkDataHasTag,
  chunkDataPiece,
  chunkDataReceipt,
  chunkDataRequest,
  PAGE_BIT,
} from "../../codec/packet.ts";
import { encodePullRequest } from "../../codec/pull_request.ts";
import type { RequestEntry } from "../../codec/pull_request.ts";
import { limits } from "../../core/limits.ts";
import type { Engine } from "../../crypto/engine.ts";
import { packetMac } from "../../crypto/tokens.ts";
import type { Assembly, SymbolRun, Weather } from "./assembly.ts";
import { Congestion } from "./congestion.ts";
import type { CongestionOptions } from "./congestion.ts";
import type { DropCounter } from "./drops.ts";
import { Holdings } from "./holdings.ts";
import type { PiecesInHand, Taker } from "./pieces_in_hand.ts";
import { copiesOf, isLossy } from "./request_copies.ts";
import { entriesOf, RequestsUnderWay } from "./requests_under_way.ts";
import type { SentRequest } from "./requests_under_way.ts";
import { TokenBucket } from "./token_bucket.ts";

/** Entries of one request, and of what it repeats: three times this fits a packet. */
const ENTRIES_MAX = 32;
/** Deviations of luck that the last symbols allow for: nothing comes after them that would show a loss soon. */
const TAIL_MARGIN = 2;
/** A timeout that is noticed late is looked at again after as long, and not less than this: the sockets have their turn before. */
const SECOND_LOOK_MS_MIN = 3;
/** Under a limited rate a request asks for what may come in this time, but for some symbols at least. */
const LIMITED_MS = 250;
const LIMITED_BYTES_MIN = 6000;

/** What a flow is made of. */
export interface FlowOptions extends CongestionOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** What it granted. */
  readonly grant: Grant;
  /** 8 random bytes that its answers carry. */
  readonly tag: Uint8Array;
  /** Bytes a second to ask for at most; absent: no limit. */
  readonly limitRate?: number;
  /** Where drops are counted. */
  readonly drops: DropCounter;
  /** Which of several sources it is, from 0; absent: 0. */
  readonly source?: number;
  /** A limit that it shares with the flows of other sources; absent: none. */
  readonly sharedLimit?: TokenBucket;
}

/** Request numbers of one source begin anew under no token; those of all sources together have this much room each. */
const NUMBERS_EACH = 2 ** 32;

/** Requests to one source and the symbols that answer them: what is under way, what is lost, how much more to ask for. */
export class Flow implements Taker {
  /** Which source it is. */
  readonly source: number;
  /** What that one has. */
  readonly holdings: Holdings = new Holdings();
  /** Symbols that arrived, new or not. */
  symbolsReceived = 0;
  /** Symbols that did not come. */
  symbolsLost = 0;
  /** Timeouts since the last symbol. */
  silentTimeouts = 0;
  /** Symbols of full size that arrived under the present grant. */
  fullSymbolsUnderGrant = 0;
  /** When the last symbol of full size came, or the flow began. */
  lastFullSymbolAt: number;
  /** Bytes of CHUNK_DATA received, headers included. */
  bytesReceived = 0;
  readonly #options: FlowOptions;
  readonly #hand: PiecesInHand;
  readonly #congestion: Congestion;
  readonly #limiters: readonly TokenBucket[];
  /** What one request may ask for, so that a limited rate is a flow and not a burst now and then. */
  readonly #limitedBytes: number;
  readonly #requests = new RequestsUnderWay();
  /** Packets of a request that go out once more. */
  readonly #copies: Uint8Array[] = [];
  #grant: Grant;
  #receipt: number;
  #receivedUnderToken = 0;
  #nextNumber = 1;
  #firstUnderGrant = 1;
  #underWay = 0;
  #lastActivity: number;
  /** When the present token must be shown again, if nothing else shows it. */
  #keepaliveAt: number;
  /** Until when silence is waited out once more, and after which activity that was. */
  #grace = { until: -Infinity, since: -Infinity };
  #keepalives = 0;
  #limitedUntil = Infinity;
  /** Symbols that came together in answer to one request, and when: what follows from them is done once for all. */
  readonly #arrivals = { number: 0, count: 0, at: 0 };
  /** When the next request may follow, and whether one waits for that. */
  #nextAt = -Infinity;
  #pacedUntil = Infinity;

  /** `now` is the time of the grant. */
  constructor(now: number, hand: PiecesInHand, options: FlowOptions) {
    this.#options = options;
    this.source = options.source ?? 0;
    this.#hand = hand;
    this.#grant = options.grant;
    this.#receipt = options.grant.receipt;
    this.#congestion = new Congestion(now, options);
    this.#lastActivity = this.#keepaliveAt = this.lastFullSymbolAt = now;
    // What is over the exposer's ceiling it would only drop.
    const rate = Math.min(options.limitRate || Infinity, options.grant.pullRateMax || Infinity);
    const own = rate < Infinity ? [new TokenBucket(rate, Math.max(16_384, rate / 50), now)] : [];
    this.#limiters = options.sharedLimit ? [...own, options.sharedLimit] : own;
    this.#limitedBytes = rate * LIMITED_MS / 1000;
  }

  /** Whether it has a chunk. */
  readonly has = (chunk: number): boolean => this.holdings.has(chunk);

  /** See {@linkcode Taker.eta}. */
  eta(symbols: number): number {
    if (this.silentTimeouts > 0) return Infinity;
    return this.roundTrip * (1 + (this.#underWay + symbols) / Math.max(1, this.#congestion.window));
  }

  /** Smoothed round trip, ms. */
  get roundTrip(): number {
    return this.#congestion.roundTrip;
  }

  /** The shortest round trip of late, ms: that of a way without a queue. */
  get leastRoundTrip(): number {
    return this.#congestion.state.leastTrip;
  }

  /** Share of symbols that get lost, of late. */
  get lossRate(): number {
    return this.#congestion.lossRate;
  }

  /** Whether nothing comes because our limit lets us ask for nothing. Not while a loss waits to be asked for again. */
  get waitsForLimit(): boolean {
    return this.#limitedUntil < Infinity && this.#underWay === 0 && this.silentTimeouts === 0;
  }

  /** Symbols under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** The key that proves control packets of this source. */
  get pullKey(): Uint8Array {
    return this.#grant.pullKey;
  }

  /** 8 bytes that its answers carry. */
  get tag(): Uint8Array {
    return this.#options.tag;
  }

  /**
   * Goes on under a new grant of the same exposure. What is under way still comes, under the old token; or (`lost`) that one was good
   * no longer, and it is asked for again.
   */
  renew(now: number, grant: Grant, lost: boolean): void {
    this.#grant = grant;
    this.#receipt = grant.receipt;
    this.#receivedUnderToken = 0;
    this.#firstUnderGrant = this.#nextNumber;
    this.#lastActivity = now;
    if (this.#requests.empty) this.#keepaliveAt = now;
    if (!lost) return;
    this.fullSymbolsUnderGrant = 0;
    this.silentTimeouts = 0;
    this.#congestion.handleContact();
    this.giveUp(now);
  }

  /** Whether a CHUNK_DATA packet carries its tag. */
  owns(packet: Uint8Array): boolean {
    return chunkDataHasTag(packet, this.#options.tag);
  }

  /**
   * Takes a symbol of a packet that it owns; answers with its assembly when that is whole now. Symbols may be taken one after the other as
   * they came together; before anything else {@linkcode Flow.settleArrivals} is due.
   */
  handleSymbol(now: number, packet: Uint8Array): Assembly | undefined {
    const { drops } = this.#options;
    const number = chunkDataRequest(packet);
    // Otherwise one packet could make everything that is under way look overtaken.
    if (number >= this.#nextNumber) return void drops.count("unexpected");
    this.bytesReceived += packet.length;
    // Answers under an old token still come: they say nothing of this one.
    if (number >= this.#firstUnderGrant) {
      this.#receivedUnderToken += packet.length;
      const receipt = chunkDataReceipt(packet);
      if (receipt !== this.#receipt) this.#receipt = receipt;
    }
    this.symbolsReceived++;
    if (packet.length === this.#hand.symbolSize + CHUNK_HEADER_BYTES) {
      this.fullSymbolsUnderGrant++;
      if (now !== this.lastFullSymbolAt) this.lastFullSymbolAt = now;
    }
    const assembly = this.#hand.assembly(chunkDataPiece(packet));
    const fate = assembly?.accept(packet, this.source);
    const arrivals = this.#arrivals;
    if (number !== arrivals.number || now !== arrivals.at) {
      this.settleArrivals();
      arrivals.number = number;
      arrivals.at = now;
    }
    arrivals.count++;
    if (fate === "new") return assembly!.whole ? assembly : undefined;
    drops.count(fate === undefined ? "late symbol" : fate === "malformed" ? "malformed" : "duplicate symbol");
    return undefined;
  }

  /** What follows from the symbols that were taken: perhaps a round trip, and what must be lost. Whether there were any. */
  settleArrivals(): boolean {
    const { number, count, at } = this.#arrivals;
    if (count === 0) return false;
    this.#arrivals.count = 0;
    this.silentTimeouts = 0;
    this.#lastActivity = at;
    this.#handleAnswer(at, number, count);
    this.#handleEmpty(at);
    return true;
  }

  /** The next request packet, or `undefined` while the window, the limit or the hand says no. */
  nextRequest(now: number): Uint8Array | undefined {
    if (this.#copies.length > 0) return this.#copies.pop();
    // While something else is waited for, the limit's end brings nothing.
    if (this.#limitedUntil < Infinity) this.#limitedUntil = Infinity;
    const { window, burst } = this.#congestion;
    const room = window - this.#underWay;
    if (room < 1 || (this.#underWay > 0 && room < burst)) {
      this.#congestion.handleLimited();
      return undefined;
    }
    if (this.#pacedUntil < Infinity) this.#pacedUntil = Infinity;
    if (this.#nextAt > now) {
      this.#congestion.handleLimited();
      this.#pacedUntil = this.#nextAt;
      return undefined;
    }
    const readyAt = this.#readyAt(now);
    if (readyAt > now) {
      this.#limitedUntil = readyAt;
      return undefined;
    }
    const symbols = Math.min(room, burst, this.#symbolsPerRequest());
    const runs = this.#takeRuns(symbols, this.#nextNumber);
    return runs.length > 0 ? this.#ask(now, runs) : undefined;
  }

  /** When all limits let a request go. */
  #readyAt(now: number): number {
    return this.#limiters.reduce((at, limiter) => Math.max(at, limiter.readyAt(now)), now);
  }

  /** The request for these symbols. */
  #ask(now: number, runs: readonly SymbolRun[]): Uint8Array {
    const number = this.#nextNumber++;
    const entries = entriesOf(runs);
    const symbols = runs.reduce((sum, run) => sum + run.count + run.parityCount, 0);
    if (this.#underWay === 0) this.#lastActivity = now;
    this.#underWay += symbols;
    const { pace, paceSlackMs } = this.#congestion;
    this.#nextAt = Math.max(this.#nextAt, now - paceSlackMs) + symbols / pace;
    const bytes = symbols * (this.#hand.symbolSize + CHUNK_HEADER_BYTES);
    for (const limiter of this.#limiters) limiter.spend(now, bytes);
    this.#requests.add({
      number,
      sentAt: now,
      repeatedAt: now,
      runs,
      entries,
      symbols,
      underWay: this.#underWay,
      remaining: symbols,
      firstAt: Infinity,
      lastAt: Infinity,
      overtakenAt: Infinity,
    });
    const packet = this.#encode(now, number, [entries, ...this.#repeats(now, number)]);
    const copies = copiesOf(this.lossRate, this.silentTimeouts, this.#hand.isTail);
    for (let copy = 1; copy < copies; copy++) this.#copies.push(packet);
    return packet;
  }

  /** Says to the source that all is here. */
  doneRequest(now: number): Uint8Array {
    return this.#encode(now, this.#nextNumber++, [], true);
  }

  /** Keeps the way open, and us known, while there is nothing to ask for; every fourth asks for an echo. */
  keepalive(now: number): Uint8Array {
    this.#keepaliveAt = now + limits.keepaliveIntervalMs;
    const number = this.#keepalives++;
    const flags = number % 4 === 3 ? 1 : 0;
    const message = { tag: this.#options.tag, number, token: this.#grant.token };
    return keepalive.encode(message, { flags }, this.#mac);
  }

  /** When something must be lost, or nothing has come for too long, or a limit ends, or the way must be kept open. */
  get deadline(): number {
    const idle = this.#requests.empty ? this.#keepaliveAt : this.#silentAt;
    const wish = this.#requests.empty ? this.holdings.wishAt : Infinity;
    const overdue = this.#requests.deadline(this.roundTrip);
    return Math.min(idle, wish, this.#limitedUntil, this.#pacedUntil, overdue);
  }

  /** What the clock brings: what was asked for so long ago is lost, or the way must be kept open. */
  handleTimeout(now: number): "lost" | "keepalive" | undefined {
    if (now >= this.#limitedUntil) this.#limitedUntil = Infinity;
    if (now >= this.#pacedUntil) this.#pacedUntil = Infinity;
    if (now >= this.holdings.wishAt) this.holdings.handleTimeout(now);
    this.#loseOverdue(now);
    if (this.#requests.empty) return now >= this.#keepaliveAt ? "keepalive" : undefined;
    if (now < this.#silentAt || this.#looksAgain(now)) return undefined;
    this.silentTimeouts++;
    const { timeout } = this.#congestion;
    for (const request of this.#requests.values()) if (request.sentAt + timeout <= now) this.#giveUp(request);
    this.#congestion.handleSilence(now, this.#nextNumber);
    this.#lastActivity = now;
    this.#handleEmpty(now);
    return "lost";
  }

  /** It lacks some of what it was asked for, and has said so: that is no loss, and others may be asked. */
  handleHoldings(now: number): void {
    this.#lastActivity = now;
    this.silentTimeouts = 0;
    const lacks = (piece: number) => piece < PAGE_BIT && !this.has(piece);
    for (const request of this.#requests.values()) {
      for (const run of request.runs) {
        if (!lacks(run.assembly.piece)) continue;
        const released = run.assembly.release(run, this.#ownerOf(request.number));
        request.remaining -= released;
        this.#underWay -= released;
      }
      if (request.remaining === 0) this.#requests.remove(request);
    }
    this.#handleEmpty(now);
    this.#hand.leave(this.source, lacks);
  }

  /** What is under way is given up: nobody waits for it any more. */
  giveUp(now: number): void {
    for (const request of this.#requests.values()) this.#giveUp(request);
    this.#handleEmpty(now);
  }

  /** Forgets what is under way: its assemblies are gone. */
  forget(now: number): void {
    for (const request of this.#requests.values()) this.#requests.remove(request);
    this.#underWay = 0;
    this.#handleEmpty(now);
  }

  /** While something was asked for, nothing else had to show the token: what should have been by now is due now. */
  #handleEmpty(now: number): void {
    if (this.#requests.empty) this.#keepaliveAt = Math.max(this.#keepaliveAt, now);
  }

  /** A process that was held up has answers in its socket, perhaps, and the other side may have been held up with it. */
  #looksAgain(now: number): boolean {
    const late = now - this.#silentAt;
    if (late === 0 || this.#grace.since === this.#lastActivity) return false;
    const again = Math.min(this.#congestion.timeout, Math.max(late, SECOND_LOOK_MS_MIN));
    this.#grace = { until: now + again, since: this.#lastActivity };
    return true;
  }

  /** A request that has only just been sent has its time too, however long the others have been silent. */
  get #silentAt(): number {
    const since = Math.max(this.#lastActivity, this.#requests.oldest?.sentAt ?? -Infinity);
    return Math.max(since + this.#congestion.timeout, this.#grace.until);
  }

  #takeRuns(symbols: number, number: number): SymbolRun[] {
    const { lossRate, lossPerEvent: perEvent } = this.#congestion;
    const { margin } = this.#options.traffic;
    const weather = this.#hand.isTail ? { lossRate, margin: TAIL_MARGIN } : { lossRate, margin, perEvent };
    const runs = this.#hand.takeRuns(symbols, ENTRIES_MAX, this.#ownerOf(number), weather, this);
    return runs.length > 0 ? runs : this.#wish(symbols, number, weather);
  }

  /** What it lacks, so that it knows what is wanted. */
  #wish(symbols: number, number: number, weather: Weather): SymbolRun[] {
    if (this.#underWay > 0 || !this.holdings.takeWish()) return [];
    const taker = { source: this.source, eta: (more: number) => this.eta(more) };
    return this.#hand.takeRuns(symbols, 1, this.#ownerOf(number), weather, taker);
  }

  /** A request as assemblies know it: one number for each of all sources. */
  #ownerOf(number: number): number {
    return this.source * NUMBERS_EACH + number;
  }

  #symbolsPerRequest(): number {
    const bytes = Math.min(this.#grant.requestBytesMax, Math.max(LIMITED_BYTES_MIN, this.#limitedBytes));
    return Math.floor(bytes / (this.#hand.symbolSize + CHUNK_HEADER_BYTES));
  }

  /**
   * Requests get lost too: where packets do, each carries again what the two before it ask for and have not got. Elsewhere the answers
   * to later requests tell soon enough, and the exposer is spared the reading.
   */
  #repeats(now: number, number: number): (readonly RequestEntry[])[] {
    if (!isLossy(this.lossRate) && !this.#congestion.isStarting) return [];
    return [number - 1, number - 2].map((before) => {
      const sent = this.#requests.get(before);
      // A token's number window does not know the requests under another one.
      if (!sent || sent.firstAt < Infinity || before < this.#firstUnderGrant) return [];
      sent.repeatedAt = now;
      return sent.entries;
    });
  }

  #encode(now: number, number: number, sections: (readonly RequestEntry[])[], done = false): Uint8Array {
    this.#keepaliveAt = now + limits.keepaliveIntervalMs;
    return encodePullRequest({
      tag: this.#options.tag,
      number,
      receipt: this.#receipt,
      received: this.#receivedUnderToken % 2 ** 32,
      token: this.#grant.token,
      symbolSize: this.#hand.symbolSize,
      sections,
      done,
    }, this.#mac);
  }

  readonly #mac = (packet: Uint8Array): Uint8Array =>
    packetMac(this.#options.engine, this.#grant.pullKey, packet);

  /** Symbols that answer request `number`: perhaps a round trip, and proof that earlier requests have little more to come. */
  #handleAnswer(now: number, number: number, count: number): void {
    const request = this.#requests.handleArrival(now, number);
    this.#congestion.handleArrivals(1);
    if (request && request.remaining > 0) {
      if (request.firstAt === Infinity) {
        request.firstAt = now;
        const trip = { longest: now - request.sentAt, shortest: now - request.repeatedAt };
        this.#congestion.handleAnswer(now, number, trip, request.underWay, this.#nextNumber);
      }
      request.lastAt = now;
      const counted = Math.min(count, request.remaining);
      request.remaining -= counted;
      if (this.#requests.get(number)) {
        this.#underWay -= counted;
        if (request.remaining === 0) this.#settle(request);
      }
    }
    this.#congestion.handleArrivals(count - 1);
    this.#loseOverdue(now);
  }

  /** As many symbols as a request asked for have come. One of them may have come twice, and another one not at all. */
  #settle(request: SentRequest): void {
    this.#requests.remove(request);
    this.#release(request);
    this.#settled(request);
  }

  #settled({ number, symbols, remaining, firstAt, lastAt }: SentRequest): void {
    this.#congestion.handleSettled(number, symbols, remaining);
    if (remaining < symbols / 2) this.#congestion.handleTrain(symbols, lastAt - firstAt);
  }

  #loseOverdue(now: number): void {
    const { roundTrip } = this;
    for (
      let sent = this.#requests.overdue(now, roundTrip);
      sent;
      sent = this.#requests.overdue(now, roundTrip)
    ) {
      this.#settled(sent);
      this.#giveUp(sent);
    }
  }

  #giveUp(request: SentRequest): void {
    this.#requests.remove(request);
    this.#underWay -= request.remaining;
    this.symbolsLost += this.#release(request);
  }

  #release({ runs, number }: SentRequest): number {
    const owner = this.#ownerOf(number);
    return runs.reduce((sum, run) => sum + run.assembly.release(run, owner), 0);
  }
}
