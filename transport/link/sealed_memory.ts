/**
 * Memory that is handed from process to process, and that nobody can change once it is handed on: a file without a name (`memfd_create`)
 * whose size and content are sealed. It is gone with the last process that holds it, however that one ends.
 *
 * @module
 */
import { systemError } from "./_errno.ts";
import { checked } from "./_poller.ts";
import type { Libc } from "./_libc.ts";

// Linux, include/uapi/linux/memfd.h, fcntl.h, fs.h and asm-generic/mman-common.h.
const MFD_CLOEXEC_ALLOW_SEALING = 1 | 2;
const [F_ADD_SEALS, F_GET_SEALS] = [1033, 1034];
const F_SEAL_SEAL = 1;
/** It can become neither shorter nor longer, and nothing in it can change. */
const HOLDS_STILL = 2 | 4 | 8;
const [SEEK_END, SEEK_HOLE] = [2, 4];
/** `struct statfs` begins with the kind of file system (include/uapi/linux/magic.h). */
const STATFS_BYTES = 120;
const TMPFS_MAGIC = 0x01021994n;
const PROT_READ_WRITE = 1 | 2;
const O_NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
/** Room for `struct stat`, which has 144 bytes, or 128. */
const STAT_BYTES = 256;
const MAP_PRIVATE_FIXED = 2 | 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_FAILED = 2n ** 64n - 1n;
const OWNER_ONLY = 0o600;

/** What one write hands over. */
const STEP_BYTES = 262_144;
/** What the runtime counts memory in that can be mapped to: `WebAssembly.Memory`. */
const WASM_PAGE_BYTES = 65_536;
/** The most that one such memory holds. */
const WINDOW_BYTES_MAX = 65_536 * WASM_PAGE_BYTES;

/** What says in `/proc` what this is. */
const NAME = new TextEncoder().encode("rgtp-shared\0");

/** A file that memory is filled from: it is copied from where the system keeps it, and this program sees nothing of it. */
export interface MemoryFile {
  /** Its descriptor. */
  readonly descriptor: number;
  /** Where in it the memory begins. */
  readonly offset: number;
}

/**
 * New memory of `bytes` bytes, sealed; answers with its descriptor, which is the caller's to close. It is filled from `file`; `read` is
 * called for one part after the other of what does not come from there, and fills all of what it is given.
 *
 * @throws {Error} with a `code`, when there is no memory or no descriptor; and what `read` throws
 */
export function makeSealedMemory(
  libc: Libc,
  bytes: number,
  read: (offset: number, into: Uint8Array) => void,
  file?: MemoryFile,
): number {
  const { call } = libc;
  const descriptor = checked(libc, "memfd_create", call.memfd_create(NAME, MFD_CLOEXEC_ALLOW_SEALING));
  try {
    checked(libc, "fchmod", call.fchmod(descriptor, OWNER_ONLY));
    const sent = file ? sendFile(libc, descriptor, bytes, file) : 0;
    const step = new Uint8Array(Math.min(bytes - sent, STEP_BYTES));
    for (let at = sent; at < bytes;) {
      const part = step.subarray(0, bytes - at);
      read(at, part);
      at += checked(libc, "write", Number(call.write(descriptor, part, BigInt(part.length))));
    }
    checked(libc, "fcntl", call.fcntl(descriptor, F_ADD_SEALS, HOLDS_STILL | F_SEAL_SEAL));
    return descriptor;
  } catch (error) {
    call.close(descriptor);
    throw error;
  }
}

/** Has the system copy a file into memory, as far as it can; how much of it it could. */
function sendFile({ call }: Libc, memory: number, bytes: number, { descriptor, offset }: MemoryFile): number {
  const place = BigInt64Array.of(BigInt(offset));
  for (let at = 0; at < bytes;) {
    const count = Number(call.sendfile(memory, descriptor, place, BigInt(bytes - at)));
    if (count <= 0) return at;
    at += count;
  }
  return bytes;
}

/**
 * Opens a file to fill memory from, if it is still the one with this device and inode; the descriptor is the caller's to close. `undefined`
 * where that cannot be had: it is read then.
 */
export function openMemoryFile(
  { call }: Libc,
  { path, device, inode }: { readonly path: string; readonly device: number; readonly inode: number },
): number | undefined {
  // What lies there by now may be a pipe, which would wait for a writer.
  const descriptor = call.open(new TextEncoder().encode(`${path}\0`), O_NONBLOCK_CLOEXEC);
  if (descriptor < 0) return undefined;
  const about = new BigUint64Array(STAT_BYTES / 8);
  // `struct stat` begins with both, on x86_64 and on aarch64.
  const isIt = call.fstat?.(descriptor, about) === 0 && about[0] === BigInt(device) &&
    about[1] === BigInt(inode);
  if (isIt) return descriptor;
  call.close(descriptor);
  return undefined;
}

/**
 * Whether a descriptor from another process is memory of exactly `bytes` bytes that will never change again, all of it there. Anything
 * else must not be mapped: reading what became shorter meanwhile, or a hole that no memory is left for, ends the process that reads it.
 */
export function isSealedMemory({ call }: Libc, descriptor: number, bytes: number): boolean {
  // Large pages can be sealed too, but whether there is one for each place shows only when it is read.
  const about = new DataView(new ArrayBuffer(STATFS_BYTES));
  if (call.fstatfs(descriptor, about) !== 0 || about.getBigInt64(0, true) !== TMPFS_MAGIC) return false;
  const seals = call.fcntl(descriptor, F_GET_SEALS, 0);
  if (seals < 0 || (seals & HOLDS_STILL) !== HOLDS_STILL) return false;
  const end = call.lseek(descriptor, 0n, SEEK_END);
  // A file without holes is said to have one at its end.
  return end === BigInt(bytes) && call.lseek(descriptor, 0n, SEEK_HOLE) === end;
}

/**
 * Room to map memory into, at least `bytes` of it; `undefined` when there is none, or more is wanted than one window can have. It belongs
 * to the runtime, like any buffer: when nothing refers to it any more, it and all that is mapped into it are given back. It cannot be
 * transferred.
 */
export function openWindow(bytes: number): Uint8Array<ArrayBuffer> | undefined {
  return window<ArrayBuffer>(bytes, false);
}

/** The same, for all threads of this process. */
export function openCommonWindow(bytes: number): Uint8Array<SharedArrayBuffer> | undefined {
  return window<SharedArrayBuffer>(bytes, true);
}

function window<Buffer extends ArrayBufferLike>(
  bytes: number,
  shared: boolean,
): Uint8Array<Buffer> | undefined {
  if (bytes > WINDOW_BYTES_MAX) return undefined;
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
  try {
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
    return new Uint8Array(buffer as Buffer, 0, bytes);
  } catch {
    return undefined;
  }
}

/**
 * Has `window`, which is (a part of) one of {@linkcode openWindow} that begins at a multiple of 64 KiB, show what is in a descriptor,
 * without a copy. Writing to it changes this process's own copy alone. Whether that was possible; only for what
 * {@linkcode isSealedMemory} says yes to.
 *
 * @throws {Error} with a `code`, when the window cannot be used any more
 */
export function mapSealedMemory(libc: Libc, descriptor: number, window: Uint8Array): boolean {
  const length = BigInt(window.length);
  const map = (flags: number, from: number) =>
    libc.call.mapOver(
      window as Uint8Array<ArrayBuffer>,
      length,
      PROT_READ_WRITE,
      MAP_PRIVATE_FIXED | flags,
      from,
      0n,
    ) !== MAP_FAILED;
  if (map(0, descriptor)) return true;
  // What was there before may be gone: without other memory in its place the next look at it would end the process.
  if (!map(MAP_ANONYMOUS, -1)) throw systemError("mmap", libc.errno());
  return false;
}
