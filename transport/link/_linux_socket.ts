import type { Address } from "../../codec/address.ts";
import { allowSharing, multicastError, setMulticast } from "./_multicast.ts";
import type { Libc } from "./_libc.ts";
import { SOL_UDP, UDP_GRO } from "./_mmsg.ts";
import { checked } from "./_poller.ts";
import type { LinkOptions } from "./link.ts";
import { decodeSockaddr, encodeSockaddr, familyOf, SOCKADDR_BYTES } from "./_sockaddr.ts";

// Linux, include/linux/net.h, include/uapi/asm-generic/socket.h, include/uapi/linux/in6.h and udp.h.
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const buffers = {
  send: { option: 7, force: 32 },
  receive: { option: 8, force: 33 },
} as const;

/** Asked for; the kernel doubles it for its own bookkeeping. Without privileges `net.core.rmem_max` and `wmem_max` bound it. */
const bufferBytes = 4 * 1024 * 1024;
/** A member of a group is not waited for while it has no processor: what comes meanwhile has to lie somewhere. */
const groupBufferBytes = 32 * 1024 * 1024;

/** A bound UDP socket of the system. */
export interface LinuxSocket {
  /** Its descriptor. */
  readonly descriptor: number;
  /** `AF_INET` or `AF_INET6`. */
  readonly family: number;
  /** Where it is bound. */
  readonly local: Address;
  /** Memory that what arrives may take, bookkeeping included. */
  readonly receiveBufferBytes: number;
}

/** Opens and binds one; `::` takes IPv4 peers too. @throws {Error} with a `code` */
export function openSocket(libc: Libc, at: LinkOptions): LinuxSocket {
  const family = familyOf(at.host);
  const joins = at.multicast?.join !== undefined;
  return opened(libc, family, joins ? groupBufferBytes : bufferBytes, (descriptor) => {
    // Datagrams that follow each other may come as one message. Kernels before 5.0 have no such thing.
    setOption(libc, descriptor, SOL_UDP, UDP_GRO, 1);
    if (joins) allowSharing(libc, descriptor);
    const address = encodeSockaddr(at, family);
    checked(libc, "bind", libc.call.bind(descriptor, address, address.length));
    if (at.multicast) joinGroups(libc, descriptor, at);
  });
}

/**
 * Another socket at the port of one that is bound: the system spreads what comes over both. That one was bound without leave to share, so
 * a port that is somebody else's was still found to be taken. Each datagram is a message of its own, so what one call brings is bounded.
 *
 * @throws {Error} with a `code`
 */
export function openBeside(libc: Libc, first: LinuxSocket, bytes: number): LinuxSocket {
  return opened(libc, first.family, bytes, (descriptor) => {
    for (const one of [first.descriptor, descriptor]) setOption(libc, one, SOL_SOCKET, SO_REUSEPORT, 1);
    const { name, length } = nameOf(libc, first.descriptor);
    checked(libc, "bind", libc.call.bind(descriptor, name, length));
  });
}

/** Opens one with buffers of so many bytes, if the system lets us; `bind` does the rest. */
function opened(
  libc: Libc,
  family: number,
  bytes: number,
  bind: (descriptor: number) => void,
): LinuxSocket {
  const { call } = libc;
  const descriptor = checked(libc, "socket", call.socket(family, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0));
  try {
    // A system may have this on by default; on an IPv4 socket it does not exist.
    setOption(libc, descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    for (const { option, force } of Object.values(buffers)) {
      if (!setOption(libc, descriptor, SOL_SOCKET, force, bytes)) {
        setOption(libc, descriptor, SOL_SOCKET, option, bytes);
      }
    }
    bind(descriptor);
    const { name } = nameOf(libc, descriptor);
    const receiveBufferBytes = getOption(libc, descriptor, SOL_SOCKET, buffers.receive.option);
    return { descriptor, family, local: decodeSockaddr(name), receiveBufferBytes };
  } catch (error) {
    call.close(descriptor);
    throw error;
  }
}

/** Where a socket is bound, as the system has it. */
function nameOf(libc: Libc, descriptor: number): { name: Uint8Array<ArrayBuffer>; length: number } {
  const name = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES));
  const length = Uint32Array.of(name.length);
  checked(libc, "getsockname", libc.call.getsockname(descriptor, name, length));
  return { name, length: length[0] };
}

function joinGroups(libc: Libc, descriptor: number, at: LinkOptions): void {
  try {
    setMulticast(libc, descriptor, at.host, at.multicast!);
  } catch (error) {
    throw multicastError(error, at);
  }
}

/** Sets a number; false when the system does not have it, or not for us. */
function setOption(
  libc: Libc,
  descriptor: number,
  level: number,
  option: number,
  value: number,
): boolean {
  return libc.call.setsockopt(descriptor, level, option, Int32Array.of(value), 4) === 0;
}

function getOption(libc: Libc, descriptor: number, level: number, option: number): number {
  const value = new Int32Array(1);
  checked(libc, "getsockopt", libc.call.getsockopt(descriptor, level, option, value, Uint32Array.of(4)));
  return value[0];
}
