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
  /** The first `bytes` bytes of what was written as piece `index`, where they lie; `undefined` where they cannot be looked at so. */
  view(index: number, bytes: number): Uint8Array | undefined;
  /** Writes a piece once; a second time does nothing. */
  write(index: number, bytes: Uint8Array): void;
  /** Removes the file. Twice is fine. */
  close(): void;
}

/** A file as memory that is only read. */
export interface FileView {
  /** What stands there; `undefined` where it cannot be had. */
  view(at: number, bytes: number): Uint8Array | undefined;
  /** Twice is fine. */
  close(): void;
}

/** Has a file seen as memory; `undefined` where that is not possible. */
export type MapFile = (path: string, bytes: number) => FileView | undefined;

/**
 * A spill file in `folder` for `count` pieces of at most `pieceBytes` bytes, that nobody else sees: see `makeNamelessFile`. With `map` its
 * pieces are sent from the system's cache; it is as long as it can become from the beginning then, without taking room for it.
 *
 * @throws {RgtpError} NO_SPACE when the disk shows less free space than it may need; IO
 */
export function makeSpillFile(folder: string, count: number, pieceBytes: number, map?: MapFile): SpillFile {
  const bytes = count * pieceBytes;
  let seen: FileView | undefined;
  const spill = makeNamelessFile("spill", folder, (path, file) => {
    // What is mapped and lies behind the end would end who looks at it.
    if (map) file.truncateSync(bytes);
    seen = map?.(path, bytes);
  });
  const free = freeBytes(spill.path);
  if (free !== undefined && free < bytes) {
    seen?.close();
    spill.close();
    throw new RgtpError(
      "NO_SPACE",
      `the disk of '${folder}' has ${free} bytes free where the spill file may need ${bytes}; free some space, name a folder on ` +
        "another disk, or leave --spill out",
      { data: { path: folder, free, bytes } },
    );
  }
  return new OpenSpillFile(spill, count, pieceBytes, seen);
}

class OpenSpillFile implements SpillFile {
  readonly #spill: NamelessFile;
  readonly #pieceBytes: number;
  readonly #seen: FileView | undefined;
  readonly #written: Bits;
  #isOpen = true;
  #isWritable = true;

  constructor(spill: NamelessFile, count: number, pieceBytes: number, seen: FileView | undefined) {
    this.#spill = spill;
    this.#seen = seen;
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

  view(index: number, bytes: number): Uint8Array | undefined {
    return this.has(index) ? this.#seen?.view(index * this.#pieceBytes, bytes) : undefined;
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
    this.#seen?.close();
    this.#spill.close();
  }
}
