import type { Libc } from "./_libc.ts";
import { READABLE } from "./_poller.ts";

/** A nap lasts no longer, and only who was woken sooner the last time takes one: requests within one machine are a good ms apart. */
const napMs = 2;

/**
 * Waits for a socket in the thread that reads it. To be woken by the poller costs two switches of threads and a turn of the event loop,
 * which is more than an exposer does with the request that wakes it; while requests follow each other at once, that is most of its time.
 * Nothing else in the thread has its turn before a nap: each holds it up for 2 ms at most, and the link for as long as its turn lasts. So
 * that is for peers within this machine: on a real way answers that come in clumps overflow short queues.
 */
export class Nap {
  readonly #libc: Libc;
  /** `struct pollfd`: descriptor 4, events 2, what happened 2. */
  readonly #socket: Int32Array<ArrayBuffer>;
  /** `struct timespec`: s 8, ns 8. */
  readonly #time = BigInt64Array.of(0n, BigInt(napMs * 1e6));
  #waitedMs = Infinity;

  constructor(libc: Libc, descriptor: number) {
    this.#libc = libc;
    this.#socket = Int32Array.of(descriptor, READABLE);
  }

  /** Whether something is likely to come before it ends. */
  get pays(): boolean {
    return this.#waitedMs < napMs;
  }

  /** Until the socket can be read, for 2 ms at most; whether it can. */
  take(): boolean {
    return this.#libc.call.ppoll(this.#socket, 1n, this.#time, null) !== 0;
  }

  /** How long the reader has waited this time, napping or not. */
  note(ms: number): void {
    this.#waitedMs = ms;
  }
}
