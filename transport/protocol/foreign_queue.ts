/** A cut to more than this share of the window says nothing of who makes the queue. */
const CUT_SHARE_SHOWN = 0.9;
/** Nor does one so old: the line itself may have changed. */
const CUT_AGE_MS = 2000;
/** A queue of ours gets shorter than this share when we ask for less. */
const QUEUE_SHARE = 0.65;
/** One sign may be this machine's pause, or a line that has become slower. */
const SIGNS = 2;

/** How things stand when the window is about to be cut because a queue stands. */
export interface QueuedRound {
  /** Symbols. */
  readonly window: number;
  /** Symbols a ms that come. */
  readonly rate: number;
  /** Ms. */
  readonly queue: number;
}

interface Cut extends QueuedRound {
  readonly at: number;
  /** The window before the first of several cuts in a row. */
  readonly first: number;
  readonly signs: number;
}

/** Whose a queue is: one of ours gets shorter when we ask for less, and as much comes as before; of one that others keep full we only lose our share. */
export class ForeignQueue {
  #cut: Cut | undefined;
  /** What a start had reached when a queue ended it: perhaps that was somebody else, and then so much was ours. */
  #start = { at: -Infinity, window: 0 };

  /** A start that had reached so much is over, since a queue stands. */
  handleStartEnd(now: number, window: number): void {
    this.#start = { at: now, window };
  }

  /** The window is to be cut, as a queue stands. The window to hold if somebody else keeps that, as several cuts have shown. */
  handleCut(now: number, round: QueuedRound): number | undefined {
    const { window, rate, queue } = round;
    const cut = this.#cut && now - this.#cut.at < CUT_AGE_MS ? this.#cut : undefined;
    const isShown = cut !== undefined && window < cut.window * CUT_SHARE_SHOWN;
    const isForeign = isShown && queue > cut.queue * QUEUE_SHARE &&
      rate < cut.rate * (1 + window / cut.window) / 2;
    const signs = isForeign ? cut.signs + 1 : isShown ? 0 : cut?.signs ?? 0;
    const first = cut?.first ?? window;
    if (isShown || !cut) this.#cut = { ...round, at: now, first, signs };
    if (signs < SIGNS) return undefined;
    return now - this.#start.at < CUT_AGE_MS ? Math.max(first, this.#start.window) : first;
  }

  /** The window has grown: what it has outgrown says nothing any more. */
  handleGrowth(window: number): void {
    if (this.#cut && window >= this.#cut.first) this.#cut = undefined;
  }

  /** Something else has changed the window. */
  forget(): void {
    this.#cut = undefined;
  }
}
