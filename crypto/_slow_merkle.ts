import { concatBytes } from "../core/mod.ts";
import { type Hash, HASH_BYTES } from "./engine.ts";

// For tests: the definitions of RFC 9162 §2.1 word by word, over lists of leaf hashes, without any thought of
// speed.

/** A list of hashes from their concatenation. */
export function splitHashes(hashes: Uint8Array): Uint8Array[] {
  return Array.from(
    { length: hashes.length / HASH_BYTES },
    (_, i) => hashes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );
}

/** RFC 9162 §2.1.1: MTH(D). */
export function slowRoot(hash: Hash, leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return hash.digest();
  if (leaves.length === 1) return leaves[0];
  const k = split(leaves.length);
  const [left, right] = [slowRoot(hash, leaves.slice(0, k)), slowRoot(hash, leaves.slice(k))];
  return hash.digest(concatBytes(Uint8Array.of(1), left, right));
}

/** RFC 9162 §2.1.3.1: PATH(m, D). */
export function slowPath(hash: Hash, m: number, leaves: Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return m < k
    ? [...slowPath(hash, m, leaves.slice(0, k)), slowRoot(hash, leaves.slice(k))]
    : [...slowPath(hash, m - k, leaves.slice(k)), slowRoot(hash, leaves.slice(0, k))];
}

/** RFC 9162 §2.1.4.1: PROOF(m, D) = SUBPROOF(m, D, true). */
export function slowProof(hash: Hash, m: number, leaves: Uint8Array[], complete = true): Uint8Array[] {
  if (m === leaves.length) return complete ? [] : [slowRoot(hash, leaves)];
  const k = split(leaves.length);
  return m <= k
    ? [...slowProof(hash, m, leaves.slice(0, k), complete), slowRoot(hash, leaves.slice(k))]
    : [...slowProof(hash, m - k, leaves.slice(k), false), slowRoot(hash, leaves.slice(0, k))];
}

/** The largest power of two below n. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}
