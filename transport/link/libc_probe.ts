/**
 * Questions to the system that Deno itself does not pass on: Linux, by foreign functions, where they are permitted. For diagnosis: nothing
 * of a transfer depends on the answers.
 *
 * @module
 */
import { addressBytes, isIpv6 } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import { utf8 } from "../../core/bytes.ts";

/** Whether foreign functions can be used, and if not, why. */
export type LibcState = "usable" | "not permitted" | "not found" | "not Linux";

/** What the system says of a port: somebody has answered, nobody listens, there is no way; or nothing in the time given. */
export type PortState = "answers" | "closed" | "unreachable" | "silent";

// Where distributions keep the C library; Deno takes a bare name only where everything is permitted.
const PLACES = [
  "libc.so.6",
  `/lib/${Deno.build.arch}-linux-gnu/libc.so.6`,
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
  `/lib/ld-musl-${Deno.build.arch}.so.1`,
];

const symbols = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  errnoAddress: { name: "__errno_location", parameters: [], result: "usize" },
  /** Reads memory at an address: Deno's own view of it takes the permission for all libraries, where `--allow-ffi=/lib` is enough. */
  copyFrom: { name: "memcpy", parameters: ["buffer", "usize", "usize"], result: "usize" },
} as const;

type Libc = Deno.DynamicLibrary<typeof symbols>;

/** Whether this process may and can call the C library. It asks nobody: what is not permitted is not there. */
export function libcState(): LibcState {
  const libc = openLibc();
  if (typeof libc === "string") return libc;
  libc.close();
  return "usable";
}

/** The text of a file that Deno may not show, such as those below `/proc`; `undefined` where that cannot be had. */
export function systemFileText(path: string): string | undefined {
  return withLibc(({ open, read, close }) => {
    const file = open(utf8(`${path}\0`), 0);
    if (file < 0) return undefined;
    const buffer = new Uint8Array(FILE_BYTES_MAX);
    let length = 0;
    try {
      while (length < buffer.length) {
        const count = Number(read(file, buffer.subarray(length), BigInt(buffer.length - length)));
        if (count <= 0) break;
        length += count;
      }
    } finally {
      close(file);
    }
    return new TextDecoder().decode(buffer.subarray(0, length));
  });
}

const FILE_BYTES_MAX = 65_536;

// Linux: include/linux/socket.h, asm-generic/fcntl.h, asm-generic/errno.h.
const [AF_INET, AF_INET6] = [2, 10];
const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;
const states: Readonly<Record<number, PortState>> = {
  101: "unreachable", // ENETUNREACH
  111: "closed", // ECONNREFUSED
  113: "unreachable", // EHOSTUNREACH
};
const EVERY_MS = 50;

/**
 * Sends `packet` to a port a few times, over a socket of its own that is connected to it: to such a one the system passes on what
 * routers and hosts say of it (ICMP). `undefined` where foreign functions cannot be used.
 */
export async function portState(
  address: Address,
  packet: Uint8Array,
  waitMs: number,
): Promise<PortState | undefined> {
  const libc = openLibc();
  if (typeof libc === "string") return undefined;
  const { socket, connect, send, recv, close, errnoAddress, copyFrom } = libc.symbols;
  const error = new Int32Array(1);
  const errno = () => {
    copyFrom(error, errnoAddress(), 4n);
    return error[0];
  };
  const file = socket(isIpv6(address.host) ? AF_INET6 : AF_INET, SOCK_DGRAM_NONBLOCK, 0);
  try {
    const name = socketName(address);
    if (file < 0 || connect(file, name, name.length) !== 0) return states[errno()] ?? "unreachable";
    const buffer = new Uint8Array(2048);
    for (let left = waitMs; left > 0; left -= EVERY_MS) {
      // What an earlier packet has brought back is told by whichever call comes next.
      const sent = Number(send(file, packet, BigInt(packet.length), 0));
      if (sent < 0 && states[errno()]) return states[errno()];
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      if (Number(recv(file, buffer, BigInt(buffer.length), 0)) >= 0) return "answers";
      if (states[errno()]) return states[errno()];
    }
    return "silent";
  } finally {
    if (file >= 0) close(file);
    libc.close();
  }
}

// Linux: include/uapi/linux/in.h, in6.h.
const [IPPROTO_IP, IP_MTU] = [0, 14];
const [IPPROTO_IPV6, IPV6_MTU] = [41, 24];

/**
 * The largest packet, IP header included, that the system knows to pass on the way to an address: that of the interface, or less where a
 * router has said so of late. Nothing is sent. `undefined` where there is no way, or foreign functions cannot be used.
 */
export function pathMtu(address: Address): number | undefined {
  return withLibc(({ socket, connect, getsockopt, close }) => {
    const is6 = isIpv6(address.host);
    const file = socket(is6 ? AF_INET6 : AF_INET, SOCK_DGRAM_NONBLOCK, 0);
    if (file < 0) return undefined;
    try {
      const name = socketName(address);
      const [mtu, size] = [new Uint32Array(1), new Uint32Array([4])];
      const [level, option] = is6 ? [IPPROTO_IPV6, IPV6_MTU] : [IPPROTO_IP, IP_MTU];
      const isKnown = connect(file, name, name.length) === 0 &&
        getsockopt(file, level, option, mtu, size) === 0;
      return isKnown ? mtu[0] : undefined;
    } finally {
      close(file);
    }
  });
}

/** `struct sockaddr_in` or `sockaddr_in6`: the family is in the machine's byte order, the port in the network's. */
function socketName(address: Address): Uint8Array<ArrayBuffer> {
  const name = new Uint8Array(isIpv6(address.host) ? 28 : 16);
  const view = new DataView(name.buffer);
  view.setUint16(0, isIpv6(address.host) ? AF_INET6 : AF_INET, true);
  view.setUint16(2, address.port);
  const ip = addressBytes(address).subarray(0, 16);
  if (isIpv6(address.host)) name.set(ip, 8);
  else name.set(ip.subarray(12), 4);
  return name;
}

function withLibc<Result>(use: (calls: Libc["symbols"]) => Result): Result | undefined {
  const libc = openLibc();
  if (typeof libc === "string") return undefined;
  try {
    return use(libc.symbols);
  } finally {
    libc.close();
  }
}

function openLibc(): Libc | Exclude<LibcState, "usable"> {
  if (Deno.build.os !== "linux") return "not Linux";
  // Asked first: on a terminal Deno would stop and ask the user.
  const permitted = PLACES.filter((path) =>
    Deno.permissions.querySync(path.includes("/") ? { name: "ffi", path } : { name: "ffi" }).state ===
      "granted"
  );
  for (const path of permitted) {
    try {
      return Deno.dlopen(path, symbols);
    } catch {
      // Not at this place.
    }
  }
  return permitted.length === 0 ? "not permitted" : "not found";
}
