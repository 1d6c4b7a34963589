import type { PoolName } from "./message_data.ts";
import type { RetryPolicy } from "./retry.ts";
import { retryDelay } from "./retry.ts";
import { Outbox } from "./outbox.ts";

/**
 * A place for one link to a peer, in one of its pools. Links come and go; what has to be sent stays. It knows when the next link shall be
 * dialled.
 */
export class Slot {
  /** Which pool. */
  readonly pool: PoolName;
  /** Which link of the pool, from 0. */
  readonly index: number;
  /** What goes over the links of this slot. */
  readonly outbox = new Outbox();
  /** Open links, the one in use first. There are several when both sides dialled at once, or one is replaced. */
  readonly links: number[] = [];
  /** When to dial; `Infinity` when it is not to be dialled. */
  dialAt = Infinity;
  /** Whether a dial is under way. */
  isDialling = false;
  #attempts = 0;

  /** Has no link yet. */
  constructor(pool: PoolName, index: number) {
    this.pool = pool;
    this.index = index;
  }

  /** A link would be used if there was one. */
  get isWanting(): boolean {
    return this.links.length === 0 && !this.outbox.isEmpty;
  }

  /** The peer has handled something: attempts are counted anew. */
  succeed(): void {
    this.#attempts = 0;
  }

  /** Sees to it that a link is dialled when one is wanted. Whether there are attempts left. */
  plan(now: number, retry: RetryPolicy): boolean {
    if (!this.isWanting || this.isDialling || this.dialAt < Infinity) return true;
    const delay = retryDelay(retry, this.#attempts + 1);
    if (delay === undefined) {
      this.#attempts = 0;
      return false;
    }
    this.#attempts++;
    this.dialAt = now + delay;
    return true;
  }
}
