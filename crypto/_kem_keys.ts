import { KEM_PUBLIC_KEY_BYTES } from "./engine.ts";

/** FIPS 203 §2.4: coefficients are below this prime. */
const Q = 3329;

/** What follows the coefficients: the seed of the matrix. */
const RHO_BYTES = 32;

/**
 * Whether bytes from outside may serve as an ML-KEM-768 public key: of its length, with every coefficient in the one spelling that
 * it has (FIPS 203 §7.2, the modulus check). Coefficients have 12 bits each, two of them in three bytes (§4.2.1).
 */
export function isUsableKemKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== KEM_PUBLIC_KEY_BYTES) return false;
  for (let at = 0; at < KEM_PUBLIC_KEY_BYTES - RHO_BYTES; at += 3) {
    const middle = publicKey[at + 1];
    const first = publicKey[at] | (middle & 15) << 8;
    const second = middle >> 4 | publicKey[at + 2] << 4;
    if (first >= Q || second >= Q) return false;
  }
  return true;
}
