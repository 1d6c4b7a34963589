import { removeQuietly } from "./_disk.ts";
import { ioError } from "./_io_errors.ts";
import { PositionedFile } from "./_positioned_file.ts";

/** A file of this process alone. */
export interface NamelessFile {
  /** To read and write. */
  readonly file: PositionedFile;
  /** Where its disk is. */
  readonly path: string;
  /** Removes it. Twice is fine. */
  close(): void;
}

/**
 * A file of mode 0600 in `folder` (absent: where the system keeps temporary files). Its name, `rgtp-KIND-…`, is removed at once where the
 * system permits that, so that the file ends with the process however that ends; else when it is closed, or by the next one of its kind
 * that is made there. `before` is told its name while it has one.
 *
 * @throws {RgtpError} IO, NO_SPACE
 */
export function makeNamelessFile(
  kind: "spill" | "spool",
  folder: string | undefined,
  before: (path: string, file: Deno.FsFile) => void = () => {},
): NamelessFile {
  const prefix = `rgtp-${kind}-`;
  if (folder !== undefined) removeLeftovers(folder, kind, prefix);
  try {
    const path = folder === undefined
      ? Deno.makeTempFileSync({ prefix })
      : `${folder}/${prefix}${crypto.randomUUID()}`;
    const createNew = folder !== undefined;
    const file = Deno.openSync(path, {
      read: true,
      write: true,
      ...(createNew && { createNew, mode: 0o600 }),
    });
    // Whoever looks for leftovers finds that this one is in use.
    file.tryLockSync(true);
    before(path, file);
    removeQuietly(path);
    return new OpenFile(new PositionedFile(file), path);
  } catch (cause) {
    throw ioError(cause, `make a ${kind} file in`, folder ?? "the system's temporary folder", "write");
  }
}

class OpenFile implements NamelessFile {
  readonly file: PositionedFile;
  readonly path: string;
  #isOpen = true;

  constructor(file: PositionedFile, path: string) {
    this.file = file;
    this.path = path;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.file.close();
    removeQuietly(this.path);
  }
}

/** Removes files whose process was killed where their names could not be removed before. */
function removeLeftovers(folder: string, kind: string, prefix: string): void {
  try {
    for (const { name, isFile } of Deno.readDirSync(folder)) {
      if (isFile && name.startsWith(prefix)) removeIfUnused(`${folder}/${name}`);
    }
  } catch (cause) {
    throw ioError(cause, `use for a ${kind} file the folder`, folder, "read");
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
