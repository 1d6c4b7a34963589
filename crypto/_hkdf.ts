import { expectExpandLength } from "./_checks.ts";
import { HASH_BYTES } from "./engine.ts";

/** HKDF-Expand over any HMAC-SHA-256; the salt and the key are those of the caller. */
export function expand(
  hmac: (key: Uint8Array, ...parts: Uint8Array[]) => Uint8Array,
  pseudorandomKey: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array<ArrayBuffer> {
  expectExpandLength(length);
  const output = new Uint8Array(length);
  // RFC 5869 §2.3: T(n) = HMAC(PRK, T(n - 1) | info | n).
  let block = new Uint8Array(0);
  for (let at = 0, n = 1; at < length; at += HASH_BYTES, n++) {
    block = Uint8Array.from(hmac(pseudorandomKey, block, info, Uint8Array.of(n)));
    output.set(block.subarray(0, length - at), at);
  }
  return output;
}
