import { chunkBytes, chunkCount } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Hash } from "../../crypto/engine.ts";
import { HASH_BYTES } from "../../crypto/engine.ts";
import type { LeafPager } from "../../crypto/leaf_pages.ts";
import { leafPager } from "../../crypto/leaf_pages.ts";
import { allocate } from "./_allocate.ts";
import type { ChunkSealer } from "./_chunk_sealer.ts";
import { ParitySymbols } from "./_parity_symbols.ts";
import type { ParityRun } from "./_parity_symbols.ts";
import { RecentBytes } from "./_recent_bytes.ts";
import { SlotCache } from "./_slot_cache.ts";
import { isPagePiece, pieceBytes, sealedChunkBytes } from "./pieces.ts";
import type { ByteSource } from "./source.ts";
import type { SpillFile } from "./spill_file.ts";
import { pageFrom } from "./store.ts";
import type { ChunkStore, StoreCounters, StoreFiller } from "./store.ts";

/** How a {@linkcode lazyStore} is made. */
export interface LazyStoreOptions {
  /** How the exposure is cut. */
  readonly facts: Manifest;
  /** The hash of its tree. */
  readonly hash: Hash;
  /** What it may hold, in bytes; at least four chunks and a leaf page are held all the same. */
  readonly memoryBytesMax: number;
  /** Seals a chunk again. */
  readonly sealer: ChunkSealer;
  /** What the sealer reads: the store's from `finish` on, closed with it. */
  readonly source: ByteSource;
  /** A file for what the memory does not hold: the store's from now on, closed with it. */
  readonly spill?: SpillFile;
  /** Told once when the source holds something else now, and each time when it cannot be read. */
  readonly onLost?: (reason: RgtpError) => void;
}

const SLOTS_MIN = 4;
/** Memory is taken in slabs of about this many bytes, when they are needed. */
const SLAB_BYTES = 16_777_216;
/** What chunks may have of the whole, leaf pages, and parity. */
const CHUNKS_SHARE = 14 / 16;
const PAGES_SHARE = 1 / 16;
const PARITY_SHARE = 1 / 16;

/**
 * A store that holds as much as it may, and seals the rest again when it is asked for. What was sealed again is sent only if it is what
 * the exposure's leaves say; if it is not, the source has changed, and from then on nothing of this exposure is sent.
 */
export function lazyStore(options: LazyStoreOptions): StoreFiller {
  return new LazyFiller(options);
}

class LazyFiller implements StoreFiller {
  readonly #options: LazyStoreOptions;
  readonly #cached: CachedChunks;
  #sealed = 0;

  constructor(options: LazyStoreOptions) {
    this.#options = options;
    this.#cached = new CachedChunks(options);
  }

  put(sealed: Uint8Array, chunk: number): void {
    this.#sealed++;
    if (this.#cached.hasRoom) this.#cached.admit(chunk).set(sealed);
    this.#options.spill?.write(chunk, sealed);
  }

  finish(leaves: Uint8Array): { store: ChunkStore; root: Uint8Array } {
    const pager = leafPager(this.#options.hash, leaves);
    return {
      store: new LazyStore(this.#options, this.#cached, leaves, pager, this.#sealed),
      root: pager.root,
    };
  }

  close(): void {
    this.#cached.drop();
    this.#options.spill?.close();
  }
}

class LazyStore implements ChunkStore {
  readonly #options: LazyStoreOptions;
  readonly #cached: CachedChunks;
  readonly #leaves: Uint8Array;
  readonly #pager: LeafPager;
  readonly #pages: RecentBytes;
  readonly #parity: ParitySymbols;
  #counters: StoreCounters;
  #state: "open" | "changed" | "closed" = "open";

  constructor(
    options: LazyStoreOptions,
    cached: CachedChunks,
    leaves: Uint8Array,
    pager: LeafPager,
    sealed: number,
  ) {
    this.#options = options;
    this.#cached = cached;
    this.#leaves = leaves;
    this.#pager = pager;
    this.#pages = new RecentBytes(options.memoryBytesMax * PAGES_SHARE);
    this.#parity = new ParitySymbols(options.memoryBytesMax * PARITY_SHARE);
    this.#counters = { seals: sealed, reseals: 0, spillReads: 0 };
  }

  piece(piece: number): Uint8Array | undefined {
    if (this.#state !== "open" || pieceBytes(this.#options.facts, piece) === undefined) return undefined;
    if (isPagePiece(piece)) return pageFrom(this.#pages, this.#pager, piece);
    return this.#cached.use(piece) ?? this.#seen(piece) ?? this.#load(piece);
  }

  /** Where the spill file is mapped: as it lies there, which takes none of the memory. */
  #seen(chunk: number): Uint8Array | undefined {
    const { facts, spill } = this.#options;
    const seen = spill?.view(chunk, sealedChunkBytes(facts, chunk));
    if (seen) this.#count({ spillReads: 1 });
    return seen;
  }

  /** Gets what is not held into the memory. */
  #load(chunk: number): Uint8Array | undefined {
    const memory = this.#cached.admit(chunk);
    if (this.#fill(chunk, memory)) return memory;
    this.#cached.forget(chunk);
    return undefined;
  }

  parity(piece: number, symbolSize: number, run: ParityRun): Uint8Array | undefined {
    const bytes = pieceBytes(this.#options.facts, piece);
    if (bytes === undefined || this.#state !== "open") return undefined;
    // Never from what is mapped: a disk that fails ends who looks there, but not who has it sent or read.
    const data = () => isPagePiece(piece) ? this.piece(piece) : this.#cached.use(piece) ?? this.#load(piece);
    return this.#parity.symbols(piece, bytes, symbolSize, run, data);
  }

  isAtHand(piece: number): boolean {
    return isPagePiece(piece) || this.#cached.has(piece) || this.#options.spill?.view(piece, 1) !== undefined;
  }

  coldBytes(piece: number): number {
    const { facts, spill } = this.#options;
    const isThere = isPagePiece(piece) || this.#state !== "open" || pieceBytes(facts, piece) === undefined ||
      this.#cached.has(piece) || spill?.has(piece);
    return isThere ? 0 : chunkBytes(facts, piece);
  }

  get counters(): StoreCounters {
    return this.#counters;
  }

  get memoryBytes(): number {
    return this.#cached.bytes + this.#pages.bytes + this.#parity.bytes;
  }

  get holdsSource(): boolean {
    return true;
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#cached.drop();
    this.#pages.clear();
    this.#parity.clear();
    this.#options.source.close();
    this.#options.spill?.close();
  }

  /** Puts a sealed chunk into `memory`; whether it could. */
  #fill(chunk: number, memory: Uint8Array): boolean {
    const { spill } = this.#options;
    if (spill?.read(chunk, memory)) {
      this.#count({ spillReads: 1 });
      return true;
    }
    const sealed = this.#sealAgain(chunk);
    if (!sealed) return false;
    memory.set(sealed);
    spill?.write(chunk, memory);
    return true;
  }

  #sealAgain(chunk: number): Uint8Array | undefined {
    const { sealer, source, onLost } = this.#options;
    const at = chunk * HASH_BYTES;
    try {
      const { sealed, leaf } = sealer.seal(chunk);
      this.#count({ seals: 1, reseals: 1 });
      if (equalBytes(leaf, this.#leaves.subarray(at, at + HASH_BYTES))) return sealed;
      this.#lose(changed(source));
    } catch (error) {
      if (!(error instanceof RgtpError)) throw error;
      // A disk that fails may come back, and what it gives then is compared like everything else.
      if (error.condition === "SOURCE_CHANGED") this.#lose(error);
      else onLost?.(error);
    }
    return undefined;
  }

  #lose(reason: RgtpError): void {
    this.#state = "changed";
    this.#cached.drop();
    this.#parity.clear();
    this.#options.onLost?.(reason);
  }

  #count(more: Partial<StoreCounters>): void {
    const { seals, reseals, spillReads } = this.#counters;
    this.#counters = {
      seals: seals + (more.seals ?? 0),
      reseals: reseals + (more.reseals ?? 0),
      spillReads: spillReads + (more.spillReads ?? 0),
    };
  }
}

/** Slots for sealed chunks. */
class CachedChunks {
  readonly #facts: Manifest;
  readonly #slots: SlotCache;
  readonly #slotBytes: number;
  readonly #slotsEach: number;
  #slabs: Uint8Array[] = [];

  constructor({ facts, memoryBytesMax }: LazyStoreOptions) {
    this.#facts = facts;
    this.#slotBytes = chunkCount(facts) === 0 ? 1 : sealedChunkBytes(facts, 0);
    const fit = Math.floor(memoryBytesMax * CHUNKS_SHARE / this.#slotBytes);
    this.#slots = new SlotCache(Math.max(SLOTS_MIN, fit));
    this.#slotsEach = Math.max(1, Math.floor(SLAB_BYTES / this.#slotBytes));
  }

  get bytes(): number {
    return this.#slabs.reduce((sum, slab) => sum + slab.length, 0);
  }

  get hasRoom(): boolean {
    return this.#slots.hasRoom;
  }

  has(chunk: number): boolean {
    return this.#slots.has(chunk);
  }

  use(chunk: number): Uint8Array | undefined {
    const slot = this.#slots.use(chunk);
    return slot === undefined ? undefined : this.#memory(slot, chunk);
  }

  admit(chunk: number): Uint8Array {
    return this.#memory(this.#slots.admit(chunk), chunk);
  }

  forget(chunk: number): void {
    this.#slots.forget(chunk);
  }

  drop(): void {
    this.#slabs = [];
  }

  #memory(slot: number, chunk: number): Uint8Array {
    const slab = Math.floor(slot / this.#slotsEach);
    // Slots are taken one after the other, so a new one lies in the last slab or right behind it.
    if (slab === this.#slabs.length) {
      const slots = Math.min(this.#slotsEach, this.#slots.slots - slab * this.#slotsEach);
      this.#slabs.push(allocate(slots * this.#slotBytes));
    }
    const at = (slot % this.#slotsEach) * this.#slotBytes;
    return this.#slabs[slab].subarray(at, at + sealedChunkBytes(this.#facts, chunk));
  }
}

function changed({ fingerprint }: ByteSource): RgtpError {
  const what = fingerprint ? `'${fingerprint.path}'` : "the source";
  return new RgtpError(
    "SOURCE_CHANGED",
    `${what} was changed while it was exposed, so it is given to nobody any more; expose it again`,
    { data: { path: fingerprint?.path } },
  );
}
