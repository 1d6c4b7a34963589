import { equalBytes } from "../../core/bytes.ts";
import type { Aead, AeadName, ChunkEngine } from "../../crypto/engine.ts";
import { AEAD_TAG_BYTES } from "../../crypto/engine.ts";
import { chunkNonce } from "../../crypto/key_schedule.ts";
import { leafHash } from "../../crypto/merkle.ts";
import { loadDigestRow, ROW_MIN } from "../../crypto/native/digest_row.ts";
import { type LeafRow, loadLeafRow } from "../../crypto/native/leaf_row.ts";

/** What all chunks of one exposure are sealed with. */
export interface ChunkKey {
  /** Which AEAD. */
  readonly aead: AeadName;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** P, the AAD of every chunk. */
  readonly aad: Uint8Array;
}

/** A chunk to be sealed where it lies, in all of `bytes` but the last 16. */
export interface UnsealedChunk {
  /** Its index. */
  readonly chunk: number;
  /** Where it lies. */
  readonly bytes: Uint8Array;
}

/** A chunk, sealed or as plaintext, and the leaf hash that it must have. */
export interface ClaimedChunk {
  /** Its index. */
  readonly chunk: number;
  /** Where it lies. */
  readonly bytes: Uint8Array;
  /** 32 bytes. */
  readonly leaf: Uint8Array;
}

/** A leaf is hashed with a byte before it: a line of the processor's cache, so that the chunk begins with one. */
export const LEAF_LEAD_BYTES = 64;
/** To load what hashes side by side takes as long as it spares with so many chunks. */
const CHUNKS_BEFORE_ROW = 256;

/** Seals and opens the chunks of one exposure in the memory that they lie in. The same in each thread. */
export class ChunkCipher {
  readonly #engine: ChunkEngine;
  readonly #aead: Aead;
  readonly #key: ChunkKey;
  readonly #scratch: Uint8Array[] = [];
  /** Chunks that came so far. */
  #met = 0;

  constructor(engine: ChunkEngine, key: ChunkKey) {
    this.#engine = engine;
    this.#aead = engine.aead(key.aead);
    this.#key = key;
  }

  /** Seals what stands in all of `bytes` but the last 16; answers with the leaf hash. */
  seal(chunk: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    this.#encrypt(chunk, bytes);
    return this.leaf(bytes);
  }

  /**
   * The same for several, hashed side by side where that can be done. Each lies behind {@linkcode LEAF_LEAD_BYTES} bytes of its buffer that
   * are nobody's; they are written to.
   */
  sealAll(chunks: readonly UnsealedChunk[]): Uint8Array<ArrayBuffer>[] {
    for (const { chunk, bytes } of chunks) this.#encrypt(chunk, bytes);
    this.#met += chunks.length;
    const row = chunks.length >= ROW_MIN && this.#met > CHUNKS_BEFORE_ROW
      ? loadDigestRow(this.#engine.sha256)
      : undefined;
    return row?.digest(chunks.map(({ bytes }) => leafMessage(bytes))) ??
      chunks.map(({ bytes }) => this.leaf(bytes));
  }

  /** Opens a sealed chunk, if it has this leaf hash: the plaintext is all of `sealed` but the last 16 bytes then. */
  open(chunk: number, sealed: Uint8Array, leaf: Uint8Array): boolean {
    return equalBytes(this.leaf(sealed), leaf) && this.#decrypt(chunk, sealed);
  }

  /** Opens several, hashed side by side where that can be done; tells of each whether it was opened, one after the other. */
  *openAll(chunks: readonly ClaimedChunk[]): Iterable<boolean> {
    const row = this.#rowFor(chunks.length);
    const have = row?.compare(chunks.map(({ bytes }) => bytes), chunks.map(({ leaf }) => leaf));
    for (const [index, { chunk, bytes, leaf }] of chunks.entries()) {
      yield have ? have[index] && this.#decrypt(chunk, bytes) : this.open(chunk, bytes, leaf);
    }
  }

  /** Whether a plaintext, which stays as it is, has this leaf hash when it is sealed. */
  isChunk(chunk: number, plaintext: Uint8Array, leaf: Uint8Array): boolean {
    return equalBytes(this.leaf(this.#sealApart(0, chunk, plaintext)), leaf);
  }

  /** The same of several, hashed side by side where that can be done. */
  areChunks(chunks: readonly ClaimedChunk[]): boolean[] {
    const row = this.#rowFor(chunks.length);
    if (!row) return chunks.map(({ chunk, bytes, leaf }) => this.isChunk(chunk, bytes, leaf));
    const sealed = chunks.map(({ chunk, bytes }, index) => this.#sealApart(index, chunk, bytes));
    return row.compare(sealed, chunks.map(({ leaf }) => leaf));
  }

  /** The leaf hash of a sealed chunk. */
  leaf(sealed: Uint8Array): Uint8Array<ArrayBuffer> {
    return leafHash(this.#engine.sha256, sealed);
  }

  #encrypt(chunk: number, bytes: Uint8Array): void {
    const { key, aad } = this.#key;
    const plaintext = bytes.subarray(0, bytes.length - AEAD_TAG_BYTES);
    this.#aead.sealInto(key, chunkNonce(chunk), aad, plaintext, bytes);
  }

  #decrypt(chunk: number, sealed: Uint8Array): boolean {
    const { key, aad } = this.#key;
    return this.#aead.openInto(key, chunkNonce(chunk), aad, sealed, sealed);
  }

  /** What hashes so many side by side, if that pays. */
  #rowFor(chunks: number): LeafRow | undefined {
    this.#met += chunks;
    return chunks > 1 && this.#met > CHUNKS_BEFORE_ROW ? loadLeafRow(this.#engine.sha256) : undefined;
  }

  /** Seals a plaintext in memory of this, of which there is some for each index. */
  #sealApart(index: number, chunk: number, plaintext: Uint8Array): Uint8Array {
    const { key, aad } = this.#key;
    const length = plaintext.length + AEAD_TAG_BYTES;
    if ((this.#scratch[index]?.length ?? 0) < length) this.#scratch[index] = new Uint8Array(length);
    const sealed = this.#scratch[index].subarray(0, length);
    this.#aead.sealInto(key, chunkNonce(chunk), aad, plaintext, sealed);
    return sealed;
  }
}

/** What is hashed for the leaf of a sealed chunk: a zero before it (RFC 9162 §2.1.1). */
function leafMessage({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  const message = new Uint8Array(buffer, byteOffset - 1, length + 1);
  message[0] = 0;
  return message;
}
