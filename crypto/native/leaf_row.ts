import { equalBytes } from "../../core/bytes.ts";
import { HASH_BYTES } from "../engine.ts";
import type { Hash } from "../engine.ts";
import { leafHash } from "../merkle.ts";
import {
  beginManager,
  CIPHER_NULL,
  Feature,
  HMAC_SHA_256,
  type IpsecMb,
  JOB,
  jobBytes,
  loadIpsecMb,
  SHANI_OFF,
} from "./_ipsec_mb.ts";

/** Leaf hashes of many chunks side by side, each in a part of the processor's wide registers. */
export interface LeafRow {
  /** So many at a time. */
  readonly atOnce: number;
  /** Whether sealed chunks have their leaf hashes, in the order of the chunks. */
  compare(sealed: readonly Uint8Array[], leaves: readonly Uint8Array[]): boolean[];
}

/** So many chunks at once fill the widest registers. */
export const LEAF_ROW_MAX = 16;

/** A library in use is never unloaded, so it is loaded once. */
let isLooked = false;
let loaded: LeafRow | undefined;

/**
 * Leaf hashes by Intel's IPsec Multi-Buffer library (`libIPSec_MB`), where it is there, Deno permits it already
 * (`--allow-ffi=/lib,/lib64`), the processor has the registers, and it says the same as `hash`. `undefined` elsewhere. The first call takes
 * some 4 ms.
 */
export function loadLeafRow(hash: Hash): LeafRow | undefined {
  if (!isLooked) {
    isLooked = true;
    const library = loadIpsecMb();
    const row = library && leafRow(library, hash, waysOf(library));
    if (row && isRight(row, hash)) loaded = row;
  }
  return loaded;
}

/** One way to hash side by side: how the library is told to take it. */
export interface Way {
  /** What the processor must have, in the library's words. */
  readonly needs: bigint;
  readonly atOnce: number;
  readonly flags: bigint;
  readonly init: "init_mb_mgr_sse" | "init_mb_mgr_avx2" | "init_mb_mgr_avx512";
  readonly submit: "submit_hash_burst_sse_t2" | "submit_hash_burst_avx2_t1" | "submit_hash_burst_avx512_t1";
}

/** All ways that there are. Jobs go to the functions that the library itself would choose for such a processor. */
export const WAYS: Readonly<Record<"avx512" | "avx2" | "pairs", Way>> = {
  avx512: {
    needs: Feature.AVX512,
    atOnce: 16,
    flags: 0n,
    init: "init_mb_mgr_avx512",
    submit: "submit_hash_burst_avx512_t1",
  },
  avx2: {
    needs: Feature.AVX2,
    atOnce: 8,
    flags: SHANI_OFF,
    init: "init_mb_mgr_avx2",
    submit: "submit_hash_burst_avx2_t1",
  },
  // The processor's own instructions for SHA-256 work on two messages in the time of one and a quarter.
  pairs: {
    needs: Feature.SHANI,
    atOnce: 2,
    flags: 0n,
    init: "init_mb_mgr_sse",
    submit: "submit_hash_burst_sse_t2",
  },
};

/** A way, and for how many chunks it is the fastest: fewer take the way after it, or are hashed one after the other. */
export type WayFrom = readonly [way: Way, from: number];

/** What pays on this processor, measured: a row of 16 takes as long whether it is full or not. */
function waysOf(library: IpsecMb): WayFrom[] {
  const features = library.imb_get_feature_flags();
  const { avx512, avx2, pairs } = WAYS;
  const candidates: WayFrom[] = (features & Feature.SHANI) !== 0n
    ? [[avx512, 9], [pairs, 2]]
    : [[avx512, 2], [avx2, 4]];
  return candidates.filter(([{ needs }]) => (features & needs) === needs);
}

/**
 * Leaf hashes by that library, in some ways; `undefined` where it has none of them.
 *
 * Its jobs are 18 bytes too short for the leaf of a chunk of the usual size, so a leaf is hashed as the inner hash of an HMAC (RFC 2104). A
 * job for that begins with the state after a first block, elsewhere that of the key: here it is that of the leaf's own first block. It gives
 * what one more block makes of the leaf hash, and is compared with what that makes of the leaf hash that there should be.
 */
export function leafRow(library: IpsecMb, hash: Hash, ways: readonly WayFrom[]): LeafRow | undefined {
  const begun = ways.flatMap(([way, from]) => {
    const manager = beginManager(library, way);
    return manager === undefined ? [] : [{ atOnce: way.atOnce, from, manager, submit: library[way.submit] }];
  });
  if (begun.length === 0) return undefined;
  const jobs = new Jobs(library);
  const compareRow = (sealed: readonly Uint8Array[], leaves: readonly Uint8Array[]): boolean[] => {
    const way = begun.find(({ from }) => from <= sealed.length);
    if (!way || !sealed.every(fits)) return compareEach(hash, sealed, leaves);
    sealed.forEach((bytes, index) => jobs.set(index, bytes));
    const done = way.submit(way.manager, jobs.bytes, sealed.length, HMAC_SHA_256);
    return leaves.map((leaf, index) => index < done && jobs.hasLeaf(index, leaf));
  };
  const compare = (sealed: readonly Uint8Array[], leaves: readonly Uint8Array[]): boolean[] => {
    const all: boolean[] = [];
    for (let first = 0; first < sealed.length; first += LEAF_ROW_MAX) {
      const end = first + LEAF_ROW_MAX;
      all.push(...compareRow(sealed.slice(first, end), leaves.slice(first, end)));
    }
    return all;
  };
  return { atOnce: begun[0].atOnce, compare };
}

function compareEach(hash: Hash, sealed: readonly Uint8Array[], leaves: readonly Uint8Array[]): boolean[] {
  return sealed.map((bytes, index) => equalBytes(leafHash(hash, bytes), leaves[index]));
}

/** A job has no more, and at least something. */
const JOB_BYTES_MAX = 65_534;
const BLOCK_BYTES = 64;
/** What of a chunk is in the first block of what is hashed: that begins with a byte that says it is a leaf. */
const HEAD_BYTES = BLOCK_BYTES - 1;

function fits({ length }: Uint8Array): boolean {
  return length > HEAD_BYTES && length <= HEAD_BYTES + JOB_BYTES_MAX;
}

/** The memory of a row: first blocks, the states after them and what comes out, of each chunk; then what all have in common; then jobs. */
const HEADS = 0;
const STATES = HEADS + LEAF_ROW_MAX * BLOCK_BYTES;
const TAGS = STATES + LEAF_ROW_MAX * HASH_BYTES;
const INITIAL = TAGS + LEAF_ROW_MAX * HASH_BYTES;
const EXPECTED = INITIAL + HASH_BYTES;
const LAST = EXPECTED + HASH_BYTES;
const JOBS = LAST + BLOCK_BYTES;

/** FIPS 180-4 §5.3.3: the state before the first block. */
const INITIAL_STATE = [
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
  ...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
];

/** A row of jobs, in memory that does not move. */
class Jobs {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #library: IpsecMb;
  readonly #view: DataView;
  readonly #stride: number;
  readonly #heads: readonly Uint8Array<ArrayBuffer>[];
  readonly #states: readonly Uint8Array<ArrayBuffer>[];
  readonly #expected: Uint8Array<ArrayBuffer>;
  /** The last block of an HMAC over some leaf hash. */
  readonly #last: Uint8Array<ArrayBuffer>;

  constructor(library: IpsecMb) {
    this.#library = library;
    this.#stride = jobBytes(library)!;
    const memory = new ArrayBuffer(JOBS + LEAF_ROW_MAX * this.#stride);
    const view = this.#view = new DataView(memory);
    const rows = (first: number, bytes: number) =>
      Array.from({ length: LEAF_ROW_MAX }, (_, row) => new Uint8Array(memory, first + row * bytes, bytes));
    this.bytes = new Uint8Array(memory, JOBS);
    this.#heads = rows(HEADS, BLOCK_BYTES);
    this.#states = rows(STATES, HASH_BYTES);
    this.#expected = new Uint8Array(memory, EXPECTED, HASH_BYTES);
    this.#last = new Uint8Array(memory, LAST, BLOCK_BYTES);
    INITIAL_STATE.forEach((word, index) => view.setUint32(INITIAL + 4 * index, word, true));
    // FIPS 180-4 §5.1.1: what is hashed ends in a bit that is set, zeros, and its length in bits: a block and a hash.
    this.#last[HASH_BYTES] = 0x80;
    view.setUint16(LAST + BLOCK_BYTES - 2, 8 * (BLOCK_BYTES + HASH_BYTES));
    const start = this.#addressOf(new Uint8Array(memory));
    for (let index = 0; index < LEAF_ROW_MAX; index++) {
      const job = this.#job(index);
      this.#setLong(job + JOB.tag, start + TAGS + index * HASH_BYTES);
      this.#setLong(job + JOB.tagLength, HASH_BYTES);
      this.#setLong(job + JOB.inner, start + STATES + index * HASH_BYTES);
      this.#setLong(job + JOB.outer, start + INITIAL);
      view.setInt32(job + JOB.cipher, CIPHER_NULL, true);
      view.setInt32(job + JOB.hash, HMAC_SHA_256, true);
    }
  }

  /** Makes a job of a chunk, which stays where it is until that is done. */
  set(index: number, sealed: Uint8Array): void {
    const head = this.#heads[index];
    for (let i = 0; i < HEAD_BYTES; i++) head[1 + i] = sealed[i];
    this.#library.sha256_one_block_sse(head, this.#states[index]);
    const job = this.#job(index);
    this.#setLong(job + JOB.source, this.#addressOf(sealed) + HEAD_BYTES);
    this.#setLong(job + JOB.length, sealed.length - HEAD_BYTES);
    this.#view.setInt32(job + JOB.status, 0);
  }

  /** Whether what came out of a job is what that leaf hash makes. */
  hasLeaf(index: number, leaf: Uint8Array): boolean {
    if (leaf.length !== HASH_BYTES) return false;
    this.#last.set(leaf);
    this.#library.sha256_one_block_sse(this.#last, this.#expected);
    const tag = TAGS + index * HASH_BYTES;
    for (let at = 0; at < HASH_BYTES; at += 4) {
      // A state is in the processor's order, a hash is not.
      if (this.#view.getUint32(EXPECTED + at, true) !== this.#view.getUint32(tag + at)) return false;
    }
    return true;
  }

  #job(index: number): number {
    return JOBS + index * this.#stride;
  }

  /** Nothing is copied. An address has 48 bits, or a few more: a number holds it. */
  #addressOf(bytes: Uint8Array): number {
    const buffer = bytes as Uint8Array<ArrayBuffer>;
    return Number(this.#library.memcpy(buffer, buffer, 0n));
  }

  #setLong(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
    this.#view.setUint32(at + 4, value / 2 ** 32, true);
  }
}

/** Rows of several lengths, as they are, and with every other chunk changed in its first block or in its last byte. */
function isRight(row: LeafRow, hash: Hash): boolean {
  return [3, LEAF_ROW_MAX + 1].every((count) => {
    const sealed = Array.from({ length: count }, (_, i) => new Uint8Array(64 + 4095 * i).fill(i + 1));
    const leaves = sealed.map((bytes) => leafHash(hash, bytes));
    const isSame = row.compare(sealed, leaves);
    sealed.forEach((bytes, i) => bytes[i % 4 === 1 ? 0 : bytes.length - 1] ^= i % 2);
    const isSameNow = row.compare(sealed, leaves);
    return isSame.every((same) => same) && isSameNow.every((same, i) => same === (i % 2 === 0));
  });
}
