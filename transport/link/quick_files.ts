/**
 * Files by calls of the C library: what a small one takes, to be opened, given its time and named, is half of it the runtime's own work.
 *
 * @module
 */
import { systemError } from "./_errno.ts";
import { loadLibc } from "./_libc.ts";

const functions = {
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  /** At most 2^31 - 4096 bytes at once, which 32 bits hold. */
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  fdatasync: { parameters: ["i32"], result: "i32" },
  /** By a thread of the runtime's pool. */
  fdatasyncLater: { name: "fdatasync", parameters: ["i32"], result: "i32", nonblocking: true },
  /** glibc has it since 2.28. */
  renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  peek: { name: "memcpy", parameters: ["buffer", "usize", "usize"], result: "usize" },
  __errno_location: { parameters: [], result: "usize" },
} as const;

type Library = Deno.DynamicLibrary<typeof functions>;

// Linux, include/uapi/asm-generic/fcntl.h, and fcntl.h of arm64; fs.h, errno-base.h.
const O_RDWR = 0o2;
const O_CREAT = 0o100;
const O_CLOEXEC = 0o2000000;
const O_NOFOLLOW = { x86_64: 0o400000, aarch64: 0o100000 };
const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;
const EIO = 5;

/** No path that the kernel takes has more bytes. */
const PATH_BYTES = 4096;

/** The files of one folder, by calls of the C library. To be closed; what it opened may be closed later. */
export class QuickFiles {
  readonly #calls: Calls;
  readonly #path = new Uint8Array(PATH_BYTES);
  readonly #otherPath = new Uint8Array(PATH_BYTES);

  private constructor(library: Library) {
    this.#calls = new Calls(library);
  }

  /** `undefined` where the C library may not be called, or where Deno does not permit what it would do for the folder. */
  static of(folder: string): QuickFiles | undefined {
    const isGranted = (["read", "write"] as const)
      .every((name) => Deno.permissions.querySync({ name, path: folder }).state === "granted");
    const library = isGranted ? loadLibc(functions) : undefined;
    return library && new QuickFiles(library);
  }

  /**
   * Opens a file of the folder to read and write; makes it, with those bits less the umask, if it is not there. `undefined` when it cannot,
   * or a link is there: the runtime says why.
   */
  open(path: string, mode: number): QuickFile | undefined {
    if (!write(path, this.#path)) return undefined;
    const flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW[Deno.build.arch];
    const descriptor = this.#calls.symbols.open(this.#path, flags, mode);
    return descriptor < 0 ? undefined : new QuickFile(this.#calls, descriptor);
  }

  /** Gives a file of the folder another name there, at which nothing stands. False when it could not: the runtime says why. */
  nameAnew(path: string, place: string): boolean {
    if (!write(path, this.#path) || !write(place, this.#otherPath)) return false;
    const { renameat2 } = this.#calls.symbols;
    return renameat2(AT_FDCWD, this.#path, AT_FDCWD, this.#otherPath, RENAME_NOREPLACE) === 0;
  }

  /** Twice is an error of the caller, as is to open or name a file afterwards. */
  close(): void {
    this.#calls.release();
  }
}

/** Writes all of some bytes to the front of an open file, by its descriptor; whether it could. */
export type QuickWriter = (descriptor: number, bytes: Uint8Array) => boolean;

/** For a thread that is told of descriptors; `undefined` where the C library may not be called. It is never unloaded. */
export function quickWriter(): QuickWriter | undefined {
  const library = loadLibc({ pwrite: functions.pwrite });
  return library && ((descriptor, bytes) => {
    const buffer = bytes as Uint8Array<ArrayBuffer>;
    return library.symbols.pwrite(descriptor, buffer, BigInt(bytes.length), 0n) === bytes.length;
  });
}

/** A file that is open, read and written at places. */
export class QuickFile {
  readonly #calls: Calls;
  readonly #descriptor: number;
  #isOpen = true;

  /** Takes over an open descriptor. */
  constructor(calls: Calls, descriptor: number) {
    this.#calls = calls.retain();
    this.#descriptor = descriptor;
  }

  /** For {@linkcode quickWriter}. */
  get descriptor(): number {
    return this.#descriptor;
  }

  /** Reads until `into` is full or the file ends; how many bytes it read. */
  readAt(offset: number, into: Uint8Array): number {
    let at = 0;
    while (at < into.length) {
      const rest = into.subarray(at) as Uint8Array<ArrayBuffer>;
      const count = this.#calls.symbols.pread(
        this.#descriptor,
        rest,
        BigInt(rest.length),
        BigInt(offset + at),
      );
      if (count < 0) throw this.#calls.error("pread");
      if (count === 0) break;
      at += count;
    }
    return at;
  }

  /** Writes all of `bytes`. */
  writeAt(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const rest = (at === 0 ? bytes : bytes.subarray(at)) as Uint8Array<ArrayBuffer>;
      const count = this.#calls.symbols.pwrite(
        this.#descriptor,
        rest,
        BigInt(rest.length),
        BigInt(offset + at),
      );
      if (count < 0) throw this.#calls.error("pwrite");
      at += count;
    }
  }

  /** Makes it that long. */
  truncate(bytes: number): void {
    this.#check("ftruncate", this.#calls.symbols.ftruncate(this.#descriptor, BigInt(bytes)));
  }

  /** Sets the time of its last change, and of its last use. */
  setTime(time: Date): void {
    this.#check("futimens", this.#calls.symbols.futimens(this.#descriptor, this.#calls.timesOf(time)));
  }

  /** Makes what it holds last. */
  sync(): void {
    this.#check("fdatasync", this.#calls.symbols.fdatasync(this.#descriptor));
  }

  /** The same, beside this thread. */
  async syncLater(): Promise<void> {
    // What was the matter is known to the other thread alone.
    if (await this.#calls.symbols.fdatasyncLater(this.#descriptor) !== 0) throw systemError("fdatasync", EIO);
  }

  /** Twice is fine. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#calls.symbols.close(this.#descriptor);
    this.#calls.release();
  }

  #check(call: string, result: number): void {
    if (result !== 0) throw this.#calls.error(call);
  }
}

/** What all files of a folder have in common. */
class Calls {
  readonly symbols: Library["symbols"];
  readonly #errno = new Int32Array(1);
  /** Two times, each as seconds and nanoseconds. */
  readonly #times = new BigInt64Array(4);
  readonly #library: Library;
  #users = 1;

  constructor(library: Library) {
    this.#library = library;
    this.symbols = library.symbols;
  }

  retain(): this {
    this.#users++;
    return this;
  }

  /** Unloads the library with the last one who uses it. */
  release(): void {
    if (--this.#users === 0) this.#library.close();
  }

  /** Why the latest call on this thread failed. */
  error(call: string): Error {
    this.symbols.peek(this.#errno, this.symbols.__errno_location(), 4n);
    return systemError(call, this.#errno[0]);
  }

  timesOf(time: Date): BigInt64Array<ArrayBuffer> {
    const ms = time.getTime();
    const seconds = Math.floor(ms / 1000);
    this.#times[0] = this.#times[2] = BigInt(seconds);
    this.#times[1] = this.#times[3] = BigInt((ms - 1000 * seconds) * 1e6);
    return this.#times;
  }
}

const encoder = new TextEncoder();

/** A path as the C library takes it; whether it fits. */
function write(path: string, into: Uint8Array): boolean {
  const { read, written } = encoder.encodeInto(path, into);
  if (read < path.length || written === into.length || path.includes("\0")) return false;
  into[written] = 0;
  return true;
}
