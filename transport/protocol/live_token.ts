import { limits } from "../../core/limits.ts";
import type { Address } from "../../codec/address.ts";
import { requestCeiling } from "./answers.ts";
import type { Exposed } from "./exposed.ts";
import { TokenBucket } from "./token_bucket.ts";
import { PaidPieces, WorkMeter } from "./work_meter.ts";

/** Symbols of one piece that wait to be sent to one puller. */
export interface Answer {
  /** Chunk, or leaf page with the top bit. */
  readonly piece: number;
  /** The block whose parity is meant; absent: data symbols of the piece. */
  readonly parityOf?: number;
  /** First symbol: of the piece's data, or of the block's parity, from 0. */
  readonly first: number;
  /** Symbols. */
  readonly count: number;
  /** Bytes of a symbol. */
  readonly symbolSize: number;
  /** Number of the request that asked. */
  readonly request: number;
  /** What it costs on the wire. */
  readonly bytes: number;
}

/** Which request numbers were served. A slot holds the highest number of its residue, so no number is served twice. */
class RequestWindow {
  readonly #slots = new Float64Array(limits.requestWindow).fill(-1);

  /** Whether `number` is new; from now on it is not. */
  accept(number: number): boolean {
    const slot = number % limits.requestWindow;
    if (number <= this.#slots[slot]) return false;
    this.#slots[slot] = number;
    return true;
  }
}

/** More than a puller has in hand of large chunks, or under way of small ones. */
const PAID_PIECES_MAX = 256;

// RFC 8085 §3.1.10: a sender stops when its receiver shows that next to nothing arrives.
const BREAKER_WINDOW_MS = 5000;
const BREAKER_SHARE = 0.1;
// Below this the numbers say nothing: a few requests' worth of answers may still be under way.
const BREAKER_BYTES_MIN = 4 * limits.requestBytesMax;

/** Slows a puller down to the floor rate while it reports less than a tenth of what it was sent. */
class CircuitBreaker {
  #since: number;
  #sent = 0;
  #received = 0;
  #open = false;

  constructor(now: number) {
    this.#since = now;
  }

  /** Whether the puller is held at the floor rate, given what was sent to it and what it reports (modulo 2^32). */
  check(now: number, sent: number, received: number): boolean {
    if (now - this.#since < BREAKER_WINDOW_MS) return this.#open;
    const sentInWindow = sent - this.#sent;
    const receivedInWindow = (received - this.#received) >>> 0;
    if (this.#open || sentInWindow >= BREAKER_BYTES_MIN) {
      this.#open = receivedInWindow < BREAKER_SHARE * sentInWindow;
    }
    this.#since = now;
    this.#sent = sent;
    this.#received = received;
    return this.#open;
  }
}

const LOSS_WINDOW_MS = 2000;

/**
 * Which share of what was sent to a puller it does not report as received. What is under way at both ends of a window cancels out, but not
 * while a pull gathers speed: so the first window does not count.
 */
class LossMeter {
  #since: number;
  #sent = 0;
  #received = 0;
  #windows = 0;
  #loss: number | undefined;

  constructor(now: number) {
    this.#since = now;
  }

  /** The share of late; `undefined` while it is not known. */
  get loss(): number | undefined {
    return this.#loss;
  }

  /** So much was sent by now, and so much is reported (modulo 2^32). */
  note(now: number, sent: number, received: number): void {
    if (now - this.#since < LOSS_WINDOW_MS) return;
    const sentInWindow = sent - this.#sent;
    const receivedInWindow = (received - this.#received) >>> 0;
    if (this.#windows++ > 0 && sentInWindow > 0) {
      const loss = Math.max(0, 1 - receivedInWindow / sentInWindow);
      this.#loss = this.#loss === undefined ? loss : (this.#loss + loss) / 2;
    }
    this.#since = now;
    this.#sent = sent;
    this.#received = received;
  }
}

/**
 * What an exposer remembers of a puller that is pulling now: small, bounded, and gone seconds after its last request.
 * All of it can be lost at any time; then the puller's next request makes it anew.
 */
export class LiveToken {
  /** Where the puller is: part of the token. */
  readonly address: Address;
  /** What it pulls. */
  readonly exposed: Exposed;
  /** As it came. */
  readonly token: Uint8Array;
  /** MAC key of its control packets. */
  readonly pullKey: Uint8Array;
  /** Which ticket it holds; zeros for none. */
  readonly ticketId: Uint8Array;
  /** Under which state of the policy it was granted. */
  readonly epoch: number;
  /** When it ends, on the exposer's clock. */
  readonly expiresAt: number;
  /** The flow tag of its newest request. */
  tag: Uint8Array = new Uint8Array(8);
  /** Time of its newest valid packet. */
  lastSeen: number;
  /** Time of its newest request or report: who only keeps its way open does not pull. */
  lastAsked = -Infinity;
  /** When it was first seen, under this token or one before. */
  since: number;
  /** Bytes sent to it, headers included. */
  bytesSent = 0;
  /** The receipt that its answers carry now, and when it was made. */
  receipt = { value: 0, at: -Infinity };
  /** A packet of it had the right MAC. */
  proven = false;
  /** It has said that it has all that it wants. */
  done = false;
  /** Answers that wait, oldest first. */
  readonly queue: Answer[] = [];
  /** What they will cost. */
  queuedBytes = 0;
  /** What it makes the exposer do beside sending. */
  readonly work: WorkMeter;
  /** Pieces that were sealed for it, or will be when their turn comes. */
  readonly paid: PaidPieces = new PaidPieces(PAID_PIECES_MAX);
  readonly #window = new RequestWindow();
  readonly #breaker: CircuitBreaker;
  readonly #losses: LossMeter;
  readonly #floor: TokenBucket;
  readonly #ceiling: TokenBucket | undefined;
  #rate = { at: 0, bytes: 0, perSecond: 0 };

  /** `now` is the time of the first request. */
  constructor(
    now: number,
    facts: Pick<LiveToken, "address" | "exposed" | "token" | "pullKey" | "ticketId" | "epoch" | "expiresAt">,
    pullRateMax: number,
  ) {
    this.address = facts.address;
    this.exposed = facts.exposed;
    this.token = facts.token;
    this.pullKey = facts.pullKey;
    this.ticketId = facts.ticketId;
    this.epoch = facts.epoch;
    this.expiresAt = facts.expiresAt;
    this.lastSeen = this.since = now;
    this.work = new WorkMeter(limits.coldBytesPerSecond, limits.coldBurstBytesMax, now);
    this.#breaker = new CircuitBreaker(now);
    this.#losses = new LossMeter(now);
    this.#floor = new TokenBucket(limits.floorBytesPerSecond, limits.floorBytesPerSecond / 4, now);
    this.#ceiling = pullRateMax > 0 ? new TokenBucket(pullRateMax, limits.requestBytesMax, now) : undefined;
    this.#rate.at = now;
  }

  /** Whether an address is the puller's. */
  isFrom({ host, port }: Address): boolean {
    return this.address.host === host && this.address.port === port;
  }

  /** Whether a request number is new. */
  accept(number: number): boolean {
    return this.#window.accept(number);
  }

  /** Whether `bytes` more may be queued: under the ceiling, and under the floor rate when the puller has not shown that it receives. */
  allows(now: number, bytes: number, receiptFresh: boolean, received: number): boolean {
    const broken = this.#breaker.check(now, this.bytesSent, received);
    this.#losses.note(now, this.bytesSent, received);
    if (this.queuedBytes + bytes > limits.tokenQueueBytesMax) return false;
    if (broken || !receiptFresh) {
      const isSmall = bytes <= requestCeiling(this.exposed.manifest, false);
      if (!isSmall || !this.#floor.trySpend(now, bytes)) return false;
    }
    return this.#ceiling === undefined || this.#ceiling.trySpend(now, bytes);
  }

  /** The share of what was sent to it of late that it does not report as received; `undefined` while it is not known. */
  get loss(): number | undefined {
    return this.#losses.loss;
  }

  /** Bytes a second sent to it, over the last second or so. */
  rate(now: number): number {
    const elapsed = now - this.#rate.at;
    if (elapsed >= 1000) {
      this.#rate = {
        at: now,
        bytes: this.bytesSent,
        perSecond: (this.bytesSent - this.#rate.bytes) / elapsed * 1000,
      };
    }
    return this.#rate.perSecond;
  }
}
