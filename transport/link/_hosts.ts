import { type Address, canonicalHost, isIpAddress } from "../../codec/address.ts";

/** Spellings that are kept. A flood from invented addresses empties the table, and costs parsing, not memory. */
const hostsMax = 1024;

/** Translates hosts between a socket's spelling and the canonical one, and remembers them: parsing one takes microseconds. */
export class HostNames {
  readonly #canonical = new Map<string, string>();
  readonly #wire = new Map<string, string>();
  readonly #mapped: boolean;
  #latest: { readonly spelling: string; readonly address: Address } | undefined;

  /** `ipv6`: the socket is an IPv6 one, so that IPv4 peers are `::ffff:a.b.c.d` to it. */
  constructor(ipv6: boolean) {
    this.#mapped = ipv6;
  }

  /** The canonical address of a peer that the socket calls `host`. The same object again when the peer is the same. */
  peer(host: string, port: number): Address {
    if (this.#latest?.spelling === host && this.#latest.address.port === port) return this.#latest.address;
    const known = this.#canonical.get(host) ?? remember(this.#canonical, host, canonicalHost(host));
    this.#latest = { spelling: host, address: { host: known, port } };
    return this.#latest.address;
  }

  /**
   * What the socket calls the peer `host`.
   *
   * @throws {TypeError} when it is a name, which a link does not look up
   */
  wire(host: string): string {
    const known = this.#wire.get(host);
    if (known !== undefined) return known;
    if (!isIpAddress(host)) {
      throw new TypeError(`cannot send to "${host}": a link sends to IP addresses; look the name up first`);
    }
    const canonical = canonicalHost(host);
    const mapped = this.#mapped && !canonical.includes(":") ? `::ffff:${canonical}` : canonical;
    return remember(this.#wire, host, mapped);
  }
}

function remember(table: Map<string, string>, key: string, value: string): string {
  if (table.size >= hostsMax) table.clear();
  table.set(key, value);
  return value;
}
