/*
 * The index of a collection: what its files are called, how long they are and where they stand. One MessagePack value,
 *
 *   [version = 1, chunk size, [entry, …]]
 *
 *   file    [path, 0, mtime, mode, size, offset, sha256]
 *   folder  [path, 1, mtime]
 *   link    [path, 2, mtime, target]
 *
 * in its shortest form, so that one list of entries has one encoding. Its size does not depend on the hashes, which are known last.
 */
import { concatBytes, equalBytes } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { collectionPathFault, comparePaths, linkTargetFault, parentPath } from "./collection_path.ts";
import { ManifestKind } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { encodeMessagePack, messagePackArrayAt, messagePackArrayHead, messagePackAt } from "./msgpack.ts";
import type { MessagePackValue } from "./msgpack.ts";

/** What an entry is. */
export const EntryKind = { FILE: 0, FOLDER: 1, LINK: 2 } as const;
/** Of a file's mode only this is kept: whether it can be run. */
export const FileMode = { PLAIN: 0o644, EXECUTABLE: 0o755 } as const;

/** What stands in an entry of each kind, in order. */
export const entryFields = {
  FILE: ["path", "kind", "mtimeMs", "mode", "size", "offset", "sha256"],
  FOLDER: ["path", "kind", "mtimeMs"],
  LINK: ["path", "kind", "mtimeMs", "target"],
} as const;

/** A regular file. */
export interface FileEntry {
  /** See {@linkcode EntryKind}. */
  readonly kind: typeof EntryKind.FILE;
  /** Its place in the collection, parts divided by `/`. */
  readonly path: string;
  /** When its content changed last: ms since 1970. */
  readonly mtimeMs: number;
  /** One of {@linkcode FileMode}. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  /** Where it begins: bytes behind the padded index. */
  readonly offset: number;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
}

/** A folder; each one has an entry, also those that are not empty. */
export interface FolderEntry extends Pick<FileEntry, "path" | "mtimeMs"> {
  /** See {@linkcode EntryKind}. */
  readonly kind: typeof EntryKind.FOLDER;
}

/** A symbolic link. */
export interface LinkEntry extends Pick<FileEntry, "path" | "mtimeMs"> {
  /** See {@linkcode EntryKind}. */
  readonly kind: typeof EntryKind.LINK;
  /** Where it points to, relative to the folder that it lies in. */
  readonly target: string;
}

/** Something in a collection. */
export type CollectionEntry = FileEntry | FolderEntry | LinkEntry;

/** What a collection holds. */
export interface CollectionIndex {
  /** Plaintext bytes of a chunk: large files begin at one. */
  readonly chunkSize: number;
  /** In the order of their paths' bytes. */
  readonly entries: readonly CollectionEntry[];
}

const VERSION = 1;
const SHA256_BYTES = 32;
/** A file of this many bytes begins with a chunk, so that it keeps its chunks to itself. */
const ALIGNED_BYTES_MIN = 1_048_576;

const entryBounds = {
  depthMax: 1,
  valuesMax: 8,
  bytesMax: 2 * limits.collectionPathBytesMax + 128,
} as const;
const headBounds = { depthMax: 0, valuesMax: 1, bytesMax: 9 } as const;

/** Where a file goes whose predecessor ends at `end`: bytes behind the padded index. */
export function fileOffset(end: number, size: number, chunkSize: number): number {
  return size < ALIGNED_BYTES_MIN ? end : Math.ceil(end / chunkSize) * chunkSize;
}

/** Bytes of the index and of the zeros after it, to the end of its last chunk. */
export function paddedIndexBytes(indexSize: number, chunkSize: number): number {
  return Math.ceil(indexSize / chunkSize) * chunkSize;
}

/** Bytes behind the padded index. */
export function collectionDataBytes({ entries }: CollectionIndex): number {
  const last = entries.findLast((entry) => entry.kind === EntryKind.FILE);
  return last?.kind === EntryKind.FILE ? last.offset + last.size : 0;
}

/** What is wrong with an index by itself, or `undefined`. */
export function collectionFault({ chunkSize, entries }: CollectionIndex): string | undefined {
  if (!Number.isInteger(Math.log2(chunkSize))) return `chunk size ${chunkSize} is none`;
  if (entries.length > limits.collectionEntriesMax) return tooMany(entries.length);
  const folders = new Set([""]);
  let last = "";
  let end = 0;
  for (const entry of entries) {
    const { path } = entry;
    const fault = entryFault(entry);
    if (fault) return fault;
    if (comparePaths(last, path) >= 0) return `${quoted(path)} stands behind ${quoted(last)}`;
    if (!folders.has(parentPath(path))) return `${quoted(path)} lies in no folder of the collection`;
    last = path;
    if (entry.kind === EntryKind.FOLDER) folders.add(path);
    if (entry.kind !== EntryKind.FILE) continue;
    if (entry.offset !== fileOffset(end, entry.size, chunkSize)) {
      return `${quoted(path)} stands at ${entry.offset}, where the file before it ends at ${end}`;
    }
    end = entry.offset + entry.size;
    if (!Number.isSafeInteger(end)) return `${quoted(path)} is too large`;
  }
  return undefined;
}

/** What is wrong with an index beside the manifest that it came with, or `undefined`. */
export function collectionMismatch(
  index: CollectionIndex,
  { kind, chunkSize, totalSize, indexSize }: Manifest,
): string | undefined {
  if (kind !== ManifestKind.COLLECTION) return "the manifest is not that of a collection";
  if (index.chunkSize !== chunkSize) return `chunk size ${index.chunkSize}, the manifest says ${chunkSize}`;
  const total = paddedIndexBytes(indexSize, chunkSize) + collectionDataBytes(index);
  return total === totalSize ? undefined : `its files end at ${total}, the manifest says ${totalSize}`;
}

/**
 * The bytes of an index; their number does not depend on the hashes.
 *
 * @throws {RangeError} when it is not a legal one
 */
export function encodeCollectionIndex(index: CollectionIndex): Uint8Array<ArrayBuffer> {
  const fault = collectionFault(index);
  if (fault) throw new RangeError(`collection: ${fault}`);
  const head = concatBytes(
    messagePackArrayHead(3),
    encodeMessagePack(VERSION),
    encodeMessagePack(index.chunkSize),
    messagePackArrayHead(index.entries.length),
  );
  return joined([head, ...index.entries.map((entry) => encodeMessagePack(valuesOf(entry)))]);
}

/**
 * The index that bytes hold: all of it is checked, but for what it says about the manifest.
 *
 * @throws {RgtpError} NOT_SUPPORTED when it is none, or not a legal one
 */
export function decodeCollectionIndex(bytes: Uint8Array): CollectionIndex {
  // One copy, in which the hashes are, rather than one for each of them.
  const read = new IndexReader(bytes.slice());
  if (read.arrayCount() !== 3) throw unusable("it is damaged");
  const version = read.integer();
  if (version !== VERSION) throw unusable(`its index has version ${version}, this program reads ${VERSION}`);
  const chunkSize = read.integer();
  const count = read.arrayCount();
  // Before an entry is looked at: a number alone must not set anything in motion.
  if (count > limits.collectionEntriesMax) throw unusable(tooMany(count));
  const entries: CollectionEntry[] = [];
  for (let i = 0; i < count; i++) entries.push(read.entry());
  if (!read.isAtEnd) throw unusable("bytes follow its index");
  const index = { chunkSize, entries };
  const fault = collectionFault(index);
  if (fault) throw unusable(fault);
  return index;
}

/** A million parts are more than a call takes arguments. */
function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

class IndexReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  arrayCount(): number {
    const array = messagePackArrayAt(this.#bytes, this.#at);
    if (!array) throw unusable("it is damaged");
    this.#at = array.end;
    return array.count;
  }

  integer(): number {
    return integerOf(this.#value(headBounds)) ?? -1;
  }

  entry(): CollectionEntry {
    const start = this.#at;
    const values = this.#value(entryBounds);
    const entry = Array.isArray(values) ? entryOf(values) : undefined;
    if (!entry || !isExact(entry, this.#bytes.subarray(start, this.#at))) {
      throw unusable("an entry of its index is damaged");
    }
    return entry;
  }

  #value(bounds: typeof entryBounds | typeof headBounds): MessagePackValue {
    const next = messagePackAt(this.#bytes, this.#at, bounds);
    if (next === undefined) throw unusable("its index is cut off or damaged");
    this.#at = next.end;
    return next.value;
  }
}

/** Names of an entry's fields, by the number of its kind. */
const fieldsOf = [entryFields.FILE, entryFields.FOLDER, entryFields.LINK] as const;

function valuesOf(entry: CollectionEntry): readonly MessagePackValue[] {
  const values: Readonly<Record<string, MessagePackValue>> = { ...entry };
  return fieldsOf[entry.kind].map((name) => values[name]);
}

/**
 * One form alone is taken. Of what decodes only texts have several: the decoder puts this character where there is no UTF-8, and drops a
 * byte order mark.
 */
function isExact(entry: CollectionEntry, bytes: Uint8Array): boolean {
  const isPlain = entry.kind !== EntryKind.LINK && !entry.path.includes("\ufffd") && !beginsWithMark(bytes);
  return isPlain || equalBytes(encodeMessagePack(valuesOf(entry)), bytes);
}

/** Whether the text that comes first in an entry begins with a byte order mark. */
function beginsWithMark(bytes: Uint8Array): boolean {
  const at = bytes[1] === 0xda ? 4 : bytes[1] === 0xd9 ? 3 : 2;
  return bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;
}

function entryOf(values: readonly MessagePackValue[]): CollectionEntry | undefined {
  const [path, kind, mtime] = values;
  const mtimeMs = integerOf(mtime);
  if (typeof path !== "string" || mtimeMs === undefined) return undefined;
  if (kind === EntryKind.FOLDER) return values.length === 3 ? { kind, path, mtimeMs } : undefined;
  if (kind === EntryKind.LINK) {
    const target = values[3];
    return values.length === 4 && typeof target === "string" ? { kind, path, mtimeMs, target } : undefined;
  }
  const [mode, size, offset] = values.slice(3, 6).map(integerOf);
  const sha256 = values[6];
  if (kind !== EntryKind.FILE || values.length !== 7 || !(sha256 instanceof Uint8Array)) return undefined;
  if (mode === undefined || size === undefined || offset === undefined) return undefined;
  return { kind, path, mtimeMs, mode, size, offset, sha256 };
}

function integerOf(value: MessagePackValue | undefined): number | undefined {
  const number = typeof value === "bigint" ? Number(value) : value;
  return Number.isSafeInteger(number) ? number as number : undefined;
}

function entryFault(entry: CollectionEntry): string | undefined {
  const { path, mtimeMs } = entry;
  const pathFault = collectionPathFault(path);
  if (pathFault) return `the path ${quoted(path)} ${pathFault}`;
  if (!Number.isSafeInteger(mtimeMs)) return `the time of ${quoted(path)} is none`;
  if (entry.kind === EntryKind.LINK) {
    const targetFault = linkTargetFault(entry.target);
    return targetFault && `the target of the link ${quoted(path)} ${targetFault}`;
  }
  if (entry.kind !== EntryKind.FILE) return undefined;
  const { mode, size, offset, sha256 } = entry;
  if (mode !== FileMode.PLAIN && mode !== FileMode.EXECUTABLE) return `the mode of ${quoted(path)} is none`;
  if (!Number.isSafeInteger(size) || size < 0) return `the size of ${quoted(path)} is none`;
  if (!Number.isSafeInteger(offset) || offset < 0) return `the place of ${quoted(path)} is none`;
  return sha256.length === SHA256_BYTES ? undefined : `the hash of ${quoted(path)} is none`;
}

function quoted(path: string): string {
  return `'${path}'`;
}

function tooMany(count: number): string {
  return `it claims ${count} entries, at most ${limits.collectionEntriesMax} are taken`;
}

function unusable(fault: string): RgtpError {
  return new RgtpError("NOT_SUPPORTED", `the collection cannot be used: ${fault}`);
}
