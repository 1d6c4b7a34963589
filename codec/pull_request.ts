/*
 *   PULL_REQUEST: field = symbol size; flag 1 = the wanted pieces stand in a bitmap;
 *   flag 2 = done: the puller has all that it wants, nothing is asked for
 *   flag 4 = asks the group: whole pieces, or so many more symbols of a block, whichever; the receipt is the number of the newest status
 *    0    4  word
 *    4    8  flow tag
 *   12    4  request number
 *   16    4  receipt
 *   20    4  bytes received under this token so far, modulo 2^32
 *   24  104  token
 *  128    3  entries of this request, of the one before, of the one before that
 *  131  10n  entries, in the same order
 *    -    8  MAC
 *
 *   entry:  0 4 piece; 4 2 first symbol; 6 2 count; 8 1 first parity symbol; 9 1 parity count
 *           (parity of the block that holds `first`)
 *   bitmap instead of counts and entries:  0 4 first chunk; 4 2 bytes of the bitmap; 6 - bits, lowest bit first; whole chunks
 */
import { limits } from "../core/limits.ts";
import { symbolSizes } from "./geometry.ts";
import { bytes, layout, u16, u32, u8 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { MAC_BYTES, PacketType, WORD_BYTES, wordOf, writeWord } from "./packet.ts";
import type { PacketMac } from "./packet.ts";
import { ByteReader } from "./reader.ts";
import { TOKEN_BYTES } from "./token.ts";

/** Symbols of one piece that a puller wants. */
export interface RequestEntry {
  /** Chunk index, or leaf page with the top bit set. */
  readonly piece: number;
  /** First data symbol, counted over the whole piece. */
  readonly first: number;
  /** Data symbols; 0 for parity alone. */
  readonly count: number;
  /** First parity symbol wanted, counted from 0, of the block that holds `first`. */
  readonly parityFirst: number;
  /** Parity symbols wanted. */
  readonly parityCount: number;
}

/** The fixed part of a PULL_REQUEST, after the word. */
export interface RequestHead {
  /** The puller's flow tag: stamped into every answer. */
  readonly tag: Uint8Array;
  /** Counts up by one for each request under a token. */
  readonly number: number;
  /** The newest receipt seen. */
  readonly receipt: number;
  /** Bytes received under this token, modulo 2^32. */
  readonly received: number;
  /** The token. */
  readonly token: Uint8Array;
}

/** Whole chunks wanted, as bits. */
export interface RequestBitmap {
  /** Chunk of the first bit. */
  readonly base: number;
  /** Lowest bit first. */
  readonly bits: Uint8Array;
}

/** A PULL_REQUEST, decoded. Either `sections` or `bitmap` says what is wanted. */
export interface PullRequest extends RequestHead {
  /** One of the symbol sizes. */
  readonly symbolSize: number;
  /** Entries of this request and of the one or two before, newest first; each list sorted and disjoint. */
  readonly sections: readonly (readonly RequestEntry[])[];
  /** Set when the bitmap form is used. */
  readonly bitmap?: RequestBitmap;
  /** The puller has all that it wants: a courtesy, so that an exposer knows at once. */
  readonly done?: boolean;
  /** It asks the group, not its own flow: `receipt` is the number of the newest GROUP_STATUS, and parity stands for any symbols. */
  readonly isToGroup?: boolean;
}

/** Wire form of {@linkcode RequestHead}. */
export const requestHeadLayout: Layout<RequestHead> = layout<RequestHead>({
  tag: bytes(8),
  number: u32,
  receipt: u32,
  received: u32,
  token: bytes(TOKEN_BYTES),
});

/** Wire form of {@linkcode RequestEntry}. */
export const requestEntryLayout: Layout<RequestEntry> = layout<RequestEntry>({
  piece: u32,
  first: u16,
  count: u16,
  parityFirst: u8,
  parityCount: u8,
});

const SECTIONS = 3;
const HEAD_END = WORD_BYTES + requestHeadLayout.size;
/** What stands before the bits of a bitmap. */
const BITMAP_HEAD_BYTES = 6;
const BITMAP_FLAG = 1;
const DONE_FLAG = 2;
const GROUP_FLAG = 4;

/** Entries that fit one packet, over all sections. */
export const requestEntriesMax: number = Math.floor(
  (limits.controlPacketBytesMax - HEAD_END - SECTIONS - MAC_BYTES) / requestEntryLayout.size,
);

/**
 * Encodes a request. That entries are sorted and disjoint is the caller's part: a request that is not would be dropped whole.
 *
 * @throws {RangeError} when the entries do not fit one packet
 */
export function encodePullRequest(request: PullRequest, mac: PacketMac): Uint8Array {
  if (request.sections.length > SECTIONS) {
    throw new RangeError(`${request.sections.length} sections, ${SECTIONS} fit`);
  }
  const { bitmap, sections } = request;
  const end = HEAD_END + (bitmap ? BITMAP_HEAD_BYTES + bitmap.bits.length : sectionsBytes(sections));
  if (end + MAC_BYTES > limits.controlPacketBytesMax) {
    throw new RangeError(`a request of ${end} bytes is too long`);
  }
  const packet = new Uint8Array(end + MAC_BYTES);
  const flags = (bitmap ? BITMAP_FLAG : 0) | (request.done ? DONE_FLAG : 0) |
    (request.isToGroup ? GROUP_FLAG : 0);
  writeWord(packet, PacketType.PULL_REQUEST, flags, request.symbolSize);
  requestHeadLayout.write(packet, WORD_BYTES, request);
  if (bitmap) writeBitmap(packet, bitmap);
  else writeSections(packet, sections);
  packet.set(mac(packet.subarray(0, end)), end);
  return packet;
}

function sectionsBytes(sections: PullRequest["sections"]): number {
  let bytes = SECTIONS;
  for (const { length } of sections) bytes += length * requestEntryLayout.size;
  return bytes;
}

/** Field by field, as {@linkcode requestEntryLayout} says: a puller writes some for each chunk. */
function writeSections(packet: Uint8Array, sections: PullRequest["sections"]): void {
  const view = new DataView(packet.buffer);
  let at = HEAD_END + SECTIONS;
  for (const [section, entries] of sections.entries()) {
    view.setUint8(HEAD_END + section, entries.length);
    for (const { piece, first, count, parityFirst, parityCount } of entries) {
      view.setUint32(at, piece);
      view.setUint16(at + 4, first);
      view.setUint16(at + 6, count);
      view.setUint8(at + 8, parityFirst);
      view.setUint8(at + 9, parityCount);
      at += requestEntryLayout.size;
    }
  }
}

function writeBitmap(packet: Uint8Array, { base, bits }: RequestBitmap): void {
  const view = new DataView(packet.buffer);
  view.setUint32(HEAD_END, base);
  view.setUint16(HEAD_END + 4, bits.length);
  packet.set(bits, HEAD_END + BITMAP_HEAD_BYTES);
}

/** The request that a packet holds, or `undefined` when anything in it is not as it must be. The MAC is left to the caller. */
export function decodePullRequest(packet: Uint8Array): PullRequest | undefined {
  const word = wordOf(packet, PacketType.PULL_REQUEST);
  if (!word || packet.length > limits.controlPacketBytesMax || !symbolSizes.includes(word.field)) {
    return undefined;
  }
  const body = packet.subarray(0, packet.length - MAC_BYTES);
  if (body.length < HEAD_END) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const isBitmap = (word.flags & BITMAP_FLAG) !== 0;
  const bitmap = isBitmap ? decodeBitmap(new ByteReader(body, HEAD_END)) : undefined;
  const sections = isBitmap ? [] : decodeSections(view);
  if (!sections || (isBitmap && !bitmap)) return undefined;
  // Field by field, as `requestHeadLayout` says, and one object: an exposer reads thousands a second. Bytes are copied.
  const request = {
    tag: body.slice(4, 12),
    number: view.getUint32(12),
    receipt: view.getUint32(16),
    received: view.getUint32(20),
    token: body.slice(24, HEAD_END),
    symbolSize: word.field,
    sections,
    done: (word.flags & DONE_FLAG) !== 0,
  };
  const isToGroup = (word.flags & GROUP_FLAG) !== 0;
  if (!bitmap && !isToGroup) return request;
  return { ...request, ...(bitmap && { bitmap }), ...(isToGroup && { isToGroup }) };
}

/** `body` is a packet without its MAC, at least as long as its head. */
function decodeSections(body: DataView): RequestEntry[][] | undefined {
  let at = HEAD_END + SECTIONS;
  if (body.byteLength < at) return undefined;
  const counts = [body.getUint8(HEAD_END), body.getUint8(HEAD_END + 1), body.getUint8(HEAD_END + 2)];
  const total = counts[0] + counts[1] + counts[2];
  if (body.byteLength - at !== total * requestEntryLayout.size) return undefined;
  const sections: RequestEntry[][] = [];
  for (const count of counts) {
    const entries: RequestEntry[] = [];
    for (let i = 0; i < count; i++, at += requestEntryLayout.size) entries.push(readEntry(body, at));
    if (!isSortedAndDisjoint(entries)) return undefined;
    sections.push(entries);
  }
  return sections;
}

/** Field by field: an exposer reads some for each chunk that it sends. As {@linkcode requestEntryLayout} says. */
function readEntry(view: DataView, at: number): RequestEntry {
  return {
    piece: view.getUint32(at),
    first: view.getUint16(at + 4),
    count: view.getUint16(at + 6),
    parityFirst: view.getUint8(at + 8),
    parityCount: view.getUint8(at + 9),
  };
}

/** Entries ascend by piece and symbol and no symbol stands twice; an entry asks for something. */
function isSortedAndDisjoint(entries: readonly RequestEntry[]): boolean {
  for (let i = 0; i < entries.length; i++) {
    const { piece, first, count, parityCount } = entries[i];
    if (count === 0 && parityCount === 0) return false;
    if (i === 0) continue;
    const before = entries[i - 1];
    if (piece < before.piece) return false;
    if (piece === before.piece && first < before.first + Math.max(1, before.count)) return false;
  }
  return true;
}

function decodeBitmap(reader: ByteReader): RequestBitmap | undefined {
  const base = reader.u32();
  const bits = reader.bytes(reader.u16());
  if (reader.failed || reader.remaining !== 0) return undefined;
  const last = lastBit(bits);
  // The numbers after the last chunk are leaf pages: a bitmap must not reach them.
  return last < 0 || base + last >= limits.chunksMax ? undefined : { base, bits: bits.slice() };
}

/** Number of the last bit that is set, or -1. */
function lastBit(bits: Uint8Array): number {
  const byte = bits.findLastIndex((value) => value !== 0);
  return byte < 0 ? -1 : 8 * byte + 31 - Math.clz32(bits[byte]);
}
