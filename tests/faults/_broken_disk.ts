/*
 * A disk that fails or is slow, for a program that knows nothing of it: this module is run before the program, and stands between it and
 * the files of one folder. SQLite reaches the disk without Deno, and is not met.
 */

/** What a program does to a file. */
export type DiskOperation = "open" | "read" | "write" | "truncate" | "sync" | "rename";

/** What happens to a program's files. */
export interface BrokenDisk {
  /** Files below it are met, and no others. */
  readonly folder: string;
  /** From its `after`th time on so many times in a row an operation fails with EIO. Absent: none fails. */
  readonly failing?: { readonly operation: DiskOperation; readonly after: number; readonly times: number };
  /** Each operation takes up to so much longer. */
  readonly slowMs?: number;
}

/** Puts it in place, for as long as the program runs. */
export function breakDisk({ folder, failing, slowMs = 0 }: BrokenDisk): void {
  const paths = new WeakMap<Deno.FsFile, string>();
  const clock = new Int32Array(new SharedArrayBuffer(4));
  let count = 0;

  const meet = (operation: DiskOperation, path: string | undefined) => {
    if (!path?.startsWith(folder)) return;
    if (slowMs > 0) Atomics.wait(clock, 0, 0, Math.random() * slowMs);
    if (operation !== failing?.operation) return;
    const turn = count++ - failing.after;
    // As Deno gives it.
    if (turn >= 0 && turn < failing.times) {
      throw Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
    }
  };

  const { openSync, renameSync } = Deno;
  Deno.openSync = (path, options) => {
    meet("open", String(path));
    const file = openSync(path, options);
    paths.set(file, String(path));
    return file;
  };
  Deno.renameSync = (from, to) => {
    meet("rename", String(to));
    renameSync(from, to);
  };
  const files = Deno.FsFile.prototype;
  const { readSync, writeSync, truncateSync, syncData } = files;
  files.readSync = function (into) {
    meet("read", paths.get(this));
    return readSync.call(this, into);
  };
  files.writeSync = function (bytes) {
    meet("write", paths.get(this));
    return writeSync.call(this, bytes);
  };
  files.truncateSync = function (size) {
    meet("truncate", paths.get(this));
    truncateSync.call(this, size);
  };
  files.syncData = async function () {
    meet("sync", paths.get(this));
    await syncData.call(this);
  };
}
