/** How often something is tried again, and after how long. */
export interface RetryPolicy {
  /** Attempts in all, the first included; `Infinity` for one that never gives up. */
  readonly attemptsMax: number;
  /** Before the second attempt, in ms. */
  readonly baseMs: number;
  /** Each wait is so many times the one before. */
  readonly multiplier: number;
  /** No wait is longer, in ms. */
  readonly delayMsMax: number;
}

/** Five attempts: at once, then after 100, 300, 900 and 2,700 ms. */
export const defaultRetry: RetryPolicy = {
  attemptsMax: 5,
  baseMs: 100,
  multiplier: 3,
  delayMsMax: 30_000,
};

/** How long to wait before an attempt, of which the first has number 1, in ms; `undefined` when there shall be no more. */
export function retryDelay(policy: RetryPolicy, attempt: number): number | undefined {
  if (attempt > policy.attemptsMax) return undefined;
  if (attempt <= 1) return 0;
  return Math.min(policy.delayMsMax, policy.baseMs * policy.multiplier ** (attempt - 2));
}
