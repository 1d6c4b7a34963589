import type { Hash, Hasher } from "../../crypto/engine.ts";
import type { GrowingDigest } from "../crew/file_digest.ts";
import { Turns } from "./_turns.ts";

const SLICE_BYTES = 262_144;
/** What one call reads of what was not written in order: the loop has packets to receive. Some more than what is written meanwhile. */
const CATCH_UP_BYTES = 4 * SLICE_BYTES;

/** The SHA-256 of a file by the thread that writes it: what is written in order is hashed from memory, the rest is read. */
export class DigestAlong implements GrowingDigest {
  readonly #hasher: Hasher;
  readonly #bytes: number;
  readonly #read: (offset: number, into: Uint8Array) => void;
  #at = 0;

  /** `read` fills a slice from a place, or throws; it is asked in order, for nothing that was not said to be written. */
  constructor(hash: Hash, bytes: number, read: (offset: number, into: Uint8Array) => void) {
    this.#hasher = hash.create();
    this.#bytes = bytes;
    this.#read = read;
  }

  handleWritten(end: number, last: Uint8Array = NONE): void {
    const start = end - last.length;
    const until = Math.min(start, this.#at + CATCH_UP_BYTES);
    if (this.#at < until) this.#catchUp(until);
    if (this.#at === start) this.#take(last);
  }

  async finish(onProgress?: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer>> {
    const slice = new Uint8Array(Math.min(SLICE_BYTES, this.#bytes - this.#at));
    const turns = new Turns();
    while (this.#at < this.#bytes) {
      if (turns.isOver()) {
        onProgress?.(this.#at);
        await turns.yield();
      }
      this.#hash(slice, this.#bytes);
    }
    return this.#hasher.digest();
  }

  /** Nothing is to be let go of. */
  close(): void {}

  #catchUp(until: number): void {
    const slice = new Uint8Array(Math.min(SLICE_BYTES, until - this.#at));
    try {
      while (this.#at < until) this.#hash(slice, until);
    } catch {
      // `finish` reads it again, and says what is the matter.
    }
  }

  #hash(slice: Uint8Array, end: number): void {
    const part = slice.subarray(0, end - this.#at);
    this.#read(this.#at, part);
    this.#take(part);
  }

  #take(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
    this.#at += bytes.length;
  }
}

const NONE = new Uint8Array(0);
