import { limits } from "../core/limits.ts";
import type { Clock } from "../core/machine.ts";
import type { Datagrams, Link } from "./link/link.ts";

/** Work for strangers that is done before the time that it took is weighed, in ms. To be woken for less than that costs more than the work. */
const TURN_MS = 4;

/** Does something after so many ms; what it returns keeps it from that. */
export type Later = (ms: number, what: () => void) => () => void;

const laterByTimer: Later = (ms, what) => {
  const timer = setTimeout(what, ms);
  return () => clearTimeout(timer);
};

/**
 * Reads what strangers send, where a link has it apart from pulls, and feeds it to the machine: as long as there are pulls too, for a part
 * of the time that they cannot make larger, however much they send. What comes meanwhile waits with the system, which drops what is too much.
 */
export class StrangersDoor {
  readonly #links: readonly Link[];
  readonly #feed: (batch: readonly Datagrams[]) => void;
  readonly #served: () => number;
  readonly #clock: Clock;
  /** Of a turn: ms of work. */
  #spent = 0;
  /** What had been served when the turn began. */
  #servedBefore = 0;
  #rest: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  readonly #later: Later;
  #closed = false;

  /** `served` is how many bytes pulls have got so far. The links are the caller's to close. */
  constructor(
    links: readonly Link[],
    feed: (batch: readonly Datagrams[]) => void,
    served: () => number,
    clock: Clock,
    later: Later = laterByTimer,
  ) {
    this.#links = links;
    this.#feed = feed;
    this.#served = served;
    this.#clock = clock;
    this.#later = later;
  }

  /** Reads until the links or this are closed. @throws {RgtpError} SOCKET when a socket dies */
  async run(): Promise<void> {
    await Promise.all(this.#links.map((link) => this.#read(link)));
  }

  /** Ends a rest, too. Twice is fine. */
  close(): void {
    this.#closed = true;
    this.#rest?.end();
  }

  async #read(link: Link): Promise<void> {
    while (!this.#closed) {
      const batch = await link.receive();
      if (batch.length === 0) return;
      const began = this.#clock();
      this.#feed(batch);
      this.#spent += this.#clock() - began;
      await this.#restAfterTurn();
    }
  }

  /** All links rest together. */
  #restAfterTurn(): Promise<void> | undefined {
    if (this.#rest || this.#spent < TURN_MS) return this.#rest?.over;
    const served = this.#served();
    const restMs = served > this.#servedBefore ? this.#spent * (100 / limits.strangersTimePercent - 1) : 0;
    this.#spent = 0;
    this.#servedBefore = served;
    if (restMs === 0) return undefined;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const end = () => {
      cancel();
      this.#rest = undefined;
      resolve();
    };
    const cancel = this.#later(restMs, end);
    this.#rest = { over, end };
    return over;
  }
}
