import { setImmediate } from "node:timers";

/** How long a stretch of work may keep the event loop from everything else, in ms. */
const SLICE_MS = 10;

/** Work that takes turns with the event loop: {@linkcode Turns.isOver} after each small piece of it, {@linkcode Turns.yield} when it says so. */
export class Turns {
  #start = performance.now();

  /** Whether this turn has lasted about 10 ms. */
  isOver(): boolean {
    return performance.now() - this.#start >= SLICE_MS;
  }

  /** Lets timers run and sockets be read, then starts the next turn. Costs microseconds when nothing waits. */
  async yield(): Promise<void> {
    // Measured on Deno 2.9.5: with 10 ms of work between, one immediate a turn starves sockets and timers wholly, two leave them every
    // other turn, and three serve them as setTimeout(0) does, which itself idles for 2 ms.
    for (let phase = 0; phase < 3; phase++) await new Promise((resolve) => setImmediate(resolve));
    this.#start = performance.now();
  }
}
