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
/**
 * As long as all of it comes, the rate falls no further in one window: where a machine is busy with other things, packets wait for a
 * while now and then, and that says nothing of what comes after.
 */
const DELAYED_SHARE = 0.75;
/** Up to this share of what has been too much the rate grows fast, beyond it is felt for. */
const KNOWN_SHARE = 0.8;
const RAISE_FAST = 1.5;
const RAISE = 1.1;
/** Less of what is sent arrives than this: more would wait somewhere. */
const FULL_SHARE = 0.95;
/** The least delay and the least loss are those of so many windows. */
const WINDOWS = 64;
const LOSS_WINDOWS = 8;
/** Fewer packets say nothing. */
const PACKETS_MIN = 16;
/** If fewer have come, a window is given as much time again: through a line that is far too slow they come in lumps. */
const PACKETS_ENOUGH = 64;
/** What was sent within so short a time says nothing of a rate: it may be one train. */
const SPAN_MS_MIN = 4;
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
  /** The rate that was too much when something was the last time, bytes a second. */
  #tooMuch = Infinity;
  /** The rate at which packets began to wait, if they still do: once may be chance. */
  #delayedAt: number | undefined;
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
      window.firstSentUs = sentAtUs;
    }
    window.lastAt = now;
    window.lastSentUs = sentAtUs;
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
    if (window.received < PACKETS_ENOUGH && !window.isLonger) {
      window.isLonger = true;
      return this.#view = { ...this.#view, wantedRate: rate };
    }
    this.#window = newWindow();
    const loss = Math.max(0, 1 - window.received / window.sent);
    const spanMs = window.lastAt - window.firstAt;
    const arrivalRate = spanMs > 0 ? (window.bytes - window.firstBytes) / spanMs * 1000 : rate * (1 - loss);
    const delayMs = window.received > 0 ? this.#above(window.delay) : 0;
    remember(this.#losses, loss, LOSS_WINDOWS);
    // The first windows know no other loss than their own: half of everything is too much in any case.
    const isLossy = loss > Math.min(...this.#losses) + LOSS_MAX ||
      (this.#losses.length < LOSS_WINDOWS && loss > 0.3);
    const isFull = arrivalRate > FULL_SHARE * (1 - loss) * rate;
    const isTooMuch = isLossy || delayMs > DELAY_MS_MAX;
    const mayGrow = delayMs < DELAY_MS_LITTLE && isFull;
    const wantedRate = isTooMuch
      ? this.#less(rate, Math.max(arrivalRate, rate * (1 - loss) * pace(window)), isLossy)
      : mayGrow
      ? this.#more(rate)
      : rate;
    if (delayMs <= DELAY_MS_MAX) this.#delayedAt = undefined;
    return this.#view = { loss, delayMs, arrivalRate, wantedRate };
  }

  #more(rate: number): number {
    return Math.max(rate * RAISE, Math.min(rate * RAISE_FAST, this.#tooMuch * KNOWN_SHARE));
  }

  /** What to want after a window in which `rate` was too much, and about `taken` of it was taken. */
  #less(rate: number, taken: number, isLossy: boolean): number {
    // To wait in one window may be chance.
    if (isLossy || this.#delayedAt !== undefined) this.#tooMuch = this.#delayedAt ?? rate;
    this.#delayedAt ??= rate;
    return Math.max(CONGESTED_SHARE * Math.min(rate, taken), isLossy ? 0 : DELAYED_SHARE * rate);
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

/**
 * How fast packets came, by how fast they were sent: 1, or less. A sender that stands still, as on a busy machine, brings little too, and
 * that is no sign that it should send less.
 */
function pace({ firstAt, lastAt, firstSentUs, lastSentUs }: ReturnType<typeof newWindow>): number {
  const sentMs = ((lastSentUs - firstSentUs + US) % US) / 1000;
  return sentMs < SPAN_MS_MIN ? 1 : Math.min(1, sentMs / (lastAt - firstAt));
}

function newWindow() {
  return {
    sent: 0,
    received: 0,
    bytes: 0,
    firstBytes: 0,
    firstAt: Infinity,
    lastAt: -Infinity,
    firstSentUs: 0,
    lastSentUs: 0,
    delay: Infinity,
    isLonger: false,
  };
}

function remember(values: number[], value: number, most: number): void {
  values.push(value);
  if (values.length > most) values.shift();
}
