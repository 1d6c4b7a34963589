/*
 * What all packets share: the first word, and the packet that carries nearly all bytes.
 *
 *   word    version (4 bits, = 2) | type (4 bits) | flags (8 bits) | field (16 bits, of the type's own)
 *
 *   CHUNK_DATA (24 bytes, then one symbol)
 *    0  4  word; field = block (8 bits) | symbol index in the block (8 bits)
 *    4  8  flow tag
 *   12  4  request number
 *   16  4  piece: chunk index, or leaf page with the top bit set
 *   20  4  receipt
 */

import { bytes, layout, u32 } from "./layout.ts";
import type { Layout } from "./layout.ts";

/** The version that this code speaks. */
export const PROTOCOL_VERSION = 2;

/** Packet types. 14 is free, 15 is reserved as extended. */
export const PacketType = {
  EXPOSE_REQUEST: 1,
  EXPOSE_MANIFEST: 2,
  CHUNK_AVAILABLE: 3,
  PULL_REQUEST: 4,
  CHUNK_DATA: 5,
  EXPOSURE_COMPLETE: 6,
  HANDSHAKE: 7,
  RATE_REPORT: 8,
  KEEPALIVE: 9,
  REFUSAL: 10,
  RETRY: 11,
  HAVE: 12,
  GROUP_STATUS: 13,
} as const;

/** Name of a packet type. */
export type PacketTypeName = keyof typeof PacketType;

/** Makes the 8 bytes that end a control packet from all before them. */
export type PacketMac = (packet: Uint8Array) => Uint8Array;

/** Bytes of the first word. */
export const WORD_BYTES = 4;
/** Bytes of a flow tag. */
export const TAG_BYTES = 8;
/** Bytes of the MAC that ends a control packet. */
export const MAC_BYTES = 8;
/** Bytes of a CHUNK_DATA header. */
export const CHUNK_HEADER_BYTES = 24;
/** The bit of a piece number that makes it a leaf page. */
export const PAGE_BIT = 0x80000000;

/** A packet's first word, taken apart. */
export interface Word {
  /** 0 to 15; 2 is ours. */
  readonly version: number;
  /** One of {@linkcode PacketType}, or a type that is unknown here. */
  readonly type: number;
  /** 8 bits. */
  readonly flags: number;
  /** 16 bits. */
  readonly field: number;
}

/** The first word of a packet, or `undefined` when there are fewer than 4 bytes. */
export function readWord(packet: Uint8Array): Word | undefined {
  if (packet.length < WORD_BYTES) return undefined;
  return {
    version: packet[0] >> 4,
    type: packet[0] & 15,
    flags: packet[1],
    field: (packet[2] << 8) | packet[3],
  };
}

/** The first word of a packet of this type and of our version, else `undefined`. */
export function wordOf(packet: Uint8Array, type: number): Word | undefined {
  const word = readWord(packet);
  return word?.version === PROTOCOL_VERSION && word.type === type ? word : undefined;
}

/** Writes a first word of our version. */
export function writeWord(packet: Uint8Array, type: number, flags: number, field: number): void {
  packet[0] = (PROTOCOL_VERSION << 4) | type;
  packet[1] = flags;
  packet[2] = field >> 8;
  packet[3] = field & 255;
}

/** The fields of a CHUNK_DATA header after the word. */
export interface ChunkHeader {
  /** The puller's flow tag. */
  readonly tag: Uint8Array;
  /** Number of the request that this answers. */
  readonly request: number;
  /** Chunk index, or leaf page with {@linkcode PAGE_BIT}. */
  readonly piece: number;
  /** The exposer's receipt. */
  readonly receipt: number;
}

/** Wire form of {@linkcode ChunkHeader}, for tables and tests; what moves data reads and writes single fields. */
export const chunkHeaderLayout: Layout<ChunkHeader> = layout<ChunkHeader>({
  tag: bytes(TAG_BYTES),
  request: u32,
  piece: u32,
  receipt: u32,
});

/** The first byte of every CHUNK_DATA packet of our version. */
export const CHUNK_DATA_FIRST_BYTE: number = (PROTOCOL_VERSION << 4) | PacketType.CHUNK_DATA;

/** Whether a datagram can be a CHUNK_DATA packet of ours: its first byte and its length fit. */
export function isChunkData(packet: Uint8Array): boolean {
  return packet.length > CHUNK_HEADER_BYTES && packet[0] === CHUNK_DATA_FIRST_BYTE;
}

function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

// A CHUNK_DATA header is read field by field: no object per packet.

/** Block of the chunk that the symbol belongs to, 0 to 255. */
export function chunkDataBlock(packet: Uint8Array): number {
  return packet[2];
}

/** Symbol in the block: below k data, from k on parity. */
export function chunkDataIndex(packet: Uint8Array): number {
  return packet[3];
}

/** Whether the flow tag is `tag` (8 bytes). */
export function chunkDataHasTag(packet: Uint8Array, tag: Uint8Array): boolean {
  for (let i = 0; i < TAG_BYTES; i++) if (packet[4 + i] !== tag[i]) return false;
  return true;
}

/** Number of the request that this answers. */
export function chunkDataRequest(packet: Uint8Array): number {
  return readU32(packet, 12);
}

/** Chunk index, or leaf page with {@linkcode PAGE_BIT}. */
export function chunkDataPiece(packet: Uint8Array): number {
  return readU32(packet, 16);
}

/** The exposer's receipt, to be echoed in requests. */
export function chunkDataReceipt(packet: Uint8Array): number {
  return readU32(packet, 20);
}

/** Writes the part of a CHUNK_DATA header that never changes, word and piece, at `at`. */
export function writeChunkHeader(
  packets: Uint8Array,
  block: number,
  index: number,
  piece: number,
  at = 0,
): void {
  packets[at] = CHUNK_DATA_FIRST_BYTE;
  packets[at + 1] = 0;
  packets[at + 2] = block;
  packets[at + 3] = index;
  writeU32(packets, at + 16, piece);
}

/** Stamps the part of a CHUNK_DATA header that belongs to one request into the packet at `at`, just before it is sent. */
export function stampChunkHeader(
  packets: Uint8Array,
  at: number,
  tag: Uint8Array,
  request: number,
  receipt: number,
): void {
  for (let i = 0; i < TAG_BYTES; i++) packets[at + 4 + i] = tag[i];
  writeU32(packets, at + 12, request);
  writeU32(packets, at + 20, receipt);
}

/** What of a CHUNK_DATA header belongs to one request, in 32-bit words. */
export interface ChunkStamp {
  /** The first half of the flow tag. */
  readonly tagHigh: number;
  /** The second half. */
  readonly tagLow: number;
  /** The request's number. */
  readonly request: number;
  /** The exposer's receipt. */
  readonly receipt: number;
}

/** The stamp of all answers to a request. */
export function chunkStamp(tag: Uint8Array, request: number, receipt: number): ChunkStamp {
  return { tagHigh: readU32(tag, 0), tagLow: readU32(tag, 4), request, receipt };
}

/** Writes a whole CHUNK_DATA header at `at`, word by word: what {@linkcode writeChunkHeader} and {@linkcode stampChunkHeader} write. */
export function setChunkHeader(
  headers: DataView,
  at: number,
  block: number,
  index: number,
  piece: number,
  stamp: ChunkStamp,
): void {
  headers.setUint32(at, (CHUNK_DATA_FIRST_BYTE << 24) | (block << 8) | index);
  headers.setUint32(at + 4, stamp.tagHigh);
  headers.setUint32(at + 8, stamp.tagLow);
  headers.setUint32(at + 12, stamp.request);
  headers.setUint32(at + 16, piece);
  headers.setUint32(at + 20, stamp.receipt);
}
