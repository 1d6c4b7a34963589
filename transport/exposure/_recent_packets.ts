/** Packets made on demand, under a bound of bytes but always one of them; those used longest ago go first. */
export class RecentPackets {
  /** Bytes that it holds. */
  bytes = 0;
  readonly #bytesMax: number;
  readonly #entries = new Map<number, Uint8Array>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** What was added under a key, used now. */
  get(key: number): Uint8Array | undefined {
    const packets = this.#entries.get(key);
    if (packets) {
      // A Map keeps the order of insertion.
      this.#entries.delete(key);
      this.#entries.set(key, packets);
    }
    return packets;
  }

  /** Whether there is something under a key; no use of it. */
  has(key: number): boolean {
    return this.#entries.has(key);
  }

  /** Keeps packets under a key, in place of what may be there. */
  replace(key: number, packets: Uint8Array): void {
    const before = this.#entries.get(key);
    if (before && this.#entries.delete(key)) this.bytes -= before.length;
    this.add(key, packets);
  }

  /** Keeps packets under a key that is not there. */
  add(key: number, packets: Uint8Array): void {
    for (const [oldest, old] of this.#entries) {
      if (this.bytes + packets.length <= this.#bytesMax) break;
      this.#entries.delete(oldest);
      this.bytes -= old.length;
    }
    this.#entries.set(key, packets);
    this.bytes += packets.length;
  }

  /** Gives all of it up. */
  clear(): void {
    this.#entries.clear();
    this.bytes = 0;
  }
}

/** One number for a piece cut into symbols of one size. Symbol sizes stay below 2^14. */
export function packetsKey(piece: number, symbolSize: number): number {
  return piece * 16_384 + symbolSize;
}
