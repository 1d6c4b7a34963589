/**
 * Links over `node:dgram`, for programs where `Deno.listenDatagram` is not switched on. Three times slower.
 *
 * @module
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { type Address, canonicalHost } from "../../codec/address.ts";
import { RgtpError } from "../../core/errors.ts";
import { bindError, checkedOptions, closedError, deadError } from "./_bind.ts";
import { Counters } from "./_counters.ts";
import { HostNames } from "./_hosts.ts";
import { Inbox } from "./_inbox.ts";
import { askPermission, resolved } from "./_lookup.ts";
import {
  type Datagrams,
  type Link,
  type LinkOptions,
  type LinkStats,
  segmentAt,
  segmentCount,
  udpPayloadBytesMax,
} from "./link.ts";

/** Datagrams arrive unasked here; this much of them waits for the reader. */
const inboxBytesMax = 4 * 1024 * 1024;

/**
 * The kernel's default buffer holds 92 packets of 1452 bytes. `setRecvBufferSize` would not change that: in Deno 2.9 it
 * sets what is allocated for each datagram, so that 4 MiB there makes receiving twenty times slower.
 */
const burstPacketsMax = 80;

/**
 * Binds a UDP socket. `::` takes IPv4 peers too, under their IPv4 addresses.
 *
 * @throws {RgtpError} `ADDRESS_IN_USE`; `INVALID_ARG` when the address is not this machine's; `SOCKET` when the permission or
 * IPv6 is missing
 * @throws {TypeError} when the host is empty
 * @throws {RangeError} when the port is not one
 */
export async function openNodeDgram(options: LinkOptions): Promise<Link> {
  if (options.multicast) {
    throw new RgtpError(
      "NOT_SUPPORTED",
      "the link kind node_dgram carries no multicast: use linux_udp or datagram_conn",
    );
  }
  const found = await resolved(checkedOptions(options));
  // Without the permission Deno's `bind` ends the program, by an exception that nobody can catch.
  await askPermission(found);
  const socket = createSocket({ type: found.host.includes(":") ? "udp6" : "udp4", ipv6Only: false });
  try {
    await bound(socket, found);
  } catch (error) {
    throw bindError(error, found);
  }
  return new NodeDgramLink(socket);
}

class NodeDgramLink implements Link {
  readonly kind = "node_dgram";
  readonly payloadBytesMax = udpPayloadBytesMax;
  readonly burstPacketsMax = burstPacketsMax;
  readonly local: Address;
  readonly #socket: Socket;
  readonly #hosts: HostNames;
  readonly #counters = new Counters();
  readonly #inbox = new Inbox(inboxBytesMax, this.#counters);
  #closed = false;
  #death: { readonly cause: unknown } | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.local = { host: canonicalHost(address), port };
    this.#hosts = new HostNames(address.includes(":"));
    socket.on("message", (message: Uint8Array, from: RemoteInfo) => this.#arrived(message, from));
    socket.on("error", (error: unknown) => this.#counters.receiveFailed(error));
    socket.on("close", () => this.#ended());
  }

  get stats(): LinkStats {
    return this.#counters;
  }

  async send(datagrams: Datagrams): Promise<void> {
    this.#check();
    const count = segmentCount(datagrams);
    const host = this.#hosts.wire(datagrams.peer.host);
    for (let i = 0; i < count; i++) {
      const segment = segmentAt(datagrams, i);
      if (segment.length > this.payloadBytesMax) {
        this.#counters.oversize(segment.length, this.payloadBytesMax);
        continue;
      }
      try {
        await this.#sendOne(segment, host, datagrams.peer.port);
        this.#counters.sent(1, segment.length);
      } catch (error) {
        this.#check();
        this.#counters.sendFailed(error);
      }
    }
  }

  // Not async itself: a second reader's mistake and the inbox's promise go out as they are.
  receive(): Promise<readonly Datagrams[]> {
    if (this.#death !== undefined && !this.#closed) {
      return Promise.reject(deadError(this.kind, this.local, this.#death.cause));
    }
    return this.#inbox.take();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#death === undefined) this.#socket.close();
    this.#inbox.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Done when the bytes have left: until then the socket reads the caller's buffer. */
  #sendOne(segment: Uint8Array, host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(segment, 0, segment.length, port, host, (error) => error ? reject(error) : resolve());
    });
  }

  #arrived(message: Uint8Array, from: RemoteInfo): void {
    // A copy: the message is a view of 64 KiB, which a queue of small ones would keep alive.
    const bytes = new Uint8Array(message);
    this.#inbox.push({ peer: this.#hosts.peer(from.address, from.port), bytes, segmentSize: bytes.length });
  }

  /** The socket closed: by `close()`, or on its own, which is its death. */
  #ended(): void {
    if (this.#closed) return;
    this.#death = { cause: new Error("the socket closed on its own") };
    this.#inbox.fail(deadError(this.kind, this.local, this.#death.cause));
  }

  #check(): void {
    if (this.#closed) throw closedError(this.kind, this.local);
    if (this.#death !== undefined) throw deadError(this.kind, this.local, this.#death.cause);
  }
}

function bound(socket: Socket, { host, port }: LinkOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, host, () => {
      socket.off("error", reject);
      resolve();
    });
  });
}
