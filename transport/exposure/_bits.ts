/** A set of numbers from 0 to below a bound, a bit for each. */
export class Bits {
  /** How many numbers are in the set. */
  count = 0;
  readonly #bits: Uint8Array;

  constructor(bound: number) {
    this.#bits = new Uint8Array(Math.ceil(bound / 8));
  }

  has(n: number): boolean {
    return (this.#bits[n >> 3] & (1 << (n & 7))) !== 0;
  }

  add(n: number): void {
    if (this.has(n)) return;
    this.#bits[n >> 3] |= 1 << (n & 7);
    this.count++;
  }

  delete(n: number): void {
    if (!this.has(n)) return;
    this.#bits[n >> 3] &= ~(1 << (n & 7));
    this.count--;
  }
}
