import { chunkCount } from "../../codec/manifest.ts";
import type { Hash } from "../../crypto/engine.ts";
import type { LeafPager } from "../../crypto/leaf_pages.ts";
import { leafPager } from "../../crypto/leaf_pages.ts";
import { allocate } from "./_allocate.ts";
import { ParitySymbols } from "./_parity_symbols.ts";
import type { ParityRun } from "./_parity_symbols.ts";
import { RecentBytes } from "./_recent_bytes.ts";
import type { PieceFacts } from "./pieces.ts";
import { isPagePiece, pageOfPiece, pieceBytes, sealedChunkBytes } from "./pieces.ts";

export type { ParityRun };

/** What a store has done since it was made. */
export interface StoreCounters {
  /** Chunks that were sealed. A store that holds all of them never seals one again. */
  readonly seals: number;
  /** Of these, chunks that were sealed again because it no longer held them. */
  readonly reseals: number;
  /** Chunks that were read back from a spill file. */
  readonly spillReads: number;
}

/** The pieces of one exposure, sealed chunks and leaf pages, ready to be sent in symbols of any size. */
export interface ChunkStore {
  /**
   * A piece, to be read alone; `undefined` when there is no such piece, when it cannot be made again as it was sealed, or the store is
   * closed. Its memory is its own until another piece is asked for that is not at hand.
   */
  piece(piece: number): Uint8Array | undefined;

  /**
   * Parity symbols of one block, after each other and each of full size, under the same terms as {@linkcode ChunkStore.piece}. Made when
   * they are first asked for.
   *
   * @throws {RangeError} when the block has no such symbols
   */
  parity(piece: number, symbolSize: number, run: ParityRun): Uint8Array | undefined;

  /** Whether asking for a piece leaves what others were given as it is: it need not be made in memory that may have been theirs. */
  isAtHand(piece: number): boolean;

  /** What must be read and sealed before a piece can be sent, in bytes of plaintext; 0 when it is at hand, or not there at all. */
  coldBytes(piece: number): number;

  /** Whether it reads the source, and closes it in the end. */
  readonly holdsSource: boolean;

  /** What it has done. */
  readonly counters: StoreCounters;

  /** Bytes of pieces and parity that it holds. */
  readonly memoryBytes: number;

  /** Gives up its memory. Twice is fine. */
  close(): void;
}

/** A store that is being filled with sealed chunks: each once, in any order. */
export interface StoreFiller {
  /** Takes a sealed chunk: copied. @throws {RgtpError} NOMEM */
  put(sealed: Uint8Array, chunk: number): void;

  /** Where a sealed chunk belongs, as long as its memory is there: who writes it there has put it. Absent: nowhere. */
  place?(chunk: number): Uint8Array;

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
  /** What it may hold of leaf pages, in bytes; by default 16 MiB, and always one page. */
  readonly pageBytesMax?: number;
}

/** Memory is taken in slabs of about this many bytes: fewer, larger allocations cost the system less than one for each chunk. */
const SLAB_BYTES = 16_777_216;

const PAGE_BYTES_MAX = 16_777_216;

/** A store that keeps every chunk in memory. */
export function memoryStore(options: MemoryStoreOptions): StoreFiller {
  return new MemoryFiller(options, new Slabs(options.facts));
}

/** Bytes that a {@linkcode memoryStore} takes for all chunks of an exposure. */
export function memoryStoreBytes(facts: PieceFacts): number {
  return new Slabs(facts).bytes;
}

class MemoryFiller implements StoreFiller {
  readonly #options: MemoryStoreOptions;
  readonly #slabs: Slabs;

  constructor(options: MemoryStoreOptions, slabs: Slabs) {
    this.#options = options;
    this.#slabs = slabs;
  }

  put(sealed: Uint8Array, chunk: number): void {
    this.place(chunk).set(sealed);
  }

  place(chunk: number): Uint8Array {
    return this.#slabs.allot(chunk);
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
  readonly #slabs: Slabs;
  readonly #pager: LeafPager;
  readonly #pages: RecentBytes;
  readonly #parity = new ParitySymbols();
  #closed = false;

  constructor(options: MemoryStoreOptions, slabs: Slabs, pager: LeafPager) {
    this.#facts = options.facts;
    this.#slabs = slabs;
    this.#pager = pager;
    this.#pages = new RecentBytes(options.pageBytesMax ?? PAGE_BYTES_MAX);
  }

  piece(piece: number): Uint8Array | undefined {
    if (this.#closed || pieceBytes(this.#facts, piece) === undefined) return undefined;
    return isPagePiece(piece) ? pageFrom(this.#pages, this.#pager, piece) : this.#slabs.chunk(piece);
  }

  parity(piece: number, symbolSize: number, run: ParityRun): Uint8Array | undefined {
    const bytes = pieceBytes(this.#facts, piece);
    if (bytes === undefined || this.#closed) return undefined;
    return this.#parity.symbols(piece, bytes, symbolSize, run, () => this.piece(piece));
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
    return { seals: chunkCount(this.#facts), reseals: 0, spillReads: 0 };
  }

  get memoryBytes(): number {
    return this.#slabs.bytes + this.#pages.bytes + this.#parity.bytes;
  }

  close(): void {
    this.#closed = true;
    this.#slabs.drop();
    this.#pages.clear();
    this.#parity.clear();
  }
}

/** A leaf page: made when it is first asked for, then kept for some time. */
export function pageFrom(recent: RecentBytes, pager: LeafPager, piece: number): Uint8Array {
  const kept = recent.get(piece);
  if (kept) return kept;
  const page = pager.page(pageOfPiece(piece));
  recent.add(piece, page);
  return page;
}

/** Memory for all sealed chunks. All but the last one have the same size, so that places follow from numbers. */
class Slabs {
  /** Bytes of all sealed chunks. */
  bytes: number;
  readonly #count: number;
  readonly #fullBytes: number;
  readonly #lastBytes: number;
  readonly #chunksEach: number;
  #slabs: Uint8Array[] = [];

  constructor(facts: PieceFacts) {
    this.#count = chunkCount(facts);
    this.#fullBytes = this.#count > 0 ? sealedChunkBytes(facts, 0) : 0;
    this.#lastBytes = this.#count > 0 ? sealedChunkBytes(facts, this.#count - 1) : 0;
    this.#chunksEach = Math.max(1, Math.floor(SLAB_BYTES / this.#fullBytes));
    this.bytes = this.#bytesOf(0, this.#count);
  }

  /** The memory of a chunk. */
  allot(chunk: number): Uint8Array {
    const slab = Math.floor(chunk / this.#chunksEach);
    const first = slab * this.#chunksEach;
    this.#slabs[slab] ??= allocate(this.#bytesOf(first, first + this.#chunksEach));
    return this.chunk(chunk);
  }

  chunk(chunk: number): Uint8Array {
    const at = (chunk % this.#chunksEach) * this.#fullBytes;
    const bytes = chunk === this.#count - 1 ? this.#lastBytes : this.#fullBytes;
    return this.#slabs[Math.floor(chunk / this.#chunksEach)].subarray(at, at + bytes);
  }

  drop(): void {
    this.#slabs = [];
    this.bytes = 0;
  }

  /** Bytes of the chunks from `first` to before `end`, as far as there are so many. */
  #bytesOf(first: number, end: number): number {
    if (end < this.#count) return (end - first) * this.#fullBytes;
    return this.#count === 0 ? 0 : (this.#count - 1 - first) * this.#fullBytes + this.#lastBytes;
  }
}
