import type { FileEntry } from "../../codec/collection_index.ts";
import { FileMode } from "../../codec/collection_index.ts";
import { utf8 } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Hash } from "../../crypto/engine.ts";
import { lockJournal, removeQuietly } from "./_disk.ts";
import { HandleCache } from "./_handle_cache.ts";
import { ioError } from "./_io_errors.ts";
import { PositionedFile } from "./_positioned_file.ts";
import type { OpenFile, QuickFiles } from "./_positioned_file.ts";
import { Journal } from "./journal.ts";
import type { PieceFacts } from "./pieces.ts";
import { workPath } from "./work_path.ts";

/** Files that are being put together stay open, as far as there are not more of them. */
const HANDLES_MAX = 32;
const NAME_BYTES = 16;
/** Chunks that a pull that is killed may have to fetch again, since the journal does not know of them yet: each note by itself takes longer. */
const UNWRITTEN_MAX = 32;
/** What the parts of files are called. */
const PART = /^[0-9a-f]{32}x?$/;

/**
 * `OUT/.rgtp-part`: what of a collection is not whole yet. It lies in OUT so that a file gets into its place by a rename, and holds the
 * journal, which is locked, the index, and each file's bytes under a name made of its path: so they are of use to a later version of
 * the collection as well.
 */
export class WorkFolder {
  /** Which chunks are worth trying, and leaf pages. */
  readonly journal: Journal;
  /** What an earlier pull has left, and whether there are parts of files among it. */
  readonly left: ReadonlySet<string>;
  readonly hasParts: boolean;
  readonly #path: string;
  readonly #hash: Hash;
  readonly #quick: QuickFiles | undefined;
  readonly #lock: Deno.FsFile;
  readonly #handles = new HandleCache(HANDLES_MAX);
  #isClosed = false;

  /** Makes it in the folder `out` if need be, and locks it. @throws {RgtpError} BUSY, NO_SPACE, IO */
  constructor(out: string, facts: PieceFacts, id: Uint8Array, hash: Hash, quick?: QuickFiles) {
    this.#path = workPath(out);
    this.#hash = hash;
    this.#quick = quick;
    makeFolder(this.#path);
    this.#lock = lockJournal(this.#journalPath, out);
    try {
      this.journal = new Journal(this.#lock, facts, id, UNWRITTEN_MAX);
      this.left = new Set(Array.from(Deno.readDirSync(this.#path), ({ name }) => name));
      this.hasParts = this.left.values().some((name) => PART.test(name));
    } catch (cause) {
      this.#lock.close();
      throw ioError(cause, "look into", this.#path, "read");
    }
  }

  /** What the parts take on the disk that an earlier pull has left. */
  bytesLeft(): number {
    let sum = 0;
    for (const name of this.left) {
      try {
        const { blocks, size } = Deno.lstatSync(`${this.#path}/${name}`);
        sum += blocks === null ? size : blocks * 512;
      } catch {
        // Gone meanwhile.
      }
    }
    return sum;
  }

  /** The index that an earlier pull kept, if it has that many bytes: to be verified. */
  savedIndex(bytes: number): Uint8Array<ArrayBuffer> | undefined {
    try {
      const { isFile, size } = Deno.lstatSync(this.#indexPath);
      return isFile && size === bytes ? Deno.readFileSync(this.#indexPath) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps the index for a later pull. That it cannot be kept, harms nobody. */
  saveIndex(bytes: Uint8Array): void {
    try {
      removeQuietly(this.#indexPath);
      Deno.writeFileSync(this.#indexPath, bytes, { createNew: true });
    } catch {
      // Then a later pull fetches it again.
    }
  }

  /** What the part of a file is called: executable ones otherwise, since a part is made with the mode that its file shall have. */
  partName({ path, mode }: FileEntry): string {
    const name = this.#hash.digest(utf8(path)).subarray(0, NAME_BYTES).toHex();
    return mode === FileMode.EXECUTABLE ? `${name}x` : name;
  }

  /** Where a part is. */
  partPath(name: string): string {
    return `${this.#path}/${name}`;
  }

  /** The part of a file, open: made with its mode, less the umask, if it is not there. @throws {RgtpError} IO, NO_SPACE */
  part(name: string, { mode }: FileEntry): OpenFile {
    const path = this.partPath(name);
    try {
      return this.#handles.use(name, () => {
        if (!this.left.has(name)) return this.#make(path, mode === FileMode.EXECUTABLE ? 0o777 : 0o666);
        if (Deno.lstatSync(path).isFile) {
          return new PositionedFile(Deno.openSync(path, { read: true, write: true }), 0);
        }
        throw new RgtpError("IO", `'${path}' is a link or no file; remove it`, { data: { path } });
      });
    } catch (cause) {
      throw ioError(cause, "write", path, "write");
    }
  }

  /** The part of a file leaves: its handle, to be closed by the caller. */
  takePart(name: string, entry: FileEntry): OpenFile {
    this.part(name, entry);
    return this.#handles.take(name)!;
  }

  /** All is in its place: removes the folder with what is known to be in it. */
  remove(): void {
    this.#handles.close();
    for (const name of namesIn(this.#path)) {
      if (PART.test(name) || name === "index" || name === "journal") removeQuietly(`${this.#path}/${name}`);
    }
    // Fails when somebody has put something of his own there.
    removeQuietly(this.#path);
  }

  /** Lets go of all files. Twice is fine. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handles.close();
    this.journal.flush();
    this.#lock.close();
  }

  /** One that this pull has made and closed since is opened again. */
  #make(path: string, mode: number): OpenFile {
    return this.#quick?.open(path, mode) ??
      new PositionedFile(Deno.openSync(path, { read: true, write: true, create: true, mode }), 0);
  }

  get #journalPath(): string {
    return `${this.#path}/journal`;
  }

  get #indexPath(): string {
    return `${this.#path}/index`;
  }
}

function namesIn(folder: string): string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name);
  } catch {
    // Somebody else has taken it away.
    return [];
  }
}

/** Makes a folder unless it is there. @throws {RgtpError} IO, also when something else is there */
export function makeFolder(path: string): boolean {
  try {
    Deno.mkdirSync(path);
    return true;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) throw ioError(cause, "make the folder", path, "write");
    const { isDirectory } = Deno.lstatSync(path);
    if (isDirectory) return false;
    throw new RgtpError(
      "EXISTS",
      `'${path}' is in the way of a folder: take it away, or name another output`,
      {
        data: { path },
      },
    );
  }
}
