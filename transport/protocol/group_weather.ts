/*
 * What one receiver sees of a group: what gets lost, how long packets wait on the way, how fast they come; and the rate that it would
 * like, which follows from that.
 */

/** Packets wait this much longer than they must: a queue grows, in the network or before this receiver. Below the first it is none. */
const DELAY_MS_LITTLE = 8;
const DELAY_MS_MAX = 25;
/** So much more loss than there is in any case is too much sent. */
const LOSS_MAX = 0.05;
/** How much of what comes is taken while too much is sent, so that queues run empty. */
const CONGESTED_SHARE = 0.9;
/** Until the first congestion the rate grows fast, afterwards it is felt for. */
const RAISE_FIRST = 1.5;
const RAISE = 1.1;
/** Less of what is sent arrives than this: more would wait somewhere. */
const FULL_SHARE = 0.95;
/** The least delay and the least loss are those of so many windows. */
const WINDOWS = 64;
const LOSS_WINDOWS = 8;
/** Fewer packets say nothing. */
const PACKETS_MIN = 16;
const US = 2 ** 32;

/** What a window has shown. */
export interface GroupView {
  /** Share of packets that were lost. */
  readonly loss: number;
  /** How much longer they were on their way than the fastest, ms. */
  readonly delayMs: number;
  /** Bytes a second that came. */
  readonly arrivalRate: number;
  /** Bytes a second that this receiver could take. */
  readonly wantedRate: number;
}

/** Looks at a group's packets, window by window. */
export class GroupWeather {
  /** Packets that were sent as far as is known, and that came; in all. */
  sent = 0;
  received = 0;
  #next: number | undefined;
  #rawDelay: number | undefined;
  #window = newWindow();
  readonly #delays: number[] = [];
  readonly #losses: number[] = [];
  #raise = RAISE_FIRST;
  #view: GroupView = { loss: 0, delayMs: 0, arrivalRate: 0, wantedRate: Infinity };

  /** The latest window. */
  get view(): GroupView {
    return this.#view;
  }

  /** Share of packets that get lost: of the latest window, or of the one that has not ended where that is more. */
  get loss(): number {
    const { sent, received } = this.#window;
    const soFar = sent < PACKETS_MIN ? 0 : 1 - received / sent;
    return Math.max(soFar, this.#view.loss);
  }

  /** A packet has come: its number, the sender's clock in it (µs, modulo 2^32), its bytes. */
  handlePacket(now: number, sequence: number, sentAtUs: number, bytes: number): void {
    const window = this.#window;
    this.#expect(sequence, 1);
    this.received++;
    window.received++;
    window.bytes += bytes;
    if (window.firstAt === Infinity) {
      window.firstAt = now;
      window.firstBytes = bytes;
    }
    window.lastAt = now;
    // The clocks have nothing to do with each other: what counts is the difference to the first packet of all, modulo 2^32 µs.
    const raw = Math.floor(now * 1000) - sentAtUs;
    this.#rawDelay ??= raw;
    const apart = ((raw - this.#rawDelay) % US + US) % US;
    window.delay = Math.min(window.delay, (apart < US / 2 ? apart : apart - US) / 1000);
  }

  /** The sender says what the number of its next packet is: what did not come of those before is lost. */
  handleSequence(sequence: number): void {
    this.#expect(sequence, 0);
  }

  /** Ends the window. `rate` is what is sent at present, bytes a second. */
  look(rate: number): GroupView {
    const window = this.#window;
    // Nothing is sent: what was seen before says less and less.
    if (window.sent < PACKETS_MIN) {
      return this.#view = { ...this.#view, loss: this.#view.loss / 2, wantedRate: rate };
    }
    this.#window = newWindow();
    const loss = Math.max(0, 1 - window.received / window.sent);
    const spanMs = window.lastAt - window.firstAt;
    const arrivalRate = spanMs > 0 ? (window.bytes - window.firstBytes) / spanMs * 1000 : rate * (1 - loss);
    const delayMs = window.received > 0 ? this.#above(window.delay) : 0;
    remember(this.#losses, loss, LOSS_WINDOWS);
    const isCongested = delayMs > DELAY_MS_MAX || loss > Math.min(...this.#losses) + LOSS_MAX;
    // The first windows know no other loss than their own: half of everything is too much in any case.
    const isHopeless = this.#losses.length < LOSS_WINDOWS && loss > 0.3;
    if (isCongested || isHopeless) this.#raise = RAISE;
    const mayGrow = delayMs < DELAY_MS_LITTLE && arrivalRate > FULL_SHARE * (1 - loss) * rate;
    const wantedRate = isCongested || isHopeless
      ? Math.min(rate, arrivalRate * CONGESTED_SHARE)
      : rate * (mayGrow ? this.#raise : 1);
    return this.#view = { loss, delayMs, arrivalRate, wantedRate };
  }

  #expect(sequence: number, packets: number): void {
    const end = (sequence + packets) % US;
    this.#next ??= sequence;
    const ahead = (end - this.#next + US) % US;
    // Behind what was expected: it was overtaken, and is counted already.
    if (ahead >= US / 2) return;
    this.#next = end;
    this.sent += ahead;
    this.#window.sent += ahead;
  }

  /** How much a window's least delay is above the least of many. */
  #above(delay: number): number {
    remember(this.#delays, delay, WINDOWS);
    return delay - Math.min(...this.#delays);
  }
}

function newWindow() {
  return {
    sent: 0,
    received: 0,
    bytes: 0,
    firstBytes: 0,
    firstAt: Infinity,
    lastAt: -Infinity,
    delay: Infinity,
  };
}

function remember(values: number[], value: number, most: number): void {
  values.push(value);
  if (values.length > most) values.shift();
}
