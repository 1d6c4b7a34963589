import type { Manifest } from "../../codec/manifest.ts";
import { chunkBytes } from "../../codec/manifest.ts";
import type { Aead, AeadName, Engine } from "../../crypto/engine.ts";
import { AEAD_TAG_BYTES } from "../../crypto/engine.ts";
import { chunkNonce } from "../../crypto/key_schedule.ts";
import { leafHash } from "../../crypto/merkle.ts";
import { chunkOffset } from "./pieces.ts";
import type { ByteSource } from "./source.ts";

/** What is known of an exposure before the first byte is read. */
export interface SealPlan {
  /** The manifest but for its root, which is zero. */
  readonly facts: Manifest;
  /** 32 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** P, the AAD of every chunk. */
  readonly aad: Uint8Array;
}

/**
 * Seals the chunks of one exposure, one after another, in a buffer of its own that serves all of them: it stays in the processor's
 * cache, and nobody else can change what was sealed between its hash and its sending.
 */
export class ChunkSealer {
  readonly #engine: Engine;
  readonly #aead: Aead;
  readonly #plan: SealPlan;
  readonly #source: ByteSource;
  readonly #sealed: Uint8Array;

  constructor(engine: Engine, aead: AeadName, plan: SealPlan, source: ByteSource) {
    this.#engine = engine;
    this.#aead = engine.aead(aead);
    this.#plan = plan;
    this.#source = source;
    this.#sealed = new Uint8Array(Math.min(plan.facts.chunkSize, plan.facts.totalSize) + AEAD_TAG_BYTES);
  }

  /**
   * Reads a chunk and seals it; the result is good until the next call.
   *
   * @throws {RgtpError} SOURCE_CHANGED, IO: see `ByteSource.read`
   */
  seal(chunk: number): Uint8Array {
    const { facts, key, aad } = this.#plan;
    const bytes = chunkBytes(facts, chunk);
    const sealed = this.#sealed.subarray(0, bytes + AEAD_TAG_BYTES);
    const plaintext = sealed.subarray(0, bytes);
    this.#source.read(chunkOffset(facts, chunk), plaintext);
    this.#aead.sealInto(key, chunkNonce(chunk), aad, plaintext, sealed);
    return sealed;
  }

  /** The leaf hash of a sealed chunk. */
  leaf(sealed: Uint8Array): Uint8Array<ArrayBuffer> {
    return leafHash(this.#engine.sha256, sealed);
  }
}
