import {
  collectionMismatch,
  decodeCollectionIndex,
  encodeCollectionIndex,
  EntryKind,
  FileMode,
  paddedIndexBytes,
} from "../../codec/collection_index.ts";
import type { FileEntry } from "../../codec/collection_index.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { concatBytes, utf8 } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { Engine } from "../../crypto/engine.ts";
import { bytesSource } from "./source.ts";
import type { ByteSource } from "./source.ts";

/** Something that can be pulled from an exposer without a ticket. */
export interface ListedExposure {
  /** What the exposer calls it; what in it would act on a terminal is left in it. Not to be trusted as a path. */
  readonly name: string;
  /** base64url of 32 bytes. */
  readonly id: string;
  /** Plaintext bytes. */
  readonly bytes: number;
  /** Whether it is files and folders. */
  readonly isCollection: boolean;
}

/** Small: a list is short, and one chunk more costs as much as a packet. */
export const LIST_CHUNK_BYTES = 4096;

const LABEL_BYTES = 16;

/**
 * The list as a collection that is nowhere on a disk: a file for each exposure, called by its label in hexadecimal, which is a legal name
 * whatever the exposure's own is; in it a JSON object.
 */
export function listingSource(engine: Engine, listed: readonly ListedExposure[]): ByteSource {
  const files = listed.map((one) => ({ path: labelOf(one.id), content: utf8(JSON.stringify(one)) }))
    .sort((a, b) => a.path < b.path ? -1 : 1);
  let offset = 0;
  const entries = files.map(({ path, content }): FileEntry => {
    const entry = {
      kind: EntryKind.FILE,
      path,
      mtimeMs: 0,
      mode: FileMode.PLAIN,
      size: content.length,
      offset,
      sha256: engine.sha256.digest(content),
    };
    offset += content.length;
    return entry;
  });
  const index = encodeCollectionIndex({ chunkSize: LIST_CHUNK_BYTES, entries });
  const lateBytes = paddedIndexBytes(index.length, LIST_CHUNK_BYTES);
  const padding = new Uint8Array(lateBytes - index.length);
  const source = bytesSource(concatBytes(index, padding, ...files.map(({ content }) => content)));
  return {
    size: source.size,
    collection: { indexSize: index.length, lateBytes },
    read: (at, into) => source.read(at, into),
    unchanged: () => true,
    close: () => source.close(),
  };
}

/** @throws {RgtpError} NOT_SUPPORTED when an exposure is larger than a list may be */
export function checkListSize({ totalSize }: Manifest): void {
  if (totalSize <= limits.listBytesMax) return;
  throw unusable(`it has ${totalSize} bytes, more than ${limits.listBytesMax}`);
}

/** The list in a collection's bytes: all of it is checked. @throws {RgtpError} NOT_SUPPORTED */
export function readListing(bytes: Uint8Array, manifest: Manifest): ListedExposure[] {
  const index = decodeCollectionIndex(bytes.subarray(0, manifest.indexSize));
  const mismatch = collectionMismatch(index, manifest);
  if (mismatch) throw unusable(mismatch);
  const start = paddedIndexBytes(manifest.indexSize, manifest.chunkSize);
  return index.entries.map((entry) => {
    if (entry.kind !== EntryKind.FILE) throw unusable("it holds more than files");
    const at = start + entry.offset;
    const listed = parsed(bytes.subarray(at, at + entry.size));
    if (!listed || labelOf(listed.id) !== entry.path) throw unusable("an entry of it is damaged");
    return listed;
  });
}

function parsed(content: Uint8Array): ListedExposure | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(content));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (!("name" in value && "id" in value && "bytes" in value && "isCollection" in value)) return undefined;
  const { name, id, bytes, isCollection } = value;
  if (typeof name !== "string" || typeof id !== "string" || !/^[A-Za-z0-9_-]{43}$/.test(id)) return undefined;
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) return undefined;
  return typeof isCollection === "boolean" ? { name, id, bytes, isCollection } : undefined;
}

function labelOf(id: string): string {
  return Uint8Array.fromBase64(id, { alphabet: "base64url" }).subarray(0, LABEL_BYTES).toHex();
}

function unusable(why: string): RgtpError {
  return new RgtpError(
    "NOT_SUPPORTED",
    `the list of this exposer cannot be used: ${why}; use the same release on both sides, or pull by name`,
  );
}
