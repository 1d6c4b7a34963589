import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { concatBytes, utf8 } from "../core/mod.ts";
import { expectLength } from "./_checks.ts";
import { type Engine, KEY_BYTES } from "./engine.ts";

/**
 * Who a node is. Two nodes are the same when their static keys are equal, never by their signing keys: A and
 * -A share one static key.
 */
export interface Identity {
  /** The 32-byte Ed25519 seed that everything else comes from. Secret. */
  readonly seed: Uint8Array;
  /** Ed25519 public key: what others check signatures with. */
  readonly signingKey: Uint8Array;
  /** X25519 private key for Noise. Secret. */
  readonly staticPrivate: Uint8Array;
  /** X25519 public key: the Montgomery form of the signing key, and the name that others know the node by. */
  readonly staticKey: Uint8Array;
}

/**
 * The identity of a seed, which is copied.
 *
 * @throws {RangeError} when the seed is not 32 bytes
 */
export function createIdentity(engine: Engine, seed: Uint8Array): Identity {
  expectLength("seed", seed, KEY_BYTES);
  // RFC 8032 §5.1.5 steps 1 and 2: the scalar behind the signing key, so that both public keys are one point.
  const staticPrivate = Uint8Array.from(sha512(seed).subarray(0, KEY_BYTES));
  staticPrivate[0] &= 0b1111_1000;
  staticPrivate[31] &= 0b0111_1111;
  staticPrivate[31] |= 0b0100_0000;
  return Object.freeze({
    seed: Uint8Array.from(seed),
    signingKey: engine.ed25519.publicKey(seed),
    staticPrivate,
    staticKey: engine.x25519.publicKey(staticPrivate),
  });
}

/** The static key of the node that signs with a key; `undefined` when no node has that one. */
export function staticKeyOf(signingKey: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(ed25519.utils.toMontgomery(signingKey));
  } catch {
    return undefined;
  }
}

/**
 * Bytes of SHA-256 that a fingerprint shows: 160 bits, against somebody who searches for a key that looks the
 * same.
 */
const FINGERPRINT_BYTES = 20;

/**
 * A static key for people to compare: the first 160 bits of SHA-256("rgtp2 fingerprint" || key) in lower-case
 * base32 (RFC 4648 §6), as eight groups of four, like `abcd-efgh-…`.
 *
 * @throws {RangeError} when the key is not 32 bytes
 */
export function fingerprint(staticKey: Uint8Array): string {
  expectLength("static key", staticKey, KEY_BYTES);
  const digest = sha256(concatBytes(utf8("rgtp2 fingerprint"), staticKey)).subarray(0, FINGERPRINT_BYTES);
  return base32(digest).replace(/.{4}(?=.)/g, "$&-");
}

/**
 * The 32-byte secret that the keys of a node's exposures come from: HKDF-Expand(HKDF-Extract("rgtp2", seed),
 * "rgtp2 expose"). Whoever has it can derive every exposure key, but cannot sign or be the node.
 */
export function exposerSecret(engine: Engine, identity: Identity): Uint8Array<ArrayBuffer> {
  return engine.hkdfExpand(engine.hkdfExtract(utf8("rgtp2"), identity.seed), utf8("rgtp2 expose"), KEY_BYTES);
}

/**
 * The 64-byte Ed25519 signature of a message meant as `domain`, e.g. `"rgtp2 edge pass"`: over the domain's
 * length (u8), its UTF-8 bytes, and the message. So nothing signed for one purpose passes for another.
 *
 * @throws {RangeError} when the domain is not 1 to 255 bytes
 */
export function sign(
  engine: Engine,
  identity: Identity,
  domain: string,
  message: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return engine.ed25519.sign(identity.seed, inDomain(domain, message));
}

/**
 * Whether `signature` is that of the message in that domain, by the holder of the signing key. Any bytes may
 * be tried.
 *
 * @throws {RangeError} when the domain is not 1 to 255 bytes
 */
export function verify(
  engine: Engine,
  signingKey: Uint8Array,
  domain: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return engine.ed25519.verify(signingKey, inDomain(domain, message), signature);
}

function inDomain(domain: string, message: Uint8Array): Uint8Array {
  const name = utf8(domain);
  if (name.length < 1 || name.length > 255) {
    throw new RangeError(`a domain is 1 to 255 bytes, not ${name.length}`);
  }
  return concatBytes(Uint8Array.of(name.length), name, message);
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** Without padding; the length is a multiple of 5 bytes. */
function base32(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 5) {
    let bits = 0n;
    for (const byte of bytes.subarray(at, at + 5)) bits = (bits << 8n) | BigInt(byte);
    for (let shift = 35n; shift >= 0n; shift -= 5n) text += BASE32[Number((bits >> shift) & 31n)];
  }
  return text;
}
