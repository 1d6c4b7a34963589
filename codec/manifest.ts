import { limits } from "../core/limits.ts";
import { RgtpError } from "../core/errors.ts";
import { bytes, layout, u32, u64, u8 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { PROTOCOL_VERSION } from "./packet.ts";

/** What an exposure is. */
export const ManifestKind = { BLOB: 0, COLLECTION: 1, STREAM: 2 } as const;
/** How its chunks are sealed. */
export const ManifestAead = { CHACHA20_POLY1305: 0, AES_256_GCM: 1 } as const;
/** How its tree is hashed. */
export const ManifestHash = { SHA_256: 0 } as const;

/** The parameters of an exposure, its key commitment and its Merkle root. */
export interface Manifest {
  /** Protocol version, 2. */
  readonly version: number;
  /** One of {@linkcode ManifestKind}. */
  readonly kind: number;
  /** One of {@linkcode ManifestAead}. */
  readonly aead: number;
  /** One of {@linkcode ManifestHash}. */
  readonly hash: number;
  /** Plaintext bytes of a chunk: a power of two, 4 KiB to 1 MiB. */
  readonly chunkSize: number;
  /** Plaintext bytes of the exposure. */
  readonly totalSize: number;
  /** Plaintext bytes of a collection's index, at the front; 0 for a blob. */
  readonly indexSize: number;
  /** Zero; a stream's 16 random bytes take the place of the three fields from `totalSize` on. */
  readonly reserved: number;
  /** 32 bytes that commit to the exposure key. */
  readonly keyCheck: Uint8Array;
  /** 32 bytes: root of the tree over the sealed chunks; a stream's Ed25519 key. */
  readonly root: Uint8Array;
}

/** Wire form of {@linkcode Manifest}. */
export const manifestLayout: Layout<Manifest> = layout<Manifest>({
  version: u8,
  kind: u8,
  aead: u8,
  hash: u8,
  chunkSize: u32,
  totalSize: u64,
  indexSize: u32,
  reserved: u32,
  keyCheck: bytes(32),
  root: bytes(32),
});

/** Bytes of a manifest. */
export const MANIFEST_BYTES = 88;

/** Chunks of an exposure. */
export function chunkCount(manifest: { chunkSize: number; totalSize: number }): number {
  return Math.ceil(manifest.totalSize / manifest.chunkSize);
}

/** Plaintext bytes of chunk `index`. */
export function chunkBytes(manifest: { chunkSize: number; totalSize: number }, index: number): number {
  return Math.min(manifest.chunkSize, manifest.totalSize - index * manifest.chunkSize);
}

/** What is wrong with a manifest's numbers, or `undefined`. Checked before anything is allocated or requested. */
export function manifestFault(manifest: Manifest): string | undefined {
  const { version, kind, aead, hash, chunkSize, totalSize, indexSize, reserved } = manifest;
  if (version !== PROTOCOL_VERSION) return `version ${version}, this program speaks ${PROTOCOL_VERSION}`;
  if (kind === ManifestKind.STREAM) return "a stream, which this version does not carry";
  if (kind > ManifestKind.STREAM) return `unknown kind ${kind}`;
  if (aead > ManifestAead.AES_256_GCM) return `unknown AEAD ${aead}`;
  if (hash !== ManifestHash.SHA_256) return `unknown hash ${hash}`;
  if (reserved !== 0) return "reserved bytes are not zero";
  if (
    chunkSize < limits.chunkBytesMin || chunkSize > limits.chunkBytesMax ||
    (chunkSize & (chunkSize - 1)) !== 0
  ) {
    return `chunk size ${chunkSize} is not a power of two from ${limits.chunkBytesMin} to ${limits.chunkBytesMax}`;
  }
  if (totalSize > limits.chunksMax * chunkSize) {
    return `total size ${totalSize} makes more than 2^31 - 1 chunks`;
  }
  if (indexSize > Math.min(totalSize, limits.indexBytesMax)) {
    return `index size ${indexSize} is out of bounds`;
  }
  if (kind === ManifestKind.BLOB && indexSize !== 0) return "a blob has no index";
  return undefined;
}

/**
 * The 88 bytes of a manifest.
 *
 * @throws {RangeError} when its numbers are not those of a legal manifest
 */
export function encodeManifest(manifest: Manifest): Uint8Array<ArrayBuffer> {
  const fault = manifestFault(manifest);
  if (fault) throw new RangeError(`manifest: ${fault}`);
  const whole = new Uint8Array(MANIFEST_BYTES);
  manifestLayout.write(whole, 0, manifest);
  return whole;
}

/**
 * The manifest that 88 bytes hold.
 *
 * @throws {RgtpError} TRUNCATED when the length is wrong, NOT_SUPPORTED when the numbers are not legal here
 */
export function decodeManifest(encoded: Uint8Array): Manifest {
  const manifest = encoded.length === MANIFEST_BYTES ? manifestLayout.read(encoded) : undefined;
  if (!manifest) {
    throw new RgtpError(
      "TRUNCATED",
      `a manifest has ${MANIFEST_BYTES} bytes, this one has ${encoded.length}`,
    );
  }
  const fault = manifestFault(manifest);
  if (fault) throw new RgtpError("NOT_SUPPORTED", `the manifest cannot be used: ${fault}`);
  return manifest;
}

const KEY_CHECK_AT = 24;
const ROOT_AT = 56;

/** P: the manifest with its root zeroed; the AAD of every chunk. */
export function parameters(manifest: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(manifest).fill(0, ROOT_AT);
}

/** P with the key commitment zeroed too: what the exposure key is derived from. */
export function keyParameters(manifest: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(manifest).fill(0, KEY_CHECK_AT);
}
