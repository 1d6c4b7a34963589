import { lstatSync } from "node:fs";
import type { FileEntry } from "../../codec/collection_index.ts";
import { parentPath } from "../../codec/collection_path.ts";
import { RgtpError } from "../../core/errors.ts";
import { removeQuietly, syncFolder } from "./_disk.ts";
import { ioError } from "./_io_errors.ts";
import type { OpenFile, QuickFiles } from "./_positioned_file.ts";
import { makeFolder } from "./_work_folder.ts";

/** A file that is whole and right, still under its part's name. */
export interface WholeFile {
  /** What it is. */
  readonly entry: FileEntry;
  /** Where it is. */
  readonly partPath: string;
  /** Open; closed when it is in its place. */
  readonly handle: OpenFile;
  /** Whether something may be replaced. */
  readonly replaces: boolean;
}

/** So many files, or bytes, wait for each other before they are made to last and put into their places. */
const BATCH_FILES = 64;
const BATCH_BYTES = 67_108_864;

/** A sync that takes no longer is done at once: to have another thread do it, and tell, takes as long. */
const QUICK_SYNC_MS = 0.1;

/**
 * Puts files into their places, a batch at a time: first all of it is made to last on the disk, at once, since a disk writes many files
 * together about as fast as one; then each gets its name. So no name ever stands for bytes that a power cut could still take away.
 */
export class Placing {
  /** Files in their places. */
  placed = 0;
  readonly #out: string;
  readonly #quick: QuickFiles | undefined;
  #batch: WholeFile[] = [];
  #batchBytes = 0;
  #under: Promise<void> = Promise.resolve();
  /** Folders that are there. */
  readonly #folders = new Set<string>([""]);
  /** Those in which something was made. */
  readonly #touched = new Set<string>();
  /** Whether the last file was made to last in no time, as where there is no disk. */
  #isQuick = false;
  #isClosed = false;

  constructor(out: string, quick?: QuickFiles) {
    this.#out = out;
    this.#quick = quick;
  }

  /** Takes a file; what it returns is to be waited for before more files come. */
  add(file: WholeFile): Promise<void> | undefined {
    this.#batch.push(file);
    this.#batchBytes += file.entry.size;
    if (this.#batch.length < BATCH_FILES && this.#batchBytes < BATCH_BYTES) return undefined;
    // One batch gathers while the one before it is on its way.
    const before = this.#under;
    this.flush();
    return before;
  }

  /** Puts all that have come into their places. @throws {RgtpError} EXISTS, NO_SPACE, IO */
  flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#under = this.#under.then(() => this.#place(batch));
    // Whoever waits for it next learns of it.
    this.#under.catch(() => batch.forEach(({ handle }) => handle.close()));
    return this.#under;
  }

  /** Makes a folder of the collection, and those above it. @throws {RgtpError} EXISTS, NO_SPACE, IO */
  makeFolder(path: string): void {
    if (this.#folders.has(path)) return;
    this.makeFolder(parentPath(path));
    if (makeFolder(`${this.#out}/${path}`)) this.#touched.add(parentPath(path)).add(path);
    this.#folders.add(path);
  }

  /** Something was made in a folder. */
  touch(folder: string): void {
    this.#touched.add(folder);
  }

  /** Folders in which something was made. */
  get touched(): ReadonlySet<string> {
    return this.#touched;
  }

  /** Makes all new names last. */
  async syncFolders(): Promise<void> {
    for (const folder of this.#touched) {
      await syncFolder(`${this.#out}/${folder === "" ? "" : `${folder}/`}x`);
    }
  }

  /** Closes what waits; it stays under its part's name, as does what is made to last at this moment. */
  close(): void {
    this.#isClosed = true;
    for (const { handle } of this.#batch) handle.close();
    this.#batch = [];
  }

  async #place(batch: readonly WholeFile[]): Promise<void> {
    try {
      await this.#sync(batch);
      if (this.#isClosed) return;
      for (const file of batch) this.#rename(file);
    } finally {
      for (const { handle } of batch) handle.close();
    }
  }

  async #sync(batch: readonly WholeFile[]): Promise<void> {
    let started = performance.now();
    let synced = 0;
    while (this.#isQuick && synced < batch.length) {
      syncAtOnce(batch[synced++]);
      const now = performance.now();
      this.#isQuick = now - started <= QUICK_SYNC_MS;
      started = now;
    }
    const slow = batch.slice(synced);
    if (slow.length === 0) return;
    await Promise.all(slow.map((file) => sync(file)));
    this.#isQuick = performance.now() - started <= QUICK_SYNC_MS * slow.length;
  }

  #rename({ entry, partPath, handle, replaces }: WholeFile): void {
    const { path, mtimeMs } = entry;
    const place = `${this.#out}/${path}`;
    this.makeFolder(parentPath(path));
    try {
      setTime(mtimeMs, (time) => handle.setTime(time));
      handle.close();
      if (replaces || !this.#nameAnew(partPath, place)) Deno.renameSync(partPath, place);
    } catch (cause) {
      throw ioError(cause, "make", place, "write");
    }
    this.#touched.add(parentPath(path));
    this.placed++;
  }

  #nameAnew(path: string, place: string): boolean {
    return this.#quick?.nameAnew(path, place) || nameAnew(path, place);
  }
}

/**
 * Gives a file another name, at which nothing stands, in place of the one that it has; whether it could. An error of Deno's for each file
 * that is not there would cost more than both calls, and what appears at the last moment is safe.
 *
 * @throws {RgtpError} EXISTS
 */
function nameAnew(path: string, place: string): boolean {
  try {
    Deno.linkSync(path, place);
    removeQuietly(path);
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) throw inTheWay(place);
    // Some file systems have no second names, and Deno wants more permissions for them. Otherwise it was looked at before the pull.
    if (lstatSync(place, { throwIfNoEntry: false })) throw inTheWay(place);
    return false;
  }
}

/** Sets a time, if it is one that calendar and file system know, and the file's owner permits it. */
export function setTime(ms: number, set: (time: Date) => void): void {
  try {
    const time = new Date(ms);
    if (!Number.isNaN(time.getTime())) set(time);
  } catch {
    // Then it has the time of the pull.
  }
}

/** Something else stands where a file or link goes. */
export function inTheWay(place: string, more = 0): RgtpError {
  const others = more > 0 ? ` (and so do ${more} others)` : "";
  return new RgtpError(
    "EXISTS",
    `'${place}' exists and holds something else${others}; name another output, or replace it with --force`,
    { data: { path: place } },
  );
}

function syncAtOnce({ handle, partPath }: WholeFile): void {
  try {
    handle.sync();
  } catch (cause) {
    throw ioError(cause, "write", partPath, "write");
  }
}

async function sync({ handle, partPath }: WholeFile): Promise<void> {
  try {
    await handle.syncLater();
  } catch (cause) {
    throw ioError(cause, "write", partPath, "write");
  }
}
