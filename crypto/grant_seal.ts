import { concatBytes, type Random, utf8 } from "../core/mod.ts";
import { expectLength } from "./_checks.ts";
import { AEAD_TAG_BYTES, type Engine, KEY_BYTES, NONCE_BYTES } from "./engine.ts";

/** Random bytes in front of a sealed grant. */
export const GRANT_RANDOM_BYTES = 16;

/** How much longer a sealed grant is than its plaintext. */
export const GRANT_SEAL_BYTES: number = GRANT_RANDOM_BYTES + AEAD_TAG_BYTES;

/**
 * Seals a grant: 16 fresh random bytes in clear, then ChaCha20-Poly1305 under HKDF-Expand(transport key,
 * "rgtp2 grant" || those bytes) with a nonce of zeros.
 *
 * A grant is not a Noise transport message. A stateless exposer that gets the last handshake message twice
 * derives the same transport key twice and answers with two different grants; the random bytes give each of
 * them a key of its own.
 *
 * @throws {RangeError} when the transport key is not 32 bytes
 */
export function sealGrant(
  engine: Engine,
  transportKey: Uint8Array,
  random: Random,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const fresh = random(GRANT_RANDOM_BYTES);
  const key = grantKey(engine, transportKey, fresh);
  return concatBytes(fresh, engine.aead("chacha20-poly1305").seal(key, ZERO_NONCE, aad, plaintext));
}

/**
 * The plaintext of a sealed grant, or `undefined` when it is not authentic.
 *
 * @throws {RangeError} when the transport key is not 32 bytes
 */
export function openGrant(
  engine: Engine,
  transportKey: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  expectLength("transport key", transportKey, KEY_BYTES);
  if (sealed.length < GRANT_SEAL_BYTES) return undefined;
  const key = grantKey(engine, transportKey, sealed.subarray(0, GRANT_RANDOM_BYTES));
  return engine.aead("chacha20-poly1305").open(key, ZERO_NONCE, aad, sealed.subarray(GRANT_RANDOM_BYTES));
}

function grantKey(engine: Engine, transportKey: Uint8Array, fresh: Uint8Array): Uint8Array {
  expectLength("transport key", transportKey, KEY_BYTES);
  expectLength("random part of a grant", fresh, GRANT_RANDOM_BYTES);
  return engine.hkdfExpand(transportKey, concatBytes(utf8("rgtp2 grant"), fresh), KEY_BYTES);
}

const ZERO_NONCE: Uint8Array = new Uint8Array(NONCE_BYTES);
