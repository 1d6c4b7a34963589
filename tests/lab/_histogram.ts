/** How often values of which size came, in buckets of one width; what is beyond the last bucket counts in it. */
export class Histogram {
  readonly #width: number;
  readonly #counts: Uint32Array;

  /** `width` in the unit of the values. */
  constructor(width: number, buckets: number) {
    this.#width = width;
    this.#counts = new Uint32Array(buckets);
  }

  /** Counts a value of at least 0. */
  add(value: number): void {
    this.#counts[Math.min(this.#counts.length - 1, Math.floor(value / this.#width))]++;
  }

  /** As plain numbers, without the empty buckets at the end. */
  toJSON(): Counts {
    const end = this.#counts.findLastIndex((count) => count > 0) + 1;
    return { width: this.#width, counts: [...this.#counts.subarray(0, end)] };
  }
}

/** What a {@linkcode Histogram} has counted: `counts[i]` values from `i * width` up to, but not including, `(i + 1) * width`. */
export interface Counts {
  readonly width: number;
  readonly counts: readonly number[];
}

/** What was counted since `before`. */
export function countsSince(before: Counts, now: Counts): Counts {
  return { width: now.width, counts: now.counts.map((count, i) => count - (before.counts[i] ?? 0)) };
}

/** The value that a share (0 to 1) of all values do not exceed: the upper end of its bucket. 0 when there are none. */
export function quantile({ width, counts }: Counts, share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  let seen = 0;
  for (const [i, count] of counts.entries()) {
    seen += count;
    if (seen >= share * total) return (i + 1) * width;
  }
  return counts.length * width;
}

/** The mean, every value taken as the middle of its bucket. 0 when there are none. */
export function mean({ width, counts }: Counts): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return total === 0 ? 0 : counts.reduce((sum, count, i) => sum + count * (i + 0.5) * width, 0) / total;
}
