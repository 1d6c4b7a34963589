/**
 * Links inside one process: for tests, and for programs whose two ends are in one place.
 *
 * @module
 */
import { type Address, formatAddress, isIpAddress } from "../../codec/address.ts";
import { bindError, checkedOptions, closedError } from "./_bind.ts";
import { Counters } from "./_counters.ts";
import { HostNames } from "./_hosts.ts";
import { Inbox } from "./_inbox.ts";
import {
  type Datagrams,
  type Link,
  type LinkOptions,
  type LinkStats,
  segmentCount,
  segments,
  udpPayloadBytesMax,
} from "./link.ts";

/** Ports that are given out for port 0, as systems do it. */
const freePortMin = 49152;

/** After so many sends the senders wait for a turn of the event loop: microtasks alone would never let a timer run. */
const sendsPerTurn = 64;

/** A network whose links are in this process. */
export interface MemoryNetwork {
  /**
   * A link at an IP address of your choice; port 0 takes a free one. `0.0.0.0` and `::` are addresses like others here.
   *
   * @throws {RgtpError} `ADDRESS_IN_USE` when a link is open there
   * @throws {TypeError} when the host is a name or empty
   * @throws {RangeError} when the port is not one
   */
  open(options: LinkOptions): Link;
}

/** How a {@linkcode memoryNetwork} is made. */
export interface MemoryNetworkOptions {
  /** What one link holds for a reader that is not reading, bytes; what comes on top is dropped. 4 MiB unless told. */
  readonly inboxBytesMax?: number;
}

/**
 * A network of its own. Datagrams to an address where no link is open vanish, as they do elsewhere.
 *
 * @example
 * ```ts
 * import { memoryNetwork } from "./memory.ts";
 * const network = memoryNetwork();
 * using a = network.open({ host: "192.0.2.1", port: 0 });
 * using b = network.open({ host: "192.0.2.2", port: 9000 });
 * await a.send({ peer: b.local, bytes: Uint8Array.of(1, 2, 3), segmentSize: 2 });
 * const [datagrams] = await b.receive();
 * if (datagrams.segmentSize !== 2 || datagrams.peer.host !== "192.0.2.1") throw new Error("unexpected");
 * ```
 */
export function memoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  return new Switch(options.inboxBytesMax ?? 4 * 1024 * 1024);
}

/** The wire: who is where. */
class Switch implements MemoryNetwork {
  readonly #inboxBytesMax: number;
  readonly #links = new Map<string, MemoryLink>();
  #sends = 0;

  constructor(inboxBytesMax: number) {
    this.#inboxBytesMax = inboxBytesMax;
  }

  open(options: LinkOptions): Link {
    const { host, port } = checkedOptions(options);
    if (!isIpAddress(host)) throw new TypeError(`cannot open a link at "${host}": give it an IP address`);
    const local = { host, port: port === 0 ? this.#freePort(host) : port };
    if (this.#links.has(formatAddress(local))) {
      throw bindError(Object.assign(new Error("a link is open there"), { code: "EADDRINUSE" }), local);
    }
    const link = new MemoryLink(this, local, this.#inboxBytesMax);
    this.#links.set(formatAddress(local), link);
    return link;
  }

  /** Hands bytes that nobody else holds to the link at `to`, if there is one. */
  deliver(from: Address, to: Address, bytes: Uint8Array, segmentSize: number): void {
    this.#links.get(formatAddress(to))?.arrive({ peer: from, bytes, segmentSize });
  }

  async turn(): Promise<void> {
    if (++this.#sends % sendsPerTurn === 0) await new Promise((resolve) => setTimeout(resolve));
  }

  leave(local: Address): void {
    this.#links.delete(formatAddress(local));
  }

  #freePort(host: string): number {
    for (let port = freePortMin; port <= 65535; port++) {
      if (!this.#links.has(formatAddress({ host, port }))) return port;
    }
    throw bindError(Object.assign(new Error("no port is free"), { code: "EADDRINUSE" }), { host, port: 0 });
  }
}

class MemoryLink implements Link {
  readonly kind = "memory";
  /** As UDP over IPv4, so that what works here works there. */
  readonly payloadBytesMax = udpPayloadBytesMax;
  readonly burstPacketsMax: number;
  readonly local: Address;
  readonly #switch: Switch;
  readonly #hosts = new HostNames(false);
  readonly #counters = new Counters();
  readonly #inbox: Inbox;
  #closed = false;

  constructor(network: Switch, local: Address, inboxBytesMax: number) {
    this.#switch = network;
    this.local = local;
    this.#inbox = new Inbox(inboxBytesMax, this.#counters);
    // More than a packet of 1452 bytes costs in the inbox.
    this.burstPacketsMax = Math.floor(inboxBytesMax / 2048);
  }

  get stats(): LinkStats {
    return this.#counters;
  }

  async send(datagrams: Datagrams): Promise<void> {
    if (this.#closed) throw closedError(this.kind, this.local);
    const count = segmentCount(datagrams);
    const to = { host: this.#hosts.wire(datagrams.peer.host), port: datagrams.peer.port };
    const { bytes } = datagrams;
    const segmentSize = Math.min(datagrams.segmentSize, bytes.length);
    if (segmentSize <= this.payloadBytesMax) {
      this.#sendWhole(to, bytes, segmentSize, count);
    } else {
      for (const segment of segments(datagrams)) {
        if (segment.length > this.payloadBytesMax) {
          this.#counters.oversize(segment.length, this.payloadBytesMax);
        } else this.#sendWhole(to, segment, segment.length, 1);
      }
    }
    await this.#switch.turn();
  }

  receive(): Promise<readonly Datagrams[]> {
    return this.#inbox.take();
  }

  #sendWhole(to: Address, bytes: Uint8Array, segmentSize: number, count: number): void {
    this.#counters.packetsSent += count;
    this.#counters.bytesSent += bytes.length;
    this.#switch.deliver(this.local, to, bytes.slice(), segmentSize);
  }

  /** From the switch. */
  arrive(datagrams: Datagrams): void {
    this.#inbox.push(datagrams);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#switch.leave(this.local);
    this.#inbox.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
