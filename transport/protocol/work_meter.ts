/** Work for each byte that is sent: a chunk that is asked for in two parts, or sealed once more, costs nobody anything. */
const WORK_PER_BYTE_SENT = 2;

/**
 * Bounds how much somebody makes an exposer read and seal beside what it sends. Pulling earns the work that it takes; asking for a
 * symbol here and there of what is not at hand does not, and comes down to a floor rate.
 */
export class WorkMeter {
  readonly #bytesPerMs: number;
  readonly #burst: number;
  #credit: number;
  #at: number;

  /** Full at `now` (monotonic ms). */
  constructor(bytesPerSecond: number, burstBytes: number, now: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#burst = burstBytes;
    this.#credit = burstBytes;
    this.#at = now;
  }

  /** Whether work may begin: some credit is left, however little, so that a large chunk is never out of reach. */
  affordsWork(now: number): boolean {
    if (now > this.#at) {
      this.#credit = Math.min(this.#burst, this.#credit + (now - this.#at) * this.#bytesPerMs);
      this.#at = now;
    }
    return this.#credit > 0;
  }

  /** So many bytes will be sent, for which so many must be read and sealed. */
  note(sentBytes: number, workBytes: number): void {
    this.#credit = Math.min(this.#burst, this.#credit + WORK_PER_BYTE_SENT * sentBytes) - workBytes;
  }
}

/** Pieces whose work was paid for a moment ago: a second request for one of them may come before the first is carried out. */
export class PaidPieces {
  readonly #bound: number;
  readonly #pieces = new Set<number>();

  /** Remembers `bound` pieces. */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Whether a piece is paid for. */
  has(piece: number): boolean {
    return this.#pieces.has(piece);
  }

  /** A piece is paid for. The one that was first is forgotten. */
  add(piece: number): void {
    this.#pieces.add(piece);
    if (this.#pieces.size <= this.#bound) return;
    for (const oldest of this.#pieces) {
      this.#pieces.delete(oldest);
      return;
    }
  }
}
