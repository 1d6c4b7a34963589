/**
 * How far a node trusts its own watch (Lifeguard §III.A, "local health"): one that is starved sees others fail that do not, and should wait
 * longer before it says so.
 */
export class Awareness {
  #score = 0;

  /** Timeouts are multiplied by this: 1 is a healthy node. */
  get multiplier(): number {
    return 1 + this.#score;
  }

  /** Something speaks for the node's health (below 0) or against it. */
  note(change: number): void {
    this.#score = Math.max(0, Math.min(SCORE_MAX, this.#score + change));
  }
}

const SCORE_MAX = 7;
