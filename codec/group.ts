/*
 * What one exposer and a multicast group say to each other, beside CHUNK_DATA and PULL_REQUEST.
 *
 *   extension GROUP of a grant: 18 address of the group; 8 tag; 32 key of its MACs; u16 symbol size
 *
 *   GROUP_STATUS (exposer to the group; flag 1 = it waits for more receivers; flag 2 = the group ends)
 *    0   4  word; field = runs
 *    4   8  tag of the group
 *   12   4  number, counts up
 *   16   4  number of the group's next CHUNK_DATA packet
 *   20   4  receivers that still want something
 *   24   8  bytes a second at present
 *   32   4  ms between two RATE_REPORTs of one receiver
 *   36   2  ms over which requests are spread
 *   38  8n  runs of pieces that are still to come as a whole: u32 first, u32 count
 *    -  6n  blocks of which more symbols are to come: u32 piece, u8 block, u8 symbols
 *    -   8  MAC under the group's key
 */
import { limits } from "../core/limits.ts";
import { ADDRESS_BYTES, addressBytes, addressOf, canonicalHost } from "./address.ts";
import type { Address } from "./address.ts";
import { symbolSizes } from "./geometry.ts";
import { bytes, layout, u16, u32, u64, u8 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { runLayout } from "./listing.ts";
import type { Run } from "./listing.ts";
import { MAC_BYTES, PacketType, TAG_BYTES, WORD_BYTES, wordOf, writeWord } from "./packet.ts";
import type { PacketMac } from "./packet.ts";

/** A multicast group that carries an exposure, as a grant names it. */
export interface Group {
  /** Where to listen: one of {@linkcode isGroupHost}. */
  readonly address: Address;
  /** 8 bytes: the flow tag of all that is sent to it. */
  readonly tag: Uint8Array;
  /** 32 bytes: key of the MACs of its control packets. All members have it. */
  readonly key: Uint8Array;
  /** Bytes of a symbol. */
  readonly symbolSize: number;
}

/** A {@linkcode Group} as it stands in a grant; the address as 18 bytes. */
export interface GroupExtension extends Omit<Group, "address"> {
  /** IPv6 form and port. */
  readonly address: Uint8Array;
}

/** Wire form of {@linkcode GroupExtension}. */
export const groupExtensionLayout: Layout<GroupExtension> = layout<GroupExtension>({
  address: bytes(ADDRESS_BYTES),
  tag: bytes(TAG_BYTES),
  key: bytes(32),
  symbolSize: u16,
});

/**
 * Whether a host is a multicast group that an exposure may use: 239.0.0.0/8 (RFC 2365), or IPv6 of the scopes link, site and organisation
 * (RFC 4291 §2.7). Others belong to somebody, or have no bounds.
 */
export function isGroupHost(host: string): boolean {
  const parts = canonicalHost(host);
  if (parts.includes(":")) return /^ff[01][258]:/.test(parts);
  return parts.startsWith("239.");
}

/** The extension that names a group. @throws {TypeError} when its address is a name */
export function encodeGroup({ address, ...group }: Group): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(groupExtensionLayout.size);
  groupExtensionLayout.write(value, 0, { ...group, address: addressBytes(address) });
  return value;
}

/** The group of an extension (copied), or `undefined` when it is none that may be joined. */
export function decodeGroup(value: Uint8Array): Group | undefined {
  if (value.length !== groupExtensionLayout.size) return undefined;
  const { address, ...group } = groupExtensionLayout.read(value)!;
  const where = addressOf(address);
  if (!isGroupHost(where.host) || where.port === 0 || !symbolSizes.includes(group.symbolSize)) {
    return undefined;
  }
  return { ...group, address: where };
}

/** The fixed part of a GROUP_STATUS, after the word. */
export interface GroupStatusHead {
  /** 8 bytes. */
  readonly tag: Uint8Array;
  /** Counts up by one. */
  readonly number: number;
  /** Number of the next CHUNK_DATA packet to the group. */
  readonly sequence: number;
  /** Receivers that still want something. */
  readonly receivers: number;
  /** Bytes a second, headers included. */
  readonly rate: number;
  /** How long a receiver waits between two reports, ms. */
  readonly reportMs: number;
  /** Over how long requests are spread, ms. */
  readonly spreadMs: number;
}

/** Symbols of a block. */
export interface BlockSymbols {
  /** Chunk, or leaf page with the top bit. */
  readonly piece: number;
  /** The block. */
  readonly block: number;
  /** How many. */
  readonly symbols: number;
}

/** GROUP_STATUS, decoded. */
export interface GroupStatus extends GroupStatusHead {
  /** It waits for more receivers before it begins. */
  readonly isGathering: boolean;
  /** Nothing more will come. */
  readonly isOver: boolean;
  /** Pieces that are still to come as a whole; ascending and disjoint. */
  readonly runs: readonly Run[];
  /** Blocks of which more symbols are to come. */
  readonly repairs: readonly BlockSymbols[];
}

/** Wire form of {@linkcode GroupStatusHead}. */
export const groupStatusHeadLayout: Layout<GroupStatusHead> = layout<GroupStatusHead>({
  tag: bytes(TAG_BYTES),
  number: u32,
  sequence: u32,
  receivers: u32,
  rate: u64,
  reportMs: u32,
  spreadMs: u16,
});

/** Wire form of {@linkcode BlockSymbols}. */
export const blockSymbolsLayout: Layout<BlockSymbols> = layout<BlockSymbols>({
  piece: u32,
  block: u8,
  symbols: u8,
});

const HEAD_END = WORD_BYTES + groupStatusHeadLayout.size;
const GATHERING_FLAG = 1;
const OVER_FLAG = 2;
const ROOM = limits.controlPacketBytesMax - HEAD_END - MAC_BYTES;

/** Runs that a status has at most, so that there is room for repairs too. */
export const groupRunsMax: number = Math.floor(ROOM / 2 / runLayout.size);
/** Repairs that fit beside that many runs. */
export const groupRepairsMax: number = Math.floor(
  (ROOM - groupRunsMax * runLayout.size) / blockSymbolsLayout.size,
);

/** Encodes a status. @throws {RangeError} when it does not fit one packet, or a value its field */
export function encodeGroupStatus(status: GroupStatus, mac: PacketMac): Uint8Array<ArrayBuffer> {
  const { runs, repairs } = status;
  const repairsAt = HEAD_END + runs.length * runLayout.size;
  const end = repairsAt + repairs.length * blockSymbolsLayout.size;
  if (runs.length > groupRunsMax || repairs.length > groupRepairsMax) {
    throw new RangeError(`a status has no room for ${runs.length} runs and ${repairs.length} repairs`);
  }
  const packet = new Uint8Array(end + MAC_BYTES);
  const flags = (status.isGathering ? GATHERING_FLAG : 0) | (status.isOver ? OVER_FLAG : 0);
  writeWord(packet, PacketType.GROUP_STATUS, flags, runs.length);
  groupStatusHeadLayout.write(packet, WORD_BYTES, status);
  runs.forEach((run, i) => runLayout.write(packet, HEAD_END + i * runLayout.size, run));
  repairs.forEach((repair, i) =>
    blockSymbolsLayout.write(packet, repairsAt + i * blockSymbolsLayout.size, repair)
  );
  packet.set(mac(packet.subarray(0, end)), end);
  return packet;
}

/** The status that a packet holds, or `undefined`. The MAC is left to the caller. */
export function decodeGroupStatus(packet: Uint8Array): GroupStatus | undefined {
  const word = wordOf(packet, PacketType.GROUP_STATUS);
  if (!word || packet.length > limits.controlPacketBytesMax || word.field > groupRunsMax) return undefined;
  const repairsAt = HEAD_END + word.field * runLayout.size;
  const count = (packet.length - MAC_BYTES - repairsAt) / blockSymbolsLayout.size;
  if (!Number.isInteger(count) || count < 0 || count > groupRepairsMax) return undefined;
  const runs: Run[] = [];
  for (let i = 0, end = 0; i < word.field; i++) {
    const run = runLayout.read(packet, HEAD_END + i * runLayout.size)!;
    if (run.first < end || run.count === 0 || run.first + run.count > 2 ** 32) return undefined;
    end = run.first + run.count;
    runs.push(run);
  }
  const repairs = Array.from(
    { length: count },
    (_, i) => blockSymbolsLayout.read(packet, repairsAt + i * blockSymbolsLayout.size)!,
  );
  return {
    ...groupStatusHeadLayout.read(packet, WORD_BYTES)!,
    isGathering: (word.flags & GATHERING_FLAG) !== 0,
    isOver: (word.flags & OVER_FLAG) !== 0,
    runs,
    repairs,
  };
}
