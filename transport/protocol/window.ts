/*
 * How much may be under way: a plain, safe window in symbols. It doubles each round trip until something is lost, then grows by
 * one symbol each round trip; a loss takes a third of it, once a round trip. Loss that has nothing to do with load slows it
 * more than it must: that is the price of being simple.
 */

const SYMBOLS_START = 32;
const SYMBOLS_MIN = 8;
/** Beyond the local network more than one burst may be under way, since it does not arrive at once. */
const SYMBOLS_FAR_MAX = 1024;
const NEAR_MS = 3;
const RTO_MS_MIN = 30;
const RTO_MS_MAX = 3000;

/** The window and the round-trip estimate of one source. Times in ms. */
export class SafeWindow {
  readonly #burstMax: number;
  readonly #min: number;
  #symbols: number;
  #growing = true;
  #smoothed: number;
  #variation: number;
  #least: number;
  #backoff = 0;
  #cutAt = -Infinity;

  /** `roundTrip` is that of the handshake; `burstMax` what our receive buffer holds at once, in packets. */
  constructor(roundTrip: number, burstMax: number) {
    this.#burstMax = burstMax;
    this.#min = Math.min(SYMBOLS_MIN, burstMax);
    this.#smoothed = this.#least = roundTrip;
    this.#variation = roundTrip / 2;
    this.#symbols = Math.min(SYMBOLS_START, this.#max);
  }

  /** Symbols that may be under way. */
  get symbols(): number {
    return Math.floor(this.#symbols);
  }

  /**
   * Symbols that one request may ask for: they arrive as one burst. Half a window nearby, where each request costs as much as many
   * symbols; a quarter farther away, where a burst meets queues.
   */
  get burst(): number {
    return Math.min(this.#burstMax, Math.max(4, this.symbols >> (this.#isNear ? 1 : 2)));
  }

  /** Smoothed round trip, ms. */
  get roundTrip(): number {
    return this.#smoothed;
  }

  /** How long nothing may arrive before what is under way counts as lost. RFC 6298 §2, with a shorter floor. */
  get timeout(): number {
    const plain = Math.max(RTO_MS_MIN, this.#smoothed + 4 * this.#variation);
    return Math.min(RTO_MS_MAX, plain * 2 ** this.#backoff);
  }

  /** The first symbol of a request arrived `sample` ms after it was sent. */
  handleRoundTrip(sample: number): void {
    this.#least = Math.min(this.#least, sample);
    this.#variation += (Math.abs(sample - this.#smoothed) - this.#variation) / 4;
    this.#smoothed += (sample - this.#smoothed) / 8;
    this.#symbols = Math.min(this.#symbols, this.#max);
  }

  /** A new symbol arrived. */
  handleSymbol(): void {
    this.#backoff = 0;
    this.#symbols = Math.min(this.#max, this.#symbols + (this.#growing ? 1 : 1 / this.#symbols));
  }

  /** Symbols were lost that later ones overtook. */
  handleLoss(now: number): void {
    if (now - this.#cutAt < this.#smoothed) return;
    this.#cutAt = now;
    this.#growing = false;
    this.#symbols = Math.max(this.#min, this.#symbols * 2 / 3);
  }

  /** The other side is there again. */
  handleContact(): void {
    this.#backoff = 0;
  }

  /** Nothing arrived for {@linkcode timeout}. */
  handleTimeout(): void {
    this.#backoff = Math.min(this.#backoff + 1, 8);
    this.#growing = true;
    this.#symbols = this.#min;
  }

  get #max(): number {
    return this.#isNear ? this.#burstMax : SYMBOLS_FAR_MAX;
  }

  get #isNear(): boolean {
    return this.#least < NEAR_MS;
  }
}
