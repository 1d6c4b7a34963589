/**
 * A file as memory: what is read of it lies in the system's cache alone, and goes from there to a socket without a copy in between.
 *
 * @module
 */
import { utf8 } from "../../core/bytes.ts";
import { Libc } from "./_libc.ts";
import { openWindow } from "./sealed_memory.ts";

// Linux, include/uapi/asm-generic/fcntl.h and mman-common.h.
const O_CLOEXEC = 0o2000000;
const PROT_READ = 1;
const MAP_SHARED_FIXED = 1 | 0x10;
const MAP_ANONYMOUS_FIXED = 2 | 0x10 | 0x20;
const MAP_FAILED = 2n ** 64n - 1n;

/** A file is mapped in parts of so many bytes, each when it is first looked at: one window cannot have more than 4 GiB. */
const PART_BYTES = 2 ** 30;
/** What is looked at is no longer than this, so that it lies in one part: parts overlap by it. */
const VIEW_BYTES_MAX = 2 ** 21;

/** A file that only grows in what it holds, never in size, mapped for reading. To write to a view ends the process. */
export class MappedFile {
  readonly #libc: Libc;
  readonly #descriptor: number;
  readonly #bytes: number;
  readonly #parts = new Map<number, Uint8Array<ArrayBuffer> | undefined>();
  #isOpen = true;

  private constructor(libc: Libc, descriptor: number, bytes: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
    this.#bytes = bytes;
  }

  /** A file of exactly `bytes` bytes, which nobody makes shorter; `undefined` where it cannot be mapped. To be closed. */
  static open(path: string, bytes: number): MappedFile | undefined {
    const libc = Libc.load();
    if (!libc) return undefined;
    const descriptor = libc.call.open(utf8(`${path}\0`), O_CLOEXEC);
    if (descriptor >= 0) return new MappedFile(libc, descriptor, bytes);
    libc.close();
    return undefined;
  }

  /** What stands there; `undefined` where that cannot be mapped, or is no part of the file. Good until it is closed. */
  view(at: number, bytes: number): Uint8Array | undefined {
    if (!this.#isOpen || bytes > VIEW_BYTES_MAX || at + bytes > this.#bytes) return undefined;
    const number = Math.floor(at / PART_BYTES);
    if (!this.#parts.has(number)) this.#parts.set(number, this.#map(number * PART_BYTES));
    return this.#parts.get(number)?.subarray(at % PART_BYTES, at % PART_BYTES + bytes);
  }

  /** Twice is fine. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // The windows go when nobody holds a view any more; the file, and its room on the disk, goes now.
    for (const window of this.#parts.values()) if (window) this.#over(window, MAP_ANONYMOUS_FIXED, -1, 0);
    this.#parts.clear();
    this.#libc.call.close(this.#descriptor);
    this.#libc.close();
  }

  #map(at: number): Uint8Array<ArrayBuffer> | undefined {
    const bytes = Math.min(PART_BYTES + VIEW_BYTES_MAX, this.#bytes - at);
    const window = openWindow(bytes);
    return window && this.#over(window, MAP_SHARED_FIXED, this.#descriptor, at) ? window : undefined;
  }

  /** Has a window show something else than before; whether it does. */
  #over(window: Uint8Array<ArrayBuffer>, flags: number, from: number, at: number): boolean {
    const { mapOver } = this.#libc.call;
    return mapOver(window, BigInt(window.length), PROT_READ, flags, from, BigInt(at)) !== MAP_FAILED;
  }
}
