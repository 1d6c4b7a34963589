import { symbolSizes } from "../../codec/geometry.ts";
import { chunkCount } from "../../codec/manifest.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Hash } from "../../crypto/engine.ts";
import type { LeafPager } from "../../crypto/leaf_pages.ts";
import { leafPager } from "../../crypto/leaf_pages.ts";
import { depacketise, packetise, packetisedBytes, packetiseInto } from "./packetise.ts";
import type { PieceFacts } from "./pieces.ts";
import { isPagePiece, pageOfPiece, pieceBytes, sealedChunkBytes } from "./pieces.ts";

/** What a store has done since it was made. */
export interface StoreCounters {
  /** Chunks that were sealed. A store that holds all of them never seals one again. */
  readonly seals: number;
  /** Pieces that were cut into packets. */
  readonly packings: number;
}

/** The sealed pieces of one exposure, ready to be sent. */
export interface ChunkStore {
  /**
   * All data packets of a piece, as `packetise` makes them, or `undefined` when there is no such piece or no such symbol size, or the
   * store is closed. The caller stamps its request into the headers in place and sends within the same turn of the event loop;
   * later the memory may serve another piece.
   */
  packets(piece: number, symbolSize: number): Uint8Array | undefined;

  /** What it has done. */
  readonly counters: StoreCounters;

  /** Bytes of packets that it holds. */
  readonly memoryBytes: number;

  /** Gives up its memory. Twice is fine. */
  close(): void;
}

/** A store that is being filled with sealed chunks, in order from chunk 0. */
export interface StoreFiller {
  /** Takes the next sealed chunk: copied. @throws {RgtpError} NOMEM */
  put(sealed: Uint8Array): void;

  /** All chunks are in; `leaves` (their leaf hashes, kept) make the leaf pages. The filler is used up. */
  finish(leaves: Uint8Array): { readonly store: ChunkStore; readonly root: Uint8Array };

  /** Drops everything, unless it was finished. Twice is fine. */
  close(): void;
}

/** How a {@linkcode memoryStore} is made. */
export interface MemoryStoreOptions {
  /** How the exposure is cut. */
  readonly facts: PieceFacts;
  /** The hash of its tree. */
  readonly hash: Hash;
  /** The symbol size that chunks are packed for ahead: one of `symbolSizes`. */
  readonly symbolSize: number;
  /** What the store may hold at most, in bytes; by default any amount. */
  readonly memoryBytesMax?: number;
  /** What it may hold of pieces packed on demand (leaf pages, other symbol sizes), in bytes; by default 16 MiB, and always one piece. */
  readonly onDemandBytesMax?: number;
}

/** Memory is taken in slabs of about this many bytes: fewer, larger allocations cost the system less than one for each chunk. */
const SLAB_BYTES = 16_777_216;

const ON_DEMAND_BYTES_MAX = 16_777_216;

/**
 * A store that keeps every chunk in memory, packed.
 *
 * @throws {RgtpError} NOMEM when the exposure does not fit into `memoryBytesMax`
 * @throws {RangeError} when the symbol size is none that a request may name
 */
export function memoryStore(options: MemoryStoreOptions): StoreFiller {
  const { facts, symbolSize, memoryBytesMax = Infinity } = options;
  if (!symbolSizes.includes(symbolSize)) {
    throw new RangeError(`symbol size ${symbolSize} is none of ${symbolSizes.join(", ")}`);
  }
  const slabs = new Slabs(facts, symbolSize);
  if (slabs.bytes > memoryBytesMax) throw noMemory(slabs.bytes, memoryBytesMax);
  return new MemoryFiller(options, slabs);
}

class MemoryFiller implements StoreFiller {
  readonly #options: MemoryStoreOptions;
  readonly #slabs: Slabs;
  #next = 0;

  constructor(options: MemoryStoreOptions, slabs: Slabs) {
    this.#options = options;
    this.#slabs = slabs;
  }

  put(sealed: Uint8Array): void {
    const chunk = this.#next++;
    packetiseInto(chunk, sealed, this.#options.symbolSize, this.#slabs.allot(chunk));
  }

  finish(leaves: Uint8Array): { store: ChunkStore; root: Uint8Array } {
    const pager = leafPager(this.#options.hash, leaves);
    return { store: new MemoryStore(this.#options, this.#slabs, pager), root: pager.root };
  }

  close(): void {
    this.#slabs.drop();
  }
}

class MemoryStore implements ChunkStore {
  readonly #facts: PieceFacts;
  readonly #symbolSize: number;
  readonly #slabs: Slabs;
  readonly #pager: LeafPager;
  readonly #onDemand: RecentPackets;
  readonly #seals: number;
  #packings: number;
  #closed = false;

  constructor(options: MemoryStoreOptions, slabs: Slabs, pager: LeafPager) {
    this.#facts = options.facts;
    this.#symbolSize = options.symbolSize;
    this.#slabs = slabs;
    this.#pager = pager;
    this.#onDemand = new RecentPackets(options.onDemandBytesMax ?? ON_DEMAND_BYTES_MAX);
    this.#seals = this.#packings = chunkCount(options.facts);
  }

  packets(piece: number, symbolSize: number): Uint8Array | undefined {
    const bytes = pieceBytes(this.#facts, piece);
    if (bytes === undefined || this.#closed) return undefined;
    if (symbolSize === this.#symbolSize && !isPagePiece(piece)) return this.#slabs.packets(piece);
    if (!symbolSizes.includes(symbolSize)) return undefined;
    // Symbol sizes stay below 2^14: one number names both.
    const key = piece * 16_384 + symbolSize;
    const recent = this.#onDemand.get(key);
    if (recent) return recent;
    const packets = packetise(piece, this.#bare(piece, bytes), symbolSize);
    this.#packings++;
    this.#onDemand.add(key, packets);
    return packets;
  }

  get counters(): StoreCounters {
    return { seals: this.#seals, packings: this.#packings };
  }

  get memoryBytes(): number {
    return this.#slabs.bytes + this.#onDemand.bytes;
  }

  close(): void {
    this.#closed = true;
    this.#slabs.drop();
    this.#onDemand.clear();
  }

  /** The piece without headers. */
  #bare(piece: number, bytes: number): Uint8Array {
    return isPagePiece(piece)
      ? this.#pager.page(pageOfPiece(piece))
      : depacketise(this.#slabs.packets(piece), this.#symbolSize, bytes);
  }
}

/** Memory for the packets of all chunks. All but the last one have the same size, so that places follow from numbers. */
class Slabs {
  /** Bytes of all packets of all chunks. */
  bytes: number;
  readonly #count: number;
  readonly #fullBytes: number;
  readonly #lastBytes: number;
  readonly #chunksEach: number;
  #slabs: Uint8Array[] = [];

  constructor(facts: PieceFacts, symbolSize: number) {
    this.#count = chunkCount(facts);
    const packed = (chunk: number) => packetisedBytes(sealedChunkBytes(facts, chunk), symbolSize);
    this.#fullBytes = this.#count > 0 ? packed(0) : 0;
    this.#lastBytes = this.#count > 0 ? packed(this.#count - 1) : 0;
    this.#chunksEach = Math.max(1, Math.floor(SLAB_BYTES / this.#fullBytes));
    this.bytes = this.#bytesOf(0, this.#count);
  }

  /** The memory of a chunk, which is the one after the last that was allotted. */
  allot(chunk: number): Uint8Array {
    const first = this.#slabs.length * this.#chunksEach;
    if (chunk === first) this.#slabs.push(allocate(this.#bytesOf(first, first + this.#chunksEach)));
    return this.packets(chunk);
  }

  packets(chunk: number): Uint8Array {
    const at = (chunk % this.#chunksEach) * this.#fullBytes;
    const bytes = chunk === this.#count - 1 ? this.#lastBytes : this.#fullBytes;
    return this.#slabs[Math.floor(chunk / this.#chunksEach)].subarray(at, at + bytes);
  }

  drop(): void {
    this.#slabs = [];
    this.bytes = 0;
  }

  /** Bytes of the packets of the chunks from `first` to before `end`, as far as there are so many. */
  #bytesOf(first: number, end: number): number {
    if (end < this.#count) return (end - first) * this.#fullBytes;
    return this.#count === 0 ? 0 : (this.#count - 1 - first) * this.#fullBytes + this.#lastBytes;
  }
}

/** Packets made on demand; those used longest ago go first. */
class RecentPackets {
  bytes = 0;
  readonly #bytesMax: number;
  readonly #entries = new Map<number, Uint8Array>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(key: number): Uint8Array | undefined {
    const packets = this.#entries.get(key);
    if (packets) {
      // A Map keeps the order of insertion.
      this.#entries.delete(key);
      this.#entries.set(key, packets);
    }
    return packets;
  }

  add(key: number, packets: Uint8Array): void {
    for (const [oldest, old] of this.#entries) {
      if (this.bytes + packets.length <= this.#bytesMax) break;
      this.#entries.delete(oldest);
      this.bytes -= old.length;
    }
    this.#entries.set(key, packets);
    this.bytes += packets.length;
  }

  clear(): void {
    this.#entries.clear();
    this.bytes = 0;
  }
}

function allocate(bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new RgtpError(
      "NOMEM",
      `the system refused ${bytes} bytes of memory for sealed chunks; expose less at once, or free some memory`,
      { cause, data: { bytes } },
    );
  }
}

function noMemory(bytes: number, bytesMax: number): RgtpError {
  return new RgtpError(
    "NOMEM",
    `the sealed exposure takes ${bytes} bytes of memory, more than the ${bytesMax} that it may; expose less at once, or raise the bound`,
    { data: { bytes, bytesMax } },
  );
}
