/*
 * Whether figures grow: the straight line through them that is nearest by least squares, and how sure its slope is.
 */

/** A slope, and the interval that holds the true one in 95 of 100 cases. */
export interface Slope {
  readonly slope: number;
  readonly from: number;
  readonly to: number;
}

/** 97.5 % of Student's t for so many degrees of freedom, from 1 on; beyond the table that of the normal distribution is near. */
const STUDENT = [
  12.71,
  4.3,
  3.18,
  2.78,
  2.57,
  2.45,
  2.36,
  2.31,
  2.26,
  2.23,
  2.2,
  2.18,
  2.16,
  2.14,
  2.13,
  2.12,
  2.11,
  2.1,
  2.09,
  2.09,
];
const NORMAL = 1.96;
/** Of so few blocks it cannot be told from a line that it is more. */
const LIKENESS_MAX = 0.9;

/**
 * Of some points, x ascending. Figures of memory stay where they are for a while, so neighbours say much the same: the points are
 * put together in `blocks` means first, of which each counts once. Where even these are alike, they count for fewer: the interval is wider
 * by what the correlation of neighbours says (Bartlett).
 *
 * @throws {RangeError} for fewer than 3 blocks, or fewer points than blocks
 */
export function slopeOf(points: readonly (readonly [x: number, y: number])[], blocks: number): Slope {
  if (blocks < 3 || points.length < blocks) {
    throw new RangeError(`${points.length} points in ${blocks} blocks`);
  }
  const means = Array.from({ length: blocks }, (_, i) => {
    const [first, end] = [i, i + 1].map((one) => Math.floor(one * points.length / blocks));
    return meanOf(points.slice(first, end));
  });
  const [x0, y0] = meanOf(means);
  const spread = means.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
  const slope = means.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0) / spread;
  const errors = means.map(([x, y]) => y - y0 - slope * (x - x0));
  const rest = errors.reduce((sum, error) => sum + error ** 2, 0);
  const freedom = blocks - 2;
  const half = (STUDENT[freedom - 1] ?? NORMAL) * Math.sqrt(likeness(errors) * rest / freedom / spread);
  return { slope, from: slope - half, to: slope + half };
}

/** By how much the variance of a mean is larger than if neighbours had nothing to do with each other; 1 when they differ as much as others, or more. */
function likeness(errors: readonly number[]): number {
  const all = errors.reduce((sum, error) => sum + error ** 2, 0);
  const near = errors.slice(1).reduce((sum, error, i) => sum + error * errors[i], 0);
  const seen = all === 0 ? 0 : near / all;
  // What a line leaves of so few figures looks less alike than they are (Marriott and Pope, 1954).
  const correlation = Math.min(LIKENESS_MAX, Math.max(0, seen + (2 + 4 * seen) / errors.length));
  return (1 + correlation) / (1 - correlation);
}

function meanOf(points: readonly (readonly [number, number])[]): readonly [number, number] {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  return [mean(0), mean(1)];
}
