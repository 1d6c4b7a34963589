/** A path this short is of this machine or its neighbour: what is under way must fit our receive buffer at once. */
const NEAR_MS = 3;
/** So many times what is under way has come before: who is killed has asked for little in vain. */
const COME_PER_WINDOW = 96;
/** Within one machine a queue is what busy processes take, and nobody else waits in it. */
const QUEUE_MS = 12;

/** What bounds bursts and what is under way on short paths. */
export interface ShortPathOptions {
  /** Packets that our receive buffer holds in one burst. */
  readonly burstPacketsMax: number;
  /** As many may be under way at first; more as many times as many have come. Absent: `burstPacketsMax`. */
  readonly burstPacketsFirst?: number;
  /** Whether the path leads no further than this machine; absent: no. */
  readonly isLoopback?: boolean;
}

/** Whether a path is a short one whose least round trip is known, in ms. */
export function isShort(leastTrip: number): boolean {
  return leastTrip < NEAR_MS;
}

/**
 * How much may be under way to a neighbour or within one machine, where no round trip says it: what our receive buffer holds, and not more
 * than is little beside what has come. Amounts in symbols.
 */
export class ShortPath {
  /** What our receive buffer holds. */
  readonly burstMax: number;
  /** Whether it leads no further than this machine. */
  readonly isLoopback: boolean;
  readonly #first: number;
  #come = 0;

  constructor({ burstPacketsMax, burstPacketsFirst, isLoopback }: ShortPathOptions) {
    this.burstMax = burstPacketsMax;
    this.#first = burstPacketsFirst ?? burstPacketsMax;
    this.isLoopback = isLoopback === true;
  }

  /** Symbols that may be under way. */
  get most(): number {
    return Math.min(this.burstMax, Math.max(this.#first, this.#earned));
  }

  /** The queue that may stand, ms, where it is `usual` elsewhere. One that is longer is under way as well. */
  queueTarget(usual: number): number {
    return this.isLoopback && this.#earned > this.#first ? Math.max(QUEUE_MS, usual) : usual;
  }

  /** Symbols have come. */
  handleArrivals(count: number): void {
    this.#come += count;
  }

  get #earned(): number {
    return this.#come / COME_PER_WINDOW;
  }
}
