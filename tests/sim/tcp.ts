/*
 * TCP as other traffic: one flow of endless data whose sender is a model, exact in what matters to those beside it: segments and
 * acknowledgements of true size on a shared link, SACK, loss by overtaking and by timeout, and a congestion control of choice. There is
 * no connection to open and no window of the receiver.
 */
import type { Address } from "../../codec/address.ts";
import { HEADER_BYTES } from "./path.ts";
import { Repair } from "./prr.ts";
import type { SimHost, World } from "./world.ts";

/** What a congestion control learns of an acknowledgement. Windows and amounts are in segments, times in ms. */
export interface Ack {
  /** When it came. */
  readonly now: number;
  /** Segments that it says have arrived, and that were not known to have. */
  readonly delivered: number;
  /** Of the newest segment among them. */
  readonly roundTrip: number;
  /** At what rate segments were delivered while that one was under way, segments a ms. */
  readonly rate: number;
  /** Segments under way after it. */
  readonly underWay: number;
  /** Whether a round trip has ended: the first acknowledgement of what was sent after the last such. */
  readonly isRound: boolean;
  /** Whether what was lost is still being repaired. */
  readonly inRecovery: boolean;
}

/** Decides how much is under way. */
export interface CongestionControl {
  /** Segments that may be under way. */
  readonly window: number;
  /** Segments a ms to send at most; `Infinity` for as fast as the window allows. */
  readonly pace: number;
  /** Whether it answers to loss with a smaller window, which is then reached by degrees. */
  readonly answersLoss: boolean;
  /** Something has arrived. */
  handleAck(ack: Ack): void;
  /** Something was lost that was sent after the last time that this was said. */
  handleLoss(now: number): void;
  /** Nothing has come for too long. */
  handleTimeout(now: number): void;
}

/** A segment fills an Ethernet frame: 1500 bytes of IPv4. */
export const SEGMENT_BYTES = 1500;
/** Of these, data: without IPv4's and TCP's headers and the timestamps option. */
export const SEGMENT_DATA_BYTES = 1448;
/** An acknowledgement with timestamps, and each range of SACK. */
const ACK_BYTES = 52;
const RANGE_BYTES = 8;
const RANGES_MAX = 3;
const RANGES_KNOWN_MAX = 1000;
/** The receiver waits for a second segment so long, ms (RFC 5681 §4.2; Linux). */
const DELAYED_ACK_MS = 40;
const RTO_MS_MIN = 200;

/** One segment under way. */
interface Segment {
  readonly sentAt: number;
  /** Whether it was sent before: then nobody knows which of the two has arrived (Karn). */
  readonly isRepeated: boolean;
  /** What had been delivered when it was sent, when the last of that was, and when that had been sent. */
  readonly delivered: number;
  readonly deliveredAt: number;
  readonly firstSentAt: number;
}

/** The sender of one flow. */
export class TcpSender implements SimHost {
  readonly address: Address;
  readonly control: CongestionControl;
  /** Segments that were lost, and that arrived. */
  lost = 0;
  delivered = 0;
  readonly #world: World;
  readonly #to: Address;
  /** By number, in the order of their last sending. */
  readonly #underWay = new Map<number, Segment>();
  readonly #lost = new Set<number>();
  /** Those that were lost when they were sent again: they are older than the others. */
  readonly #lostAgain = new Set<number>();
  #repair: Repair | undefined;
  /** Ranges that are known to have arrived: their ends, by their first. */
  readonly #ranges = new Map<number, number>();
  #next = 0;
  /** All below have arrived. */
  #acked = 0;
  #deliveredAt: number;
  #firstSentAt: number;
  #roundEndsAt = 0;
  #recoveryEndsAt = 0;
  #smoothed = 0;
  #variation = 0;
  #leastRoundTrip = Infinity;
  #backoff = 0;
  #lastProgress: number;
  #sendAt = 0;

  /** Joins the world and sends at once. */
  constructor(world: World, address: Address, to: Address, control: CongestionControl) {
    this.#world = world;
    this.address = address;
    this.#to = to;
    this.control = control;
    this.#deliveredAt =
      this.#firstSentAt =
      this.#lastProgress =
      this.#sendAt =
        world.now;
    world.add(this);
  }

  deadline(): number {
    const timeout = this.#underWay.size > 0 ? this.#lastProgress + this.#timeout : Infinity;
    return Math.min(timeout, this.#mayBeSent ? this.#sendAt : Infinity);
  }

  timeout(now: number): void {
    if (this.#underWay.size > 0 && now >= this.#lastProgress + this.#timeout) {
      // What is lost again and again has been answered the first time (RFC 5681 §3.1).
      if (this.#backoff === 0) this.control.handleTimeout(now);
      this.#backoff = Math.min(this.#backoff + 1, 6);
      this.#lastProgress = now;
      for (const [number, segment] of this.#underWay) this.#lose(number, segment);
      this.#repair = undefined;
      // What is lost from now on is another loss.
      this.#recoveryEndsAt = this.#acked + 1;
    }
    this.#send(now);
  }

  deliver(now: number, _from: Address, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const acked = view.getUint32(0);
    const newest = view.getUint32(4);
    // What the newest of them was sent with; it may be known already, from an acknowledgement that this one has overtaken.
    const sample = this.#underWay.get(newest);
    const [before, ackedBefore] = [this.delivered, this.#acked];
    const underWayBefore = this.#underWay.size;
    while (this.#acked < acked) this.#take(now, this.#acked++);
    for (let at = 8; at + RANGE_BYTES <= bytes.length - PADDING; at += RANGE_BYTES) {
      this.#takeRange(now, view.getUint32(at), view.getUint32(at + 4));
    }
    const delivered = this.delivered - before;
    if (delivered > 0) {
      this.#lastProgress = now;
      this.#backoff = 0;
      if (sample && !sample.isRepeated) this.#measure(now - sample.sentAt);
      const hasLost = sample !== undefined && this.#findLost(sample.sentAt - this.#leastRoundTrip / 4);
      this.#handleFate(now, hasLost, underWayBefore);
      this.#repair?.handleAck(delivered, this.#underWay.size, acked > ackedBefore && !hasLost);
      if (sample) this.#tellControl(now, delivered, newest, sample);
    }
    this.#send(now);
  }

  /** A loss begins to be repaired, or all is repaired. */
  #handleFate(now: number, hasLost: boolean, underWayBefore: number): void {
    if (this.#acked < this.#recoveryEndsAt) return;
    this.#repair = undefined;
    if (!hasLost) return;
    this.#recoveryEndsAt = this.#next;
    this.control.handleLoss(now);
    if (this.control.answersLoss) this.#repair = new Repair(underWayBefore, this.control.window);
  }

  #tellControl(now: number, delivered: number, newest: number, sample: Segment): void {
    const isRound = newest >= this.#roundEndsAt;
    if (isRound) this.#roundEndsAt = this.#next;
    // The slower of sending and acknowledging: neither can make the path look faster than it is.
    const took = Math.max(sample.sentAt - sample.firstSentAt, this.#deliveredAt - sample.deliveredAt);
    this.control.handleAck({
      now,
      delivered,
      roundTrip: sample.isRepeated ? this.#smoothed : now - sample.sentAt,
      rate: took > 0 ? (this.delivered - sample.delivered) / took : 0,
      underWay: this.#underWay.size,
      isRound,
      inRecovery: this.#acked < this.#recoveryEndsAt,
    });
  }

  /** A range has arrived: most of it is known from the acknowledgement before. */
  #takeRange(now: number, first: number, end: number): void {
    for (let number = this.#ranges.get(first) ?? first; number < end; number++) this.#take(now, number);
    if (this.#ranges.size > RANGES_KNOWN_MAX) this.#ranges.clear();
    this.#ranges.set(first, end);
  }

  /** A segment has arrived. */
  #take(now: number, number: number): void {
    this.#lost.delete(number);
    this.#lostAgain.delete(number);
    const segment = this.#underWay.get(number);
    if (!segment) return;
    this.#underWay.delete(number);
    this.delivered++;
    this.#deliveredAt = now;
    this.#firstSentAt = segment.sentAt;
  }

  /** What was sent so long before something that has arrived is lost (RFC 8985). */
  #findLost(sentBefore: number): boolean {
    const before = this.lost;
    for (const [number, segment] of this.#underWay) {
      if (segment.sentAt >= sentBefore) break;
      this.#lose(number, segment);
    }
    return this.lost > before;
  }

  #lose(number: number, { isRepeated }: Segment): void {
    this.#underWay.delete(number);
    (isRepeated ? this.#lostAgain : this.#lost).add(number);
    this.lost++;
  }

  /** RFC 6298 §2. */
  #measure(roundTrip: number): void {
    this.#leastRoundTrip = Math.min(this.#leastRoundTrip, roundTrip);
    if (this.#smoothed === 0) {
      this.#smoothed = roundTrip;
      this.#variation = roundTrip / 2;
      return;
    }
    this.#variation += (Math.abs(roundTrip - this.#smoothed) - this.#variation) / 4;
    this.#smoothed += (roundTrip - this.#smoothed) / 8;
  }

  get #timeout(): number {
    const plain = this.#smoothed === 0 ? 1000 : this.#smoothed + 4 * this.#variation;
    return Math.max(RTO_MS_MIN, plain) * 2 ** this.#backoff;
  }

  get #mayBeSent(): boolean {
    return this.#repair ? this.#repair.allowed > 0 : this.#underWay.size < this.control.window;
  }

  #takeLost(): number | undefined {
    for (const lost of [this.#lostAgain, this.#lost]) {
      for (const number of lost) {
        lost.delete(number);
        return number;
      }
    }
    return undefined;
  }

  #send(now: number): void {
    const { pace } = this.control;
    while (this.#mayBeSent && now >= this.#sendAt) {
      const repeated = this.#takeLost();
      const number = repeated ?? this.#next++;
      if (this.#underWay.size === 0) {
        this.#deliveredAt = this.#firstSentAt = now;
        this.#lastProgress = now;
      }
      this.#underWay.set(number, {
        sentAt: now,
        isRepeated: repeated !== undefined,
        delivered: this.delivered,
        deliveredAt: this.#deliveredAt,
        firstSentAt: this.#firstSentAt,
      });
      new DataView(segment.buffer).setUint32(0, number);
      this.#world.send(this.address, this.#to, segment);
      this.#repair?.handleSend();
      if (pace < Infinity) this.#sendAt = Math.max(this.#sendAt, now - 1) + 1 / pace;
    }
  }
}

/** The world copies what it sends: one will do for all. */
const segment = new Uint8Array(SEGMENT_BYTES - HEADER_BYTES);
/** What an acknowledgement carries besides what this model reads. */
const PADDING = ACK_BYTES - HEADER_BYTES - 8;

/** The receiver of one flow. */
export class TcpReceiver implements SimHost {
  readonly address: Address;
  readonly #world: World;
  #from: Address | undefined;
  /** All below have arrived. */
  #acked = 0;
  /** Ranges of what has arrived above, the one that grew last first. */
  #ranges: { first: number; end: number }[] = [];
  #newest = 0;
  #unacked = 0;
  #ackAt = Infinity;

  /** Joins the world. */
  constructor(world: World, address: Address) {
    this.#world = world;
    this.address = address;
    world.add(this);
  }

  /** Bytes that an application would have read. */
  get bytes(): number {
    return this.#acked * SEGMENT_DATA_BYTES;
  }

  deadline(): number {
    return this.#ackAt;
  }

  timeout(): void {
    this.#acknowledge();
  }

  deliver(now: number, from: Address, bytes: Uint8Array): void {
    this.#from = from;
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    this.#newest = number;
    const wasWhole = this.#ranges.length === 0;
    if (number === this.#acked) this.#advance();
    else if (number > this.#acked) this.#addToRanges(number);
    this.#unacked++;
    // Out of order, or a gap that closes: at once (RFC 5681 §4.2).
    if (!wasWhole || this.#ranges.length > 0 || this.#unacked >= 2) this.#acknowledge();
    else this.#ackAt = Math.min(this.#ackAt, now + DELAYED_ACK_MS);
  }

  #advance(): void {
    this.#acked++;
    const touching = this.#ranges.findIndex(({ first }) => first === this.#acked);
    if (touching >= 0) this.#acked = this.#ranges.splice(touching, 1)[0].end;
  }

  #addToRanges(number: number): void {
    const grown = { first: number, end: number + 1 };
    this.#ranges = this.#ranges.filter((range) => {
      if (range.end < grown.first || range.first > grown.end) return true;
      grown.first = Math.min(grown.first, range.first);
      grown.end = Math.max(grown.end, range.end);
      return false;
    });
    this.#ranges.unshift(grown);
  }

  #acknowledge(): void {
    const ranges = this.#ranges.slice(0, RANGES_MAX);
    const bytes = new Uint8Array(8 + ranges.length * RANGE_BYTES + PADDING);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#acked);
    view.setUint32(4, this.#newest);
    for (const [i, { first, end }] of ranges.entries()) {
      view.setUint32(8 + i * RANGE_BYTES, first);
      view.setUint32(12 + i * RANGE_BYTES, end);
    }
    this.#unacked = 0;
    this.#ackAt = Infinity;
    this.#world.send(this.address, this.#from!, bytes);
  }
}
