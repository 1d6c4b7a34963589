import { threadsFor } from "./_threads.ts";

/** The SHA-256 of a file while it grows from front to end. To be closed. */
export interface GrowingDigest {
  /** So many bytes from the front on have been written; `last`: those before that end, if they are at hand, which saves reading them. */
  handleWritten(bytes: number, last?: Uint8Array): void;
  /** All is written: the digest, or `undefined` when it could not be had. `onProgress` tells how far it is, if that takes its time. */
  finish(onProgress?: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** It is wanted no more. Twice is fine. */
  close(): void;
}

/** What the thread is told. */
export interface DigestTask {
  /** How much of the file can be read: see {@linkcode waitForBytes}. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The file; it may be renamed as soon as some of it is there. */
  readonly path: string;
  /** How long it will be. */
  readonly bytes: number;
}

/** The one word of the shared memory: how many units can be read, or that this is the end. */
const READY = 0;
const ENDED = -1;
/** What is ready is told in units of so many bytes, so that 2^31 of them are enough. */
const UNIT_BYTES = 4096;
/** The thread is not woken for less. */
const WAKE_BYTES = 1_048_576;

/**
 * The SHA-256 of a file that is being written, from front to end, by a thread of its own; `undefined` where that would not pay. It starts
 * in the background.
 */
export function digestBehind(path: string, bytes: number): FileDigest | undefined {
  const file = new URL("./digest_worker.ts", import.meta.url);
  return threadsFor(file, bytes, 1) > 0 ? new FileDigest(file, path, bytes) : undefined;
}

/** See {@linkcode digestBehind}. To be closed. */
export class FileDigest implements GrowingDigest {
  readonly #worker: Worker;
  readonly #words = new Int32Array(new SharedArrayBuffer(4));
  readonly #bytes: number;
  readonly #result = Promise.withResolvers<Uint8Array<ArrayBuffer> | undefined>();
  #told = 0;
  #isClosed = false;

  /** Starts the thread that `file` is. */
  constructor(file: URL, path: string, bytes: number) {
    this.#bytes = bytes;
    this.#worker = new Worker(file, { type: "module", name: "rgtp digest" });
    this.#worker.onmessage = ({ data }) => this.#result.resolve(data ?? undefined);
    // Without it the file is read again later.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#result.resolve(undefined);
    };
    const task: DigestTask = { words: this.#words, path, bytes };
    this.#worker.postMessage(task);
  }

  /** So many bytes from the front on have been written. */
  handleWritten(bytes: number): void {
    const isAll = bytes >= this.#bytes;
    if (this.#isClosed || (bytes < this.#told + WAKE_BYTES && !isAll)) return;
    this.#told = bytes;
    Atomics.store(this.#words, READY, Math[isAll ? "ceil" : "floor"](bytes / UNIT_BYTES));
    Atomics.notify(this.#words, READY);
  }

  finish(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#result.promise;
  }

  /** Ends the thread. Twice is fine. */
  close(): void {
    this.#isClosed = true;
    this.#result.resolve(undefined);
    // A thread that waits is not ended by `terminate` alone.
    Atomics.store(this.#words, READY, ENDED);
    Atomics.notify(this.#words, READY);
    this.#worker.terminate();
  }
}

/** For the thread: until there is more than `at` to read. Where that ends, perhaps behind the end of the file; -1 when it is to end. */
export function waitForBytes(words: Int32Array<SharedArrayBuffer>, at: number): number {
  while (true) {
    const ready = Atomics.load(words, READY);
    if (ready === ENDED) return -1;
    if (ready * UNIT_BYTES > at) return ready * UNIT_BYTES;
    Atomics.wait(words, READY, ready);
  }
}
