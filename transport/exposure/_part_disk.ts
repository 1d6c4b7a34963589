import { chunkBytes, chunkCount } from "../../codec/manifest.ts";
import { ioError } from "./_io_errors.ts";
import { checkSpace, lockJournal, openOwn, removeQuietly, syncFolder } from "./_disk.ts";
import type { SpaceLook } from "./_disk.ts";
import { PositionedFile } from "./_positioned_file.ts";
import { Journal } from "./journal.ts";
import type { PieceFacts } from "./pieces.ts";
import { chunkOffset } from "./pieces.ts";

/** The part file of one pull and its locked journal, both open. */
export class PartDisk {
  /** What was known of the part when it was opened; `undefined` for a new one. */
  readonly found: "journal" | "part" | undefined;
  /** Which chunks of the part are worth trying, and leaf pages. */
  readonly journal: Journal;
  readonly #facts: PieceFacts;
  readonly #out: string;
  readonly #part: PositionedFile;
  readonly #lock: Deno.FsFile;

  /**
   * Locks, opens and sizes the files beside the output path `out`.
   *
   * @throws {RgtpError} BUSY, NO_SPACE, IO
   */
  constructor(out: string, facts: PieceFacts, id: Uint8Array, look?: SpaceLook) {
    this.#out = out;
    this.#facts = facts;
    this.#lock = lockJournal(`${out}.part.rgtp`, out);
    let part: PositionedFile | undefined;
    try {
      part = this.#part = new PositionedFile(openOwn(this.#partPath));
      this.journal = new Journal(this.#lock, facts, id);
      this.found = this.#prepare(look);
    } catch (cause) {
      const partIsEmpty = part?.file.statSync().size === 0;
      const journalIsEmpty = this.#lock.statSync().size === 0;
      part?.close();
      // Made a moment ago, for nothing; while the lock is held, as in `close`. What stands there and is no part is not ours to remove.
      if (partIsEmpty) removeQuietly(this.#partPath);
      if (partIsEmpty || journalIsEmpty) removeQuietly(this.#journalPath);
      this.#lock.close();
      throw ioError(cause, "write", this.#partPath, "write");
    }
  }

  /** Fills `into` with the bytes at a chunk's place; whether there were so many. */
  read(chunk: number, into: Uint8Array): boolean {
    return this.#part.readAt(chunkOffset(this.#facts, chunk), into) === into.length;
  }

  /** Writes a chunk's plaintext in its place, then notes it. @throws {RgtpError} NO_SPACE, IO */
  write(chunk: number, plaintext: Uint8Array): void {
    try {
      this.#part.writeAt(chunkOffset(this.#facts, chunk), plaintext);
    } catch (cause) {
      throw ioError(cause, "write", this.#partPath, "write");
    }
    this.journal.set(chunk, true);
  }

  /** Waits until all that was written is on the disk. @throws {RgtpError} NO_SPACE, IO */
  async sync(): Promise<void> {
    try {
      await this.#part.file.syncData();
    } catch (cause) {
      throw ioError(cause, "write", this.#partPath, "write");
    }
  }

  /** Gives the part the output's name, in one step. It stays open, to be read. @throws {RgtpError} NO_SPACE, IO */
  publish(): void {
    try {
      Deno.renameSync(this.#partPath, this.#out);
    } catch (cause) {
      throw ioError(cause, "make", this.#out, "write");
    }
  }

  /** After {@linkcode PartDisk.publish}: makes the new name last, and removes the journal. */
  async settle(): Promise<void> {
    await syncFolder(this.#out);
    removeQuietly(this.#journalPath);
  }

  /** The part or, once it is published, the output. Fills `into`; whether there were so many bytes. */
  readAt(offset: number, into: Uint8Array): boolean {
    return this.#part.readAt(offset, into) === into.length;
  }

  /** Lets go of both files, and removes them when they are worth nothing. To be called once. */
  close(isWorthKeeping: boolean): void {
    this.#part.close();
    // While the lock is held: afterwards they may be another pull's.
    if (!isWorthKeeping) [this.#partPath, this.#journalPath].forEach(removeQuietly);
    this.#lock.close();
  }

  get #partPath(): string {
    return `${this.#out}.part`;
  }

  get #journalPath(): string {
    return `${this.#out}.part.rgtp`;
  }

  #prepare(look: SpaceLook | undefined): "journal" | "part" | undefined {
    const { totalSize, chunkSize } = this.#facts;
    const { size } = this.#part.file.statSync();
    checkSpace(this.#part.file, this.#partPath, totalSize, look);
    const found = size === 0 ? undefined : this.journal.belongs ? "journal" : "part";
    // A part of which nothing is known is not overwritten blindly: every chunk that it reaches into is worth trying.
    if (found !== "journal") {
      this.journal.reset(chunkCount({ chunkSize, totalSize: Math.min(size, totalSize) }));
    }
    this.#part.file.truncateSync(totalSize);
    return found;
  }
}

/** Plaintext bytes of a chunk, or `undefined` when the exposure has no such chunk. */
export function plaintextBytes(facts: PieceFacts, chunk: number): number | undefined {
  return Number.isInteger(chunk) && chunk >= 0 && chunk < chunkCount(facts)
    ? chunkBytes(facts, chunk)
    : undefined;
}
