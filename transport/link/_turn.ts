import { setImmediate } from "node:timers";

/** How long calls that need not wait may follow each other, in ms, before timers and other sockets get their turn. */
const turnMs = 5;

/** What keeps links whose calls end at once from starving everything else in the process. */
export class Turn {
  #until = performance.now() + turnMs;
  readonly #readers: (() => void)[] = [];
  #isCalling = false;

  /** Whether it is the others' turn. */
  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  /** It was the others' turn just now: whoever waited for a system call has let them run. */
  begin(): void {
    this.#until = performance.now() + turnMs;
  }

  /** Lets timers and sockets be looked at. Three rounds of the event loop do that, one or two do not; it costs some 10 µs. */
  async yield(): Promise<void> {
    for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
    this.begin();
  }

  /**
   * The same for one of several that read on and on. They get turns one after the other: whoever has just been woken, and so has waited
   * long enough, need not wait behind all of them.
   */
  next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#readers.push(resolve);
    if (!this.#isCalling) this.#callReaders();
    return promise;
  }

  async #callReaders(): Promise<void> {
    this.#isCalling = true;
    while (this.#readers.length > 0) {
      await this.yield();
      this.#readers.shift()!();
    }
    this.#isCalling = false;
  }
}
