import type { Grant } from "../../codec/grant.ts";
import { keepalive } from "../../codec/control.ts";
import {
  CHUNK_HEADER_BYTES,
  chunkDataHasTag,
  chunkDataPiece,
  chunkDataReceipt,
  chunkDataRequest,
} from "../../codec/packet.ts";
import { encodePullRequest } from "../../codec/pull_request.ts";
import type { RequestEntry } from "../../codec/pull_request.ts";
import { limits } from "../../core/limits.ts";
import type { Engine } from "../../crypto/engine.ts";
import { packetMac } from "../../crypto/tokens.ts";
import type { Assembly } from "./assembly.ts";
import type { DropCounter } from "./drops.ts";
import type { PiecesInHand, SymbolRun } from "./pieces_in_hand.ts";
import { TokenBucket } from "./token_bucket.ts";
import { SafeWindow } from "./window.ts";

/** Entries of one request, and of what it repeats: three times this fits a packet. */
const ENTRIES_MAX = 32;
/** Symbols of a later request that may overtake an earlier one before that counts as lost. */
const OVERTAKEN_BY = 2;
/** Share of symbols that must have been lost of late for requests to be repeated, and how slowly that is forgotten. */
const REPEAT_LOSS_MIN = 0.005;
const LOSS_MEMORY_REQUESTS = 64;
/** Under a limited rate a request asks for what may come in this time, but for some symbols at least. */
const LIMITED_MS = 250;
const LIMITED_BYTES_MIN = 6000;
/** Requests without an answer whose time is remembered. */
const GIVEN_UP_MAX = 64;

interface SentRequest {
  readonly number: number;
  readonly sentAt: number;
  readonly runs: readonly SymbolRun[];
  readonly entries: readonly RequestEntry[];
  /** Symbols asked for that have not come. */
  remaining: number;
  answered: boolean;
}

/** What a flow is made of. */
export interface FlowOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** What it granted. */
  readonly grant: Grant;
  /** 8 random bytes that its answers carry. */
  readonly tag: Uint8Array;
  /** Round trip of the handshake, ms. */
  readonly roundTrip: number;
  /** Packets that our receive buffer holds in one burst. */
  readonly burstPacketsMax: number;
  /** Bytes a second to ask for at most; absent: no limit. */
  readonly limitRate?: number;
  /** Where drops are counted. */
  readonly drops: DropCounter;
}

/** Requests to one source and the symbols that answer them: what is under way, what is lost, how much more to ask for. */
export class Flow {
  /** Symbols that arrived, new or not. */
  symbolsReceived = 0;
  /** Symbols that had to be asked for again. */
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
  readonly #window: SafeWindow;
  readonly #limiter: TokenBucket | undefined;
  /** What one request may ask for, so that a limited rate is a flow and not a burst now and then. */
  readonly #limitedBytes: number;
  readonly #sent = new Map<number, SentRequest>();
  /** When requests were sent that were given up before anything of them came. */
  readonly #givenUp = new Map<number, number>();
  #grant: Grant;
  #receipt: number;
  #receivedUnderToken = 0;
  #nextNumber = 1;
  #firstUnderGrant = 1;
  #underWay = 0;
  #lastActivity: number;
  #lastSend: number;
  #keepalives = 0;
  #limitedUntil = Infinity;
  /** Lost symbols by request, averaged; what is not known yet counts as bad. */
  #lossRate = REPEAT_LOSS_MIN;

  /** `now` is the time of the grant. */
  constructor(now: number, hand: PiecesInHand, options: FlowOptions) {
    this.#options = options;
    this.#hand = hand;
    this.#grant = options.grant;
    this.#receipt = options.grant.receipt;
    this.#window = new SafeWindow(options.roundTrip, options.burstPacketsMax);
    this.#lastActivity = this.#lastSend = this.lastFullSymbolAt = now;
    // What is over the exposer's ceiling it would only drop.
    const rate = Math.min(options.limitRate || Infinity, options.grant.pullRateMax || Infinity);
    this.#limiter = rate < Infinity ? new TokenBucket(rate, Math.max(16_384, rate / 50), now) : undefined;
    this.#limitedBytes = rate * LIMITED_MS / 1000;
  }

  /** Smoothed round trip, ms. */
  get roundTrip(): number {
    return this.#window.roundTrip;
  }

  /** Whether nothing comes because our limit lets us ask for nothing. Not while a loss waits to be asked for again. */
  get waitsForLimit(): boolean {
    return this.#limitedUntil < Infinity && this.#underWay === 0 && this.silentTimeouts === 0;
  }

  /** Symbols asked for that have not come. */
  get underWay(): number {
    return this.#underWay;
  }

  /** The MAC key that the source uses towards us. */
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
    if (!lost) return;
    this.fullSymbolsUnderGrant = 0;
    this.silentTimeouts = 0;
    this.#window.handleContact();
    this.#loseSentBefore(Infinity);
  }

  /** Takes a symbol; answers with its assembly when that is whole now. */
  handleSymbol(now: number, packet: Uint8Array): Assembly | undefined {
    const { tag, drops } = this.#options;
    if (!chunkDataHasTag(packet, tag)) return void drops.count("wrong tag");
    const number = chunkDataRequest(packet);
    // Otherwise one packet could make everything that is under way look overtaken.
    if (number >= this.#nextNumber) return void drops.count("unexpected");
    this.bytesReceived += packet.length;
    // Answers under an old token still come: they say nothing of this one.
    if (number >= this.#firstUnderGrant) {
      this.#receivedUnderToken += packet.length;
      this.#receipt = chunkDataReceipt(packet);
    }
    this.symbolsReceived++;
    this.silentTimeouts = 0;
    this.#lastActivity = now;
    if (packet.length === this.#hand.symbolSize + CHUNK_HEADER_BYTES) {
      this.fullSymbolsUnderGrant++;
      this.lastFullSymbolAt = now;
    }
    this.#handleAnswer(now, number);
    const assembly = this.#hand.assembly(chunkDataPiece(packet));
    if (!assembly) return void drops.count("late symbol");
    const fate = assembly.accept(packet);
    if (fate.kind === "malformed") return void drops.count("malformed");
    if (fate.kind === "duplicate") return void drops.count("duplicate symbol");
    this.#credit(fate.owner);
    this.#window.handleSymbol();
    return assembly.whole ? assembly : undefined;
  }

  /** The next request packet, or `undefined` while the window, the limit or the hand says no. */
  nextRequest(now: number): Uint8Array | undefined {
    // While something else is waited for, the limit's end brings nothing.
    this.#limitedUntil = Infinity;
    const room = this.#window.symbols - this.#underWay;
    if (room < 1 || (this.#underWay > 0 && room < this.#window.burst)) return undefined;
    const readyAt = this.#limiter?.readyAt(now) ?? now;
    if (readyAt > now) {
      this.#limitedUntil = readyAt;
      return undefined;
    }
    const number = this.#nextNumber;
    const most = Math.min(room, this.#window.burst, this.#symbolsPerRequest());
    const runs = this.#takeRuns(most, number);
    if (runs.length === 0) return undefined;
    this.#nextNumber++;
    const entries = runs.map(({ assembly, first, count }) => ({
      piece: assembly.piece,
      first,
      count,
      parityFirst: 0,
      parityCount: 0,
    }));
    const remaining = runs.reduce((sum, run) => sum + run.count, 0);
    if (this.#underWay === 0) this.#lastActivity = now;
    this.#underWay += remaining;
    this.#limiter?.spend(now, remaining * (this.#hand.symbolSize + CHUNK_HEADER_BYTES));
    this.#sent.set(number, { number, sentAt: now, runs, entries, remaining, answered: false });
    return this.#encode(now, number, [entries, ...this.#repeats(number)]);
  }

  /** Says to the source that all is here. */
  doneRequest(now: number): Uint8Array {
    return this.#encode(now, this.#nextNumber++, [], true);
  }

  /** Keeps the way open while there is nothing to ask for; every fourth asks for an echo. */
  keepalive(now: number): Uint8Array {
    this.#lastSend = now;
    const number = this.#keepalives++;
    const flags = number % 4 === 3 ? 1 : 0;
    return keepalive.encode(
      { tag: this.#options.tag, number, token: this.#grant.token },
      { flags },
      this.#mac,
    );
  }

  /** When nothing has come for too long, or a limit ends, or the way must be kept open. */
  get deadline(): number {
    const silence = this.#underWay > 0 ? this.#silentAt : this.#lastSend + limits.keepaliveIntervalMs;
    return Math.min(silence, this.#limitedUntil);
  }

  /** What the clock brings: what was asked for so long ago is lost, or the way must be kept open. */
  handleTimeout(now: number): "lost" | "keepalive" | undefined {
    if (now >= this.#limitedUntil) this.#limitedUntil = Infinity;
    if (this.#underWay > 0 && now >= this.#silentAt) {
      this.silentTimeouts++;
      this.#loseSentBefore(now);
      this.#window.handleTimeout();
      this.#lastActivity = now;
      return "lost";
    }
    return this.#underWay === 0 && now >= this.#lastSend + limits.keepaliveIntervalMs
      ? "keepalive"
      : undefined;
  }

  /** Forgets what is under way: its assemblies are gone. */
  forget(): void {
    for (const sent of this.#sent.values()) this.#giveUp(sent);
    this.#sent.clear();
    this.#underWay = 0;
  }

  /** A request that has only just been sent has its time too, however long the others have been silent. */
  get #silentAt(): number {
    const oldest = this.#sent.values().next().value;
    return Math.max(this.#lastActivity, oldest?.sentAt ?? -Infinity) + this.#window.timeout;
  }

  #takeRuns(symbols: number, number: number): SymbolRun[] {
    const runs: SymbolRun[] = [];
    for (let left = symbols; left > 0 && runs.length < ENTRIES_MAX;) {
      const run = this.#hand.takeRun(left, number);
      if (!run) break;
      runs.push(run);
      left -= run.count;
    }
    return runs.sort((a, b) => a.assembly.piece - b.assembly.piece || a.first - b.first);
  }

  #symbolsPerRequest(): number {
    const bytes = Math.min(this.#grant.requestBytesMax, Math.max(LIMITED_BYTES_MIN, this.#limitedBytes));
    return Math.floor(bytes / (this.#hand.symbolSize + CHUNK_HEADER_BYTES));
  }

  /**
   * Requests get lost too: where packets do, each carries again what the two before it ask for and have not got. Elsewhere the answers
   * to later requests tell soon enough, and the exposer is spared the reading.
   */
  #repeats(number: number): (readonly RequestEntry[])[] {
    if (this.#lossRate < REPEAT_LOSS_MIN) return [];
    return [number - 1, number - 2].map((before) => {
      const sent = this.#sent.get(before);
      // A token's number window does not know the requests under another one.
      return sent && !sent.answered && before >= this.#firstUnderGrant ? sent.entries : [];
    });
  }

  #encode(now: number, number: number, sections: (readonly RequestEntry[])[], done = false): Uint8Array {
    this.#lastSend = now;
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

  /** A symbol that answers request `number`: a round trip, and proof that earlier requests have nothing more to come. */
  #handleAnswer(now: number, number: number): void {
    const sent = this.#sent.get(number);
    if (sent && !sent.answered) {
      sent.answered = true;
      this.#window.handleRoundTrip(now - sent.sentAt);
    }
    // Taken for lost, and here all the same: without this sample, a timeout that is too short would stay so.
    const givenUpAt = this.#givenUp.get(number);
    if (givenUpAt !== undefined) {
      this.#givenUp.delete(number);
      this.#window.handleRoundTrip(now - givenUpAt);
    }
    for (const earlier of this.#sent.values()) {
      // The map is in order of numbers: what comes after is not overtaken either.
      if (earlier.number > number - OVERTAKEN_BY) break;
      if (this.#lose(earlier) > 0) this.#window.handleLoss(now);
    }
  }

  #credit(number: number): void {
    const sent = this.#sent.get(number);
    if (!sent) return;
    this.#underWay--;
    if (--sent.remaining > 0) return;
    this.#sent.delete(number);
    this.#observeLoss(0);
  }

  #observeLoss(rate: number): void {
    this.#lossRate += (rate - this.#lossRate) / LOSS_MEMORY_REQUESTS;
  }

  #lose(sent: SentRequest): number {
    this.#sent.delete(sent.number);
    this.#underWay -= sent.remaining;
    if (!sent.answered) this.#giveUp(sent);
    let lost = 0;
    for (const { assembly, first, count } of sent.runs) lost += assembly.release(first, count, sent.number);
    this.symbolsLost += lost;
    this.#observeLoss(lost / sent.runs.reduce((sum, run) => sum + run.count, 0));
    return lost;
  }

  /** Everything that has had its time at `now`; with `Infinity` all. */
  #loseSentBefore(now: number): void {
    const { timeout } = this.#window;
    for (const sent of this.#sent.values()) if (sent.sentAt + timeout <= now) this.#lose(sent);
  }

  #giveUp({ number, sentAt }: SentRequest): void {
    this.#givenUp.set(number, sentAt);
    if (this.#givenUp.size <= GIVEN_UP_MAX) return;
    for (const oldest of this.#givenUp.keys()) return void this.#givenUp.delete(oldest);
  }
}
