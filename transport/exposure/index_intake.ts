import { collectionMismatch, decodeCollectionIndex, paddedIndexBytes } from "../../codec/collection_index.ts";
import type { CollectionIndex } from "../../codec/collection_index.ts";
import { ManifestKind } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { RgtpError } from "../../core/errors.ts";
import { checkCollectionNames } from "./collection_names.ts";
import { chunkOffset } from "./pieces.ts";

/** The index of a collection as it comes, chunk by chunk; it is read when all of it is there. */
export class IndexIntake {
  /** One past the last chunk of the index; its first is chunk 0. */
  readonly endChunk: number;
  /** The index's bytes, as far as they have come. */
  readonly bytes: Uint8Array;
  readonly #manifest: Manifest;

  /** @throws {RgtpError} NOT_SUPPORTED when the exposure is no collection */
  constructor(manifest: Manifest) {
    const { kind, indexSize, chunkSize } = manifest;
    if (kind !== ManifestKind.COLLECTION) {
      throw new RgtpError("NOT_SUPPORTED", "this is one file, which has no list: pull it as it is");
    }
    this.#manifest = manifest;
    this.endChunk = paddedIndexBytes(indexSize, chunkSize) / chunkSize;
    this.bytes = new Uint8Array(indexSize);
  }

  /** Takes a chunk of it, copied. */
  write(chunk: number, bytes: Uint8Array): void {
    const at = chunkOffset(this.#manifest, chunk);
    this.bytes.set(bytes.subarray(0, this.bytes.length - at), at);
  }

  /**
   * The index, when all chunks have come: everything is checked that can be known of it, names included.
   *
   * @throws {RgtpError} NOT_SUPPORTED
   */
  index(): CollectionIndex {
    const index = decodeCollectionIndex(this.bytes);
    const mismatch = collectionMismatch(index, this.#manifest);
    if (mismatch) throw new RgtpError("NOT_SUPPORTED", `the collection cannot be used: ${mismatch}`);
    checkCollectionNames(
      index.entries,
      { isWindows: Deno.build.os === "windows" },
      "nothing of this collection is taken; its exposer must rename it",
    );
    return index;
  }
}
