/** Rounds of small steps after a loss of our own making; twice as many each time, so often. */
const ROUNDS = 16;
const DOUBLINGS_MAX = 4;
/** A window that has grown by this was not at the path's end. */
const OUTGROWN_SHARE = 1.25;

/** How carefully a window grows that was too large: by small steps for some rounds, twice as long each time until it has outgrown that. */
export class Caution {
  #rounds = 0;
  #times = 0;
  #ceiling = 0;

  /** Whether growth is to be by small steps. */
  get isOn(): boolean {
    return this.#rounds > 0;
  }

  /** More was lost than the path loses by itself: it bears `window` symbols. */
  begin(window: number): void {
    this.#rounds = ROUNDS * 2 ** Math.min(this.#times++, DOUBLINGS_MAX);
    this.#ceiling = window;
  }

  /** A round in which the window grew to so many symbols. */
  handleGrowth(window: number): void {
    if (window > this.#ceiling * OUTGROWN_SHARE) this.end();
    else if (this.#rounds > 0) this.#rounds--;
  }

  /** It was not the window. */
  end(): void {
    this.#rounds = this.#times = 0;
  }
}
