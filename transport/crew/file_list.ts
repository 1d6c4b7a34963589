/*
 * Small files that lie whole in memory, and the hashes that they must have: as a thread is told of them, all of a list with one job. 32-bit
 * words, 12 for each file: memory, first byte, bytes, 1 once it was found right, then its SHA-256.
 */
import { equalBytes } from "../../core/bytes.ts";
import { type Hash, HASH_BYTES } from "../../crypto/engine.ts";
import { loadDigestRow } from "../../crypto/native/digest_row.ts";

/** A whole file, in memory that all threads of a crew reach. */
export interface WholeBytes {
  /** All of it. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** What its SHA-256 must be. */
  readonly sha256: Uint8Array;
}

/** Who may compare whole files beside this thread: a crew. */
export interface FileCrew {
  /** Memory that it reaches. */
  memory(bytes: number): Uint8Array<SharedArrayBuffer>;
  /** See `Crew.compareFiles`. */
  compareFiles(files: readonly WholeBytes[], done: (areRight: boolean[] | undefined) => void): boolean;
}

/** So many files are told of at once. */
export const FILE_LIST_MAX = 32;

const FILE_WORDS = 12;
const RIGHT = 3;
const HASH = 4;
/** Bytes of a list. */
export const FILE_LIST_BYTES = FILE_LIST_MAX * FILE_WORDS * 4;

/** Fewer than these are hashed faster one after the other: a row takes as long as its longest, however few there are. */
const ROW_MIN = 9;

/** Whether files have their hashes, in their order: by whoever has the time. */
export function compareFiles(hash: Hash, files: readonly WholeBytes[]): boolean[] {
  const row = files.length >= ROW_MIN ? loadDigestRow(hash) : undefined;
  if (row) return row.compare(files.map(({ bytes }) => bytes), files.map(({ sha256 }) => sha256));
  return files.map(({ bytes, sha256 }) => equalBytes(hash.digest(bytes), sha256));
}

/** A list, for both sides. */
export class FileList {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  /** `bytes` is the other side's memory for it, or new. */
  constructor(bytes: Uint8Array<SharedArrayBuffer>) {
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.#bytes = bytes;
  }

  /** Writes a list; `memoryOf` knows the number of each memory. */
  write(files: readonly WholeBytes[], memoryOf: (buffer: SharedArrayBuffer) => number): void {
    files.forEach(({ bytes, sha256 }, index) => {
      const at = index * FILE_WORDS;
      this.#words[at] = memoryOf(bytes.buffer);
      this.#words[at + 1] = bytes.byteOffset;
      this.#words[at + 2] = bytes.length;
      this.#words[at + RIGHT] = 0;
      this.#bytes.set(sha256, (at + HASH) * 4);
    });
  }

  /** Its first `count` files. */
  read(count: number, memories: readonly SharedArrayBuffer[]): WholeBytes[] {
    return Array.from({ length: count }, (_, index) => {
      const at = index * FILE_WORDS;
      const [memory, start, length] = this.#words.subarray(at, at + 3);
      const hash = (at + HASH) * 4;
      return {
        bytes: new Uint8Array(memories[memory], start, length),
        sha256: this.#bytes.slice(hash, hash + HASH_BYTES),
      };
    });
  }

  /** Says which ones were right. */
  tell(outcomes: readonly boolean[]): void {
    outcomes.forEach((isRight, index) => this.#words[index * FILE_WORDS + RIGHT] = isRight ? 1 : 0);
  }

  /** Which of the first `count` were right. */
  outcomes(count: number): boolean[] {
    return Array.from({ length: count }, (_, index) => this.#words[index * FILE_WORDS + RIGHT] === 1);
  }
}
