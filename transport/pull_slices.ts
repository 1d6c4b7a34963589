import type { SliceQueue } from "./slice_queue.ts";

/** A part of an exposure, in the order of its bytes; see {@linkcode Pull.range}. One of both can be used, once. */
export interface PulledRange extends AsyncIterable<Uint8Array> {
  /** All of it in memory. */
  bytes(): Promise<Uint8Array>;
}

/** What runs a pull into a queue: starts it (once), and closes it. */
export interface SliceRun {
  /** Starts it. Ends when the pull has ended, and never rejects: the queue is told. */
  start(queue: SliceQueue): Promise<void>;
  /** Ends the pull. */
  close(): void;
}

/** Verified slices as they are read. Leaving the loop closes the pull. */
export async function* slices(queue: SliceQueue, run: SliceRun): AsyncGenerator<Uint8Array> {
  const ended = run.start(queue);
  try {
    for (let slice = await queue.next(); slice; slice = await queue.next()) yield slice;
  } finally {
    run.close();
    await ended;
  }
}

/** The whole queue, in memory that is taken once. */
export async function joined(queue: SliceQueue, run: SliceRun): Promise<Uint8Array> {
  let whole: Uint8Array | undefined;
  let at = 0;
  for await (const slice of slices(queue, run)) {
    whole ??= new Uint8Array(queue.length);
    whole.set(slice, at);
    at += slice.length;
  }
  return whole ?? new Uint8Array(0);
}

/** A stream of it, which asks for nothing before it is read. */
export function streamOf(queue: SliceQueue, run: SliceRun): ReadableStream<Uint8Array> {
  let source: AsyncGenerator<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      source ??= slices(queue, run);
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      // First: the generator may be waiting for bytes, and its return would wait with it.
      run.close();
      await source?.return(undefined);
    },
  }, { highWaterMark: 0 });
}
