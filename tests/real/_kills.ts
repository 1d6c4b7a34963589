/*
 * When to kill: twenty moments from a seed, measured in how much of the part file has been written since the last kill, so that
 * they are spread over the whole transfer on any machine, fast or slow.
 */
import { seededRandom } from "../sim/random.ts";
import { allocatedBytes } from "./_files.ts";
import type { RgtpProcess } from "./_processes.ts";

/** Enough moments to hit every stage of a transfer. */
export const KILLS = 20;
/** What is pulled. */
export const KILL_BYTES = 1_000_000_000;
/** What resuming may cost over all kills, as a share of one uninterrupted pull. */
export const COST_MAX = 1.03;

const SHARE_MIN = 0.01;
const SHARE_MAX = 0.09;
/** The rest of the file is left for the last run, so that every kill hits a running transfer. */
const SHARE_OF_ALL = 0.9;
const POLL_MS = 10;
const PROGRESS_MS_MAX = 120_000;

/** For each kill, how much of the file is to be written before it since the kill before: 1 to 9 %, 90 % together. */
export function killShares(seed: number): number[] {
  const random = seededRandom(seed, "kills");
  const shares = Array.from({ length: KILLS }, () => SHARE_MIN + (SHARE_MAX - SHARE_MIN) * random.float());
  const sum = shares.reduce((one, other) => one + other);
  return shares.map((share) => share * Math.min(1, SHARE_OF_ALL / sum));
}

/** Waits until the part file holds `bytes`; fails when the puller ends before that, or it takes too long. */
export async function partReaches(path: string, bytes: number, puller: RgtpProcess): Promise<void> {
  const end = performance.now() + PROGRESS_MS_MAX;
  while (await allocatedBytes(path) < bytes) {
    if (puller.isOver) throw puller.failure(`ended before its part held ${bytes} bytes`);
    if (performance.now() > end) {
      throw puller.failure(`has not written ${bytes} bytes in ${PROGRESS_MS_MAX} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** What was moved over what one uninterrupted pull moves, for people. */
export function percent(moved: number, plain: number): string {
  return `${(100 * moved / plain).toFixed(2)} %`;
}
