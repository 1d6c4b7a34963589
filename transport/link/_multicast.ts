/*
 * Multicast on sockets of Linux: which interface packets to a group leave by, how far they go, and joining one.
 * Numbers and structures of Linux, include/uapi/linux/in.h and in6.h; the same on x86_64 and aarch64.
 */
import { addressBytes, formatAddress, isIpv6 } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Libc } from "./_libc.ts";
import { checked } from "./_poller.ts";
import type { LinkOptions, MulticastOptions } from "./link.ts";

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const families = {
  v4: { level: 0, interface: 32, hops: 33, join: 35, isAll: 49 },
  v6: { level: 41, interface: 17, hops: 18, join: 20, isAll: 29 },
} as const;

/** Before the socket is bound: several of one machine may listen to one group. */
export function allowSharing(libc: Libc, descriptor: number): void {
  const { setsockopt } = libc.call;
  checked(libc, "setsockopt", setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, Int32Array.of(1), 4));
}

/** After it is bound. @throws {Error} with a `code` */
export function setMulticast(libc: Libc, descriptor: number, host: string, options: MulticastOptions): void {
  const { join, interfaceName, hops } = options;
  const isV6 = isIpv6(join ?? host);
  const family = isV6 ? families.v6 : families.v4;
  const index = interfaceName === undefined ? 0 : interfaceIndex(libc, interfaceName);
  const set = (option: number, value: Uint8Array | Int32Array) =>
    checked(
      libc,
      "setsockopt",
      libc.call.setsockopt(descriptor, family.level, option, value as BufferSource, value.byteLength),
    );
  if (index > 0) set(family.interface, isV6 ? Int32Array.of(index) : membership("0.0.0.0", index));
  if (hops !== undefined) set(family.hops, Int32Array.of(hops));
  if (join === undefined) return;
  // Else it would get what other programs of this machine have joined.
  set(family.isAll, Int32Array.of(0));
  set(family.join, membership(join, index));
}

/** `struct ip_mreqn` (group 4, address 4, interface 4) or `struct ipv6_mreq` (group 16, interface 4). */
function membership(group: string, index: number): Uint8Array {
  const bytes = addressBytes({ host: group, port: 0 });
  const out = new Uint8Array(isIpv6(group) ? 20 : 12);
  if (isIpv6(group)) out.set(bytes.subarray(0, 16));
  else out.set(bytes.subarray(12, 16));
  new DataView(out.buffer).setInt32(out.length - 4, index, true);
  return out;
}

function interfaceIndex(libc: Libc, name: string): number {
  const index = libc.call.if_nametoindex(new TextEncoder().encode(`${name}\0`));
  if (index === 0) throw noSuchInterface(name);
  return index;
}

/** The error for an interface that is not there. */
export function noSuchInterface(name: string): RgtpError {
  return new RgtpError(
    "INVALID_ARG",
    `this machine has no network interface '${name}' with an address: 'ip link' or 'ipconfig' lists what it has`,
  );
}

/** The error for a group that cannot be used here: what, where, and what to do. */
export function multicastError(cause: unknown, { host, port, multicast }: LinkOptions): RgtpError {
  if (cause instanceof RgtpError) return cause;
  const { join, interfaceName } = multicast!;
  const what = join === undefined
    ? `send to multicast groups from ${formatAddress({ host, port })}`
    : `join the group ${join}`;
  const where = interfaceName === undefined ? "" : ` on ${interfaceName}`;
  const advice = interfaceName === undefined
    ? "name the interface with --interface"
    : "see whether it is up and has an address";
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RgtpError("SOCKET", `cannot ${what}${where}: ${reason}; ${advice}`, { cause });
}

/** Where a socket is bound that joins a group: to the group, so that nothing else reaches it. An IPv6 one of a link would need a zone. */
export function groupHost(group: Address): string {
  return isIpv6(group.host) ? "::" : group.host;
}
