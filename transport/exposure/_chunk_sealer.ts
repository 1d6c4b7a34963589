import type { Manifest } from "../../codec/manifest.ts";
import { chunkBytes } from "../../codec/manifest.ts";
import type { Engine } from "../../crypto/engine.ts";
import { AEAD_TAG_BYTES } from "../../crypto/engine.ts";
import { ChunkCipher } from "../crew/chunk_cipher.ts";
import type { ChunkKey, UnsealedChunk } from "../crew/chunk_cipher.ts";
import { chunkOffset } from "./pieces.ts";
import type { ByteSource } from "./source.ts";

/** What is known of an exposure before the first byte is read. */
export interface SealPlan {
  /** The manifest but for its root, which is zero. */
  readonly facts: Manifest;
  /** What its chunks are sealed with. */
  readonly chunkKey: ChunkKey & { readonly key: Uint8Array<ArrayBuffer> };
}

/**
 * Seals the chunks of one exposure, one after another, in a buffer of its own that serves all of them: it stays in the processor's
 * cache, and nobody else can change what was sealed between its hash and its sending.
 */
export class ChunkSealer {
  readonly #facts: Manifest;
  readonly #cipher: ChunkCipher;
  readonly #source: ByteSource;
  readonly #sealed: Uint8Array;

  constructor(engine: Engine, { facts, chunkKey }: SealPlan, source: ByteSource) {
    this.#facts = facts;
    this.#cipher = new ChunkCipher(engine, chunkKey);
    this.#source = source;
    this.#sealed = new Uint8Array(this.sealedBytesMax);
  }

  /** Bytes of the longest sealed chunk. */
  get sealedBytesMax(): number {
    return Math.min(this.#facts.chunkSize, this.#facts.totalSize) + AEAD_TAG_BYTES;
  }

  /**
   * Reads a chunk and seals it; with its leaf hash. The bytes are good until the next call.
   *
   * @throws {RgtpError} SOURCE_CHANGED, IO: see `ByteSource.read`
   */
  seal(chunk: number): { readonly sealed: Uint8Array; readonly leaf: Uint8Array<ArrayBuffer> } {
    const sealed = this.read(chunk, this.#sealed);
    return { sealed, leaf: this.#cipher.seal(chunk, sealed) };
  }

  /**
   * Reads a chunk into the front of `memory`, and answers with as much of it as the sealed chunk takes.
   *
   * @throws {RgtpError} SOURCE_CHANGED, IO: see `ByteSource.read`
   */
  read(chunk: number, memory: Uint8Array): Uint8Array {
    const bytes = chunkBytes(this.#facts, chunk);
    const unsealed = memory.subarray(0, bytes + AEAD_TAG_BYTES);
    this.#source.read(chunkOffset(this.#facts, chunk), unsealed.subarray(0, bytes));
    return unsealed;
  }

  /** Seals what {@linkcode ChunkSealer.read} answered with, where it lies, as `ChunkCipher.sealAll` does; gives the leaf hashes. */
  sealAll(chunks: readonly UnsealedChunk[]): Uint8Array<ArrayBuffer>[] {
    return this.#cipher.sealAll(chunks);
  }
}
