/** Less time than this tells nothing. */
const SPAN_MS_MIN = 200;

/** Bytes a second of late, from a count that grows. */
export class RateMeter {
  readonly #windowMs: number;
  #samples: { readonly at: number; readonly bytes: number }[] = [];

  /** Over how long it looks back. */
  constructor(windowMs = 3000) {
    this.#windowMs = windowMs;
  }

  /** Tells it the count at `now`, monotonic ms, and returns the rate; `early` for as long as it cannot know. */
  update(now: number, bytes: number, early = 0): number {
    this.#samples.push({ at: now, bytes });
    while (this.#samples.length > 2 && now - this.#samples[1].at >= this.#windowMs) this.#samples.shift();
    const first = this.#samples[0];
    const span = now - first.at;
    return span < SPAN_MS_MIN ? early : Math.max(0, ((bytes - first.bytes) * 1000) / span);
  }
}
