import { Caution } from "./caution.ts";
import type { TrafficClass } from "./traffic_class.ts";

/** What a round adds at first, in symbols and as a share of the window; and the share that it adds at most. */
const STEP = 2;
const STEP_SHARE = 1 / 64;
const STEP_SHARE_CAUTIOUS = 1 / 128;
const STEP_SHARE_MAX = 0.25;
/** What is added in a round may make a queue before the round shows it: so long, where a round is longer; but this share at least. */
const STEP_MS_MAX = 20;
const STEP_SHARE_FAR = 1 / 16;

/** How a window grows that knows its path: faster each round, slower near its end, and by small steps where it has overrun it. */
export class Growth {
  readonly #traffic: TrafficClass;
  readonly #caution = new Caution();
  /** Steps that a round adds. */
  #velocity = 1;

  /** For a flow of this class. */
  constructor(traffic: TrafficClass) {
    this.#traffic = traffic;
  }

  /** Whether it has overrun the path of late, and grows by small steps. */
  get isCautious(): boolean {
    return this.#caution.isOn;
  }

  /** Whether it has just been cut, and has not grown since. */
  get isAtRest(): boolean {
    return this.#velocity === 1;
  }

  /**
   * The window after a round that used all of `window`, with a queue of that share of the length that it may have, where a round trip takes
   * so many ms.
   */
  next(window: number, queueShare: number, roundTrip: number): number {
    const { growth, queueShare: share } = this.#traffic;
    const { isCautious } = this;
    const step = growth * Math.max(STEP, window * (isCautious ? STEP_SHARE_CAUTIOUS : STEP_SHARE));
    const shareMax = Math.max(STEP_SHARE_FAR, Math.min(STEP_SHARE_MAX, STEP_MS_MAX / roundTrip));
    const most = Math.max(step, window * shareMax * share ** 2);
    const next = window + Math.min(step * Math.max(1, this.#velocity * (1 - queueShare)), most);
    this.#caution.handleGrowth(next);
    if (!isCautious) this.#velocity *= 2;
    return next;
  }

  /** The window was cut: it begins with one step. */
  rest(): void {
    this.#velocity = 1;
  }

  /** More got lost than the path loses by itself: it bears `window` symbols. */
  handleOverrun(window: number): void {
    this.#caution.begin(window);
  }

  /** What was taken for that was not. */
  forgetOverruns(): void {
    this.#caution.end();
  }
}
