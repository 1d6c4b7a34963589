/*
 * Which addresses are anybody's on the Internet, and which mean something in one network, on one machine, or nothing.
 */
import { addressBytes, hostKind } from "./address.ts";
import type { Address } from "./address.ts";

/** Addresses that begin with the same bits: `HOST/BITS`. */
interface Block {
  readonly value: bigint;
  /** Bits that differ within it. */
  readonly spare: bigint;
}

/**
 * From the special to the general: the first that holds an address decides. The special-purpose registries of IANA (RFC 6890), multicast
 * (RFC 5771, RFC 4291), and of IPv6 nothing that is not assigned. What leads to any IPv4 address (Teredo, 6to4) is not public.
 */
const table: readonly (readonly [block: string, isPublic: boolean])[] = [
  ["0.0.0.0/8", false], // this machine: systems take 0.0.0.0 for the loopback
  ["10.0.0.0/8", false],
  ["100.64.0.0/10", false], // behind a provider's NAT
  ["127.0.0.0/8", false],
  ["169.254.0.0/16", false], // of one link; clouds tell machines their secrets there
  ["172.16.0.0/12", false],
  ["192.0.0.0/24", false],
  ["192.0.2.0/24", false], // documentation
  ["192.88.99.0/24", false], // relays of 6to4
  ["192.168.0.0/16", false],
  ["198.18.0.0/15", false], // benchmarks
  ["198.51.100.0/24", false],
  ["203.0.113.0/24", false],
  ["224.0.0.0/3", false], // multicast, reserved, everybody
  ["0.0.0.0/0", true],
  ["2001::/23", false], // protocols, Teredo among them
  ["2001:db8::/32", false],
  ["2002::/16", false],
  ["3fff::/20", false],
  ["2000::/3", true],
  ["::/0", false],
];

const rows = table.map(([text, isPublic]) => ({ block: blockOf(text), isPublic }));
/** IPv4 addresses as machines without IPv4 write them (RFC 6052): each is what it stands for. */
const translated = blockOf("64:ff9b::/96");
const mapped = blockOf("::ffff:0:0/96");

/**
 * Whether an address is anybody's on the Internet. Not so are those of loopback, links, private and shared networks, multicast,
 * documentation, and what is reserved; and those of network cards. Nor is a name: what it stands for is to be asked about.
 *
 * @example
 * ```ts
 * import { isPublicAddress } from "@red-giant/rgtp/codec";
 *
 * const hosts = ["1.1.1.1", "10.0.0.1", "::1", "2606:4700::1111"];
 * const isPublic = hosts.map((host) => isPublicAddress({ host }));
 * if (isPublic.join() !== "true,false,false,true") throw new Error("unexpected");
 * ```
 */
export function isPublicAddress({ host }: Pick<Address, "host">): boolean {
  if (!["ipv4", "ipv6"].includes(hostKind(host))) return false;
  const value = valueOf(host);
  const meant = isIn(value, translated) ? mapped.value | (value & 0xffff_ffffn) : value;
  return rows.find(({ block }) => isIn(meant, block))!.isPublic;
}

function isIn(value: bigint, block: Block): boolean {
  return value >> block.spare === block.value >> block.spare;
}

function blockOf(text: string): Block {
  const [host, bits] = text.split("/");
  const total = hostKind(host) === "ipv4" ? 32 : 128;
  return { value: valueOf(host), spare: BigInt(total - Number(bits)) };
}

/** The 128 bits of an IP address, IPv4 as `::ffff:a.b.c.d`. */
function valueOf(host: string): bigint {
  return BigInt(`0x${addressBytes({ host, port: 0 }).subarray(0, 16).toHex()}`);
}
