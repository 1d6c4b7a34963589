/*
 * Small files that lie whole in memory, and the hashes that they must have: as a thread is told of them, all of a list with one job. 32-bit
 * words, 13 for each file: memory, first byte, bytes, descriptor of an open file or -1, what came of it, then its SHA-256.
 */
import { equalBytes } from "../../core/bytes.ts";
import { type Hash, HASH_BYTES } from "../../crypto/engine.ts";
import { loadDigestRow, ROW_MIN } from "../../crypto/native/digest_row.ts";

/** A whole file, in memory that all threads of a crew reach. */
export interface WholeBytes {
  /** All of it. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** What its SHA-256 must be. */
  readonly sha256: Uint8Array;
  /** The descriptor of an open file, which is empty, for what is right. Absent: it goes nowhere. */
  readonly descriptor?: number;
}

/** What came of a file: it is another one, it is right, or it is right and was written. */
export const FileOutcome = { WRONG: 0, RIGHT: 1, WRITTEN: 2 } as const;

/** Who may look after whole files beside this thread: a crew. */
export interface FileCrew {
  /** Memory that it reaches. */
  memory(bytes: number): Uint8Array<SharedArrayBuffer>;
  /** See `Crew.settleFiles`. */
  settleFiles(files: readonly WholeBytes[], done: (outcomes: readonly number[] | undefined) => void): boolean;
}

/** So many files are told of at once. */
export const FILE_LIST_MAX = 32;

const FILE_WORDS = 13;
const NO_DESCRIPTOR = -1;
const DESCRIPTOR = 3;
const OUTCOME = 4;
const HASH = 5;
/** Bytes of a list. */
export const FILE_LIST_BYTES = FILE_LIST_MAX * FILE_WORDS * 4;

/** Whether files have their hashes, in their order: by whoever has the time. */
export function compareFiles(hash: Hash, files: readonly WholeBytes[]): boolean[] {
  const row = files.length >= ROW_MIN ? loadDigestRow(hash) : undefined;
  if (row) return row.compare(files.map(({ bytes }) => bytes), files.map(({ sha256 }) => sha256));
  return files.map(({ bytes, sha256 }) => equalBytes(hash.digest(bytes), sha256));
}

/** Compares files, and writes what is right to where it goes, if `write` can. Files with holes are left to whoever knows how to make those. */
export function settleFiles(
  hash: Hash,
  files: readonly WholeBytes[],
  write: ((descriptor: number, bytes: Uint8Array) => boolean) | undefined,
): number[] {
  return compareFiles(hash, files).map((isRight, index) => {
    if (!isRight) return FileOutcome.WRONG;
    const { bytes, descriptor } = files[index];
    const isWritten = write && descriptor !== undefined && !mayHaveHoles(bytes) && write(descriptor, bytes);
    return isWritten ? FileOutcome.WRITTEN : FileOutcome.RIGHT;
  });
}

const BLOCK_BYTES = 4096;

/** Whether a block begins with zeros: most that do have nothing else. */
function mayHaveHoles(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    if (bytes[at] === 0 && bytes.subarray(at, at + 16).every((byte) => byte === 0)) return true;
  }
  return false;
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
    files.forEach(({ bytes, sha256, descriptor = NO_DESCRIPTOR }, index) => {
      const at = index * FILE_WORDS;
      this.#words[at] = memoryOf(bytes.buffer);
      this.#words[at + 1] = bytes.byteOffset;
      this.#words[at + 2] = bytes.length;
      this.#words[at + DESCRIPTOR] = descriptor;
      this.#words[at + OUTCOME] = FileOutcome.WRONG;
      this.#bytes.set(sha256, (at + HASH) * 4);
    });
  }

  /** Its first `count` files. */
  read(count: number, memories: readonly SharedArrayBuffer[]): WholeBytes[] {
    return Array.from({ length: count }, (_, index) => {
      const at = index * FILE_WORDS;
      const [memory, start, length, descriptor] = this.#words.subarray(at, at + OUTCOME);
      const hash = (at + HASH) * 4;
      return {
        bytes: new Uint8Array(memories[memory], start, length),
        sha256: this.#bytes.slice(hash, hash + HASH_BYTES),
        ...(descriptor !== NO_DESCRIPTOR && { descriptor }),
      };
    });
  }

  /** Says what came of each. */
  tell(outcomes: readonly number[]): void {
    outcomes.forEach((outcome, index) => this.#words[index * FILE_WORDS + OUTCOME] = outcome);
  }

  /** What came of the first `count`. */
  outcomes(count: number): number[] {
    return Array.from({ length: count }, (_, index) => this.#words[index * FILE_WORDS + OUTCOME]);
  }
}
