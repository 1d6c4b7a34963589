import type { ChunkSink } from "./puller_shell.ts";

/** A verified chunk. */
export interface PulledChunk {
  /** Its place: it starts at `index` × chunk size. */
  readonly index: number;
  /** Its plaintext. */
  readonly bytes: Uint8Array;
}

/** A sink that hands chunks to one reader; the pull waits while the reader is behind. */
export class ChunkQueue implements ChunkSink, AsyncIterable<PulledChunk> {
  readonly #chunks: { chunk: PulledChunk; taken: () => void }[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  #failure: { error: unknown } | undefined;

  /** Queues a chunk; the promise ends when the reader asks for the one after it. */
  write(index: number, bytes: Uint8Array): Promise<void> {
    return new Promise((taken) => {
      this.#chunks.push({ chunk: { index, bytes }, taken });
      this.#wake?.();
    });
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Nothing more comes, and this is why. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#wake?.();
  }

  /** Chunks until the end. @throws what `fail` was given, once the chunks before it are read */
  async *[Symbol.asyncIterator](): AsyncGenerator<PulledChunk> {
    while (true) {
      const next = this.#chunks.shift();
      if (next) {
        // The reader may keep it; its memory is another chunk's as soon as this one counts as taken.
        yield { ...next.chunk, bytes: next.chunk.bytes.slice() };
        next.taken();
      } else if (this.#failure) {
        throw this.#failure.error;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((wake) => this.#wake = wake);
        this.#wake = undefined;
      }
    }
  }
}
