const STILL_SHARE = 0.25;
/** As many events should have been seen, if the loss is the path's, before their absence says that it is ours; and the rounds to wait for them. */
const EVENTS = 8;
const ROUNDS_MAX = 12;
/** A trial does not wait for fewer than this would show: 8 events at 5 % are 160 symbols. */
const USUAL_MAX = 0.05;
/** Less than this share of the best rate of late is a dip; and what is lost must lack in what comes, at least to this share. */
const DIP_SHARE = 0.93;
const LACKING_SHARE = 0.5;

/** A cut for loss, to see whose the loss is: what there was before it. */
export interface LossTrial {
  /** What was under way, symbols. */
  readonly window: number;
  /** Symbols a ms that came. */
  readonly rate: number;
  /** Share that got lost, and that gets lost over many rounds. */
  readonly loss: number;
  readonly usual: number;
  /** Symbols that one event takes. */
  readonly perEvent: number;
  /** Symbols of a burst. */
  readonly burst: number;
  /** Whether the start was interrupted for it. */
  readonly isOfStart: boolean;
  /** Rounds that it has lasted. */
  rounds: number;
}

/** Whether so much has been seen since that luck will not have decided: losses in bursts are few, and their absence says little. */
export function isEnough(
  trial: LossTrial,
  { since, baseline }: {
    readonly since: { readonly symbols: number; readonly lost: number };
    readonly baseline: number;
  },
): boolean {
  const share = Math.max(since.lost / since.symbols, Math.min(trial.usual - baseline, USUAL_MAX));
  return trial.rounds >= ROUNDS_MAX || since.symbols * share >= EVENTS * trial.perEvent;
}

/** What came of it. */
export interface TrialOutcome {
  readonly window: number;
  readonly rate: number;
  readonly loss: number;
  /** What is known already to be the path's own. */
  readonly baseline: number;
  /** Whether a queue stands that is longer than it may be. */
  readonly isQueued: boolean;
}

/**
 * Whose the loss was. It was for asking too much if less is lost of less, or while a queue stands: then it is the queue that loses. It is
 * the path's if as large a share is lost, and less comes. If as much is lost and as much comes, one look does not tell.
 */
export function verdictOf(trial: LossTrial, outcome: TrialOutcome): "ours" | "the path's" | "unclear" {
  // Somewhat less is asked for than the path bears: what is ours is gone then, and a quarter of it is chance.
  const isStill = outcome.loss > outcome.baseline + STILL_SHARE * (trial.usual - outcome.baseline);
  if (!isStill || outcome.isQueued) return "ours";
  return bringsLess(trial, outcome) ? "the path's" : "unclear";
}

/** Whether less came of less. Otherwise the path was as full as before. */
export function bringsLess(trial: LossTrial, { rate, window }: TrialOutcome): boolean {
  return rate < trial.rate * (1 + window / trial.window) / 2;
}

/**
 * Whether so much less comes than a moment ago as weather would take that loses `loss` where the path lost `baseline`. On a path that is far
 * too full what comes goes up and down as well, but hardly less comes, however much is lost. Rates are in symbols a ms.
 */
export function isDip(
  { rate, bestRate, loss, baseline }: {
    readonly rate: number;
    readonly bestRate: number;
    readonly loss: number;
    readonly baseline: number;
  },
): boolean {
  const lacking = 1 - rate / bestRate;
  return lacking > 1 - DIP_SHARE && lacking > LACKING_SHARE * (loss - baseline) / (1 - baseline);
}
