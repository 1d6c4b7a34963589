import { limits } from "../core/limits.ts";
import type { Clock } from "../core/machine.ts";
import { segmentCount } from "./link/link.ts";
import type { Datagrams, Link } from "./link/link.ts";

/** Work for strangers that is done before the time that it took is weighed, in ms. To be woken for less than that costs more than the work. */
const TURN_MS = 4;

/** A ms of work has to be followed by so many of rest, for it to be so many percent of the time. */
const restFor = (percent: number) => 100 / percent - 1;
const REST_AFTER_GRANT = restFor(limits.newcomersTimePercent);
const REST_AFTER_OTHERS = restFor(limits.strangersTimePercent);

/** Does something after so many ms; what it returns keeps it from that. */
export type Later = (ms: number, what: () => void) => () => void;

const laterByTimer: Later = (ms, what) => {
  const timer = setTimeout(what, ms);
  return () => clearTimeout(timer);
};

/** What has come of packets so far. */
export interface DoorCounts {
  /** Bytes that pulls have got. */
  readonly served: number;
  /** Handshakes that have ended in a grant. */
  readonly granted: number;
}

/**
 * Reads what strangers send, where a link has it apart from pulls, and feeds it to the machine: as long as there are pulls too, for a part
 * of the time that they cannot make larger, however much they send. What comes meanwhile waits with the system, which drops what is too
 * much. Who is granted a pull is no stranger any more: a crowd of them gets more of the time than a flood of others.
 */
export class StrangersDoor {
  readonly #links: readonly Link[];
  readonly #feed: (batch: readonly Datagrams[]) => void;
  readonly #counts: () => DoorCounts;
  readonly #clock: Clock;
  /** Of a turn: ms of work, and of the rest that it asks for. */
  #spent = 0;
  #owed = 0;
  /** What had been served when the turn began. */
  #servedBefore = 0;
  #rest: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  readonly #later: Later;
  #closed = false;

  /** The links are the caller's to close. */
  constructor(
    links: readonly Link[],
    feed: (batch: readonly Datagrams[]) => void,
    counts: () => DoorCounts,
    clock: Clock,
    later: Later = laterByTimer,
  ) {
    this.#links = links;
    this.#feed = feed;
    this.#counts = counts;
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
      this.#work(batch);
      await this.#restAfterTurn();
    }
  }

  #work(batch: readonly Datagrams[]): void {
    const [began, before] = [this.#clock(), this.#counts().granted];
    this.#feed(batch);
    const spent = this.#clock() - began;
    const packets = batch.reduce((sum, datagrams) => sum + segmentCount(datagrams), 0);
    const grants = Math.min(1, (this.#counts().granted - before) / packets);
    this.#spent += spent;
    this.#owed += spent * (grants * REST_AFTER_GRANT + (1 - grants) * REST_AFTER_OTHERS);
  }

  /** All links rest together. */
  #restAfterTurn(): Promise<void> | undefined {
    if (this.#rest || this.#spent < TURN_MS) return this.#rest?.over;
    const { served } = this.#counts();
    // A process that was suspended in the middle of its work has not worked all that time.
    const restMs = served > this.#servedBefore ? Math.min(this.#owed, limits.strangersRestMsMax) : 0;
    this.#spent = this.#owed = 0;
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
