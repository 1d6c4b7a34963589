import { concatBytes } from "../core/mod.ts";
import { type Hash, HASH_BYTES } from "./engine.ts";
import { inclusionProofLength, merkleLevels, merkleRoot, pathOf, verifyInclusion } from "./merkle.ts";

/**
 * Leaf hashes on a page. A power of two, so that the subtree over each page, also the last and partial one,
 * is a node of the tree of RFC 9162 §2.1.1; the page's proof is the inclusion proof of its root in the tree
 * whose leaves are the page roots.
 */
export const PAGE_LEAVES = 1024;

/** Pages that `leafCount` leaves fill; none without leaves. */
export function pageCount(leafCount: number): number {
  return Math.ceil(leafCount / PAGE_LEAVES);
}

/**
 * Bytes of a page: its leaves, then the path from its root to that of the tree, bottom up, 32 bytes each.
 *
 * @throws {RangeError} when there is no such page
 */
export function pageBytes(leafCount: number, page: number): number {
  return (leavesOn(leafCount, page) + inclusionProofLength(pageCount(leafCount), page)) * HASH_BYTES;
}

/** All pages of one exposure. */
export interface LeafPager {
  /** The Merkle root over all leaves: 32 bytes. */
  readonly root: Uint8Array<ArrayBuffer>;
  /** How many pages there are. */
  readonly pageCount: number;

  /**
   * A page in a new array. Costs no hashing.
   *
   * @throws {RangeError} when there is no such page
   */
  page(index: number): Uint8Array<ArrayBuffer>;
}

/**
 * The pages over `leaves` (n * 32 bytes), which are kept, not copied: they must not change afterwards. Hashes
 * the tree once, and keeps 64 bytes for each page.
 *
 * @throws {RangeError} when the length is not a multiple of 32
 */
export function leafPager(hash: Hash, leaves: Uint8Array): LeafPager {
  const leafCount = leaves.length / HASH_BYTES;
  const count = pageCount(leafCount);
  const pageRoots = Array.from({ length: count }, (_, page) => merkleRoot(hash, leavesOf(leaves, page)));
  const levels = merkleLevels(hash, concatBytes(...pageRoots));
  return Object.freeze({
    root: merkleRoot(hash, levels.at(-1) ?? leaves),
    pageCount: count,
    page(index: number): Uint8Array<ArrayBuffer> {
      leavesOn(leafCount, index);
      return concatBytes(leavesOf(leaves, index), pathOf(levels, index));
    },
  });
}

/**
 * One page alone. Hashes the whole tree: take {@linkcode leafPager} for more than one.
 *
 * @throws {RangeError} when there is no such page, or the length of `leaves` is not a multiple of 32
 */
export function encodeLeafPage(hash: Hash, leaves: Uint8Array, page: number): Uint8Array<ArrayBuffer> {
  return leafPager(hash, leaves).page(page);
}

/**
 * The leaf hashes of a page from outside, as a view of `bytes`; `undefined` when they are not those of the
 * tree with that root and number of leaves, or there is no such page. `leafCount` must come from the
 * manifest, like the root: it decides the shape of the tree.
 */
export function verifyLeafPage(
  hash: Hash,
  root: Uint8Array,
  leafCount: number,
  page: number,
  bytes: Uint8Array,
): Uint8Array | undefined {
  if (!isPage(leafCount, page) || bytes.length !== pageBytes(leafCount, page)) return undefined;
  const end = leavesOn(leafCount, page) * HASH_BYTES;
  const leaves = bytes.subarray(0, end);
  const pageRoot = merkleRoot(hash, leaves);
  return verifyInclusion(hash, root, pageCount(leafCount), page, pageRoot, bytes.subarray(end))
    ? leaves
    : undefined;
}

function isPage(leafCount: number, page: number): boolean {
  return Number.isSafeInteger(leafCount) && Number.isSafeInteger(page) && page >= 0 &&
    page < pageCount(leafCount);
}

function leavesOn(leafCount: number, page: number): number {
  if (!isPage(leafCount, page)) throw new RangeError(`no page ${page} of ${leafCount} leaves`);
  return Math.min(PAGE_LEAVES, leafCount - page * PAGE_LEAVES);
}

function leavesOf(leaves: Uint8Array, page: number): Uint8Array {
  return leaves.subarray(page * PAGE_LEAVES * HASH_BYTES, (page + 1) * PAGE_LEAVES * HASH_BYTES);
}
