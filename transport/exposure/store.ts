import { symbolSizes } from "../../codec/geometry.ts";
import { chunkCount } from "../../codec/manifest.ts";
import type { Hash } from "../../crypto/engine.ts";
import type { LeafPager } from "../../crypto/leaf_pages.ts";
import { leafPager } from "../../crypto/leaf_pages.ts";
import { allocate } from "./_allocate.ts";
import { ParityPackets } from "./_parity_packets.ts";
import type { ParityRun } from "./_parity_packets.ts";
import { packetsKey, RecentPackets } from "./_recent_packets.ts";
import { depacketise, packetise, packetisedBytes, packetiseInto } from "./packetise.ts";
import type { PieceFacts } from "./pieces.ts";
import { isPagePiece, pageOfPiece, pieceBytes, sealedChunkBytes } from "./pieces.ts";

export type { ParityRun };

/** What a store has done since it was made. */
export interface StoreCounters {
  /** Chunks that were sealed. A store that holds all of them never seals one again. */
  readonly seals: number;
  /** Of these, chunks that were sealed again because it no longer held them. */
  readonly reseals: number;
  /** Pieces that were cut into packets. */
  readonly packings: number;
  /** Chunks that were read back from a spill file. */
  readonly spillReads: number;
}

/** The sealed pieces of one exposure, ready to be sent. */
export interface ChunkStore {
  /**
   * All data packets of a piece, as `packetise` makes them, or `undefined` when there is no such piece or no such symbol size, when the
   * piece cannot be made again as it was sealed, or the store is closed. The memory is theirs until another piece is asked for that is not
   * at hand. Whoever stamps something into the headers stamps all that was there before.
   */
  packets(piece: number, symbolSize: number): Uint8Array | undefined;

  /**
   * Packets of parity symbols of one block, under the same terms as {@linkcode ChunkStore.packets}. Made when they are first asked for.
   *
   * @throws {RangeError} when the block has no such symbols
   */
  parityPackets(piece: number, symbolSize: number, run: ParityRun): Uint8Array | undefined;

  /** Whether asking for a piece leaves what others were given as it is: it need not be made in memory that may have been theirs. */
  isAtHand(piece: number, symbolSize: number): boolean;

  /** What must be read and sealed before a piece can be sent, in bytes of plaintext; 0 when it is at hand, or not there at all. */
  coldBytes(piece: number, symbolSize: number): number;

  /** Whether it reads the source, and closes it in the end. */
  readonly holdsSource: boolean;

  /** What it has done. */
  readonly counters: StoreCounters;

  /** Bytes of packets that it holds. */
  readonly memoryBytes: number;

  /** Gives up its memory. Twice is fine. */
  close(): void;
}

/** A store that is being filled with sealed chunks: each once, in any order. */
export interface StoreFiller {
  /** Takes a sealed chunk: copied. @throws {RgtpError} NOMEM */
  put(sealed: Uint8Array, chunk: number): void;

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
  /** What it may hold of pieces packed on demand (leaf pages, other symbol sizes), in bytes; by default 16 MiB, and always one piece. */
  readonly onDemandBytesMax?: number;
}

/** Memory is taken in slabs of about this many bytes: fewer, larger allocations cost the system less than one for each chunk. */
const SLAB_BYTES = 16_777_216;

const ON_DEMAND_BYTES_MAX = 16_777_216;

/**
 * A store that keeps every chunk in memory, packed.
 *
 * @throws {RangeError} when the symbol size is none that a request may name
 */
export function memoryStore(options: MemoryStoreOptions): StoreFiller {
  const { facts, symbolSize } = options;
  checkSymbolSize(symbolSize);
  return new MemoryFiller(options, new Slabs(facts, symbolSize));
}

/** @throws {RangeError} when the symbol size is none that a request may name */
export function checkSymbolSize(symbolSize: number): void {
  if (symbolSizes.includes(symbolSize)) return;
  throw new RangeError(`symbol size ${symbolSize} is none of ${symbolSizes.join(", ")}`);
}

/** Bytes that a {@linkcode memoryStore} takes for all chunks of an exposure. */
export function memoryStoreBytes(facts: PieceFacts, symbolSize: number): number {
  return new Slabs(facts, symbolSize).bytes;
}

class MemoryFiller implements StoreFiller {
  readonly #options: MemoryStoreOptions;
  readonly #slabs: Slabs;

  constructor(options: MemoryStoreOptions, slabs: Slabs) {
    this.#options = options;
    this.#slabs = slabs;
  }

  put(sealed: Uint8Array, chunk: number): void {
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
  readonly #parity = new ParityPackets();
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
    const key = packetsKey(piece, symbolSize);
    const recent = this.#onDemand.get(key);
    if (recent) return recent;
    const packets = packetise(piece, this.#bare(piece, bytes), symbolSize);
    this.#packings++;
    this.#onDemand.add(key, packets);
    return packets;
  }

  parityPackets(piece: number, symbolSize: number, run: ParityRun): Uint8Array | undefined {
    const bytes = pieceBytes(this.#facts, piece);
    if (bytes === undefined || this.#closed) return undefined;
    return this.#parity.packets(piece, bytes, symbolSize, run, () => this.packets(piece, symbolSize));
  }

  isAtHand(): boolean {
    return true;
  }

  coldBytes(): number {
    return 0;
  }

  get holdsSource(): boolean {
    return false;
  }

  get counters(): StoreCounters {
    return { seals: this.#seals, reseals: 0, packings: this.#packings, spillReads: 0 };
  }

  get memoryBytes(): number {
    return this.#slabs.bytes + this.#onDemand.bytes + this.#parity.bytes;
  }

  close(): void {
    this.#closed = true;
    this.#slabs.drop();
    this.#onDemand.clear();
    this.#parity.clear();
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

  /** The memory of a chunk. */
  allot(chunk: number): Uint8Array {
    const slab = Math.floor(chunk / this.#chunksEach);
    const first = slab * this.#chunksEach;
    this.#slabs[slab] ??= allocate(this.#bytesOf(first, first + this.#chunksEach));
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
