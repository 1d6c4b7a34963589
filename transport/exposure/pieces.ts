import { chunkBytes, chunkCount } from "../../codec/manifest.ts";
import { PAGE_BIT } from "../../codec/packet.ts";
import { AEAD_TAG_BYTES } from "../../crypto/engine.ts";
import { PAGE_LEAVES, pageBytes, pageCount } from "../../crypto/leaf_pages.ts";

// What travels is a *piece*: a sealed chunk, or a leaf page (then the number's top bit is set). Both sides compute all sizes from two
// numbers of the manifest.

/** The two numbers of a manifest that say how an exposure is cut; any `Manifest` has them. */
export interface PieceFacts {
  /** Plaintext bytes of a chunk. */
  readonly chunkSize: number;
  /** Plaintext bytes of the exposure. */
  readonly totalSize: number;
}

/** Bytes of a piece as it travels (a sealed chunk with its tag, or a leaf page), or `undefined` when the exposure has no such piece. */
export function pieceBytes(facts: PieceFacts, piece: number): number | undefined {
  if (!Number.isInteger(piece) || piece < 0) return undefined;
  const chunks = chunkCount(facts);
  if (piece < PAGE_BIT) return piece < chunks ? sealedChunkBytes(facts, piece) : undefined;
  const page = piece - PAGE_BIT;
  return page < pageCount(chunks) ? pageBytes(chunks, page) : undefined;
}

/** Bytes of a sealed chunk that exists: its plaintext and the tag. */
export function sealedChunkBytes(facts: PieceFacts, chunk: number): number {
  return chunkBytes(facts, chunk) + AEAD_TAG_BYTES;
}

/** Where a chunk's plaintext starts in the exposure, in bytes. */
export function chunkOffset(facts: PieceFacts, chunk: number): number {
  return chunk * facts.chunkSize;
}

/** Whether a piece number names a leaf page. */
export function isPagePiece(piece: number): boolean {
  return piece >= PAGE_BIT;
}

/** The piece number of a leaf page. */
export function pagePiece(page: number): number {
  return PAGE_BIT + page;
}

/** The leaf page that a piece number with the top bit names. */
export function pageOfPiece(piece: number): number {
  return piece - PAGE_BIT;
}

/** The leaf page that holds a chunk's leaf hash. */
export function pageOfChunk(chunk: number): number {
  return Math.floor(chunk / PAGE_LEAVES);
}

/** Leaf pages of an exposure. */
export function exposurePages(facts: PieceFacts): number {
  return pageCount(chunkCount(facts));
}

/** Chunks whose leaves stand on a page that exists: 1024, or fewer on the last one. */
export function chunksOnPage(facts: PieceFacts, page: number): number {
  return Math.min(PAGE_LEAVES, chunkCount(facts) - page * PAGE_LEAVES);
}
