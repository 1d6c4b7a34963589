/*
 * A datagram in an Ethernet frame.
 *
 *    0   6  destination
 *    6   6  source
 *   12   4  802.1Q tag, where one is asked for: 0x8100, then priority (3 bits), 0, VLAN (12 bits)
 *    -   2  EtherType 0x88B5
 *    -   8  magic, ports, length
 *    -   -  payload; what follows it is padding of the shortest frame
 */
import { layout, u16 } from "./layout.ts";
import type { Layout } from "./layout.ts";

/** IEEE 802 Local Experimental EtherType 1: anybody may use it within a network, so {@linkcode FRAME_MAGIC} says whose a frame is. */
export const ETHERTYPE = 0x88b5;
/** "RG". */
export const FRAME_MAGIC = 0x5247;
/** IEEE 802.1Q: a tag follows. */
export const TAG_ETHERTYPE = 0x8100;
/** Bytes of a network card's address. */
export const MAC_ADDRESS_BYTES = 6;
/** Bytes of the destination, the source and the EtherType. */
export const ETHERNET_HEAD_BYTES = 14;
/** Bytes that a tag adds. */
export const TAG_802_1Q_BYTES = 4;

/** What stands between EtherType and payload. */
export interface FrameHead {
  /** {@linkcode FRAME_MAGIC}. */
  readonly magic: number;
  /** The receiver's. */
  readonly destinationPort: number;
  /** The sender's. */
  readonly sourcePort: number;
  /** Of the payload: short frames are padded on their way. */
  readonly payloadBytes: number;
}

/** Wire form of {@linkcode FrameHead}. */
export const frameHeadLayout: Layout<FrameHead> = layout<FrameHead>({
  magic: u16,
  destinationPort: u16,
  sourcePort: u16,
  payloadBytes: u16,
});

/** Bytes before the payload of a frame without a tag. */
export const FRAME_HEAD_BYTES: number = ETHERNET_HEAD_BYTES + frameHeadLayout.size;

/** A VLAN and a priority in it, as a tag carries them. */
export interface VlanTag {
  /** 1 to 4094; 0 for a priority alone, in no VLAN. */
  readonly id: number;
  /** 0 to 7, the most urgent (IEEE 802.1Q, PCP). */
  readonly priority: number;
}

/** The 16 bits of a tag. @throws {RangeError} when a part is out of its range */
export function tagBits({ id, priority }: VlanTag): number {
  if (!Number.isInteger(id) || id < 0 || id > 4094) {
    throw new RangeError(`a VLAN is a number from 0 to 4094, not ${id}`);
  }
  if (!Number.isInteger(priority) || priority < 0 || priority > 7) {
    throw new RangeError(`a priority is a number from 0 to 7, not ${priority}`);
  }
  return (priority << 13) | id;
}

/** Everything before a frame's payload. */
export interface FrameOptions extends Omit<FrameHead, "magic"> {
  /** 6 bytes. */
  readonly destination: Uint8Array;
  /** 6 bytes. */
  readonly source: Uint8Array;
  /** Absent: no tag. */
  readonly tag?: VlanTag | undefined;
}

/** The bytes before a frame's payload: 22, or 26 with a tag. @throws {RangeError} when a part does not fit its field */
export function encodeFrameHead(
  { destination, source, tag, ...head }: FrameOptions,
): Uint8Array<ArrayBuffer> {
  const typeAt = 2 * MAC_ADDRESS_BYTES + (tag ? TAG_802_1Q_BYTES : 0);
  const bytes = new Uint8Array(typeAt + 2 + frameHeadLayout.size);
  const view = new DataView(bytes.buffer);
  bytes.set(destination.subarray(0, MAC_ADDRESS_BYTES));
  bytes.set(source.subarray(0, MAC_ADDRESS_BYTES), MAC_ADDRESS_BYTES);
  if (tag) {
    view.setUint16(typeAt - 4, TAG_ETHERTYPE);
    view.setUint16(typeAt - 2, tagBits(tag));
  }
  view.setUint16(typeAt, ETHERTYPE);
  frameHeadLayout.write(bytes, typeAt + 2, { magic: FRAME_MAGIC, ...head });
  return bytes;
}

/** Where a frame comes from, and its payload. */
export interface Frame {
  /** The sender's port. */
  readonly sourcePort: number;
  /** A view. */
  readonly payload: Uint8Array;
}

/** The datagram in a frame whose tag the system has taken off; `undefined` when it holds none. */
export function decodeFrame(frame: Uint8Array): Frame | undefined {
  if (frame.length < FRAME_HEAD_BYTES) return undefined;
  // Field by field: this is done for every packet.
  const u16at = (at: number) => (frame[at] << 8) | frame[at + 1];
  if (u16at(12) !== ETHERTYPE || u16at(14) !== FRAME_MAGIC) return undefined;
  const end = FRAME_HEAD_BYTES + u16at(20);
  return end > frame.length
    ? undefined
    : { sourcePort: u16at(18), payload: frame.subarray(FRAME_HEAD_BYTES, end) };
}
