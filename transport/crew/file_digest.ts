import { limits } from "../../core/limits.ts";
import { threadsFor } from "./_threads.ts";
import { HASHED_BYTES_MAX, LentChunks } from "./lent_chunks.ts";

/** The SHA-256 of a file while it grows from front to end. To be closed. */
export interface GrowingDigest {
  /**
   * Lends a chunk that was just written at a place behind all that {@linkcode GrowingDigest.handleWritten} was told: it may be hashed
   * where it lies, and must not change while {@linkcode GrowingDigest.reads} says so. Absent: none is wanted.
   */
  lend?(at: number, chunk: Uint8Array): void;
  /** Whether a chunk that was lent is still to be hashed where it lies. */
  reads?(at: number): boolean;
  /** So many bytes from the front on have been written; `last`: those before that end, if they are at hand, which saves reading them. */
  handleWritten(bytes: number, last?: Uint8Array): void;
  /** All is written: the digest, or `undefined` when it could not be had. `onProgress` tells how far it is, if that takes its time. */
  finish(onProgress?: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** It is wanted no more. Twice is fine. */
  close(): void;
}

/** What the thread is told first. Memories in which lent chunks lie follow. */
export interface DigestTask {
  /** How much of the file can be read, and what need not be read: see {@linkcode LentChunks}. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The file; it may be renamed as soon as some of it is there. */
  readonly path: string;
  /** How long it will be. */
  readonly bytes: number;
}

/** The thread is not woken for less. */
const WAKE_BYTES = 1_048_576;

/**
 * The SHA-256 of a file that is being written, from front to end, by a thread of its own; `undefined` where that would not pay. It starts
 * in the background.
 */
export function digestBehind(path: string, bytes: number): FileDigest | undefined {
  const file = new URL("./digest_worker.ts", import.meta.url);
  return bytes <= HASHED_BYTES_MAX && threadsFor(file, bytes, 1) > 0
    ? new FileDigest(file, path, bytes)
    : undefined;
}

/** See {@linkcode digestBehind}. To be closed. */
export class FileDigest implements GrowingDigest {
  readonly #worker: Worker;
  readonly #lent = new LentChunks();
  /** Those that the thread reaches, by the order in which they came. */
  readonly #memories = new Map<ArrayBufferLike, number>();
  readonly #bytes: number;
  readonly #result = Promise.withResolvers<Uint8Array<ArrayBuffer> | undefined>();
  #written = 0;
  #wokenAt = 0;
  #isOver = false;

  /** Starts the thread that `file` is. */
  constructor(file: URL, path: string, bytes: number) {
    this.#bytes = bytes;
    this.#worker = new Worker(file, { type: "module", name: "rgtp digest" });
    this.#worker.onmessage = ({ data }) => this.#end(data ?? undefined);
    // Without it the file is read again later.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(undefined);
    };
    const task: DigestTask = { words: this.#lent.words, path, bytes };
    this.#worker.postMessage(task);
  }

  /** Far ahead of what is whole it would be lent for long, and the room is for what comes next. */
  lend(at: number, chunk: Uint8Array): void {
    const { buffer } = chunk;
    const isNear = at >= this.#written && at < this.#written + limits.lentBytesMax;
    if (this.#isOver || !isNear || !(buffer instanceof SharedArrayBuffer)) return;
    this.#lent.lend({ at, memory: this.#memoryOf(buffer), start: chunk.byteOffset, bytes: chunk.length });
  }

  /** A thread that has broken off reads nothing. */
  reads(at: number): boolean {
    return !this.#isOver && this.#lent.isLent(at);
  }

  handleWritten(bytes: number): void {
    if (this.#isOver) return;
    const isAll = bytes >= this.#bytes;
    this.#written = bytes;
    this.#lent.tell(bytes, isAll);
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
