import { concatBytes, equalBytes } from "../core/mod.ts";
import { type Hash, HASH_BYTES } from "./engine.ts";

// The trees of RFC 9162 §2.1. Lists of hashes (leaves, proofs) are one array of n * 32 bytes, as they stand
// on the wire.

// RFC 9162 §2.1.1: different prefixes keep a leaf from passing for a node.
const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);

/** RFC 9162 §2.1.1: the hash of one leaf's data, `SHA-256(0x00 || data)`. */
export function leafHash(hash: Hash, data: Uint8Array): Uint8Array<ArrayBuffer> {
  return hash.digest(LEAF_PREFIX, data);
}

/** RFC 9162 §2.1.1: the hash of a node over its two children, `SHA-256(0x01 || left || right)`. */
export function nodeHash(hash: Hash, left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  return hash.digest(NODE_PREFIX, left, right);
}

/**
 * The root over `leaves`, which are leaf hashes (n * 32 bytes). Without leaves: the hash of the empty string.
 *
 * @throws {RangeError} when the length is not a multiple of 32
 */
export function merkleRoot(hash: Hash, leaves: Uint8Array): Uint8Array<ArrayBuffer> {
  if (countHashes(leaves) === 0) return hash.digest();
  let level = leaves;
  while (level.length > HASH_BYTES) level = parentLevel(hash, level);
  return Uint8Array.from(level);
}

/**
 * All levels of the tree over `leaves`, from the leaves themselves (not copied) up to the root; empty without
 * leaves. With them {@linkcode pathOf} gives any number of proofs without hashing.
 *
 * @throws {RangeError} when the length is not a multiple of 32
 */
export function merkleLevels(hash: Hash, leaves: Uint8Array): readonly Uint8Array[] {
  if (countHashes(leaves) === 0) return [];
  const levels = [leaves];
  while (levels[levels.length - 1].length > HASH_BYTES) {
    levels.push(parentLevel(hash, levels[levels.length - 1]));
  }
  return levels;
}

/**
 * The inclusion proof (RFC 9162 §2.1.3.1) of one leaf, from levels that are at hand.
 *
 * @throws {RangeError} when there is no leaf of that index
 */
export function pathOf(levels: readonly Uint8Array[], index: number): Uint8Array<ArrayBuffer> {
  const size = levels.length === 0 ? 0 : countHashes(levels[0]);
  if (!isIndex(index, size)) throw new RangeError(`no leaf ${index} among ${size}`);
  const path: Uint8Array[] = [];
  for (const level of levels.slice(0, -1)) {
    const sibling = index % 2 === 0 ? index + 1 : index - 1;
    // The last node of an odd level has no sibling: it is its own parent.
    if (sibling < countHashes(level)) path.push(hashAt(level, sibling));
    index = Math.floor(index / 2);
  }
  return concatBytes(...path);
}

/**
 * RFC 9162 §2.1.3.1: what proves that leaf `index` belongs to the tree, from the bottom up. Hashes the whole
 * tree; for many proofs of one tree take {@linkcode merkleLevels} and {@linkcode pathOf}.
 *
 * @throws {RangeError} when there is no leaf of that index
 */
export function inclusionProof(hash: Hash, leaves: Uint8Array, index: number): Uint8Array<ArrayBuffer> {
  return pathOf(merkleLevels(hash, leaves), index);
}

/** How many hashes an inclusion proof has; 0 also for a leaf that is not there. */
export function inclusionProofLength(size: number, index: number): number {
  let length = 0;
  if (!isIndex(index, size)) return 0;
  for (; size > 1; size = Math.ceil(size / 2), index = Math.floor(index / 2)) {
    if (index % 2 === 1 || index + 1 < size) length++;
  }
  return length;
}

/**
 * RFC 9162 §2.1.3.2: whether `proof` shows that `leaf` (a leaf hash) is at `index` of the tree of `size`
 * leaves with that root.
 */
export function verifyInclusion(
  hash: Hash,
  root: Uint8Array,
  size: number,
  index: number,
  leaf: Uint8Array,
  proof: Uint8Array,
): boolean {
  if (!isIndex(index, size) || leaf.length !== HASH_BYTES || proof.length % HASH_BYTES !== 0) return false;
  let fn = index;
  let sn = size - 1;
  let node = leaf;
  for (let at = 0; at < countHashes(proof); at++) {
    if (sn === 0) return false;
    const sibling = hashAt(proof, at);
    if (isOdd(fn) || fn === sn) {
      node = nodeHash(hash, sibling, node);
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      node = nodeHash(hash, node, sibling);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equalBytes(node, root);
}

/**
 * RFC 9162 §2.1.4.1: what proves that the tree over the first `firstSize` of `leaves` is a prefix of the tree
 * over all of them. Empty when it is the whole tree or the empty one.
 *
 * @throws {RangeError} when there are fewer leaves
 */
export function consistencyProof(hash: Hash, leaves: Uint8Array, firstSize: number): Uint8Array<ArrayBuffer> {
  const size = countHashes(leaves);
  if (!isIndex(firstSize, size + 1)) throw new RangeError(`no tree of ${firstSize} among ${size} leaves`);
  if (firstSize === 0 || firstSize === size) return new Uint8Array(0);
  const proof: Uint8Array[] = [];
  // SUBPROOF(m, D[start:end], b), unrolled: each step notes the half that it does not enter; those stand in
  // the proof in reverse.
  let [start, end, m, known] = [0, size, firstSize, true];
  while (m !== end - start) {
    const k = largestPowerOfTwoBelow(end - start);
    if (m <= k) {
      proof.unshift(merkleRoot(hash, slice(leaves, start + k, end)));
      end = start + k;
    } else {
      proof.unshift(merkleRoot(hash, slice(leaves, start, start + k)));
      [start, m, known] = [start + k, m - k, false];
    }
  }
  if (!known) proof.unshift(merkleRoot(hash, slice(leaves, start, end)));
  return concatBytes(...proof);
}

/**
 * RFC 9162 §2.1.4.2: whether `proof` shows that the first tree is a prefix of the second one. Every tree has
 * the empty one as a prefix, and itself; both with an empty proof.
 */
export function verifyConsistency(
  hash: Hash,
  firstSize: number,
  firstRoot: Uint8Array,
  secondSize: number,
  secondRoot: Uint8Array,
  proof: Uint8Array,
): boolean {
  if (!isIndex(firstSize, secondSize + 1) || proof.length % HASH_BYTES !== 0) return false;
  if (firstRoot.length !== HASH_BYTES) return false;
  if (firstSize === secondSize) return proof.length === 0 && equalBytes(firstRoot, secondRoot);
  if (firstSize === 0) return proof.length === 0 && equalBytes(firstRoot, hash.digest());
  if (proof.length === 0) return false;

  // Step 2: a first tree that is complete is a node of the second one, and so its root starts the path.
  const path = isPowerOfTwo(firstSize) ? concatBytes(firstRoot, proof) : proof;
  let [fn, sn] = [firstSize - 1, secondSize - 1];
  while (isOdd(fn)) [fn, sn] = [half(fn), half(sn)];
  let [first, second] = [hashAt(path, 0), hashAt(path, 0)];
  for (let at = 1; at < countHashes(path); at++) {
    if (sn === 0) return false;
    const sibling = hashAt(path, at);
    if (isOdd(fn) || fn === sn) {
      first = nodeHash(hash, sibling, first);
      second = nodeHash(hash, sibling, second);
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      second = nodeHash(hash, second, sibling);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equalBytes(first, firstRoot) && equalBytes(second, secondRoot);
}

/**
 * Hashes neighbours in pairs; one without a neighbour moves up as it is. That gives the tree of RFC 9162
 * §2.1.1, which splits at the largest power of two, because every left part of such a split is complete.
 */
function parentLevel(hash: Hash, level: Uint8Array): Uint8Array<ArrayBuffer> {
  const count = countHashes(level);
  const parents = new Uint8Array(Math.ceil(count / 2) * HASH_BYTES);
  // nodeHash in one piece: feeding a hash three times costs more than hashing these 65 bytes.
  const input = new Uint8Array(NODE_PREFIX.length + 2 * HASH_BYTES);
  input.set(NODE_PREFIX);
  for (let i = 0; i + 1 < count; i += 2) {
    // Byte by byte, as views of so little cost more than that.
    for (let j = 0; j < 2 * HASH_BYTES; j++) input[NODE_PREFIX.length + j] = level[i * HASH_BYTES + j];
    parents.set(hash.digest(input), i / 2 * HASH_BYTES);
  }
  // Who has no sibling is its own parent.
  if (count % 2 === 1) parents.set(slice(level, count - 1, count), parents.length - HASH_BYTES);
  return parents;
}

function countHashes(hashes: Uint8Array): number {
  const count = hashes.length / HASH_BYTES;
  if (!Number.isInteger(count)) {
    throw new RangeError(`${hashes.length} bytes are not a list of 32-byte hashes`);
  }
  return count;
}

function slice(hashes: Uint8Array, start: number, end: number): Uint8Array {
  return hashes.subarray(start * HASH_BYTES, end * HASH_BYTES);
}

function hashAt(hashes: Uint8Array, index: number): Uint8Array {
  return slice(hashes, index, index + 1);
}

function isIndex(index: number, size: number): boolean {
  return Number.isSafeInteger(size) && Number.isSafeInteger(index) && index >= 0 && index < size;
}

// Arithmetic instead of bit operators, which would stop at 2^31.
function isOdd(n: number): boolean {
  return n % 2 === 1;
}

function half(n: number): number {
  return Math.floor(n / 2);
}

function largestPowerOfTwoBelow(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

function isPowerOfTwo(n: number): boolean {
  return n === 1 || largestPowerOfTwoBelow(n) * 2 === n;
}
