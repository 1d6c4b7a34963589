/*
 * How fast a group is sent to: each receiver says what it could take, and a policy makes one rate of that.
 */

/** How the rate of a group follows from what its receivers want. */
export type RatePolicy =
  /** As fast as the slowest can take it. */
  | { readonly name: "slowest" }
  /** As fast as this share of the receivers can take it; those that cannot pull by themselves. */
  | { readonly name: "percentile"; readonly share: number }
  /** Bytes a second, whatever they say. */
  | { readonly name: "fixed"; readonly rate: number };

/** Three of four receivers keep up; one slow one of a few is no burden to the others. */
export const DEFAULT_RATE_POLICY: RatePolicy = { name: "percentile", share: 0.75 };

/** The rate that a policy makes of what receivers want, bytes a second; `undefined` when nobody has said anything. */
export function chosenRate(policy: RatePolicy, wanted: readonly number[]): number | undefined {
  if (policy.name === "fixed") return policy.rate;
  if (wanted.length === 0) return undefined;
  const ascending = wanted.toSorted((a, b) => a - b);
  const slower = policy.name === "slowest" ? 0 : Math.floor(ascending.length * (1 - policy.share));
  return ascending[Math.min(slower, ascending.length - 1)];
}

/** Slower than this a group is of no use, and a forged report could stop it. */
export const GROUP_RATE_MIN = 65_536;
/** Where a group begins: a slow line's queue holds what comes too much until the first reports. */
const RATE_START = 16_000_000;
const INCREASE_MAX = 2;

/** The rate of a group over time: down as soon as it must, up once in each interval of reports. */
export class GroupRate {
  /** Bytes a second, headers included. */
  current: number;
  readonly #policy: RatePolicy;
  readonly #max: number;
  #raisedAt = -Infinity;

  /** `max` bytes a second; `Infinity` for no limit. */
  constructor(policy: RatePolicy, max: number) {
    this.#policy = policy;
    this.#max = max;
    this.current = policy.name === "fixed" ? Math.min(policy.rate, max) : Math.min(RATE_START, max);
  }

  /** Receivers have said what they want; reports come every `reportMs`. */
  follow(now: number, wanted: readonly number[], reportMs: number): void {
    const chosen = chosenRate(this.#policy, wanted);
    if (chosen === undefined) return;
    const target = Math.max(GROUP_RATE_MIN, Math.min(chosen, this.#max));
    if (target <= this.current) {
      this.current = target;
      return;
    }
    // Several receivers report in one interval: one raise answers them all.
    if (now - this.#raisedAt < reportMs) return;
    this.#raisedAt = now;
    this.current = Math.min(target, this.current * INCREASE_MAX);
  }
}
