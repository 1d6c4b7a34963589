import { blockPlan } from "../../codec/geometry.ts";
import { decodeManifest } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { CHUNK_HEADER_BYTES, PAGE_BIT } from "../../codec/packet.ts";
import { limits } from "../../core/limits.ts";
import type { Engine } from "../../crypto/engine.ts";
import { createIdentity, exposerSecret } from "../../crypto/identity.ts";
import { ticketPsk } from "../../crypto/key_schedule.ts";
import { pageCount } from "../../crypto/leaf_pages.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { pieceBytes } from "../../transport/exposure/pieces.ts";
import { sealSource } from "../../transport/exposure/seal.ts";
import type { SealedExposure } from "../../transport/exposure/seal.ts";
import { bytesSource } from "../../transport/exposure/source.ts";
import type { Exposed } from "../../transport/protocol/exposed.ts";
import { seededRandom } from "./random.ts";

/** Something sealed, with all that its exposer and its pullers need. */
export interface SimExposure {
  /** The plaintext. */
  readonly plaintext: Uint8Array;
  /** The exposer's private key, and its public one. */
  readonly staticPrivate: Uint8Array;
  /** X25519 public key. */
  readonly staticKey: Uint8Array;
  /** As sealed. */
  readonly sealed: SealedExposure;
  /** The manifest, decoded. */
  readonly manifest: Manifest;
  /** One ticket's psk. */
  readonly psk: Uint8Array;
  /** Cryptography. */
  readonly engine: Engine;
}

/** Seals `bytes` pseudo-random bytes, or (`isBlank`) zeros, which are sooner made. */
export async function simExposure(
  seed: number,
  bytes: number,
  options: { chunkSize?: number; engine?: Engine; isBlank?: boolean } = {},
): Promise<SimExposure> {
  const { chunkSize = 65_536, engine = nativeEngine, isBlank = false } = options;
  const { bytes: random, uint32 } = seededRandom(seed, "content");
  const words = new Uint32Array(Math.ceil(bytes / 4));
  if (!isBlank) { for (let i = 0; i < words.length; i++) words[i] = uint32(); }
  const plaintext = new Uint8Array(words.buffer, 0, bytes);
  const identity = createIdentity(engine, random(32));
  const secret = exposerSecret(engine, identity);
  const sealed = await sealSource(bytesSource(plaintext), { engine, chunkSize, secret, salt: random(32) });
  const { staticPrivate, staticKey } = identity;
  const manifest = decodeManifest(sealed.manifest);
  return {
    plaintext,
    staticPrivate,
    staticKey,
    sealed,
    manifest,
    psk: ticketPsk(engine, random(16)),
    engine,
  };
}

/** CHUNK_DATA bytes of one pull in which nothing is sent twice. */
export function leastWireBytes({ manifest, sealed }: SimExposure, symbolSize = 1428): number {
  const pages = sealed.chunkCount <= limits.grantLeavesMax ? 0 : pageCount(sealed.chunkCount);
  const pieces = [
    ...Array.from({ length: sealed.chunkCount }, (_, i) => i),
    ...Array.from({ length: pages }, (_, i) => PAGE_BIT + i),
  ];
  return pieces.reduce((sum, piece) => {
    const bytes = pieceBytes(manifest, piece)!;
    return sum + bytes + CHUNK_HEADER_BYTES * blockPlan(bytes, symbolSize).symbols;
  }, 0);
}

/** What an exposer's machine has to know of a simulated exposure. */
export function exposedOf({ sealed, manifest }: SimExposure, access: Exposed["access"]): Exposed {
  return {
    id: sealed.id,
    manifestBytes: sealed.manifest,
    manifest,
    exposureKey: sealed.exposureKey,
    leaves: sealed.leaves,
    name: "simulated",
    access,
    stillGood: (ticketId) => access(ticketId, undefined) !== "denied",
  };
}
