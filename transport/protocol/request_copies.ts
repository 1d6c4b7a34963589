/*
 * Requests get lost as symbols do. How often one must be sent is reckoned from what gets lost the other way, which is all that a puller
 * sees of the path.
 */

/** Share of symbols that must have been lost of late for requests to be repeated. */
const LOSS_MIN = 0.005;
/** A request is sent as often as it takes to get through but once in so many times. */
const REQUEST_LOSS_MAX = 0.02;
/** Each is in two later requests as well, as long as there are later ones. */
const SECTIONS = 3;
const COPIES_MAX = 6;

/** Whether so much gets lost (a share of the symbols) that requests are worth repeating. */
export function isLossy(lossRate: number): boolean {
  return lossRate >= LOSS_MIN;
}

/**
 * How often a request must be sent to get through: with later ones that repeat it, or (`isTail`) without; after so many timeouts in a row,
 * when nobody knows what the way has become.
 */
export function copiesOf(lossRate: number, silentTimeouts: number, isTail: boolean): number {
  const blind = Math.min(COPIES_MAX, 1 + silentTimeouts);
  if (!isLossy(lossRate)) return blind;
  const each = Math.log(lossRate) * (isTail ? 1 : SECTIONS);
  return Math.min(COPIES_MAX, Math.max(blind, Math.ceil(Math.log(REQUEST_LOSS_MAX) / each)));
}
