import { chunkCount } from "../../codec/manifest.ts";
import type { Run } from "../../codec/listing.ts";
import type { Hash } from "../../crypto/engine.ts";
import { HASH_BYTES } from "../../crypto/engine.ts";
import { leafPager } from "../../crypto/leaf_pages.ts";
import type { LeafPager } from "../../crypto/leaf_pages.ts";
import { ioError } from "./_io_errors.ts";
import { makeNamelessFile } from "./_nameless_file.ts";
import type { NamelessFile } from "./_nameless_file.ts";
import { ParitySymbols } from "./_parity_symbols.ts";
import type { ParityRun } from "./_parity_symbols.ts";
import { RecentBytes } from "./_recent_bytes.ts";
import { SlotCache } from "./_slot_cache.ts";
import { isPagePiece, pieceBytes, sealedChunkBytes } from "./pieces.ts";
import type { PieceFacts } from "./pieces.ts";
import { pageFrom } from "./store.ts";
import type { ChunkStore, StoreCounters } from "./store.ts";

/** How a {@linkcode SealedCache} is made. */
export interface SealedCacheOptions {
  /** How the exposure is cut. */
  readonly facts: PieceFacts;
  /** The hash of its tree. */
  readonly hash: Hash;
  /** A folder for the file; absent: the system's for temporary files. */
  readonly folder?: string;
  /** Bytes of disk that it may have. */
  readonly diskBytesMax: number;
  /** Bytes of memory for what was used last. */
  readonly memoryBytesMax: number;
}

/** Chunks below which a cache would be no use. */
const SLOTS_MIN = 16;
const NONE: readonly Run[] = [];

/**
 * Sealed chunks of an exposure, of which this process may hold no key, as many as fit a file that nobody else sees; those used longest ago
 * go first. Leaf pages are all here.
 */
export class SealedCache implements ChunkStore {
  /** Another number after each change of what is here. */
  version = 0;
  readonly #options: SealedCacheOptions;
  readonly #want: (chunk: number) => void;
  readonly #chunks: number;
  readonly #slotBytes: number;
  readonly #slots: SlotCache;
  readonly #file: NamelessFile;
  readonly #leaves: Uint8Array;
  #pager: LeafPager | undefined;
  readonly #recent: RecentBytes;
  readonly #parity = new ParitySymbols();
  #runs: { version: number; runs: readonly Run[] } = { version: -1, runs: NONE };
  #spillReads = 0;
  #isClosed = false;

  /**
   * An empty one; `want` is told what pullers ask for.
   *
   * @throws {RgtpError} IO, NO_SPACE
   */
  constructor(options: SealedCacheOptions, want: (chunk: number) => void) {
    this.#options = options;
    this.#want = want;
    this.#chunks = chunkCount(options.facts);
    this.#slotBytes = this.#chunks === 0 ? 1 : sealedChunkBytes(options.facts, 0);
    const fit = Math.floor(options.diskBytesMax / this.#slotBytes);
    this.#slots = new SlotCache(Math.max(SLOTS_MIN, Math.min(fit, this.#chunks)));
    this.#leaves = new Uint8Array(this.#chunks * HASH_BYTES);
    this.#recent = new RecentBytes(options.memoryBytesMax);
    this.#file = makeNamelessFile("spill", options.folder);
  }

  /** Chunks that fit. */
  get slots(): number {
    return this.#slots.slots;
  }

  /** Takes verified leaves of the chunks from `first` on. */
  putLeaves(first: number, leaves: Uint8Array): void {
    this.#leaves.set(leaves, first * HASH_BYTES);
  }

  /** All leaves, once all were put. */
  get leaves(): Uint8Array {
    return this.#leaves;
  }

  /** The leaf of a chunk. */
  leaf(chunk: number): Uint8Array {
    return this.#leaves.subarray(chunk * HASH_BYTES, (chunk + 1) * HASH_BYTES);
  }

  /** Takes a verified chunk; one that was used long ago may have to go. @throws {RgtpError} IO, NO_SPACE */
  put(chunk: number, sealed: Uint8Array): void {
    if (this.#isClosed || this.#slots.has(chunk)) return;
    const slot = this.#slots.admit(chunk);
    try {
      this.#file.file.writeAt(slot * this.#slotBytes, sealed);
    } catch (cause) {
      this.#slots.forget(chunk);
      throw ioError(cause, "keep sealed chunks in", this.#file.path, "write");
    }
    // What is given belongs to who gave it.
    this.#recent.replace(chunk, sealed.slice());
    this.version++;
  }

  /** Whether a piece is here. */
  has(piece: number): boolean {
    return isPagePiece(piece) || this.#slots.has(piece);
  }

  /** A puller asks for a piece. */
  want(piece: number): void {
    if (!isPagePiece(piece)) this.#want(piece);
  }

  /** At most `max` runs of chunks that are here, ascending: the longest ones, when there are more. */
  runs(max: number): readonly Run[] {
    if (this.#runs.version === this.version) return this.#runs.runs;
    const runs: Run[] = [];
    for (let chunk = 0; chunk < this.#chunks; chunk++) {
      if (!this.#slots.has(chunk)) continue;
      const first = chunk;
      while (chunk < this.#chunks && this.#slots.has(chunk)) chunk++;
      runs.push({ first, count: chunk - first });
    }
    const longest = runs.length <= max ? runs : runs.toSorted((a, b) => b.count - a.count).slice(0, max)
      .sort((a, b) => a.first - b.first);
    this.#runs = { version: this.version, runs: longest };
    return longest;
  }

  piece(piece: number): Uint8Array | undefined {
    const bytes = pieceBytes(this.#options.facts, piece);
    if (bytes === undefined || this.#isClosed || !this.has(piece)) return undefined;
    if (isPagePiece(piece)) {
      this.#pager ??= leafPager(this.#options.hash, this.#leaves);
      return pageFrom(this.#recent, this.#pager, piece);
    }
    this.#slots.use(piece);
    const recent = this.#recent.get(piece);
    if (recent) return recent;
    const kept = this.#read(piece, bytes);
    if (kept) this.#recent.add(piece, kept);
    return kept;
  }

  parity(piece: number, symbolSize: number, run: ParityRun): Uint8Array | undefined {
    const bytes = pieceBytes(this.#options.facts, piece);
    if (bytes === undefined || this.#isClosed || !this.has(piece)) return undefined;
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
    return { seals: 0, reseals: 0, spillReads: this.#spillReads };
  }

  get memoryBytes(): number {
    return this.#recent.bytes + this.#parity.bytes + this.#leaves.length;
  }

  close(): void {
    this.#isClosed = true;
    this.#recent.clear();
    this.#parity.clear();
    this.#file.close();
  }

  #read(chunk: number, bytes: number): Uint8Array | undefined {
    const sealed = new Uint8Array(bytes);
    const slot = this.#slots.use(chunk)!;
    try {
      this.#spillReads++;
      if (this.#file.file.readAt(slot * this.#slotBytes, sealed) === bytes) return sealed;
    } catch {
      // As if it had never been here: it is pulled again.
    }
    this.#slots.forget(chunk);
    this.version++;
    return undefined;
  }
}
