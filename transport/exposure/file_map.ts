import { EntryKind, paddedIndexBytes } from "../../codec/collection_index.ts";
import type { CollectionIndex, FileEntry } from "../../codec/collection_index.ts";

/** A file with content, and where it stands in the exposure. */
export interface MappedFile {
  /** Its entry. */
  readonly entry: FileEntry;
  /** Bytes from the front of the exposure to its first byte, and to behind its last. */
  readonly start: number;
  readonly end: number;
}

/** What of a file is in a chunk. */
export interface FileSlice {
  /** Its number in {@linkcode FileMap.files}. */
  readonly file: number;
  /** Where the slice begins in the chunk and in the file, and how long it is. */
  readonly inChunk: number;
  readonly inFile: number;
  readonly length: number;
}

/** The files of a collection that have content, by their places. */
export class FileMap {
  /** In the order of their places. */
  readonly files: readonly MappedFile[];
  readonly #chunkSize: number;

  constructor({ chunkSize, entries }: CollectionIndex, indexSize: number) {
    const dataStart = paddedIndexBytes(indexSize, chunkSize);
    const files: MappedFile[] = [];
    for (const entry of entries) {
      if (entry.kind !== EntryKind.FILE || entry.size === 0) continue;
      const start = dataStart + entry.offset;
      files.push({ entry, start, end: start + entry.size });
    }
    this.files = files;
    this.#chunkSize = chunkSize;
  }

  /** The chunks that a file has a part in. */
  chunksOf(file: number): { readonly first: number; readonly end: number } {
    const { start, end } = this.files[file];
    return { first: Math.floor(start / this.#chunkSize), end: Math.ceil(end / this.#chunkSize) };
  }

  /** What is in a chunk, in order; between the slices there are zeros. */
  slices(chunk: number): FileSlice[] {
    const from = chunk * this.#chunkSize;
    const to = from + this.#chunkSize;
    const slices: FileSlice[] = [];
    for (let file = this.fileAt(from); file < this.files.length && this.files[file].start < to; file++) {
      const { start, end } = this.files[file];
      const first = Math.max(start, from);
      slices.push({
        file,
        inChunk: first - from,
        inFile: first - start,
        length: Math.min(end, to) - first,
      });
    }
    return slices;
  }

  /** The first file that ends behind a place. */
  fileAt(offset: number): number {
    let [low, high] = [0, this.files.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.files[middle].end > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
