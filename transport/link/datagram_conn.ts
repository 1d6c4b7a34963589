/**
 * Links over `Deno.listenDatagram`: no native code, no permission beyond `--allow-net`.
 *
 * @module
 */
import { type Address, canonicalHost, isIpv6 } from "../../codec/address.ts";
import { RgtpError } from "../../core/errors.ts";
import { bindError, checkedOptions, closedError, deadError } from "./_bind.ts";
import { Counters } from "./_counters.ts";
import { HostNames } from "./_hosts.ts";
import { secondReader } from "./_inbox.ts";
import { multicastError, noSuchInterface } from "./_multicast.ts";
import {
  type Datagrams,
  type Link,
  type LinkOptions,
  type LinkStats,
  segmentAt,
  segmentCount,
  udpPayloadBytesMax,
} from "./link.ts";

/** Room for the largest UDP payload of all: a shorter buffer would cut a datagram off without a word. */
const bufferBytes = 65535;

/** The kernel's default buffer, which cannot be made larger from here, holds 92 packets of 1452 bytes. */
const burstPacketsMax = 80;

/**
 * Receives that wait at once. Measured: what is ready together then comes as one batch of 3 to 7 packets, which with 5 µs
 * of work a batch is 220 thousand packets/s against 130 thousand for one at a time. More than 16 gains nothing and
 * loses more when overrun.
 */
const receivesAtOnce = 16;

/** Before a receive that failed is tried again, so that a socket that always fails does not spin. */
const retryMs = 5;

/**
 * Binds a UDP socket. `::` takes IPv4 peers too, under their IPv4 addresses.
 *
 * @throws {RgtpError} `NOT_SUPPORTED` when the runtime lacks `Deno.listenDatagram`; `ADDRESS_IN_USE`; `INVALID_ARG` when
 * the address is not this machine's; `SOCKET` when the permission or IPv6 is missing
 * @throws {TypeError} when the host is empty
 * @throws {RangeError} when the port is not one
 * @example
 * ```ts
 * import { openDatagramConn } from "./datagram_conn.ts";
 * using link = await openDatagramConn({ host: "127.0.0.1", port: 0 });
 * await link.send({ peer: link.local, bytes: Uint8Array.of(1, 2, 3), segmentSize: 3 });
 * const [datagrams] = await link.receive();
 * if (datagrams.bytes.length !== 3) throw new Error("unexpected");
 * ```
 */
export async function openDatagramConn(options: LinkOptions): Promise<Link> {
  const asked = hostOfInterface(checkedOptions(options));
  const socket = bind(asked);
  try {
    await joinGroup(socket, asked);
  } catch (cause) {
    socket.close();
    throw multicastError(cause, asked);
  }
  return new DatagramConnLink(socket);
}

/** A buffer to receive into, and what it holds when it is not waiting for a datagram. */
interface Slot {
  readonly buffer: Uint8Array;
  datagrams: Datagrams | undefined;
}

class DatagramConnLink implements Link {
  readonly kind = "datagram_conn";
  readonly payloadBytesMax = udpPayloadBytesMax;
  readonly burstPacketsMax = burstPacketsMax;
  readonly local: Address;
  readonly #conn: DatagramSocket;
  readonly #hosts: HostNames;
  readonly #counters = new Counters();
  readonly #retries = new Set<ReturnType<typeof setTimeout>>();
  /** Slots that the reader holds: those of the batch that `receive` returned last. */
  #lent: Slot[];
  /** Slots that the reader will get next. */
  #ready: Slot[] = [];
  #wake: (() => void) | undefined;
  #closed = false;
  /** What killed the socket, if not `close`. */
  #death: { readonly cause: unknown } | undefined;

  constructor(conn: DatagramSocket) {
    this.#conn = conn;
    this.local = { host: canonicalHost(conn.addr.hostname), port: conn.addr.port };
    this.#hosts = new HostNames(conn.addr.hostname.includes(":"));
    this.#lent = Array.from(
      { length: receivesAtOnce },
      () => ({ buffer: new Uint8Array(bufferBytes), datagrams: undefined }),
    );
  }

  get stats(): LinkStats {
    return this.#counters;
  }

  /**
   * One after another: measured as fast as starting all at once (both 220 thousand packets/s), and in order, while of
   * several sends started at once the first is overtaken.
   */
  async send(datagrams: Datagrams): Promise<void> {
    this.#check();
    const count = segmentCount(datagrams);
    const { host, port } = datagrams.peer;
    const to: NetAddress = { transport: "udp", hostname: this.#hosts.wire(host), port };
    for (let i = 0; i < count; i++) {
      const segment = segmentAt(datagrams, i);
      if (segment.length > this.payloadBytesMax) {
        this.#counters.oversize(segment.length, this.payloadBytesMax);
        continue;
      }
      try {
        await this.#conn.send(segment, to);
        this.#counters.sent(1, segment.length);
      } catch (error) {
        this.#diedOf(error);
        this.#check();
        this.#counters.sendFailed(error);
      }
    }
  }

  async receive(): Promise<readonly Datagrams[]> {
    if (this.#wake !== undefined) throw secondReader();
    if (this.#closed) return [];
    this.#check();
    // By asking for more the reader gives back what it holds.
    const given = this.#lent;
    this.#lent = [];
    for (const slot of given) this.#arm(slot);
    if (this.#ready.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    if (this.#closed) return [];
    this.#check();
    return this.#lend();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#retries) clearTimeout(timer);
    this.#retries.clear();
    if (this.#death === undefined) this.#conn.close();
    this.#wakeReader();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #arm(slot: Slot): void {
    this.#conn.receive(slot.buffer).then(([bytes, from]) => {
      const peer = this.#hosts.peer(from.hostname, from.port);
      slot.datagrams = { peer, bytes, segmentSize: bytes.length };
      this.#ready.push(slot);
      this.#wakeReader();
    }, (error) => this.#receiveFailed(slot, error));
  }

  #lend(): Datagrams[] {
    this.#lent = this.#ready;
    this.#ready = [];
    const batch: Datagrams[] = [];
    for (const { datagrams } of this.#lent) {
      if (datagrams === undefined) continue;
      this.#counters.received(1, datagrams.bytes.length);
      batch.push(datagrams);
    }
    return batch;
  }

  #receiveFailed(slot: Slot, error: unknown): void {
    if (this.#closed) return;
    this.#diedOf(error);
    if (this.#death !== undefined) return this.#wakeReader();
    // On some systems an ICMP "port unreachable" of an earlier send comes back here. It says nothing about this socket.
    this.#counters.receiveFailed(error);
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      this.#arm(slot);
    }, retryMs);
    this.#retries.add(timer);
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Notes the end of the socket if that is what `error` means. */
  #diedOf(error: unknown): void {
    if (error instanceof Error && error.name === "BadResource") this.#death ??= { cause: error };
  }

  #check(): void {
    if (this.#closed) throw closedError(this.kind, this.local);
    if (this.#death !== undefined) throw deadError(this.kind, this.local, this.#death.cause);
  }
}

interface NetAddress {
  readonly transport: "udp";
  readonly hostname: string;
  readonly port: number;
}

/** The part of `Deno.DatagramConn` that is used here. Deno's own type exists only for programs that switch `net` on. */
interface DatagramSocket {
  readonly addr: NetAddress;
  send(bytes: Uint8Array, to: NetAddress): Promise<number>;
  receive(buffer: Uint8Array): Promise<[Uint8Array, NetAddress]>;
  joinMulticastV4(group: string, networkInterface: string): Promise<unknown>;
  joinMulticastV6(group: string, networkInterface: number): Promise<unknown>;
  close(): void;
}

interface ListenOptions extends NetAddress {
  readonly reuseAddress?: boolean;
  readonly loopback?: boolean;
}

type ListenDatagram = (options: ListenOptions) => DatagramSocket;

function listenDatagram(): ListenDatagram | undefined {
  const deno: unknown = Reflect.get(globalThis, "Deno");
  return (deno as { readonly listenDatagram?: ListenDatagram } | undefined)?.listenDatagram;
}

/** What is sent to a group leaves by the interface whose address the socket has: there is no other way to choose one here. */
function hostOfInterface(options: LinkOptions): LinkOptions {
  const { host, multicast } = options;
  if (!multicast || multicast.join !== undefined) return options;
  const { interfaceName, hops = 1 } = multicast;
  if (hops !== 1 || (interfaceName !== undefined && isIpv6(host))) {
    throw new RgtpError(
      "NOT_SUPPORTED",
      "the link kind datagram_conn sends to groups of this network alone, and to IPv6 ones by the interface that the " +
        "system chooses: for more run with --allow-ffi=/lib",
    );
  }
  return interfaceName === undefined
    ? options
    : { ...options, host: interfaceOf(interfaceName, "IPv4").address };
}

/** Asks Deno for `--allow-sys=networkInterfaces`. */
function interfaceOf(name: string, family: "IPv4" | "IPv6"): Deno.NetworkInterfaceInfo {
  const found = Deno.networkInterfaces().find((one) => one.name === name && one.family === family);
  if (!found) throw noSuchInterface(name);
  return found;
}

async function joinGroup(socket: DatagramSocket, { multicast = {} }: LinkOptions): Promise<void> {
  const { join, interfaceName } = multicast;
  if (join === undefined) return;
  if (isIpv6(join)) {
    const index = interfaceName === undefined ? 0 : interfaceOf(interfaceName, "IPv6").scopeid ?? 0;
    await socket.joinMulticastV6(join, index);
  } else {
    const address = interfaceName === undefined ? "0.0.0.0" : interfaceOf(interfaceName, "IPv4").address;
    await socket.joinMulticastV4(join, address);
  }
}

function bind(options: LinkOptions): DatagramSocket {
  const listen = listenDatagram();
  if (listen === undefined) {
    throw new RgtpError(
      "NOT_SUPPORTED",
      "this runtime has no Deno.listenDatagram: run with --unstable-net, or use the link kind node_dgram",
    );
  }
  try {
    const { host: hostname, port, multicast } = options;
    return listen({
      transport: "udp",
      hostname,
      port,
      ...(multicast && { reuseAddress: multicast.join !== undefined, loopback: true }),
    });
  } catch (error) {
    throw bindError(error, options);
  }
}
