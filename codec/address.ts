/**
 * A host and a port. `host` is a canonical IP address, or that of a network card; or, in tickets and arguments only, a name still to be
 * resolved.
 */
export interface Address {
  /** `"192.0.2.1"`, `"2001:db8::1"`, `"eth:02:00:5e:10:00:01"` or a DNS name; no brackets. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
}

/** What a host is: what it takes to reach it follows from that. */
export type HostKind = "ipv4" | "ipv6" | "ethernet" | "name";

/** Bytes of {@linkcode addressBytes}: 16 of the address, 2 of the port. */
export const ADDRESS_BYTES = 18;

const MAPPED = [0, 0, 0, 0, 0, 0xffff];

/**
 * The 8 groups of 16 bits of an IP address (IPv4 as `::ffff:a.b.c.d`), or `undefined` when `host` is not one.
 * Zones (`%eth0`) are left out: they mean nothing on another machine.
 */
function groups(host: string): number[] | undefined {
  // No leading zeros: other programs read 010.0.0.1 as octal, 8.0.0.1 (RFC 6943 §3.1.1).
  const v4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(host);
  if (v4) {
    const [a, b, c, d] = v4.slice(1).map(Number);
    return Math.max(a, b, c, d) > 255 ? undefined : [...MAPPED, (a << 8) | b, (c << 8) | d];
  }
  let text = host.replace(/%.*$/, "").toLowerCase();
  if (!/^[0-9a-f:.]{2,45}$/.test(text) || !text.includes(":")) return undefined;
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (tail) {
    const inner = groups(tail[2]);
    if (!inner) return undefined;
    text = tail[1] + inner[6].toString(16) + ":" + inner[7].toString(16);
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [left, right] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const zeros = 8 - left.length - (right?.length ?? 0);
  if (right === undefined ? zeros !== 0 : zeros < 1) return undefined;
  const all = [...left, ...Array(right ? zeros : 0).fill("0"), ...(right ?? [])];
  return all.every((group) => /^[0-9a-f]{1,4}$/.test(group))
    ? all.map((group) => parseInt(group, 16))
    : undefined;
}

/** Six pairs of hexadecimal digits behind `eth:`, as `ip link` prints them. */
const ETHERNET = /^eth:([0-9a-f]{2}(?::[0-9a-f]{2}){5})$/i;

/** What stands before the 6 bytes of a network card in 16: a prefix that no network has (IANA assigns IPv6 addresses from 2000::/3). */
const ETHERNET_PREFIX = [0x6574, 0x683a, 0, 0, 0]; // "eth:"

/** The kind of a host; whatever is no address is a name, also what can be none. */
export function hostKind(host: string): HostKind {
  if (ETHERNET.test(host)) return "ethernet";
  const parts = groups(host);
  return parts === undefined ? "name" : isMapped(parts) ? "ipv4" : "ipv6";
}

/** The 6 bytes of a network card's address, or `undefined` for a host of another kind. */
export function macBytes(host: string): Uint8Array<ArrayBuffer> | undefined {
  const hex = ETHERNET.exec(host)?.[1];
  return hex === undefined ? undefined : Uint8Array.from(hex.split(":"), (pair) => parseInt(pair, 16));
}

/** The host that 6 bytes are as a network card's address. */
export function macHost(bytes: Uint8Array): string {
  return "eth:" + Array.from(bytes.subarray(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Whether `host` is an IP address and not a name. */
export function isIpAddress(host: string): boolean {
  return groups(host) !== undefined;
}

/** Whether an address, in its one spelling, leads no further than this machine (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3). */
export function isLoopback(host: string): boolean {
  return host === "::1" || (host.startsWith("127.") && isIpAddress(host));
}

/** Whether `host` is an IPv6 address that is not an IPv4 one in disguise. */
export function isIpv6(host: string): boolean {
  const parts = groups(host);
  return parts !== undefined && !isMapped(parts);
}

function isMapped(parts: number[]): boolean {
  return MAPPED.every((value, i) => parts[i] === value);
}

/**
 * The one spelling of an address (RFC 5952): IPv4-mapped IPv6 becomes IPv4, IPv6 is compressed and lower case.
 * A name passes through, in lower case.
 */
export function canonicalHost(host: string): string {
  const parts = groups(host);
  if (!parts) return host.toLowerCase();
  if (isMapped(parts)) return [parts[6] >> 8, parts[6] & 255, parts[7] >> 8, parts[7] & 255].join(".");
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && parts[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = (slice: number[]) => slice.map((part) => part.toString(16)).join(":");
  if (best.start < 0) return hex(parts);
  return hex(parts.slice(0, best.start)) + "::" + hex(parts.slice(best.start + best.length));
}

/**
 * 18 bytes that name an address in tokens and cookies: the IPv6 form (IPv4 as `::ffff:a.b.c.d`, that of a network card as `eth:` in ASCII
 * and zeros before it) and the port, big-endian.
 *
 * @throws {TypeError} when the host is a name, not an address
 */
export function addressBytes(address: Address): Uint8Array<ArrayBuffer> {
  const parts = groups(address.host) ?? ethernetGroups(address.host);
  if (!parts) throw new TypeError(`not an IP address: ${address.host}`);
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  parts.forEach((part, i) => view.setUint16(2 * i, part));
  view.setUint16(16, address.port);
  return bytes;
}

/** The address that 18 bytes name, canonical; whatever they are. See {@linkcode addressBytes}. */
export function addressOf(bytes: Uint8Array): Address {
  const view = new DataView(bytes.buffer, bytes.byteOffset, ADDRESS_BYTES);
  const parts = Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i));
  const isCard = ETHERNET_PREFIX.every((value, i) => parts[i] === value);
  const text = parts.map((part) => part.toString(16)).join(":");
  return { host: isCard ? macHost(bytes.subarray(10, 16)) : canonicalHost(text), port: view.getUint16(16) };
}

function ethernetGroups(host: string): number[] | undefined {
  const mac = macBytes(host);
  return mac && [...ETHERNET_PREFIX, ...[0, 2, 4].map((at) => (mac[at] << 8) | mac[at + 1])];
}

/** `192.0.2.1:9000`, `[2001:db8::1]:9000`, `eth:02:00:5e:10:00:01:9000` or `name:9000`. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") && !ETHERNET.test(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Labels of letters, digits and inner hyphens (RFC 1123 §2.1), at most 63 each; a dot at the end is allowed. */
const NAME = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.|$))+$/i;

/**
 * A name that resolvers take for an IPv4 address: its last label is a number (WHATWG URL, "ends in a number"). They read 0x7f.1,
 * 127.1 and 2130706433 as the loopback address, so such a name would pass any check of addresses.
 */
const NUMERIC_NAME = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$/i;

/** The address that a text names, canonical, or `undefined` when it is malformed. Port 0 is refused. */
export function parseAddress(text: string): Address | undefined {
  const match =
    /^(?:\[([0-9A-Fa-f:.]{2,45})\]|(eth:[0-9A-Fa-f:]{17})|([A-Za-z0-9.-]{1,253})):([1-9][0-9]{0,4})$/.exec(
      text,
    );
  if (!match) return undefined;
  const [, bracketed, ethernet, plain, portText] = match;
  const port = Number(portText);
  if (port > 65535) return undefined;
  if (ethernet !== undefined) {
    return ETHERNET.test(ethernet) ? { host: ethernet.toLowerCase(), port } : undefined;
  }
  if (bracketed !== undefined) {
    return bracketed.includes(":") && groups(bracketed)
      ? { host: canonicalHost(bracketed), port }
      : undefined;
  }
  const usable = groups(plain) !== undefined || (NAME.test(plain) && !NUMERIC_NAME.test(plain));
  return usable ? { host: canonicalHost(plain), port } : undefined;
}
