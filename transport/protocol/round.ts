/** What a round trip has brought so far: times in ms, amounts in symbols. */
export interface Round {
  readonly startedAt: number;
  /** The round is over when this request is answered, or a later one; 0: with the next answer. */
  until: number;
  arrived: number;
  settled: number;
  lost: number;
  /** Requests whose fate is known, and of these, how many lost something. */
  requests: number;
  lossy: number;
  /** The round trips of its answers. */
  readonly trips: { answers: number; sum: number; least: number };
  /** What was under way when the requests were sent that were answered, in sum. */
  underWay: number;
  /** Whether the window held us back. Otherwise what came says little of what the path could carry. */
  limited: boolean;
}

/** The same when it is over. */
export interface EndedRound extends Round {
  readonly duration: number;
  /** The number of the first request after it. */
  readonly next: number;
}

/** A round that begins `now`, and ends when request `until` is answered or a later one. */
export function newRound(now: number, until: number): Round {
  return {
    startedAt: now,
    until,
    arrived: 0,
    settled: 0,
    lost: 0,
    requests: 0,
    lossy: 0,
    trips: { answers: 0, sum: 0, least: Infinity },
    underWay: 0,
    limited: false,
  };
}

/** What was under way when its requests were sent, on average. */
export function underWayOf({ underWay, trips }: Round): number {
  return underWay / Math.max(1, trips.answers);
}

/** Symbols whose fate is known that say how a round will end, and the share that must be lost of them beyond the baseline. */
const OVERRUN_SYMBOLS = 64;
const OVERRUN_SHARE = 0.2;

/** Whether so much is lost in a round that it need not end for a start to stop growing. */
export function isOverrun({ settled, lost }: Round, baseline: number): boolean {
  return settled >= OVERRUN_SYMBOLS && lost > settled * (baseline + OVERRUN_SHARE);
}
