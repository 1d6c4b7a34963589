import { dirname } from "node:path";
import { RgtpError } from "../../core/errors.ts";
import { ioError } from "./_io_errors.ts";

/** What stands at a path, links followed; `undefined` when nothing does. A link into nothing counts as something that is no file. */
export function existing(path: string): { isFile: boolean; isDirectory: boolean; size: number } | undefined {
  try {
    const link = Deno.lstatSync(path);
    if (!link.isSymlink) return link;
    try {
      return Deno.statSync(path);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      return { isFile: false, isDirectory: false, size: 0 };
    }
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw ioError(cause, "look at", path, "read");
  }
}

const LOCK_TRIES = 5;
const LOCK_PAUSE_MS = 10;

/**
 * The journal file, made if need be, and locked until it is closed: also by `kill -9`.
 *
 * @throws {RgtpError} BUSY when another pull holds it; IO, NO_SPACE
 */
export function lockJournal(path: string, out: string): Deno.FsFile {
  for (;;) {
    const file = openOwn(path);
    let isLocked = false;
    try {
      if (!tryLock(file)) throw busy(out);
      // The pull that held the lock may have removed the file after this one was opened: a lock on a nameless file guards nothing.
      isLocked = isSameFile(file, path);
      if (isLocked) return file;
    } catch (cause) {
      throw ioError(cause, "lock", path, "write");
    } finally {
      if (!isLocked) file.close();
    }
  }
}

/** Removes a journal that no pull holds and no part stands beside: a power cut may leave it after the output has got its name. */
export function removeLeftJournal(path: string, out: string): void {
  if (existing(`${out}.part`) || !existing(path)) return;
  try {
    using _held = lockJournal(path, out);
    removeQuietly(path);
  } catch {
    // A pull has begun: it is its own.
  }
}

/** A program that this process is starting holds copies of all open files for a moment, and with them their locks. */
function tryLock(file: Deno.FsFile): boolean {
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    if (file.tryLockSync(true)) return true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_PAUSE_MS);
  }
  return false;
}

/** A part file or journal, made if need be. @throws {RgtpError} IO, NO_SPACE */
export function openOwn(path: string): Deno.FsFile {
  try {
    // A link that somebody put there would lead the writing elsewhere.
    const { isFile } = lstatOrNothing(path) ?? { isFile: true };
    if (!isFile) {
      throw new RgtpError("IO", `'${path}' is a link or no file; remove it, or name another output`, {
        data: { path },
      });
    }
    return Deno.openSync(path, { read: true, write: true, create: true });
  } catch (cause) {
    throw ioError(cause, "write", path, "write");
  }
}

/**
 * Whether the disk has room for what the part still lacks. Says nothing where the free space cannot be seen.
 *
 * @throws {RgtpError} NO_SPACE
 */
export function checkSpace(part: Deno.FsFile, path: string, totalSize: number, look?: SpaceLook): void {
  // Without a count of blocks (Windows) a part is not sparse.
  const { blocks, size } = part.statSync();
  checkFree(path, totalSize - Math.min(totalSize, blocks === null ? size : blocks * 512), look);
}

/** Whether the disk of a path has so many bytes free. @throws {RgtpError} NO_SPACE */
export function checkFree(path: string, lacking: number, look: SpaceLook = () => undefined): void {
  const free = look(dirname(path)) ?? freeBytes(path);
  if (free === undefined || lacking <= free) return;
  throw new RgtpError(
    "NO_SPACE",
    `the disk of '${path}' has ${free} bytes free where ${lacking} are needed; free some space, or name a place on another disk`,
    { data: { path, free, lacking } },
  );
}

/** Removes a file that nobody needs any more. That it cannot be removed, or is gone already, harms nobody. */
export function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Left behind: the next pull into the same output uses or replaces it.
  }
}

/** Makes a rename last through a power cut, where the system can do that for a folder and Deno may read it. */
export async function syncFolder(path: string): Promise<void> {
  const folder = dirname(path);
  // Asked first: on a terminal Deno would stop and ask the user for a permission that the pull can do without.
  if (Deno.permissions.querySync({ name: "read", path: folder }).state !== "granted") return;
  try {
    using file = Deno.openSync(folder);
    await file.sync();
  } catch {
    // Windows and some network file systems cannot; the file itself is synced.
  }
}

/** A quicker way than that of the runtime to see how many bytes the disk of a folder has free; `undefined` where it cannot tell. */
export type SpaceLook = (folder: string) => number | undefined;

/** Bytes that the disk of a path has free; `undefined` where that cannot be seen. */
export function freeBytes(path: string): number | undefined {
  if (Deno.permissions.querySync({ name: "sys", kind: "statfs" }).state !== "granted") return undefined;
  try {
    // Found where it is needed: to load it takes longer than the rest of this room.
    const { statfsSync } = process.getBuiltinModule("node:fs");
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

function lstatOrNothing(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

function isSameFile(file: Deno.FsFile, path: string): boolean {
  const [held, named] = [file.statSync(), lstatOrNothing(path)];
  return named !== undefined && held.ino === named.ino && held.dev === named.dev;
}

function busy(out: string): RgtpError {
  return new RgtpError(
    "BUSY",
    `another pull is writing to '${out}'; wait for it, stop it, or name another output`,
    { data: { path: out } },
  );
}
