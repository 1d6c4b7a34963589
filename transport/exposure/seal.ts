import { chunkBytes, chunkCount, encodeManifest, keyParameters, parameters } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { ManifestAead, ManifestHash, ManifestKind } from "../../codec/manifest.ts";
import { PROTOCOL_VERSION } from "../../codec/packet.ts";
import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { AeadName, Engine } from "../../crypto/engine.ts";
import { AEAD_TAG_BYTES, HASH_BYTES } from "../../crypto/engine.ts";
import { chunkNonce, exposureId, exposureKey, keyCheck } from "../../crypto/key_schedule.ts";
import { leafHash } from "../../crypto/merkle.ts";
import { Turns } from "./_turns.ts";
import { chunkOffset } from "./pieces.ts";
import type { ByteSource } from "./source.ts";
import type { ChunkStore, StoreFiller } from "./store.ts";
import { memoryStore } from "./store.ts";

/** The symbol size that chunks are packed for ahead when nothing is said: a packet then fills an Ethernet frame. */
export const DEFAULT_SYMBOL_SIZE = 1428;

/** How a source is sealed. */
export interface SealOptions {
  /** Where the cryptography comes from. */
  readonly engine: Engine;
  /** ChaCha20-Poly1305 by default. */
  readonly aead?: AeadName;
  /** Plaintext bytes of a chunk: a power of two, 4 KiB to 1 MiB; see `profiles`. */
  readonly chunkSize: number;
  /** 32 bytes that only the exposer has. */
  readonly secret: Uint8Array;
  /** 32 random bytes, which may seal one content only. Kept in the catalog they give the same exposure again. */
  readonly salt: Uint8Array;
  /** One of `symbolSizes`; 1428 by default. */
  readonly symbolSize?: number;
  /** The leaf hashes that this salt gave before (a catalog row). */
  readonly expectedLeaves?: Uint8Array;
  /** What the store may take, in bytes; by default any amount. */
  readonly memoryBytesMax?: number;
  /** Called about every 10 ms and at the end, with the plaintext bytes that are sealed. */
  readonly onProgress?: (bytes: number) => void;
  /** Stops the sealing. */
  readonly signal?: AbortSignal;
}

/** A source, sealed: what is served, and what the catalog keeps. */
export interface SealedExposure {
  /** 88 bytes. */
  readonly manifest: Uint8Array<ArrayBuffer>;
  /** 32 bytes. */
  readonly id: Uint8Array<ArrayBuffer>;
  /** 32 bytes; travels only inside grants. */
  readonly exposureKey: Uint8Array<ArrayBuffer>;
  /** The leaf hashes of all chunks after each other, 32 bytes each. */
  readonly leaves: Uint8Array<ArrayBuffer>;
  /** Chunks; none for zero bytes. */
  readonly chunkCount: number;
  /** The sealed chunks and leaf pages, ready to be sent. */
  readonly store: ChunkStore;
}

/**
 * Cuts, seals, hashes and packs a source in one pass. Works in slices of about 10 ms, so that a server in the same process goes on.
 * The source stays open.
 *
 * With `expectedLeaves`, which a catalog row holds beside its salt, it stops at the first chunk that is sealed to something else and gives
 * `undefined`: the content is another one, which this salt must not seal; take a new salt.
 *
 * @throws {RgtpError} SOURCE_CHANGED when the source did not hold still; CANCELLED; NOMEM; IO when it cannot be read
 * @throws {RangeError} when an option is out of its range
 */
export function sealSource(
  source: ByteSource,
  options: SealOptions & { readonly expectedLeaves?: undefined },
): Promise<SealedExposure>;
/** As above, with what a catalog row says: `undefined` when the content is not the one that the row's salt has sealed. */
export function sealSource(source: ByteSource, options: SealOptions): Promise<SealedExposure | undefined>;
export async function sealSource(
  source: ByteSource,
  options: SealOptions,
): Promise<SealedExposure | undefined> {
  const { engine, symbolSize = DEFAULT_SYMBOL_SIZE, memoryBytesMax } = options;
  const plan = planOf(source.size, options);
  const filler = memoryStore({ facts: plan.facts, hash: engine.sha256, symbolSize, memoryBytesMax });
  try {
    const leaves = await sealChunks(source, options, plan, filler);
    if (!leaves) {
      filler.close();
      return undefined;
    }
    if (!source.unchanged()) throw changed(source);
    const { store, root } = filler.finish(leaves);
    const manifest = encodeManifest({ ...plan.facts, root });
    return {
      manifest,
      id: exposureId(engine, manifest),
      exposureKey: plan.key,
      leaves,
      chunkCount: chunkCount(plan.facts),
      store,
    };
  } catch (cause) {
    filler.close();
    throw cause;
  }
}

/** What is known before the first byte is read. */
interface SealPlan {
  /** The manifest but for its root, which is zero. */
  readonly facts: Manifest;
  readonly key: Uint8Array<ArrayBuffer>;
  /** P, the AAD of every chunk. */
  readonly aad: Uint8Array;
}

const ZEROS = new Uint8Array(HASH_BYTES);

function planOf(totalSize: number, options: SealOptions): SealPlan {
  const { engine, aead = "chacha20-poly1305", chunkSize, secret, salt } = options;
  const bare: Manifest = {
    version: PROTOCOL_VERSION,
    kind: ManifestKind.BLOB,
    aead: aead === "aes-256-gcm" ? ManifestAead.AES_256_GCM : ManifestAead.CHACHA20_POLY1305,
    hash: ManifestHash.SHA_256,
    chunkSize,
    totalSize,
    indexSize: 0,
    reserved: 0,
    keyCheck: ZEROS,
    root: ZEROS,
  };
  const key = exposureKey(engine, aead, secret, salt, keyParameters(encodeManifest(bare)));
  const facts = { ...bare, keyCheck: keyCheck(engine, key) };
  return { facts, key, aad: parameters(encodeManifest(facts)) };
}

/** Seals all chunks into the filler; their leaves, or `undefined` when one is not the expected one. */
async function sealChunks(
  source: ByteSource,
  options: SealOptions,
  { facts, key, aad }: SealPlan,
  filler: StoreFiller,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { engine, expectedLeaves, onProgress, signal } = options;
  const aead = engine.aead(options.aead ?? "chacha20-poly1305");
  const count = chunkCount(facts);
  const leaves = new Uint8Array(count * HASH_BYTES);
  if (expectedLeaves && expectedLeaves.length !== leaves.length) return undefined;
  // Two buffers for all chunks: they stay in the processor's cache.
  const plaintext = new Uint8Array(Math.min(facts.chunkSize, facts.totalSize));
  const sealed = new Uint8Array(plaintext.length + AEAD_TAG_BYTES);
  const turns = new Turns();
  throwIfCancelled(signal, source);
  for (let chunk = 0; chunk < count; chunk++) {
    if (turns.isOver()) {
      onProgress?.(chunkOffset(facts, chunk));
      await turns.yield();
      throwIfCancelled(signal, source);
    }
    const bytes = chunkBytes(facts, chunk);
    const [open, shut] = [plaintext.subarray(0, bytes), sealed.subarray(0, bytes + AEAD_TAG_BYTES)];
    source.read(chunkOffset(facts, chunk), open);
    aead.sealInto(key, chunkNonce(chunk), aad, open, shut);
    const leaf = leafHash(engine.sha256, shut);
    const at = chunk * HASH_BYTES;
    if (expectedLeaves && !equalBytes(leaf, expectedLeaves.subarray(at, at + HASH_BYTES))) return undefined;
    leaves.set(leaf, at);
    filler.put(shut);
  }
  onProgress?.(facts.totalSize);
  return leaves;
}

function throwIfCancelled(signal: AbortSignal | undefined, source: ByteSource): void {
  if (!signal?.aborted) return;
  throw new RgtpError("CANCELLED", `the sealing of ${nameOf(source)} was cancelled`, {
    cause: signal.reason,
  });
}

function changed(source: ByteSource): RgtpError {
  return new RgtpError(
    "SOURCE_CHANGED",
    `${nameOf(source)} was changed while it was sealed; expose it again when nothing writes to it any more`,
    { data: { path: source.fingerprint?.path } },
  );
}

function nameOf(source: ByteSource): string {
  return source.fingerprint ? `'${source.fingerprint.path}'` : "the source";
}
