import { RgtpError } from "../../core/errors.ts";
import { Bits } from "./_bits.ts";
import { freeBytes } from "./_disk.ts";
import { makeNamelessFile } from "./_nameless_file.ts";
import type { NamelessFile } from "./_nameless_file.ts";

/** Pieces of one size, each at its own place of a file that nobody else sees. What cannot be written is not there, and nothing worse. */
export interface SpillFile {
  /** Whether piece `index` was written. */
  has(index: number): boolean;
  /** Fills `into` with what was written as piece `index`; whether it could. */
  read(index: number, into: Uint8Array): boolean;
  /** Writes a piece once; a second time does nothing. */
  write(index: number, bytes: Uint8Array): void;
  /** Removes the file. Twice is fine. */
  close(): void;
}

/**
 * A spill file in `folder` for `count` pieces of at most `pieceBytes` bytes, that nobody else sees: see `makeNamelessFile`.
 *
 * @throws {RgtpError} NO_SPACE when the disk shows less free space than it may need; IO
 */
export function makeSpillFile(folder: string, count: number, pieceBytes: number): SpillFile {
  const bytes = count * pieceBytes;
  const spill = makeNamelessFile("spill", folder);
  const free = freeBytes(spill.path);
  if (free !== undefined && free < bytes) {
    spill.close();
    throw new RgtpError(
      "NO_SPACE",
      `the disk of '${folder}' has ${free} bytes free where the spill file may need ${bytes}; free some space, name a folder on ` +
        "another disk, or leave --spill out",
      { data: { path: folder, free, bytes } },
    );
  }
  return new OpenSpillFile(spill, count, pieceBytes);
}

class OpenSpillFile implements SpillFile {
  readonly #spill: NamelessFile;
  readonly #pieceBytes: number;
  readonly #written: Bits;
  #isOpen = true;
  #isWritable = true;

  constructor(spill: NamelessFile, count: number, pieceBytes: number) {
    this.#spill = spill;
    this.#pieceBytes = pieceBytes;
    this.#written = new Bits(count);
  }

  has(index: number): boolean {
    return this.#isOpen && this.#written.has(index);
  }

  read(index: number, into: Uint8Array): boolean {
    if (!this.has(index)) return false;
    try {
      return this.#spill.file.readAt(index * this.#pieceBytes, into) === into.length;
    } catch {
      return false;
    }
  }

  write(index: number, bytes: Uint8Array): void {
    if (!this.#isOpen || !this.#isWritable || this.#written.has(index)) return;
    try {
      this.#spill.file.writeAt(index * this.#pieceBytes, bytes);
      this.#written.add(index);
    } catch {
      // A full disk, most likely. What is in the file stays good.
      this.#isWritable = false;
    }
  }

  close(): void {
    this.#isOpen = false;
    this.#spill.close();
  }
}
