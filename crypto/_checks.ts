import { AEAD_TAG_BYTES, HASH_BYTES, KEY_BYTES } from "./engine.ts";

/** Refuses bytes of another length. */
export function expectLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${what} must be ${length} bytes, not ${bytes.length}`);
}

/** Refuses a key or nonce that an AEAD cannot take. */
export function expectKeyAndNonce(key: Uint8Array, nonce: Uint8Array, nonceBytes: number): void {
  expectLength("key", key, KEY_BYTES);
  expectLength("nonce", nonce, nonceBytes);
}

/** Refuses a buffer that a sealed message does not fit into. */
export function expectRoom(out: Uint8Array, plaintext: Uint8Array): void {
  const needed = plaintext.length + AEAD_TAG_BYTES;
  if (out.length < needed) {
    throw new RangeError(`the output has ${out.length} bytes but ${needed} are needed`);
  }
}

/** Refuses a buffer that an opened message does not fit into. */
export function expectOpenRoom(out: Uint8Array, sealed: Uint8Array): void {
  const needed = sealed.length - AEAD_TAG_BYTES;
  if (out.length < needed) {
    throw new RangeError(`the output has ${out.length} bytes but ${needed} are needed`);
  }
}

// RFC 5869 §2.3: L <= 255 * HashLen.
const EXPAND_BYTES_MAX = 255 * HASH_BYTES;

/** Refuses a length that HKDF-Expand cannot give. */
export function expectExpandLength(length: number): void {
  if (!Number.isInteger(length) || length < 0 || length > EXPAND_BYTES_MAX) {
    throw new RangeError(`HKDF can give 0 to ${EXPAND_BYTES_MAX} bytes, not ${length}`);
  }
}
