import {
  collectionDataBytes,
  encodeCollectionIndex,
  EntryKind,
  FileMode,
  fileOffset,
  paddedIndexBytes,
} from "../../codec/collection_index.ts";
import type { CollectionEntry } from "../../codec/collection_index.ts";
import { utf8 } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { Hash, Hasher } from "../../crypto/engine.ts";
import { FileMap } from "./file_map.ts";
import { HandleCache } from "./_handle_cache.ts";
import { PositionedFile } from "./_positioned_file.ts";
import { ioError } from "./_io_errors.ts";
import { checkCollectionNames } from "./collection_names.ts";
import { walkCollection } from "./collection_walk.ts";
import type { Walked, WalkedEntry } from "./collection_walk.ts";
import { absolute, checkBounds, isSameState, shortened, stateOf } from "./source.ts";
import type { ByteSource, CollectionFacts, SourceFingerprint } from "./source.ts";

/** How a collection is made of files. */
export interface CollectionSourceOptions {
  /** Plaintext bytes of a chunk. */
  readonly chunkSize: number;
  /** For the files' hashes. */
  readonly hash: Hash;
  /** Ends the walk through the folders. */
  readonly signal?: AbortSignal;
}

/**
 * The files of a folder, or several files and folders, as one byte string: the index, padded to whole chunks, then the files in the order of
 * their paths' bytes. The files are hashed while they are first read in order, so the index is best read last: it is known only then.
 *
 * @throws {RgtpError} NOT_FOUND, IO, CANCELLED; INVALID_ARG for two paths of one name; NOT_SUPPORTED for what cannot be carried, with its
 * path
 */
export async function openCollectionSource(
  paths: readonly string[],
  { chunkSize, hash, signal }: CollectionSourceOptions,
): Promise<ByteSource> {
  const walked = await walkCollection(paths, signal);
  const entries = entriesOf(walked.entries, chunkSize);
  checkCollectionNames(entries, { isWindows: false }, "rename it, or expose an archive");
  return new CollectionSource(walked, entries, fingerprintOf(paths, walked.entries, hash), {
    chunkSize,
    hash,
  });
}

const HANDLES_MAX = 16;
const HASH_SLICE_BYTES = 262_144;

class CollectionSource implements ByteSource {
  readonly size: number;
  readonly fingerprint: SourceFingerprint;
  readonly collection: CollectionFacts;
  readonly #chunkSize: number;
  readonly #hash: Hash;
  readonly #walked: readonly WalkedEntry[];
  readonly #top: Walked["top"];
  readonly #entries: CollectionEntry[];
  readonly #map: FileMap;
  /** For each file of the map, the number of its entry, which is that of what the walk found. */
  readonly #places: readonly number[];
  readonly #handles: HandleCache;
  /** Which file is being hashed, and how far. */
  #hashing = 0;
  #hashed = 0;
  #hasher: Hasher;
  #index: Uint8Array | undefined;
  #isClosed = false;

  constructor(
    { entries: walked, top }: Walked,
    entries: CollectionEntry[],
    fingerprint: SourceFingerprint,
    { chunkSize, hash }: CollectionSourceOptions,
  ) {
    const indexSize = encodeCollectionIndex({ chunkSize, entries }).length;
    if (indexSize > limits.indexBytesMax) {
      throw new RgtpError(
        "NOT_SUPPORTED",
        `the index of all files would have ${indexSize} bytes, at most ${limits.indexBytesMax} are allowed: expose an archive`,
      );
    }
    const lateBytes = paddedIndexBytes(indexSize, chunkSize);
    this.collection = { indexSize, lateBytes, believe: (index) => this.#believe(index) };
    this.size = lateBytes + collectionDataBytes({ chunkSize, entries });
    this.fingerprint = { ...fingerprint, size: this.size };
    this.#chunkSize = chunkSize;
    this.#hash = hash;
    this.#hasher = hash.create();
    this.#walked = walked;
    this.#top = top;
    this.#entries = entries;
    this.#map = new FileMap({ chunkSize, entries }, indexSize);
    this.#places = entries.flatMap((entry, i) => entry.kind === EntryKind.FILE && entry.size > 0 ? [i] : []);
    this.#handles = new HandleCache(HANDLES_MAX);
    const empty = hash.digest(new Uint8Array(0));
    this.#entries.forEach((entry, i) => {
      if (entry.kind === EntryKind.FILE && entry.size === 0) this.#entries[i] = { ...entry, sha256: empty };
    });
  }

  read(offset: number, into: Uint8Array): void {
    checkBounds(this.size, offset, into.length);
    const { lateBytes } = this.collection;
    const head = Math.max(0, Math.min(into.length, lateBytes - offset));
    if (head > 0) this.#readIndex(offset, into.subarray(0, head));
    if (head < into.length) this.#readFiles(offset + head, into.subarray(head));
  }

  unchanged(): boolean {
    if (this.#isClosed || (this.#top && !isAsWalked(this.#top, false))) return false;
    return this.#walked.every((entry) => isAsWalked(entry, entry.kind === EntryKind.LINK));
  }

  close(): void {
    this.#isClosed = true;
    this.#handles.close();
  }

  #readIndex(offset: number, into: Uint8Array): void {
    this.#index ??= this.#makeIndex();
    into.fill(0);
    into.set(this.#index.subarray(offset, offset + into.length));
  }

  #believe(index: Uint8Array | undefined): void {
    this.#index = index;
    this.#hashAnew();
    // What is read from now on needs no hash.
    if (index) this.#hashing = this.#map.files.length;
  }

  #makeIndex(): Uint8Array {
    // Whoever asks for the index first pays for reading everything.
    const slice = new Uint8Array(HASH_SLICE_BYTES);
    while (this.#hashing < this.#map.files.length) {
      const { start, end } = this.#map.files[this.#hashing];
      const at = start + this.#hashed;
      this.#readFiles(at, slice.subarray(0, Math.min(slice.length, end - at)));
    }
    return encodeCollectionIndex({ chunkSize: this.#chunkSize, entries: this.#entries });
  }

  #hashAnew(): void {
    this.#hashing = 0;
    this.#hashed = 0;
    this.#hasher = this.#hash.create();
  }

  /** What lies between the files is zero. */
  #readFiles(offset: number, into: Uint8Array): void {
    // Read from the front once more before the index was asked for: what counts is what was read last.
    if (offset === this.collection.lateBytes && !this.#index) this.#hashAnew();
    into.fill(0);
    const end = offset + into.length;
    for (
      let i = this.#map.fileAt(offset);
      i < this.#map.files.length && this.#map.files[i].start < end;
      i++
    ) {
      const { start, end: fileEnd } = this.#map.files[i];
      const from = Math.max(offset, start);
      const part = into.subarray(from - offset, Math.min(end, fileEnd) - offset);
      this.#readFile(this.#walked[this.#places[i]], from - start, part);
      this.#hashInOrder(i, from - start, part);
    }
  }

  #readFile(walked: WalkedEntry, at: number, into: Uint8Array): void {
    const { diskPath } = walked;
    let count: number;
    try {
      count = this.#handles.use(diskPath, () => new PositionedFile(openUnchanged(walked), 0)).readAt(
        at,
        into,
      );
    } catch (cause) {
      throw ioError(cause, "read", diskPath, "read");
    }
    if (count < into.length) throw shortened(diskPath, at + count);
  }

  #hashInOrder(file: number, at: number, bytes: Uint8Array): void {
    if (file !== this.#hashing || at !== this.#hashed) return;
    this.#hasher.update(bytes);
    this.#hashed += bytes.length;
    const { entry } = this.#map.files[file];
    if (this.#hashed < entry.size) return;
    this.#entries[this.#places[file]] = { ...entry, sha256: this.#hasher.digest() };
    this.#hashing++;
    this.#hashed = 0;
    this.#hasher = this.#hash.create();
  }
}

function isAsWalked({ diskPath, state }: Pick<WalkedEntry, "diskPath" | "state">, isLink: boolean): boolean {
  try {
    return isSameState(stateOf(isLink ? Deno.lstatSync(diskPath) : Deno.statSync(diskPath)), state);
  } catch {
    return false;
  }
}

function entriesOf(walked: readonly WalkedEntry[], chunkSize: number): CollectionEntry[] {
  const unknown = new Uint8Array(32);
  let end = 0;
  return walked.map(({ path, kind, state, isExecutable, target = "" }) => {
    // Some file systems know times that no calendar does.
    const common = { path, mtimeMs: Number.isSafeInteger(state.mtimeMs) ? state.mtimeMs : 0 };
    if (kind === EntryKind.FOLDER) return { ...common, kind: EntryKind.FOLDER };
    if (kind === EntryKind.LINK) return { ...common, kind: EntryKind.LINK, target };
    const offset = fileOffset(end, state.size, chunkSize);
    end = offset + state.size;
    const mode = isExecutable ? FileMode.EXECUTABLE : FileMode.PLAIN;
    return { ...common, kind: EntryKind.FILE, mode, size: state.size, offset, sha256: unknown };
  });
}

/** @throws {RgtpError} SOURCE_CHANGED when it is not the file any more that the walk saw */
function openUnchanged({ diskPath, state }: WalkedEntry): Deno.FsFile {
  const file = Deno.openSync(diskPath);
  try {
    if (isSameState(stateOf(file.statSync()), state)) return file;
    throw new RgtpError(
      "SOURCE_CHANGED",
      `'${diskPath}' was changed since it was looked at; expose the collection again when nothing writes to it any more`,
      { data: { path: diskPath } },
    );
  } catch (cause) {
    file.close();
    throw cause;
  }
}

/** Numbers stay exact below 2^53. */
const DIGEST_PART_BYTES = 6;

/**
 * One fingerprint for all: a digest over the states of all entries stands where a file has its device and inode; the times are the newest
 * ones, by which the catalog judges whether a change may have gone unseen.
 */
function fingerprintOf(
  paths: readonly string[],
  walked: readonly WalkedEntry[],
  hash: Hash,
): SourceFingerprint {
  const digest = hash.create();
  let [size, mtimeMs, ctimeMs] = [0, -1, -1];
  for (const { path, kind, state, isExecutable, target } of walked) {
    digest.update(utf8(`${JSON.stringify([path, kind, Object.values(state), isExecutable, target])}\n`));
    size += kind === EntryKind.FILE ? state.size : 0;
    mtimeMs = Math.max(mtimeMs, state.mtimeMs);
    ctimeMs = Math.max(ctimeMs, state.ctimeMs);
  }
  const view = digest.digest();
  const part = (at: number) =>
    view.subarray(at, at + DIGEST_PART_BYTES).reduce((number, byte) => number * 256 + byte, 0);
  return {
    path: paths.map(absolute).join(", "),
    device: part(0),
    inode: part(DIGEST_PART_BYTES),
    size,
    mtimeMs,
    ctimeMs,
  };
}
