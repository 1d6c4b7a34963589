/*
 * What this process holds, for programs that are run with `--v8-flags=--expose-gc`.
 */

/** Bytes. */
export interface Held {
  /** Resident: with what the collector and the C library keep for later. */
  readonly rss: number;
  /** Of JavaScript: objects, and buffers beside them. */
  readonly heap: number;
}

/** Gives back what nothing refers to, and the collector's spare room: that is as large as the busiest moment was, and says nothing of what is kept. */
export function collect(): void {
  const { gc } = globalThis as unknown as { gc(how: Readonly<Record<string, string>>): void };
  // The first may leave what only the second can take.
  for (let i = 0; i < 2; i++) gc({ type: "major", flavor: "last-resort" });
}

/** What it holds now. */
export function held(): Held {
  const { rss, heapUsed, external } = Deno.memoryUsage();
  return { rss, heap: heapUsed + external };
}
