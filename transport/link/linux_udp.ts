/**
 * Links over the sockets of Linux, called as foreign functions: many datagrams a call, and a receive buffer as large as the system allows.
 * It needs `--allow-ffi` for the folder of the C library, e.g. `--allow-ffi=/lib`, and never asks for it.
 *
 * @module
 */
import { type Address, formatAddress, isLoopback } from "../../codec/address.ts";
import { RgtpError } from "../../core/errors.ts";
import { bindError, checkedOptions, closedError, deadError } from "./_bind.ts";
import { Counters } from "./_counters.ts";
import { type ErrnoName, isErrno, systemError } from "./_errno.ts";
import { secondReader } from "./_inbox.ts";
import { Incoming } from "./_incoming.ts";
import type { Libc } from "./_libc.ts";
import { type LinuxSocket, openSocket } from "./_linux_socket.ts";
import { askPermission, resolved } from "./_lookup.ts";
import { Nap } from "./_nap.ts";
import { NetPermission } from "./_net_permission.ts";
import { Outgoing, type Train } from "./_outgoing.ts";
import { Poller, READABLE, WRITABLE } from "./_poller.ts";
import { type Destination, Sockaddrs } from "./_sockaddr.ts";
import { SplitOutgoing } from "./_split.ts";
import { openStrangers } from "./_strangers.ts";
import type { Turn } from "./_turn.ts";
import {
  type Datagrams,
  joined,
  joinedBytes,
  type Link,
  type LinkOptions,
  type LinkStats,
  segmentCount,
  type SplitDatagrams,
  udpPayloadBytesMax,
} from "./link.ts";

/**
 * What a packet of 1452 bytes may take of the receive buffer. The kernel charges 2304 on loopback; other devices' drivers charge more.
 */
const bufferBytesPerPacket = 2662;

/** How often a datagram waits for room in the send buffer, which others may take, before it counts as lost. */
const sendWaitsMax = 10;

/** What says that there is no room in the send buffer just now. */
const busy: readonly ErrnoName[] = ["EAGAIN", "ENOBUFS", "EINTR"];

/** What comes of a message in segments where the kernel, the device or the path cannot have them; each datagram for itself may go. */
const cannotSegment: readonly ErrnoName[] = ["EINVAL", "EIO", "EMSGSIZE"];

/** Segments that the kernel makes of one message (Linux, include/linux/udp.h: UDP_MAX_SEGMENTS, 128 since 6.9). */
const segmentsMax = 64;

/** Before a receive that failed is tried again, so that a socket that always fails does not spin. */
const retryMs = 5;

/**
 * Binds a UDP socket. `::` takes IPv4 peers too, under their IPv4 addresses.
 *
 * @throws {RgtpError} `NOT_SUPPORTED` elsewhere than on Linux, or without the permission for foreign functions; `ADDRESS_IN_USE`;
 * `INVALID_ARG` when the address is not this machine's; `SOCKET` when the permission for the network or IPv6 is missing
 * @throws {TypeError} when the host is empty
 * @throws {RangeError} when the port is not one
 */
export async function openLinuxUdp(options: LinkOptions): Promise<Link> {
  const asked = checkedOptions(options);
  const poller = sharedPoller(asked);
  if (poller === undefined) {
    throw new RgtpError(
      "NOT_SUPPORTED",
      "the link kind linux_udp needs Linux and Deno's permission to call its C library: run with --allow-ffi=/lib " +
        "(/lib64 where that library is there)",
    );
  }
  try {
    const found = await resolved(asked);
    await askPermission(found);
    const link = new LinuxUdpLink(poller, bind(poller.libc, found), found.naps === true);
    if (found.strangersApart) link.partStrangers();
    return link;
  } catch (error) {
    poller.release();
    throw error;
  }
}

function sharedPoller(options: LinkOptions): Poller | undefined {
  try {
    return Poller.share();
  } catch (error) {
    throw bindError(error, options);
  }
}

function bind(libc: Libc, options: LinkOptions): LinuxSocket {
  try {
    return openSocket(libc, options);
  } catch (error) {
    throw bindError(error, options);
  }
}

/**
 * How many datagrams of a train go into each message: all of a message together are no longer than the longest datagram. The messages are
 * as few as can be and about equal, since what gets lost is often a whole one.
 */
function segmentsPerMessage({ segmentSize, count }: Train): number {
  const most = Math.max(1, Math.min(segmentsMax, Math.floor(udpPayloadBytesMax / segmentSize)));
  return Math.ceil(count / Math.ceil(count / most));
}

class LinuxUdpLink implements Link {
  readonly kind = "linux_udp";
  readonly payloadBytesMax = udpPayloadBytesMax;
  readonly burstPacketsMax: number;
  readonly local: Address;
  readonly #socket: LinuxSocket;
  #strangers: readonly LinuxUdpLink[] = [];
  /** The one of whose strangers this is. */
  readonly #main: LinuxUdpLink | undefined;
  readonly #poller: Poller;
  readonly #libc: Libc;
  readonly #descriptor: number;
  readonly #sockaddrs: Sockaddrs;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  readonly #permission = new NetPermission();
  readonly #counters: Counters;
  readonly #turn: Turn;
  readonly #nap: Nap | undefined;
  /** From where the latest datagrams came, and whether that is this machine. */
  #latestPeer: Address | undefined;
  #isNearby = false;
  /** Made when something is first sent that lies apart; away while somebody waits to send more of it. */
  #split: SplitOutgoing | undefined;
  #isReading = false;
  /** Something was read since this link last waited. */
  #hasRead = false;
  #closed = false;
  /** What killed the socket, if not `close`. */
  #death: { readonly cause: unknown } | undefined;
  /** The descriptor is not ours any more: it may be somebody else's by now. */
  #isGone = false;

  /** `main` is given to one for its strangers. */
  constructor(poller: Poller, socket: LinuxSocket, naps: boolean, main?: LinuxUdpLink) {
    const { descriptor, family, local, receiveBufferBytes } = socket;
    this.#socket = socket;
    this.#main = main;
    this.#poller = poller;
    this.#libc = poller.libc;
    this.#turn = poller.turn;
    this.#descriptor = descriptor;
    this.local = local;
    this.burstPacketsMax = Math.floor(receiveBufferBytes / bufferBytesPerPacket);
    // Answers to strangers leave by the main one, which has to know the way.
    this.#sockaddrs = main ? main.#sockaddrs : new Sockaddrs(family);
    this.#counters = main ? main.#counters : new Counters();
    this.#incoming = new Incoming(poller.libc);
    this.#outgoing = new Outgoing(poller.libc);
    this.#nap = naps ? new Nap(poller.libc, descriptor) : undefined;
  }

  /** From now on what strangers send arrives elsewhere, if the system can do that. */
  partStrangers(): void {
    this.#strangers = openStrangers(this.#libc, this.#socket)
      .map((socket) => new LinuxUdpLink(this.#poller, socket, false, this));
  }

  get strangers(): readonly Link[] {
    return this.#strangers;
  }

  get stats(): LinkStats {
    return this.#counters;
  }

  async send({ peer, bytes, segmentSize }: Datagrams): Promise<void> {
    this.#check();
    const train = { bytes, segmentSize, count: segmentCount({ peer, bytes, segmentSize }) };
    const destination = this.#sockaddrs.destination(peer);
    if (!this.#permission.allows(peer)) {
      return this.#counters.sendFailed(`Deno does not permit to send to ${formatAddress(peer)}`, train.count);
    }
    let perMessage = segmentSize < destination.offloadBelow ? segmentsPerMessage(train) : 1;
    for (let first = this.#skipOversize(train), waits = 0; first < train.count;) {
      const { sockaddr } = destination;
      const sent = this.#outgoing.send(this.#descriptor, sockaddr, peer.port, train, first, perMessage);
      if (sent > 0) {
        this.#counters.sent(sent, Math.min(sent * segmentSize, bytes.length - first * segmentSize));
        first += sent;
        waits = 0;
        continue;
      }
      const errno = this.#libc.errno();
      if (perMessage > 1 && isErrno(errno, ...cannotSegment)) {
        destination.offloadBelow = Math.min(destination.offloadBelow, segmentSize);
        perMessage = 1;
      } else if (isErrno(errno, ...busy) && waits++ < sendWaitsMax) {
        await this.#ready(WRITABLE);
        this.#check();
      } else {
        this.#diedOf("sendmmsg", errno);
        this.#check();
        const lost = Math.min(perMessage, train.count - first);
        this.#counters.sendFailed(systemError("sendmmsg", errno), lost);
        first += lost;
      }
    }
    if (this.#turn.isOver) await this.#turn.yield();
  }

  sendSplit(split: SplitDatagrams): Promise<void> | undefined {
    this.#check();
    const { peer, headerBytes, bodyBytes } = split;
    const size = headerBytes + bodyBytes;
    const destination = this.#sockaddrs.destination(peer);
    const isPlain = size < destination.offloadBelow && size <= this.payloadBytesMax;
    if (!isPlain || !this.#permission.allows(peer)) return this.#sendJoined(split);
    const laid = this.#split ??= new SplitOutgoing(this.#libc);
    laid.lay(split, destination.sockaddr, Math.min(segmentsMax, Math.floor(udpPayloadBytesMax / size)));
    const sent = this.#sendLaid(laid, 0);
    if (sent < laid.messages) {
      this.#split = undefined;
      return this.#sendRest(laid, sent, split, destination);
    }
    return this.#turn.isOver ? this.#turn.yield() : undefined;
  }

  /** Sends messages from number `first` on, as far as they go: where it came to. */
  #sendLaid(laid: SplitOutgoing, first: number): number {
    for (let next = first; next < laid.messages;) {
      const sent = laid.send(this.#descriptor, next);
      if (sent < 0) return next;
      this.#counters.sent(laid.datagrams(next, next + sent), laid.bytes(next, next + sent));
      next += sent;
    }
    return laid.messages;
  }

  /** After a send that failed: the rest, whatever the reason was. */
  async #sendRest(
    laid: SplitOutgoing,
    from: number,
    split: SplitDatagrams,
    destination: Destination,
  ): Promise<void> {
    for (let first = from, waits = 0; first < laid.messages;) {
      const errno = this.#libc.errno();
      if (isErrno(errno, ...cannotSegment) && laid.datagrams(first) > 1) {
        // What has gone already goes once more: this happens once for a host.
        destination.offloadBelow = Math.min(destination.offloadBelow, split.headerBytes + split.bodyBytes);
        return await this.#sendJoined(split);
      }
      if (isErrno(errno, ...busy) && waits++ < sendWaitsMax) {
        await this.#ready(WRITABLE);
        this.#check();
      } else {
        this.#diedOf("sendmmsg", errno);
        this.#check();
        this.#counters.sendFailed(systemError("sendmmsg", errno), laid.datagrams(first));
        first++;
      }
      const sent = this.#sendLaid(laid, first);
      if (sent > first) waits = 0;
      first = sent;
    }
    if (this.#turn.isOver) await this.#turn.yield();
  }

  async #sendJoined(split: SplitDatagrams): Promise<void> {
    const memory = new Uint8Array(joinedBytes(split));
    for (const datagrams of joined(split, memory)) await this.send(datagrams);
  }

  async receive(): Promise<readonly Datagrams[]> {
    if (this.#isReading) throw secondReader();
    this.#isReading = true;
    try {
      // Nothing is there that was not there a moment ago: to ask costs a call, and a nap ends at once if it is not so.
      if (this.#incoming.isEmptied && this.#mayNap) await this.#waitForData();
      while (!this.#closed) {
        this.#check();
        if (this.#hasRead && this.#turn.isOver) {
          this.#hasRead = false;
          await this.#turn.next();
          continue;
        }
        const count = this.#incoming.receive(this.#descriptor);
        this.#hasRead = count >= 0;
        if (count < 0) await this.#waitToReceive(this.#libc.errno());
        else {
          const batch = this.#read(count);
          if (batch.length > 0) return batch;
        }
      }
      return [];
    } finally {
      this.#isReading = false;
    }
  }

  receiveNow(): readonly Datagrams[] {
    if (this.#closed || this.#isGone) return [];
    const count = this.#incoming.receive(this.#descriptor);
    // Whatever is wrong shows to who waits.
    return count < 0 ? [] : this.#read(count);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const link of this.strangers) link.close();
    if (!this.#isGone) {
      this.#libc.call.close(this.#descriptor);
      this.#poller.forget(this.#descriptor);
    }
    if (!this.#main) this.#poller.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #read(count: number): Datagrams[] {
    const batch: Datagrams[] = [];
    for (let i = 0; i < count; i++) {
      const datagrams = this.#incoming.read(i, this.#sockaddrs);
      if (datagrams === undefined) this.#counters.receiveFailed("a datagram was longer than any can be");
      else {
        this.#counters.received(segmentCount(datagrams), datagrams.bytes.length);
        if (datagrams.peer !== this.#latestPeer) {
          this.#latestPeer = datagrams.peer;
          this.#isNearby = isLoopback(datagrams.peer.host);
        }
        batch.push(datagrams);
      }
    }
    return batch;
  }

  /** After a receive that brought nothing. */
  async #waitToReceive(errno: number): Promise<void> {
    if (isErrno(errno, "EAGAIN", "EINTR")) return await this.#waitForData();
    this.#diedOf("recvmmsg", errno);
    this.#check();
    // The failure of an earlier send may show here. It says nothing about this socket.
    this.#counters.receiveFailed(systemError("recvmmsg", errno));
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }

  /** Whether something is likely to come soon, and nothing else would wait for long that has nothing to do with it. */
  get #mayNap(): boolean {
    return this.#nap !== undefined && this.#isNearby && this.#nap.pays && !this.#turn.isOver;
  }

  async #waitForData(): Promise<void> {
    const nap = this.#nap;
    if (!nap || !this.#isNearby) return await this.#ready(READABLE);
    const since = performance.now();
    // What has come with the latest batch is answered before.
    await undefined;
    if (this.#closed || this.#isGone) return;
    if (!this.#mayNap || !nap.take()) await this.#ready(READABLE);
    nap.note(performance.now() - since);
  }

  /** Until the socket is ready, perhaps, or closed. @throws {RgtpError} SOCKET when the system does not let us wait */
  async #ready(event: number): Promise<void> {
    try {
      await this.#poller.wait(this.#descriptor, event);
    } catch (cause) {
      this.#death ??= { cause };
      this.#check();
    }
  }

  /** Counts the datagrams that are too long: all of a row but, perhaps, the last. Answers with the first that is not. */
  #skipOversize({ bytes, segmentSize, count }: Train): number {
    if (segmentSize <= this.payloadBytesMax) return 0;
    let first = 0;
    for (; first < count; first++) {
      const length = Math.min(segmentSize, bytes.length - first * segmentSize);
      if (length <= this.payloadBytesMax) break;
      this.#counters.oversize(length, this.payloadBytesMax);
    }
    return first;
  }

  /** Notes the end of the socket if that is what the error means. */
  #diedOf(call: string, errno: number): void {
    if (!isErrno(errno, "EBADF", "ENOTSOCK")) return;
    if (!this.#isGone) this.#poller.forget(this.#descriptor);
    this.#isGone = true;
    this.#death ??= { cause: systemError(call, errno) };
  }

  #check(): void {
    if (this.#closed) throw closedError(this.kind, this.local);
    if (this.#death !== undefined) throw deadError(this.kind, this.local, this.#death.cause);
  }
}
