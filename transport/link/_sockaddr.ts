import { type Address, addressBytes, canonicalHost, isIpv6 } from "../../codec/address.ts";

/*
 * Addresses as Linux has them. Little-endian but for port and address, which are in network order:
 *
 *   sockaddr_in   family 2, port 2, address 4, zeros 8
 *   sockaddr_in6  family 2, port 2, flow 4, address 16, scope 4
 */
const AF_INET = 2;
const AF_INET6 = 10;
const V4_BYTES = 16;
/** Room for either. */
export const SOCKADDR_BYTES = 28;

/** Hosts that are remembered. A flood from invented addresses empties the table, and costs parsing, not memory. */
const hostsMax = 1024;

/** `AF_INET` or `AF_INET6`: the family of a socket that is bound to `host`. */
export function familyOf(host: string): number {
  return isIpv6(host) ? AF_INET6 : AF_INET;
}

/**
 * An address in the form that a socket of `family` takes: to an IPv6 socket IPv4 peers are `::ffff:a.b.c.d`.
 *
 * @throws {TypeError} when the host is a name
 */
export function encodeSockaddr(address: Address, family: number): Uint8Array<ArrayBuffer> {
  const bytes = addressBytes(address);
  const isV4 = family === AF_INET && !isIpv6(address.host);
  const out = new Uint8Array(new ArrayBuffer(isV4 ? V4_BYTES : SOCKADDR_BYTES));
  out[0] = isV4 ? AF_INET : AF_INET6;
  out.set(bytes.subarray(16, 18), 2);
  if (isV4) out.set(bytes.subarray(12, 16), 4);
  else out.set(bytes.subarray(0, 16), 8);
  return out;
}

/** The address in a `sockaddr`; the host is canonical. */
export function decodeSockaddr(bytes: Uint8Array): Address {
  const port = (bytes[2] << 8) | bytes[3];
  if (bytes[0] === AF_INET) return { host: bytes.subarray(4, 8).join("."), port };
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((bytes[8 + 2 * i] << 8) | bytes[9 + 2 * i]).toString(16),
  );
  return { host: canonicalHost(groups.join(":")), port };
}

/** A host as a destination. */
export interface Destination {
  /** Its `sockaddr`; the port is whatever it was at first. */
  readonly sockaddr: Uint8Array<ArrayBuffer>;
  /** Segments of this size and longer are not offloaded on the way there, since that has failed. */
  offloadBelow: number;
}

/** Translates between addresses and a socket's form of them, and remembers both: each translation takes microseconds. */
export class Sockaddrs {
  readonly #family: number;
  readonly #destinations = new Map<string, Destination>();
  readonly #peers = new Map<string, Address>();
  readonly #latest = new Uint8Array(SOCKADDR_BYTES);
  #latestPeer: Address | undefined;

  /** `family` is that of the socket. */
  constructor(family: number) {
    this.#family = family;
  }

  /** Where `host` is. @throws {TypeError} when it is a name, which a link does not look up */
  destination({ host, port }: Address): Destination {
    const known = this.#destinations.get(host);
    if (known !== undefined) return known;
    let sockaddr: Uint8Array<ArrayBuffer>;
    try {
      sockaddr = encodeSockaddr({ host, port }, this.#family);
    } catch (cause) {
      throw new TypeError(
        `cannot send to "${host}": a link sends to IP addresses; look the name up first`,
        { cause },
      );
    }
    return this.#remember(host, sockaddr);
  }

  /** Whose `sockaddr` this is. The same object again when the peer is the same as the last. */
  peer(sockaddr: Uint8Array): Address {
    if (this.#latestPeer !== undefined && isSame(sockaddr, this.#latest)) return this.#latestPeer;
    const key = sockaddr.toHex();
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      peer = decodeSockaddr(sockaddr);
      if (this.#peers.size >= hostsMax) this.#peers.clear();
      this.#peers.set(key, peer);
      // It is mostly answered. And a link-local address is reached through the interface that its packets came from.
      if (scopeOf(sockaddr) !== 0 || !this.#destinations.has(peer.host)) {
        this.#remember(peer.host, sockaddr.slice());
      }
    }
    this.#latest.fill(0).set(sockaddr);
    return this.#latestPeer = peer;
  }

  #remember(host: string, sockaddr: Uint8Array<ArrayBuffer>): Destination {
    if (this.#destinations.size >= hostsMax) this.#destinations.clear();
    const destination = { sockaddr, offloadBelow: Infinity };
    this.#destinations.set(host, destination);
    return destination;
  }
}

function isSame(sockaddr: Uint8Array, latest: Uint8Array): boolean {
  for (let i = 0; i < sockaddr.length; i++) if (sockaddr[i] !== latest[i]) return false;
  return true;
}

function scopeOf(sockaddr: Uint8Array): number {
  return sockaddr.length < SOCKADDR_BYTES ? 0 : sockaddr[24] | (sockaddr[25] << 8) | (sockaddr[26] << 16) |
    (sockaddr[27] << 24);
}
