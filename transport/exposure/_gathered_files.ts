import type { Hash } from "../../crypto/engine.ts";
import { compareFiles, FILE_LIST_MAX } from "../crew/file_list.ts";
import type { FileCrew, WholeBytes } from "../crew/file_list.ts";

/** Longer files are hashed as they come: many of them would take more memory than it spares time. */
const SLOT_BYTES = 131_072;
/** A list gathers while another one is compared, and some files are not whole. */
const SLOTS = 3 * FILE_LIST_MAX;

/** A file that is whole, and who has brought it. */
interface Whole<Item> extends WholeBytes {
  readonly item: Item;
}

/**
 * Small files, gathered in memory that a crew reaches, which compares them with their hashes when they are whole, a list at a time. Where it
 * cannot, this thread does.
 */
export class GatheredFiles<Item> {
  readonly #hash: Hash;
  readonly #crew: FileCrew;
  readonly #done: (item: Item, isRight: boolean) => void;
  /** Memory that is free. */
  readonly #free: Uint8Array<SharedArrayBuffer>[];
  #whole: Whole<Item>[] = [];
  /** What the crew has. */
  readonly #given = new Set<readonly Whole<Item>[]>();

  /** `done` is told of each file that was added, sooner or later, and not while it is added; it does not throw. */
  constructor(hash: Hash, crew: FileCrew, done: (item: Item, isRight: boolean) => void) {
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

  /** A file is whole in the memory that was taken for it. */
  add(item: Item, bytes: Uint8Array<SharedArrayBuffer>, sha256: Uint8Array): void {
    this.#whole.push({ item, bytes, sha256 });
    if (this.#whole.length < FILE_LIST_MAX) return;
    const files = this.#whole;
    this.#whole = [];
    const isGiven = this.#crew.compareFiles(files, (areRight) => {
      if (!this.#given.delete(files)) return;
      this.#tell(files, areRight ?? compareFiles(this.#hash, files));
    });
    if (isGiven) this.#given.add(files);
    else this.#tell(files, compareFiles(this.#hash, files));
  }

  /** Compares all that is whole, also what the crew has not told of yet: it may be gone. */
  flush(): void {
    const files = this.close();
    this.#tell(files, compareFiles(this.#hash, files));
  }

  /** Whose files are whole and were not compared yet: nobody is told of them any more. */
  close(): readonly Whole<Item>[] {
    const files = [...this.#given, this.#whole].flat();
    this.#given.clear();
    this.#whole = [];
    return files;
  }

  #tell(files: readonly Whole<Item>[], areRight: readonly boolean[]): void {
    for (const { bytes: { buffer, byteOffset } } of files) {
      this.#free.push(new Uint8Array(buffer, byteOffset, SLOT_BYTES));
    }
    files.forEach(({ item }, index) => this.#done(item, areRight[index]));
  }
}
