/*
 * How sure a median is, whatever the figures are spread like.
 */

/** The middle of some figures, and two of them that hold the true middle between them in at least 95 of 100 cases. */
export interface SureMedian {
  readonly median: number;
  readonly from: number;
  readonly to: number;
}

const OUTSIDE_MAX = 0.025;

/**
 * Of figures that do not depend on each other. The k-th smallest of n is above the true middle only when fewer than k of them are below it:
 * as likely as so few heads in n throws of a coin. Below 6 figures that is never so unlikely: then the interval is their range.
 *
 * @throws {RangeError} for no figures
 */
export function sureMedian(figures: readonly number[]): SureMedian {
  const sorted = figures.toSorted((a, b) => a - b);
  const count = sorted.length;
  if (count === 0) throw new RangeError("no figures");
  let [k, ways, below] = [0, 1, 1];
  while (below / 2 ** count <= OUTSIDE_MAX) {
    k++;
    ways *= (count - k + 1) / k;
    below += ways;
  }
  const first = Math.max(0, k - 1);
  const median = (sorted[(count - 1) >> 1] + sorted[count >> 1]) / 2;
  return { median, from: sorted[first], to: sorted[count - 1 - first] };
}
