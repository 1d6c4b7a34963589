/**
 * A rate as credit: it fills at `bytesPerSecond` up to `burstBytes`. Spending may take it below zero; then nothing more is allowed
 * until it has filled up again, so that one large send is never split and the rate still holds.
 */
export class TokenBucket {
  readonly #bytesPerMs: number;
  readonly #burst: number;
  #level: number;
  #at: number;

  /** Full at `now` (monotonic ms). */
  constructor(bytesPerSecond: number, burstBytes: number, now: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#burst = burstBytes;
    this.#level = burstBytes;
    this.#at = now;
  }

  /** When something may be spent: `now` or later. */
  readyAt(now: number): number {
    this.#fill(now);
    return this.#level > 0 ? now : now + (1 - this.#level) / this.#bytesPerMs;
  }

  /** Takes `bytes` of credit. */
  spend(now: number, bytes: number): void {
    this.#fill(now);
    this.#level -= bytes;
  }

  /** Takes `bytes` of credit if some is left, and says whether it was. */
  trySpend(now: number, bytes: number): boolean {
    if (this.readyAt(now) > now) return false;
    this.#level -= bytes;
    return true;
  }

  #fill(now: number): void {
    if (now <= this.#at) return;
    this.#level = Math.min(this.#burst, this.#level + (now - this.#at) * this.#bytesPerMs);
    this.#at = now;
  }
}
