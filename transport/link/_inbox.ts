import type { Counters } from "./_counters.ts";
import { type Datagrams, segmentCount } from "./link.ts";

/** What a queued entry costs beside its payload, so that empty datagrams are bounded too. */
const entryBytes = 256;

/** A bounded queue between what delivers datagrams unasked and the one reader of a link. Drops the newest when full. */
export class Inbox {
  readonly #bytesMax: number;
  readonly #counters: Counters;
  #queue: Datagrams[] = [];
  #bytes = 0;
  #waiting: PromiseWithResolvers<readonly Datagrams[]> | undefined;
  #closed = false;

  /** Holds at most `bytesMax` bytes of payload and overhead. */
  constructor(bytesMax: number, counters: Counters) {
    this.#bytesMax = bytesMax;
    this.#counters = counters;
  }

  /** Takes datagrams whose bytes nobody else will change. */
  push(datagrams: Datagrams): void {
    if (this.#closed) return;
    const size = datagrams.bytes.length + entryBytes;
    if (this.#bytes + size > this.#bytesMax) {
      this.#counters.receiveDrops += segmentCount(datagrams);
      return;
    }
    this.#queue.push(datagrams);
    this.#bytes += size;
    this.#settle()?.resolve(this.#take());
  }

  /** Everything that is queued; waits for the first, and returns nothing once closed. */
  take(): Promise<readonly Datagrams[]> {
    if (this.#waiting !== undefined) return Promise.reject(secondReader());
    if (this.#closed) return Promise.resolve([]);
    if (this.#queue.length > 0) return Promise.resolve(this.#take());
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** Forgets what is queued and lets the reader go. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#bytes = 0;
    this.#settle()?.resolve([]);
  }

  /** Tells a waiting reader that no more will come. */
  fail(error: Error): void {
    this.#settle()?.reject(error);
  }

  #settle(): PromiseWithResolvers<readonly Datagrams[]> | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  #take(): readonly Datagrams[] {
    const batch = this.#queue;
    this.#queue = [];
    this.#bytes = 0;
    for (const datagrams of batch) this.#counters.received(segmentCount(datagrams), datagrams.bytes.length);
    return batch;
  }
}

/** The mistake of a second reader on one link. */
export function secondReader(): TypeError {
  return new TypeError("another receive() of this link is waiting: it has one reader");
}
