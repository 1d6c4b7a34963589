import { RgtpError } from "../../core/errors.ts";
import { Bits } from "./_bits.ts";
import { freeBytes, removeQuietly } from "./_disk.ts";
import { ioError } from "./_io_errors.ts";
import { PositionedFile } from "./_positioned_file.ts";

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

const PREFIX = "rgtp-spill-";

/**
 * A spill file in `folder` for `count` pieces of at most `pieceBytes` bytes, of mode 0600. Its name is removed at once where the system
 * permits that, so that it ends with the process however that ends; else when it is closed, or by the next one that is made there.
 *
 * @throws {RgtpError} NO_SPACE when the disk shows less free space than it may need; IO
 */
export function makeSpillFile(folder: string, count: number, pieceBytes: number): SpillFile {
  removeLeftovers(folder);
  const bytes = count * pieceBytes;
  const path = `${folder}/${PREFIX}${crypto.randomUUID()}`;
  const free = freeBytes(path);
  if (free !== undefined && free < bytes) {
    throw new RgtpError(
      "NO_SPACE",
      `the disk of '${folder}' has ${free} bytes free where the spill file may need ${bytes}; free some space, name a folder on ` +
        "another disk, or leave --spill out",
      { data: { path: folder, free, bytes } },
    );
  }
  try {
    const file = Deno.openSync(path, { read: true, write: true, createNew: true, mode: 0o600 });
    // Whoever looks for leftovers finds that this one is in use.
    file.tryLockSync(true);
    removeQuietly(path);
    return new OpenSpillFile(new PositionedFile(file), path, count, pieceBytes);
  } catch (cause) {
    throw ioError(cause, "make a spill file in", folder, "write");
  }
}

class OpenSpillFile implements SpillFile {
  readonly #file: PositionedFile;
  readonly #path: string;
  readonly #pieceBytes: number;
  readonly #written: Bits;
  #isOpen = true;
  #isWritable = true;

  constructor(file: PositionedFile, path: string, count: number, pieceBytes: number) {
    this.#file = file;
    this.#path = path;
    this.#pieceBytes = pieceBytes;
    this.#written = new Bits(count);
  }

  has(index: number): boolean {
    return this.#isOpen && this.#written.has(index);
  }

  read(index: number, into: Uint8Array): boolean {
    if (!this.has(index)) return false;
    try {
      return this.#file.readAt(index * this.#pieceBytes, into) === into.length;
    } catch {
      return false;
    }
  }

  write(index: number, bytes: Uint8Array): void {
    if (!this.#isOpen || !this.#isWritable || this.#written.has(index)) return;
    try {
      this.#file.writeAt(index * this.#pieceBytes, bytes);
      this.#written.add(index);
    } catch {
      // A full disk, most likely. What is in the file stays good.
      this.#isWritable = false;
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#file.close();
    removeQuietly(this.#path);
  }
}

/** Removes spill files whose process was killed where their names could not be removed before. */
function removeLeftovers(folder: string): void {
  try {
    for (const { name, isFile } of Deno.readDirSync(folder)) {
      if (isFile && name.startsWith(PREFIX)) removeIfUnused(`${folder}/${name}`);
    }
  } catch (cause) {
    throw ioError(cause, "use for a spill file the folder", folder, "read");
  }
}

function removeIfUnused(path: string): void {
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    if (file.tryLockSync(true)) Deno.removeSync(path);
  } catch {
    // In use, gone, or somebody else's.
  }
}
