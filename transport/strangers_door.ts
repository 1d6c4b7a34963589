import { limits } from "../core/limits.ts";
import type { Clock } from "../core/machine.ts";
import type { Drive } from "./drive.ts";
import type { Link } from "./link/link.ts";

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
  readonly #drive: Pick<Drive<unknown>, "feed" | "batches">;
  readonly #clock: Clock;
  /** Of a turn: ms of work, and batches. */
  #spent = 0;
  #fed = 0;
  /** Batches that the machine had been fed when the turn began. */
  #batchesBefore = 0;
  #rest: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  readonly #later: Later;
  #closed = false;

  /** The links are the caller's to close. */
  constructor(
    links: readonly Link[],
    drive: Pick<Drive<unknown>, "feed" | "batches">,
    clock: Clock,
    later: Later = laterByTimer,
  ) {
    this.#links = links;
    this.#drive = drive;
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
      this.#drive.feed(batch);
      this.#spent += this.#clock() - began;
      this.#fed++;
      await this.#restAfterTurn();
    }
  }

  /** All links rest together. */
  #restAfterTurn(): Promise<void> | undefined {
    if (this.#rest || this.#spent < TURN_MS) return this.#rest?.over;
    const others = this.#drive.batches - this.#batchesBefore - this.#fed;
    const restMs = others > 0 ? this.#spent * (100 / limits.strangersTimePercent - 1) : 0;
    this.#spent = this.#fed = 0;
    this.#batchesBefore = this.#drive.batches;
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
