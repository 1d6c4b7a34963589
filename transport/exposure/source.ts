import { RgtpError } from "../../core/errors.ts";
import { ioError } from "./_io_errors.ts";
import { PositionedFile } from "./_positioned_file.ts";

/** What tells one state of a file from another, as precisely as the runtime shows it. */
export interface SourceFingerprint {
  /** Absolute, links resolved. */
  readonly path: string;
  /** Number of the device; 0 where there is none. */
  readonly device: number;
  /** Number of the file on its device; 0 where there is none. */
  readonly inode: number;
  /** Bytes. */
  readonly size: number;
  /** When the content was changed last, ms since 1970; -1 when not known. */
  readonly mtimeMs: number;
  /** When content or metadata were changed last, ms since 1970 (Deno shows whole seconds); -1 when not known. */
  readonly ctimeMs: number;
}

/** A state of a file, whatever it is called. */
export type FileState = Omit<SourceFingerprint, "path">;

/** What a manifest says about a collection. */
export interface CollectionFacts {
  /** Bytes of the index, at the front. */
  readonly indexSize: number;
  /** The same with the zeros behind it: whole chunks. They are known only when all that follows has been read. */
  readonly lateBytes: number;
  /**
   * Takes the index that an earlier reading has made for that of this one, so that the files need not be read for their hashes; `undefined`
   * takes that back. Absent: it is known anyway. Whether it is the right one shows by the leaves of its chunks.
   */
  believe?(index: Uint8Array | undefined): void;
}

/** A byte string of fixed size that can be read at any place: what is exposed. */
export interface ByteSource {
  /** Bytes. */
  readonly size: number;
  /** Of a collection; absent for one byte string. */
  readonly collection?: CollectionFacts;
  /** Which state of which file this is; absent for a source that no later run can find again. */
  readonly fingerprint?: SourceFingerprint;

  /**
   * Fills all of `into` with the bytes from `offset` on. Blocks for as long as the disk takes.
   *
   * @throws {RgtpError} SOURCE_CHANGED when the source has become shorter, IO when it cannot be read
   * @throws {RangeError} when that is outside the source
   */
  read(offset: number, into: Uint8Array): void;

  /** Whether the source still shows the state that it was opened in. A `true` is no proof: see the catalog about racy files. */
  unchanged(): boolean;

  /** Gives up what it holds. Twice is fine. */
  close(): void;
}

/**
 * A regular file.
 *
 * @throws {RgtpError} NOT_FOUND; NOT_SUPPORTED for a folder, pipe or device; IO when it may not be opened (the message names Deno's
 * permission when that is what is missing)
 */
export function openFileSource(path: string): ByteSource {
  const opened = openRegularFile(path);
  try {
    return new FileSource(opened, fingerprintOf(opened, path));
  } catch (cause) {
    opened.close();
    throw ioError(cause, "read", path, "read");
  }
}

/** Bytes in memory, not copied: they must not change while they are exposed. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(offset: number, into: Uint8Array): void {
      checkBounds(bytes.length, offset, into.length);
      into.set(bytes.subarray(offset, offset + into.length));
    },
    unchanged: () => true,
    close() {},
  };
}

class FileSource implements ByteSource {
  readonly fingerprint: SourceFingerprint;
  readonly #file: PositionedFile;
  #closed = false;

  constructor(file: Deno.FsFile, fingerprint: SourceFingerprint) {
    this.#file = new PositionedFile(file);
    this.fingerprint = fingerprint;
  }

  get size(): number {
    return this.fingerprint.size;
  }

  read(offset: number, into: Uint8Array): void {
    checkBounds(this.size, offset, into.length);
    const { path } = this.fingerprint;
    let count: number;
    try {
      count = this.#file.readAt(offset, into);
    } catch (cause) {
      throw ioError(cause, "read", path, "read");
    }
    if (count < into.length) throw shortened(path, offset + count);
  }

  unchanged(): boolean {
    if (this.#closed) return false;
    try {
      return isSameState(fingerprintOf(this.#file.file, this.fingerprint.path), this.fingerprint);
    } catch {
      return false;
    }
  }

  close(): void {
    this.#closed = true;
    this.#file.close();
  }
}

function openRegularFile(path: string): Deno.FsFile {
  try {
    // Before the open, which would wait for a writer on a pipe.
    const { isFile, isDirectory } = Deno.statSync(path);
    if (isDirectory) {
      throw new RgtpError(
        "NOT_SUPPORTED",
        `'${path}' is a folder, where one file is needed; name a file in it`,
        { data: { path } },
      );
    }
    if (!isFile) {
      throw new RgtpError(
        "NOT_SUPPORTED",
        `'${path}' is a pipe or device, which has no size: write its content to a file and expose that`,
        { data: { path } },
      );
    }
    return Deno.openSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new RgtpError("NOT_FOUND", `there is no file '${path}'; check the path`, {
        cause,
        data: { path },
      });
    }
    throw ioError(cause, "open", path, "read");
  }
}

/** Taken by descriptor: a path may name another file by now. */
function fingerprintOf(file: Deno.FsFile, path: string): SourceFingerprint {
  return { path: absolute(path), ...stateOf(file.statSync()) };
}

/** What tells a state from another one. */
export function stateOf({ dev, ino, size, mtime, ctime }: Deno.FileInfo): FileState {
  return {
    device: dev,
    inode: ino ?? 0,
    size,
    mtimeMs: mtime?.getTime() ?? -1,
    ctimeMs: ctime?.getTime() ?? -1,
  };
}

/** All but the path: a file may get another name. */
export function isSameState(a: FileState, b: FileState): boolean {
  return a.device === b.device && a.inode === b.inode && a.size === b.size &&
    a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;
}

/** A path by which it is always found; as it is, when that cannot be had. */
export function absolute(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    // Renamed meanwhile, or links that lead outside of the permission: the name that was given is as good as can be had.
    return path;
  }
}

/** @throws {RangeError} when that is outside a source of `size` bytes */
export function checkBounds(size: number, offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > size) {
    throw new RangeError(`no ${length} bytes at ${offset} in a source of ${size}`);
  }
}

/** SOURCE_CHANGED: a file ends at `at` now. */
export function shortened(path: string, at: number): RgtpError {
  return new RgtpError(
    "SOURCE_CHANGED",
    `'${path}' became shorter while it was read (it ends at ${at} bytes now); expose it again when nothing writes to it any more`,
    { data: { path, at } },
  );
}
