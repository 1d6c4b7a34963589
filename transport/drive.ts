import type { Address } from "../codec/address.ts";
import { Fifo } from "../core/fifo.ts";
import { drain } from "../core/machine.ts";
import type { Clock, Machine } from "../core/machine.ts";
import type { Datagrams, Link } from "./link/link.ts";
import { segmentAt, segmentCount } from "./link/link.ts";

/** A machine that lives on datagrams. */
export interface DatagramMachine<Output> extends Machine<Output> {
  /** A datagram has arrived. Those that arrived together may follow each other without a drain between them. */
  handleDatagram(now: number, from: Address, packet: Uint8Array): void;
}

/** Monotonic milliseconds of this process. */
export const processClock: Clock = () => performance.now();

/**
 * The one loop between a machine and the world: packets and timeouts go in, outputs come out to `perform`, in order. Whatever
 * else changes the machine goes through {@linkcode Drive.mutate}, so that each change is followed by a complete drain.
 */
export class Drive<Output> {
  readonly #link: Link;
  readonly #machine: DatagramMachine<Output>;
  readonly #perform: (output: Output) => void;
  readonly #clock: Clock;
  /** Changes that arose while outputs were carried out: they wait until the drain has ended. */
  readonly #later = new Fifo<(now: number) => void>();
  #draining = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #closed = false;

  /** Nothing happens before {@linkcode Drive.run}. `perform` must not throw. */
  constructor(
    link: Link,
    machine: DatagramMachine<Output>,
    perform: (output: Output) => void,
    clock: Clock = processClock,
  ) {
    this.#link = link;
    this.#machine = machine;
    this.#perform = perform;
    this.#clock = clock;
  }

  /** Feeds what arrives until the link or this is closed. @throws {RgtpError} SOCKET when the socket dies */
  run(): Promise<void> {
    this.mutate(() => {});
    return this.listen(this.#link);
  }

  /** Feeds what arrives on another link too, until that or this is closed. @throws {RgtpError} SOCKET when its socket dies */
  async listen(link: Link): Promise<void> {
    while (!this.#closed) {
      const batch = await link.receive();
      if (batch.length === 0) return;
      this.feed(batch);
    }
  }

  /** Feeds what has arrived. Must not be called by what is carried out. */
  feed(batch: readonly Datagrams[]): void {
    if (this.#closed) return;
    this.#feed(batch);
    this.#arm();
  }

  /** Changes the machine, now or as soon as the present drain has ended. */
  mutate(change: (now: number) => void): void {
    if (this.#closed) return;
    this.#apply(change);
    if (!this.#draining) this.#arm();
  }

  /** No more timeouts and changes. The link is the caller's to close. Twice is fine. */
  close(): void {
    this.#closed = true;
    this.#later.clear();
    clearTimeout(this.#timer);
  }

  /** All packets of a batch; those that came as one message together, with one drain. The hot path: no function is made for a packet. */
  #feed(batch: readonly Datagrams[]): void {
    this.#draining = true;
    try {
      let now = this.#clock();
      for (const datagrams of batch) {
        if (this.#closed) return;
        const count = segmentCount(datagrams);
        for (let i = 0; i < count; i++) {
          this.#machine.handleDatagram(now, datagrams.peer, segmentAt(datagrams, i));
        }
        drain(this.#machine, this.#perform);
        // Time passes only where something was done.
        if (this.#changeLater()) now = this.#clock();
      }
    } finally {
      this.#draining = false;
    }
  }

  #apply(change: (now: number) => void): void {
    if (this.#draining) return this.#later.push(change);
    this.#draining = true;
    try {
      this.#change(change);
      this.#changeLater();
    } finally {
      this.#draining = false;
    }
  }

  /** Makes the changes that wait, each with a drain of its own. Whether there were any. */
  #changeLater(): boolean {
    if (this.#later.length === 0) return false;
    for (let next = this.#later.shift(); next && !this.#closed; next = this.#later.shift()) {
      this.#change(next);
    }
    return true;
  }

  #change(change: (now: number) => void): void {
    change(this.#clock());
    drain(this.#machine, this.#perform);
  }

  #arm(): void {
    if (this.#closed) return;
    const deadline = this.#machine.deadline;
    // A timer that is early is harmless, and setting it anew for every packet is not: only an earlier deadline moves it.
    if (deadline >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    // Timers of the runtime take at most 2^31 - 1 ms.
    const wait = Math.min(Math.max(0, deadline - this.#clock()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => this.#handleTimer(), wait);
  }

  #handleTimer(): void {
    this.#timerAt = Infinity;
    if (this.#closed) return;
    // What came before the time was up counts before: a busy process would repeat what was answered long ago.
    const arrived = this.#link.receiveNow?.();
    if (arrived) this.#feed(arrived);
    if (this.#closed) return;
    if (this.#machine.deadline <= this.#clock()) this.#apply((now) => this.#machine.handleTimeout(now));
    this.#arm();
  }
}
