import { threadsFor } from "./_threads.ts";
import { LentChunks, lentWords } from "./lent_chunks.ts";

/** The SHA-256 of a file while it grows from front to end. To be closed. */
export interface GrowingDigest {
  /**
   * Lends a chunk that was just written, behind all that {@linkcode GrowingDigest.handleWritten} was told: it may be hashed where it lies,
   * and must not change while {@linkcode GrowingDigest.reads} says so. Absent: none is wanted.
   */
  lend?(chunk: number, bytes: Uint8Array): void;
  /** Whether a chunk that was lent is still to be hashed where it lies. */
  reads?(chunk: number): boolean;
  /** So many bytes from the front on have been written; `last`: those before that end, if they are at hand, which saves reading them. */
  handleWritten(bytes: number, last?: Uint8Array): void;
  /** All is written: the digest, or `undefined` when it could not be had. `onProgress` tells how far it is, if that takes its time. */
  finish(onProgress?: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** It is wanted no more. Twice is fine. */
  close(): void;
}

/** What the thread is told first. Memories in which lent chunks lie follow. */
export interface DigestTask {
  /** Which chunks can be read, and which need not be: see {@linkcode LentChunks}. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The file; it may be renamed as soon as some of it is there. */
  readonly path: string;
  /** How long it will be. */
  readonly bytes: number;
  /** How long its chunks are. */
  readonly chunkBytes: number;
}

/** The thread is not woken for less. */
const WAKE_BYTES = 1_048_576;

/**
 * The SHA-256 of a file that is being written in chunks, from front to end, by a thread of its own; `undefined` where that would not pay.
 * It starts in the background.
 */
export function digestBehind(path: string, bytes: number, chunkBytes: number): FileDigest | undefined {
  const file = new URL("./digest_worker.ts", import.meta.url);
  return threadsFor(file, bytes, 1) > 0 ? new FileDigest(file, path, bytes, chunkBytes) : undefined;
}

/** See {@linkcode digestBehind}. To be closed. */
export class FileDigest implements GrowingDigest {
  readonly #worker: Worker;
  readonly #lent: LentChunks;
  /** Those that the thread reaches, by the order in which they came. */
  readonly #memories = new Map<ArrayBufferLike, number>();
  readonly #bytes: number;
  readonly #chunkBytes: number;
  readonly #result = Promise.withResolvers<Uint8Array<ArrayBuffer> | undefined>();
  /** Chunks that were told of. */
  #told = 0;
  #wokenAt = 0;
  #isOver = false;

  /** Starts the thread that `file` is. */
  constructor(file: URL, path: string, bytes: number, chunkBytes: number) {
    const words = lentWords(chunkBytes);
    this.#lent = new LentChunks(words);
    this.#bytes = bytes;
    this.#chunkBytes = chunkBytes;
    this.#worker = new Worker(file, { type: "module", name: "rgtp digest" });
    this.#worker.onmessage = ({ data }) => this.#end(data ?? undefined);
    // Without it the file is read again later.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(undefined);
    };
    const task: DigestTask = { words, path, bytes, chunkBytes };
    this.#worker.postMessage(task);
  }

  /** Far ahead of what is whole it would be lent for long, and the room is for what comes next. */
  lend(chunk: number, { buffer, byteOffset: start, length }: Uint8Array): void {
    const isNear = chunk >= this.#told && chunk < this.#told + this.#lent.slots;
    if (this.#isOver || !isNear || length !== this.#chunkBytes || !(buffer instanceof SharedArrayBuffer)) {
      return;
    }
    this.#lent.lend(chunk, { memory: this.#memoryOf(buffer), start });
  }

  /** A thread that has broken off reads nothing. */
  reads(chunk: number): boolean {
    return !this.#isOver && this.#lent.isLent(chunk);
  }

  handleWritten(bytes: number): void {
    if (this.#isOver) return;
    const isAll = bytes >= this.#bytes;
    this.#told = Math[isAll ? "ceil" : "floor"](bytes / this.#chunkBytes);
    this.#lent.tell(this.#told);
    if (!isAll && bytes < this.#wokenAt + WAKE_BYTES) return;
    this.#wokenAt = bytes;
    this.#lent.wake();
  }

  finish(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#result.promise;
  }

  /** Ends the thread. Twice is fine. */
  close(): void {
    this.#end(undefined);
    // A thread that waits is not ended by `terminate` alone.
    this.#lent.end();
    this.#worker.terminate();
  }

  #end(result: Uint8Array<ArrayBuffer> | undefined): void {
    this.#isOver = true;
    this.#result.resolve(result);
  }

  #memoryOf(buffer: SharedArrayBuffer): number {
    const known = this.#memories.get(buffer);
    if (known !== undefined) return known;
    this.#worker.postMessage(buffer);
    this.#memories.set(buffer, this.#memories.size);
    return this.#memories.size - 1;
  }
}
