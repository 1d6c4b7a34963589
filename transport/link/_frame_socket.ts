/*
 * Sockets that carry whole Ethernet frames: Linux on 64 bits, little-endian (include/uapi/linux/if_packet.h, if_ether.h, sockios.h).
 */
import { ETHERTYPE, frameHeadLayout, MAC_ADDRESS_BYTES } from "../../codec/ethernet_frame.ts";
import { symbolSizes } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES } from "../../codec/packet.ts";
import { utf8 } from "../../core/bytes.ts";
import { attach } from "./_classic_bpf.ts";
import { isErrno, systemError } from "./_errno.ts";
import { filterProgram } from "./_frame_filter.ts";
import { FrameRing } from "./_frame_ring.ts";
import type { Libc } from "./_libc.ts";
import { checked } from "./_poller.ts";

const AF_UNIX = 1;
const AF_PACKET = 17;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_SNDBUF = { option: 7, force: 32 } as const;
const SO_ATTACH_FILTER = ["SO_ATTACH_FILTER", 26] as const;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_MULTICAST = 0;
/** All EtherTypes: the one socket whose frames still show their VLAN. */
const ETH_P_ALL = 3;
const SIOCGIFFLAGS = 0x8913n;
const SIOCGIFMTU = 0x8921n;
const SIOCGIFHWADDR = 0x8927n;
const SIOCGIFINDEX = 0x8933n;
const IFF_UP = 1;
/** Kinds of device whose frames begin as Ethernet's do: Ethernet, and the loopback device. */
const ETHERNET_DEVICES = [1, 772];

const sendBufferBytes = 4 * 1024 * 1024;

/** The shortest symbol with its header, and a frame's own: what has to fit. */
const mtuMin = Math.min(...symbolSizes) + CHUNK_HEADER_BYTES + frameHeadLayout.size;

/** Ports that are taken when any will do (RFC 6335 §6). */
const freePortMin = 49152;
const freePortTries = 100;

/** Everybody. */
const BROADCAST = new Uint8Array(MAC_ADDRESS_BYTES).fill(0xff);

/** What is to be opened. */
export interface FrameSocketOptions {
  /** The interface's name. */
  readonly name: string;
  /** 0 to 65535; 0 takes a free one. */
  readonly port: number;
  /** The VLAN, if any. */
  readonly vlan?: number | undefined;
  /** Groups whose frames are wanted too: 6 bytes each. */
  readonly groups: readonly Uint8Array[];
}

/** An open socket. */
export interface FrameSocket {
  /** Its descriptor. */
  readonly descriptor: number;
  /** Holds the port as long as it is open. */
  readonly claim: number;
  /** The interface's number, which stays when it is renamed and is another one when it was made anew. */
  readonly index: number;
  /** The card's address, 6 bytes. */
  readonly mac: Uint8Array<ArrayBuffer>;
  /** The longest payload of a frame. */
  readonly mtu: number;
  /** The port. */
  readonly port: number;
  /** Where frames arrive. */
  readonly ring: FrameRing;
}

/** An interface, as the system describes it. */
interface Interface {
  readonly index: number;
  readonly mac: Uint8Array<ArrayBuffer>;
  readonly mtu: number;
}

/** Opens one. @throws {Error} with a `code`: of the system, or `NOT_ETHERNET`, `IS_DOWN`, `SMALL_MTU` */
export function openFrameSocket(libc: Libc, options: FrameSocketOptions): FrameSocket {
  const { call } = libc;
  // With no protocol nothing arrives before the filter is there.
  const descriptor = checked(libc, "socket", call.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0));
  let claim = -1;
  let ring: FrameRing | undefined;
  try {
    const device = describe(libc, descriptor, options.name);
    const claimed = claimPort(libc, device.index, options);
    claim = claimed.claim;
    const { port } = claimed;
    const destinations = [device.mac, BROADCAST, ...options.groups];
    attach(libc, descriptor, SO_ATTACH_FILTER, filterProgram({ port, vlan: options.vlan, destinations }));
    for (const group of options.groups) joinGroup(libc, descriptor, device.index, group);
    for (const option of [SO_SNDBUF.force, SO_SNDBUF.option]) {
      if (call.setsockopt(descriptor, SOL_SOCKET, option, Int32Array.of(sendBufferBytes), 4) === 0) break;
    }
    ring = FrameRing.open(libc, descriptor);
    const address = sockaddr(options.vlan === undefined ? ETHERTYPE : ETH_P_ALL, device.index);
    checked(libc, "bind", call.bind(descriptor, address, address.length));
    return { ...device, descriptor, claim, port, ring };
  } catch (error) {
    ring?.close();
    if (claim >= 0) call.close(claim);
    call.close(descriptor);
    throw error;
  }
}

/** Why a socket has failed, which is then forgotten; 0 when it has not. */
export function takeError(libc: Libc, descriptor: number): number {
  const value = new Int32Array(1);
  libc.call.getsockopt(descriptor, SOL_SOCKET, SO_ERROR, value, Uint32Array.of(4));
  return value[0];
}

/** Whether the interface of this name is still the one that had this number. */
export function isThere(libc: Libc, descriptor: number, name: string, index: number): boolean {
  const request = ifreq(name);
  return libc.call.ioctl(descriptor, SIOCGIFINDEX, request) === 0 && numberIn(request) === index;
}

function describe(libc: Libc, descriptor: number, name: string): Interface {
  const ask = (what: string, request: bigint) => {
    const answer = ifreq(name);
    checked(libc, what, libc.call.ioctl(descriptor, request, answer));
    return answer;
  };
  const index = numberIn(ask("SIOCGIFINDEX", SIOCGIFINDEX));
  const hardware = ask("SIOCGIFHWADDR", SIOCGIFHWADDR);
  const kind = hardware[16] | (hardware[17] << 8);
  if (!ETHERNET_DEVICES.includes(kind)) throw coded("NOT_ETHERNET", `it is a device of kind ${kind}`);
  if ((ask("SIOCGIFFLAGS", SIOCGIFFLAGS)[16] & IFF_UP) === 0) throw coded("IS_DOWN", "it is down");
  const mtu = numberIn(ask("SIOCGIFMTU", SIOCGIFMTU));
  if (mtu < mtuMin) throw coded("SMALL_MTU", `its MTU is ${mtu}`);
  return { index, mac: hardware.slice(18, 18 + MAC_ADDRESS_BYTES), mtu };
}

/** `struct ifreq`: a name of 16 bytes, then 24 for the answer. */
function ifreq(name: string): Uint8Array<ArrayBuffer> {
  const request = new Uint8Array(new ArrayBuffer(40));
  request.set(utf8(name).subarray(0, 15));
  return request;
}

function numberIn(request: Uint8Array<ArrayBuffer>): number {
  return new DataView(request.buffer).getInt32(16, true);
}

/**
 * Ports of frames are known to no system, so that two programs would get each other's. A name in the abstract space of Unix sockets
 * belongs to one process of a network namespace, and goes with it.
 */
function claimPort(
  libc: Libc,
  index: number,
  { port, vlan = 0 }: FrameSocketOptions,
): { claim: number; port: number } {
  const claim = checked(libc, "socket", libc.call.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0));
  for (let tries = port === 0 ? freePortTries : 1; tries > 0; tries--) {
    const one = port === 0 ? freePortMin + Math.floor(Math.random() * (65536 - freePortMin)) : port;
    const address = utf8(`\u0001\0\0rgtp-ethernet/${index}/${vlan}/${one}`);
    if (libc.call.bind(claim, address, address.length) === 0) return { claim, port: one };
    if (!isErrno(libc.errno(), "EADDRINUSE")) break;
  }
  const errno = libc.errno();
  libc.call.close(claim);
  throw systemError("bind", errno);
}

/** Has the card take a group's frames. */
function joinGroup(libc: Libc, descriptor: number, index: number, group: Uint8Array): void {
  // `struct packet_mreq`.
  const request = new Uint8Array(16);
  const view = new DataView(request.buffer);
  view.setInt32(0, index, true);
  view.setUint16(4, PACKET_MR_MULTICAST, true);
  view.setUint16(6, MAC_ADDRESS_BYTES, true);
  request.set(group, 8);
  checked(
    libc,
    "PACKET_ADD_MEMBERSHIP",
    libc.call.setsockopt(descriptor, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, request.length),
  );
}

/** `struct sockaddr_ll`: family, EtherType (in network order), interface; the rest is for sending. */
function sockaddr(etherType: number, index: number): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, etherType);
  view.setInt32(4, index, true);
  return address;
}

function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
