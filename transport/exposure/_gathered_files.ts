import type { Hash } from "../../crypto/engine.ts";
import { FILE_LIST_MAX, settleFiles } from "../crew/file_list.ts";
import type { FileCrew, WholeBytes } from "../crew/file_list.ts";

/** Longer files are hashed as they come: many of them would take more memory than it spares time. */
const SLOT_BYTES = 131_072;
/** A list gathers while two are with the crew, and some files are not whole. */
const SLOTS = 4 * FILE_LIST_MAX;
/** A list that is not full waits no longer: until then its files are lost when the puller is killed. */
const LIST_MS = 50;

/** A file that is whole, and who has brought it. */
interface Whole<Item> extends WholeBytes {
  readonly item: Item;
}

/**
 * Small files, gathered in memory that a crew reaches, which compares them with their hashes when they are whole, and writes them, many at
 * a time. Where it cannot, this thread does.
 */
export class GatheredFiles<Item> {
  readonly #hash: Hash;
  readonly #crew: FileCrew;
  readonly #done: (item: Item, outcome: number, bytes: Uint8Array) => void;
  /** Memory that is free. */
  readonly #free: Uint8Array<SharedArrayBuffer>[];
  #whole: Whole<Item>[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * `done` is told of each file that was added, and what came of it, a `FileOutcome`; it does not throw. What was given to a crew comes when that
   * has done it, or has broken off.
   */
  constructor(hash: Hash, crew: FileCrew, done: (item: Item, outcome: number, bytes: Uint8Array) => void) {
    this.#hash = hash;
    this.#crew = crew;
    this.#done = done;
    const memory = crew.memory(SLOTS * SLOT_BYTES);
    // The front first, again and again: the rest is never touched.
    this.#free = Array.from(
      { length: SLOTS },
      (_, slot) => memory.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES),
    ).reverse();
  }

  /** Memory to gather a file in, until it is added; `undefined` when it is too long, or none is left. */
  memory(bytes: number): Uint8Array<SharedArrayBuffer> | undefined {
    return bytes <= SLOT_BYTES ? this.#free.pop()?.subarray(0, bytes) : undefined;
  }

  /** A file is whole in the memory that was taken for it. With a descriptor it may be written by that, when it is right. */
  add(item: Item, bytes: Uint8Array<SharedArrayBuffer>, sha256: Uint8Array, descriptor?: number): void {
    this.#whole.push({ item, bytes, sha256, ...(descriptor !== undefined && { descriptor }) });
    if (this.#whole.length === FILE_LIST_MAX) return this.#give();
    this.#timer ??= setTimeout(() => this.#give(), LIST_MS);
  }

  /** All that is whole and with no crew is looked after by this thread. */
  flush(): void {
    const files = this.close();
    this.#tell(files, this.#settle(files));
  }

  /** Which files are whole, and with no crew: nobody is told of them any more. */
  close(): readonly Whole<Item>[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const files = this.#whole;
    this.#whole = [];
    return files;
  }

  #give(): void {
    const files = this.close();
    const isGiven = this.#crew.settleFiles(files, (outcomes) => {
      this.#tell(files, outcomes ?? this.#settle(files));
    });
    if (!isGiven) this.#tell(files, this.#settle(files));
  }

  /** By this thread. */
  #settle(files: readonly Whole<Item>[]): number[] {
    return settleFiles(this.#hash, files, undefined);
  }

  #tell(files: readonly Whole<Item>[], outcomes: readonly number[]): void {
    files.forEach(({ item, bytes }, index) => this.#done(item, outcomes[index], bytes));
    for (const { bytes: { buffer, byteOffset } } of files) {
      this.#free.push(new Uint8Array(buffer, byteOffset, SLOT_BYTES));
    }
  }
}
