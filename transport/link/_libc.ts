/*
 * The functions of the C library that a Linux link calls. Nothing here needs `Deno.UnsafePointer`, which takes the permission for all
 * libraries: the address of a buffer is what `memcpy` returns, and memory at an address is read by it. So `--allow-ffi=/lib` is enough.
 */

const functions = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  sendmmsg: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  recvmmsg: { parameters: ["i32", "buffer", "u32", "i32", "pointer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  munmap: { parameters: ["usize", "usize"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  eventfd_write: { parameters: ["i32", "u64"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  /** Waits in a thread of the runtime's pool. */
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32", nonblocking: true },
  ppoll: { parameters: ["buffer", "usize", "buffer", "pointer"], result: "i32" },
  /** With no bytes to copy it only tells where its first argument lies. */
  address: { name: "memcpy", parameters: ["buffer", "buffer", "usize"], result: "usize" },
  peek: { name: "memcpy", parameters: ["buffer", "usize", "usize"], result: "usize" },
  geteuid: { parameters: [], result: "u32" },
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  /** Not a function of its own before glibc 2.33. */
  fstat: { parameters: ["i32", "buffer"], result: "i32", optional: true },
  sendfile: { parameters: ["i32", "i32", "buffer", "usize"], result: "isize" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
  /** Over memory that is there. */
  mapOver: { name: "mmap", parameters: ["buffer", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  poke: { name: "memcpy", parameters: ["usize", "buffer", "usize"], result: "usize" },
  __errno_location: { parameters: [], result: "usize" },
} as const;

/** The C library, until it is closed. */
export class Libc {
  /** Its functions. Those that fail return -1; {@linkcode Libc.errno} then says why. */
  readonly call: Deno.DynamicLibrary<typeof functions>["symbols"];
  readonly #library: Deno.DynamicLibrary<typeof functions>;
  readonly #errno = new Int32Array(1);

  private constructor(library: Deno.DynamicLibrary<typeof functions>) {
    this.#library = library;
    this.call = library.symbols;
  }

  /** Loads it, if this is a Linux whose structures are known here and Deno's permission is there already: it is never asked for. */
  static load(): Libc | undefined {
    const library = loadLibc(functions);
    return library && new Libc(library);
  }

  /** Why the latest call on this thread failed. */
  errno(): number {
    this.call.peek(this.#errno, this.call.__errno_location(), 4n);
    return this.#errno[0];
  }

  /** Where a buffer lies. Only of one over an `ArrayBuffer` of its own: small typed arrays without one are moved by the collector. */
  addressOf(buffer: Uint8Array<ArrayBuffer>): number {
    return Number(this.call.address(buffer, buffer, 0n));
  }

  /** Unloads it. Twice is an error of the caller. */
  close(): void {
    this.#library.close();
  }
}

/** Loads functions of the C library where {@linkcode Libc.load} does. The same call gives several of it. */
export function loadLibc<Functions extends Deno.ForeignLibraryInterface>(
  functions: Functions,
): Deno.DynamicLibrary<Functions> | undefined {
  // There is no Deno under Node. All that Deno runs on has 64 bits, the low bytes first.
  if (!("Deno" in globalThis) || Deno.build.os !== "linux") return undefined;
  for (const path of places(Deno.build.arch)) {
    if (Deno.permissions.querySync({ name: "ffi", path }).state !== "granted") continue;
    try {
      return Deno.dlopen(path, functions);
    } catch {
      // Not there, or another library of that name: the next.
    }
  }
  return undefined;
}

/**
 * By its name it is the one that Deno itself runs on, wherever that lies, but that takes the permission for all libraries. Then the places
 * where distributions keep it: Deno compares a path with its permission as it is written, links not followed.
 */
function places(arch: string): string[] {
  const folders = [`/lib/${arch}-linux-gnu`, "/lib64", "/lib", `/usr/lib/${arch}-linux-gnu`];
  return ["libc.so.6", ...folders.map((folder) => `${folder}/libc.so.6`)];
}
