/** What was made on demand, under a bound of bytes but always one piece of it; what was used longest ago goes first. */
export class RecentBytes {
  /** Bytes that it holds. */
  bytes = 0;
  readonly #bytesMax: number;
  readonly #entries = new Map<number, Uint8Array>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** What was added under a key, used now. */
  get(key: number): Uint8Array | undefined {
    const bytes = this.#entries.get(key);
    if (bytes) {
      // A Map keeps the order of insertion.
      this.#entries.delete(key);
      this.#entries.set(key, bytes);
    }
    return bytes;
  }

  /** Whether there is something under a key; no use of it. */
  has(key: number): boolean {
    return this.#entries.has(key);
  }

  /** Keeps bytes under a key, in place of what may be there. */
  replace(key: number, bytes: Uint8Array): void {
    const before = this.#entries.get(key);
    if (before && this.#entries.delete(key)) this.bytes -= before.length;
    this.add(key, bytes);
  }

  /** Keeps bytes under a key that is not there. */
  add(key: number, bytes: Uint8Array): void {
    for (const [oldest, old] of this.#entries) {
      if (this.bytes + bytes.length <= this.#bytesMax) break;
      this.#entries.delete(oldest);
      this.bytes -= old.length;
    }
    this.#entries.set(key, bytes);
    this.bytes += bytes.length;
  }

  /** Gives all of it up. */
  clear(): void {
    this.#entries.clear();
    this.bytes = 0;
  }
}
