/**
 * Links over raw Ethernet, without IP: the machines of one cable, switch or VLAN reach each other by the addresses of their network
 * cards. Linux; it needs `--allow-ffi` for the folder of the C library, a bare `--allow-net`, and the capability `CAP_NET_RAW`.
 *
 * @module
 */
import { type Address, macBytes, macHost } from "../../codec/address.ts";
import { decodeFrame, frameHeadLayout, tagBits } from "../../codec/ethernet_frame.ts";
import type { VlanTag } from "../../codec/ethernet_frame.ts";
import { closedError, deadError } from "./_bind.ts";
import { Counters } from "./_counters.ts";
import { type ErrnoName, isErrno, systemError } from "./_errno.ts";
import { ethernetError } from "./_ethernet_errors.ts";
import { FrameRing } from "./_frame_ring.ts";
import { type FrameSocket, isThere, openFrameSocket, takeError } from "./_frame_socket.ts";
import { FramesOut } from "./_frames_out.ts";
import { secondReader } from "./_inbox.ts";
import { Poller, READABLE, WRITABLE } from "./_poller.ts";
import { Turn } from "./_turn.ts";
import { type Datagrams, type Link, type LinkStats, segmentCount } from "./link.ts";

/** Where frames are sent and received. */
export interface EthernetOptions {
  /** The interface's name, as `ip link` shows it. */
  readonly interface: string;
  /** 0 to 65535; 0 takes a free one. */
  readonly port: number;
  /** The VLAN and the priority of frames that are sent; only frames of that VLAN are received. Absent: no tag. */
  readonly vlan?: VlanTag | undefined;
  /** Groups whose frames are received too: `eth:` and a multicast address of Ethernet. */
  readonly groups?: readonly string[];
}

/** How often a frame waits for room in the send buffer before it counts as lost. */
const sendWaitsMax = 10;
/** What says that there is no room just now. */
const busy: readonly ErrnoName[] = ["EAGAIN", "ENOBUFS", "EINTR"];
/** What may say that the interface has gone. */
const gone: readonly ErrnoName[] = ["ENETDOWN", "ENXIO", "ENODEV"];
/** Payloads have 16 bits for their length. */
const payloadBytesMost = 65535;
/** The largest MTU that network cards commonly have. */
const jumboBytes = 9000;
/** Senders that are remembered. A flood from invented addresses empties the table, and costs memory for no more than these. */
const peersMax = 1024;

/**
 * Opens one.
 *
 * @throws {RgtpError} `NOT_SUPPORTED` elsewhere than on Linux, or without the permission for foreign functions; `INVALID_ARG` when there is no
 * such interface, or it is not Ethernet; `ADDRESS_IN_USE`; `SOCKET` when the system or Deno does not permit it, or the interface is down
 * @throws {RangeError} when the port is not one, or the tag
 */
export function openEthernet(options: EthernetOptions): Promise<Link> {
  // Opening happens at once; the promise makes all kinds of link open alike.
  return Promise.try(() => open(options));
}

function open(options: EthernetOptions): Link {
  const { port, vlan, groups = [] } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`the port to bind is ${port}: it must be 0 (any free one) to 65535`);
  }
  if (vlan) tagBits(vlan);
  const macs = groups.map((group) => {
    const mac = macBytes(group);
    if (mac && (mac[0] & 1) === 1) return mac;
    throw new TypeError(`${group} is no group of Ethernet`);
  });
  if (!/^[^\s/]{1,15}$/.test(options.interface)) throw ethernetError({ code: "ENODEV" }, options);
  const poller = shared(options);
  try {
    // Priority alone is no VLAN.
    const { interface: name } = options;
    const socket = openFrameSocket(poller.libc, { name, port, vlan: vlan?.id || undefined, groups: macs });
    return new EthernetLink(poller, options, socket);
  } catch (cause) {
    poller.release();
    throw ethernetError(cause, options);
  }
}

function shared(options: EthernetOptions): Poller {
  let poller: Poller | undefined;
  try {
    poller = Poller.share();
  } catch (cause) {
    throw ethernetError(cause, options);
  }
  if (poller === undefined) throw ethernetError({ code: "NO_LIBC" }, options);
  // Raw frames reach whoever is there, so it takes the permission for everybody.
  const { state, partial } = Deno.permissions.querySync({ name: "net" });
  if (state === "granted" && !partial) return poller;
  poller.release();
  throw ethernetError({ code: "NO_NET" }, options);
}

class EthernetLink implements Link {
  readonly kind = "ethernet";
  readonly payloadBytesMax: number;
  readonly pathBytesMax: number;
  readonly burstPacketsMax: number;
  readonly local: Address;
  readonly #poller: Poller;
  readonly #name: string;
  readonly #socket: FrameSocket;
  readonly #out: FramesOut;
  readonly #peers = new Map<string, Address>();
  readonly #latestBytes = new Uint8Array(8);
  #latest: Address | undefined;
  readonly #counters = new Counters();
  readonly #turn = new Turn();
  #isReading = false;
  #closed = false;
  /** What killed it, if not `close`. */
  #death: { readonly cause: unknown } | undefined;

  constructor(poller: Poller, { interface: name, vlan }: EthernetOptions, socket: FrameSocket) {
    this.#poller = poller;
    this.#name = name;
    this.#socket = socket;
    this.local = { host: macHost(socket.mac), port: socket.port };
    this.payloadBytesMax = this.pathBytesMax = Math.min(socket.mtu - frameHeadLayout.size, payloadBytesMost);
    // Frames longer than jumbo ones hold no more: symbols have their sizes.
    this.burstPacketsMax = FrameRing.burstFrames(Math.min(socket.mtu, jumboBytes));
    this.#out = new FramesOut(poller.libc, { source: socket.mac, sourcePort: socket.port, tag: vlan });
  }

  get stats(): LinkStats {
    return this.#counters;
  }

  async send({ peer, bytes, segmentSize }: Datagrams): Promise<void> {
    this.#check();
    const train = { bytes, segmentSize, count: segmentCount({ peer, bytes, segmentSize }) };
    const mac = macBytes(peer.host);
    if (mac === undefined) {
      throw new TypeError(
        `cannot send to "${peer.host}": an Ethernet link sends to addresses such as eth:02:00:5e:10:00:01`,
      );
    }
    const { descriptor } = this.#socket;
    for (let first = this.#skipOversize(train), waits = 0; first < train.count;) {
      const sent = this.#out.send(descriptor, mac, peer.port, train, first);
      if (sent > 0) {
        this.#counters.sent(sent, Math.min(sent * segmentSize, bytes.length - first * segmentSize));
        first += sent;
        waits = 0;
        continue;
      }
      const errno = this.#poller.libc.errno();
      if (isErrno(errno, ...busy) && waits++ < sendWaitsMax) {
        await this.#ready(WRITABLE);
        this.#check();
      } else {
        this.#diedOf("sendmmsg", errno);
        this.#check();
        this.#counters.sendFailed(this.#words("sendmmsg", errno));
        first++;
      }
    }
    if (this.#turn.isOver) await this.#turn.yield();
  }

  async receive(): Promise<readonly Datagrams[]> {
    if (this.#isReading) throw secondReader();
    this.#isReading = true;
    try {
      while (!this.#closed) {
        this.#check();
        if (this.#turn.isOver) {
          await this.#turn.yield();
          continue;
        }
        const frames = this.#socket.ring.take();
        if (frames === undefined) await this.#waitToReceive();
        else {
          const batch = this.#read(frames);
          if (batch.length > 0) return batch;
        }
      }
      return [];
    } finally {
      this.#isReading = false;
    }
  }

  receiveNow(): readonly Datagrams[] {
    const frames = this.#closed ? undefined : this.#socket.ring.take();
    return frames ? this.#read(frames) : [];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { call } = this.#poller.libc;
    this.#socket.ring.close();
    call.close(this.#socket.descriptor);
    call.close(this.#socket.claim);
    this.#poller.forget(this.#socket.descriptor);
    this.#poller.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #read(frames: readonly Uint8Array[]): Datagrams[] {
    const batch: Datagrams[] = [];
    let bytes = 0;
    for (const frame of frames) {
      const decoded = decodeFrame(frame);
      if (decoded === undefined) {
        this.#counters.receiveFailed("a frame that holds no datagram");
        continue;
      }
      const { payload } = decoded;
      bytes += payload.length;
      batch.push({ peer: this.#peerOf(frame), bytes: payload, segmentSize: payload.length });
    }
    this.#counters.received(batch.length, bytes);
    return batch;
  }

  /** Who has sent a frame. The same object again when it is the same as the last. */
  #peerOf(frame: Uint8Array): Address {
    const latest = this.#latestBytes;
    let isSame = this.#latest !== undefined && frame[18] === latest[6] && frame[19] === latest[7];
    for (let i = 0; i < 6 && isSame; i++) isSame = frame[6 + i] === latest[i];
    if (isSame) return this.#latest!;
    latest.set(frame.subarray(6, 12));
    latest.set(frame.subarray(18, 20), 6);
    const key = latest.toHex();
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      peer = { host: macHost(latest), port: (latest[6] << 8) | latest[7] };
      if (this.#peers.size >= peersMax) this.#peers.clear();
      this.#peers.set(key, peer);
    }
    return this.#latest = peer;
  }

  /** After a look into the ring that brought nothing. */
  async #waitToReceive(): Promise<void> {
    await this.#ready(READABLE);
    if (this.#closed) return;
    const errno = takeError(this.#poller.libc, this.#socket.descriptor);
    if (errno === 0) return;
    this.#diedOf("receiving", errno);
    this.#check();
    this.#counters.receiveFailed(this.#words("receiving", errno));
  }

  /** Until the socket is ready, perhaps, or closed. @throws {RgtpError} SOCKET when the system does not let us wait */
  async #ready(event: number): Promise<void> {
    try {
      await this.#poller.wait(this.#socket.descriptor, event);
    } catch (cause) {
      this.#death ??= { cause };
      this.#check();
    }
    this.#turn.begin();
  }

  /** Counts the datagrams that are too long: all of a row but, perhaps, the last. Answers with the first that is not. */
  #skipOversize(
    { bytes, segmentSize, count }: { bytes: Uint8Array; segmentSize: number; count: number },
  ): number {
    if (segmentSize <= this.payloadBytesMax) return 0;
    let first = 0;
    for (; first < count; first++) {
      const length = Math.min(segmentSize, bytes.length - first * segmentSize);
      if (length <= this.payloadBytesMax) break;
      this.#counters.oversize(length, this.payloadBytesMax);
    }
    return first;
  }

  /** Notes the end of the link if that is what an error means. An interface that is down may come up again, and goes on then. */
  #diedOf(call: string, errno: number): void {
    const { descriptor, index } = this.#socket;
    const isGone = isErrno(errno, ...gone) && !isThere(this.#poller.libc, descriptor, this.#name, index);
    if (isGone) this.#death ??= { cause: new Error(`the interface ${this.#name} is gone`) };
    else if (isErrno(errno, "EBADF", "ENOTSOCK")) this.#death ??= { cause: systemError(call, errno) };
  }

  #words(call: string, errno: number): string {
    return isErrno(errno, "ENETDOWN")
      ? `the interface ${this.#name} is down`
      : systemError(call, errno).message;
  }

  #check(): void {
    if (this.#closed) throw closedError(this.kind, this.local);
    if (this.#death !== undefined) throw deadError(this.kind, this.local, this.#death.cause);
  }
}
