import { chunkCount, encodeManifest, keyParameters, parameters } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { ManifestAead, ManifestHash, ManifestKind } from "../../codec/manifest.ts";
import { PROTOCOL_VERSION } from "../../codec/packet.ts";
import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { AeadName, Engine } from "../../crypto/engine.ts";
import { HASH_BYTES } from "../../crypto/engine.ts";
import { exposureId, exposureKey, keyCheck } from "../../crypto/key_schedule.ts";
import { hireCrew } from "../crew/crew.ts";
import type { Crew } from "../crew/crew.ts";
import { ChunkSealer } from "./_chunk_sealer.ts";
import type { SealPlan } from "./_chunk_sealer.ts";
import { Sealing } from "./_sealing.ts";
import { Turns } from "./_turns.ts";
import { lazyStore } from "./lazy_store.ts";
import { chunkOffset, sealedChunkBytes } from "./pieces.ts";
import type { ByteSource } from "./source.ts";
import type { ChunkStore, StoreFiller } from "./store.ts";
import { makeSpillFile } from "./spill_file.ts";
import type { MapFile } from "./spill_file.ts";
import { memoryStore, memoryStoreBytes } from "./store.ts";

const DEFAULT_AEAD: AeadName = "chacha20-poly1305";

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
  /** The leaf hashes that this salt gave before (a catalog row). */
  readonly expectedLeaves?: Uint8Array;
  /** Of a collection, the index that was sealed with them. */
  readonly expectedIndex?: Uint8Array;
  /**
   * What the store may take, in bytes; by default any amount. Of an exposure that is larger it holds a part, reads the rest from the
   * source again when it is asked for, and closes the source when it is closed itself.
   */
  readonly memoryBytesMax?: number;
  /** A folder for a file that holds sealed what the store may not; absent: none. */
  readonly spillFolder?: string;
  /** What has that file seen as memory; absent: it is read. */
  readonly mapFile?: MapFile;
  /** Told while the exposure is served, once when its source holds something else now, and each time when it cannot be read. */
  readonly onLost?: (reason: RgtpError) => void;
  /** Threads beside this one, at most, where there is enough to do for them; `limits.sealThreadsMax` by default. */
  readonly threadsMax?: number;
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
 * The source stays open; it is the store's from then on if `store.holdsSource`.
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
  const plan = planOf(source, options);
  const sealer = new ChunkSealer(options.engine, plan, source);
  const filler = fillerOf(source, options, plan, sealer);
  const { threadsMax = limits.sealThreadsMax } = options;
  const crew = hireCrew(plan.chunkKey, plan.facts.totalSize, threadsMax);
  try {
    const leaves = await sealChunks(source, options, plan.facts, sealer, filler, crew);
    if (!leaves) {
      filler.close();
      return undefined;
    }
    if (!source.unchanged()) throw changed(source);
    return finished(options.engine, plan, leaves, filler);
  } catch (cause) {
    filler.close();
    throw cause;
  } finally {
    crew?.close();
  }
}

/**
 * The exposure that a catalog row describes, without reading the source: its store starts empty, and what is sealed on demand is sent
 * only if it has the row's leaf hash. Of a collection the index is sealed and compared at once. `undefined` when the row is not one of
 * this secret and source, or the exposure would fit the memory that its store may take: then it is as well sealed at once.
 *
 * @throws {RgtpError} NOMEM; NO_SPACE, IO when there is no room for the spill file
 * @throws {RangeError} when an option is out of its range
 */
export function reopenSealed(
  source: ByteSource,
  options: SealOptions & { readonly expectedLeaves: Uint8Array; readonly expectedId: Uint8Array },
): SealedExposure | undefined {
  const { engine, expectedLeaves, expectedId } = options;
  const plan = planOf(source, options);
  if (expectedLeaves.length !== chunkCount(plan.facts) * HASH_BYTES || fitsMemory(options, plan)) {
    return undefined;
  }
  const sealer = new ChunkSealer(engine, plan, source);
  if (!indexIsRight(source, options, sealer)) return undefined;
  const filler = fillerOf(source, options, plan, sealer);
  const sealed = finished(engine, plan, Uint8Array.from(expectedLeaves), filler);
  if (equalBytes(sealed.id, expectedId)) return sealed;
  filler.close();
  source.collection?.believe?.(undefined);
  return undefined;
}

/** The hashes in an index come of reading everything: one from an earlier reading must have the leaves that it had then. */
function indexIsRight(
  { collection }: ByteSource,
  { chunkSize, expectedIndex, expectedLeaves }: SealOptions & { readonly expectedLeaves: Uint8Array },
  sealer: ChunkSealer,
): boolean {
  if (!collection) return true;
  if (!collection.believe || expectedIndex?.length !== collection.indexSize) return false;
  collection.believe(expectedIndex);
  for (let chunk = 0; chunk < collection.lateBytes / chunkSize; chunk++) {
    const leaf = expectedLeaves.subarray(chunk * HASH_BYTES, (chunk + 1) * HASH_BYTES);
    if (equalBytes(sealer.seal(chunk).leaf, leaf)) continue;
    collection.believe(undefined);
    return false;
  }
  return true;
}

function fitsMemory(options: SealOptions, { facts }: SealPlan): boolean {
  return memoryStoreBytes(facts) <= (options.memoryBytesMax ?? Infinity);
}

function fillerOf(
  source: ByteSource,
  options: SealOptions,
  plan: SealPlan,
  sealer: ChunkSealer,
): StoreFiller {
  const { engine, memoryBytesMax = Infinity, spillFolder, onLost } = options;
  const { facts } = plan;
  const common = { facts, hash: engine.sha256 };
  if (fitsMemory(options, plan)) return memoryStore(common);
  const spill = spillFolder === undefined
    ? undefined
    : makeSpillFile(spillFolder, chunkCount(facts), sealedChunkBytes(facts, 0), options.mapFile);
  return lazyStore({
    ...common,
    memoryBytesMax,
    sealer,
    source,
    ...(spill && { spill }),
    ...(onLost && { onLost }),
  });
}

function finished(
  engine: Engine,
  { facts, chunkKey: { key } }: SealPlan,
  leaves: Uint8Array<ArrayBuffer>,
  filler: StoreFiller,
): SealedExposure {
  const { store, root } = filler.finish(leaves);
  const manifest = encodeManifest({ ...facts, root });
  return {
    manifest,
    id: exposureId(engine, manifest),
    exposureKey: key,
    leaves,
    chunkCount: chunkCount(facts),
    store,
  };
}

const ZEROS = new Uint8Array(HASH_BYTES);

function planOf({ size: totalSize, collection }: ByteSource, options: SealOptions): SealPlan {
  const { engine, aead = DEFAULT_AEAD, chunkSize, secret, salt } = options;
  const bare: Manifest = {
    version: PROTOCOL_VERSION,
    kind: collection ? ManifestKind.COLLECTION : ManifestKind.BLOB,
    aead: aead === "aes-256-gcm" ? ManifestAead.AES_256_GCM : ManifestAead.CHACHA20_POLY1305,
    hash: ManifestHash.SHA_256,
    chunkSize,
    totalSize,
    indexSize: collection?.indexSize ?? 0,
    reserved: 0,
    keyCheck: ZEROS,
    root: ZEROS,
  };
  const key = exposureKey(engine, aead, secret, salt, keyParameters(encodeManifest(bare)));
  const facts = { ...bare, keyCheck: keyCheck(engine, key) };
  return { facts, chunkKey: { aead, key, aad: parameters(encodeManifest(facts)) } };
}

/** Seals all chunks into the filler; their leaves, or `undefined` when one is not the expected one. */
async function sealChunks(
  source: ByteSource,
  { expectedLeaves, onProgress, signal }: SealOptions,
  facts: Manifest,
  sealer: ChunkSealer,
  filler: StoreFiller,
  crew: Crew | undefined,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const count = chunkCount(facts);
  const leaves = new Uint8Array(count * HASH_BYTES);
  if (expectedLeaves && expectedLeaves.length !== leaves.length) return undefined;
  let isExpected = true;
  const sealing = new Sealing(sealer, crew, (chunk, sealed, leaf) => {
    const at = chunk * HASH_BYTES;
    if (expectedLeaves && !equalBytes(leaf, expectedLeaves.subarray(at, at + HASH_BYTES))) isExpected = false;
    leaves.set(leaf, at);
    if (isExpected && sealed) filler.put(sealed, chunk);
  }, (chunk) => filler.place?.(chunk));
  const turns = new Turns();
  throwIfCancelled(signal, source);
  // A collection's index stands in front, and is known when the rest has been read.
  const lateChunks = (source.collection?.lateBytes ?? 0) / facts.chunkSize;
  for (let done = 0; done < count && isExpected; done++) {
    if (turns.isOver()) {
      onProgress?.(chunkOffset(facts, done));
      await turns.yield();
      throwIfCancelled(signal, source);
    }
    sealing.seal((done + lateChunks) % count);
  }
  if (isExpected) await sealing.finish();
  if (!isExpected) return undefined;
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
