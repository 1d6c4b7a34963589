import { EntryKind, FileMode } from "../../codec/collection_index.ts";
import type { CollectionEntry } from "../../codec/collection_index.ts";
import { parentPath } from "../../codec/collection_path.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Hash } from "../../crypto/engine.ts";
import { ioError } from "./_io_errors.ts";
import { compare, infoOf, isLike } from "./_output_look.ts";
import { Turns } from "./_turns.ts";
import { foldedName, sortedByPath } from "./collection_names.ts";
import { isSameState, stateOf } from "./source.ts";

/** Something in a folder that is not as in a collection. */
export interface EntryDifference {
  /** Its place in the collection, or in the folder. */
  readonly path: string;
  /** `wrong`: something else is there. `missing`: nothing is. `extra`: the collection has nothing there. */
  readonly kind: "wrong" | "missing" | "extra";
  /** In which way it is wrong, for people. */
  readonly why?: string;
}

/** How a folder compares with a collection: counts of files, folders and links. */
export interface FolderComparison {
  /** Those that are as in the collection. */
  readonly right: number;
  /** Those in whose place something else is. */
  readonly wrong: number;
  /** Those that are not there. */
  readonly missing: number;
  /** What the collection does not hold; what is in an extra folder counts with it. */
  readonly extra: number;
  /** At most 10,000 of those that differ, in the order of their paths' bytes. */
  readonly entries: readonly EntryDifference[];
}

/** How {@linkcode compareFolder} compares. */
export interface FolderComparisonOptions {
  /** For the files' hashes. */
  readonly hash: Hash;
  /** Told how many bytes have been compared. */
  readonly onHash?: (bytes: number) => void;
  /** Stops it. */
  readonly signal?: AbortSignal;
}

/** More would be read by nobody, and the counts say that there is more. */
const TOLD_MAX = 10_000;
const SLICE_BYTES = 262_144;

/**
 * Compares what is in a folder with a collection's entries: contents of files, whether they can be run, folders, and where links lead. Times
 * do not count. Nothing is written, and no link is followed.
 *
 * @throws {RgtpError} IO for what cannot be read; SOURCE_CHANGED for a file that changed meanwhile
 * @throws the signal's reason
 */
export async function compareFolder(
  folder: string,
  entries: readonly CollectionEntry[],
  { hash, onHash, signal }: FolderComparisonOptions,
): Promise<FolderComparison> {
  const comparing = new Comparing(folder, hash);
  const turns = new Turns();
  for (const entry of entries) {
    for (const bytes of comparing.entry(entry)) {
      if (!turns.isOver()) continue;
      onHash?.(bytes);
      await turns.yield();
      signal?.throwIfAborted();
    }
  }
  for (const extra of comparing.extras(entries)) {
    comparing.note(extra, "extra");
    if (!turns.isOver()) continue;
    await turns.yield();
    signal?.throwIfAborted();
  }
  return comparing.result();
}

class Comparing {
  readonly #folder: string;
  readonly #hash: Hash;
  readonly #slice = new Uint8Array(SLICE_BYTES);
  /** Folders of the collection that are folders here: the others hold nothing of it. */
  readonly #folders = new Set<string>([""]);
  readonly #counts = { right: 0, wrong: 0, missing: 0, extra: 0 };
  readonly #told: EntryDifference[] = [];
  #bytes = 0;

  constructor(folder: string, hash: Hash) {
    this.#folder = folder;
    this.#hash = hash;
  }

  /** Compares an entry; gives the bytes compared so far, now and then. */
  *entry(entry: CollectionEntry): Generator<number, void> {
    const place = `${this.#folder}/${entry.path}`;
    const info = this.#folders.has(parentPath(entry.path)) ? infoOf(place) : undefined;
    if (!info) return this.note(entry.path, "missing");
    const fault = lookFault(entry, info, place) ?? (yield* this.#readFault(entry, info, place));
    yield this.#bytes;
    if (fault !== undefined) return this.note(entry.path, "wrong", fault);
    this.#counts.right++;
    if (entry.kind === EntryKind.FOLDER) this.#folders.add(entry.path);
  }

  /** What stands in the collection's folders and is not in it. */
  *extras(entries: readonly CollectionEntry[]): Generator<string> {
    const paths = new Set(entries.map(({ path }) => path));
    // Some file systems give a name back with other letters than it was made with.
    const folded = new Map(entries.map(({ path }) => [foldedName(path), path]));
    for (const below of this.#folders) {
      const disk = below === "" ? this.#folder : `${this.#folder}/${below}`;
      for (const name of namesIn(disk)) {
        const path = below === "" ? name : `${below}/${name}`;
        if (paths.has(path) || this.#isOne(path, folded.get(foldedName(path)))) continue;
        yield path;
      }
    }
  }

  note(path: string, kind: EntryDifference["kind"], why?: string): void {
    this.#counts[kind]++;
    if (this.#told.length < TOLD_MAX) this.#told.push({ path, kind, ...(why !== undefined && { why }) });
  }

  result(): FolderComparison {
    return { ...this.#counts, entries: sortedByPath(this.#told) };
  }

  *#readFault(
    entry: CollectionEntry,
    info: Deno.FileInfo,
    place: string,
  ): Generator<number, string | undefined> {
    if (entry.kind !== EntryKind.FILE) return undefined;
    const steps = compare(place, entry, this.#slice, this.#hash);
    let step = steps.next();
    for (; !step.done; step = steps.next()) yield this.#bytes += step.value;
    const after = infoOf(place);
    if (after && isSameState(stateOf(after), stateOf(info))) return step.value ? undefined : "other bytes";
    throw new RgtpError(
      "SOURCE_CHANGED",
      `'${place}' changed while it was compared; verify it again when nothing writes to it any more`,
      { data: { path: place } },
    );
  }

  #isOne(path: string, known: string | undefined): boolean {
    if (known === undefined) return false;
    const [a, b] = [infoOf(`${this.#folder}/${path}`), infoOf(`${this.#folder}/${known}`)];
    return a !== undefined && b !== undefined && a.ino !== null && a.ino === b.ino && a.dev === b.dev;
  }
}

/** What is wrong with what stands in an entry's place, without reading it. */
function lookFault(entry: CollectionEntry, info: Deno.FileInfo, place: string): string | undefined {
  const found = info.isSymlink
    ? "a link"
    : info.isDirectory
    ? "a folder"
    : info.isFile
    ? "a file"
    : "no file";
  const wanted = ["a file", "a folder", "a link"][entry.kind];
  if (found !== wanted) return `${found} where ${wanted} is exposed`;
  if (!isLike(entry, info, place)) {
    if (entry.kind === EntryKind.LINK) return `it leads to '${Deno.readLinkSync(place)}'`;
    if (entry.kind === EntryKind.FILE) return `${info.size} bytes where ${entry.size} are exposed`;
  }
  if (entry.kind !== EntryKind.FILE || Deno.build.os === "windows") return undefined;
  const canRun = ((info.mode ?? 0) & 0o100) !== 0;
  if (canRun === (entry.mode === FileMode.EXECUTABLE)) return undefined;
  return canRun ? "it can be run, which is not exposed so" : "it cannot be run, which is exposed so";
}

function* namesIn(folder: string): Generator<string> {
  try {
    for (const { name } of Deno.readDirSync(folder)) yield name;
  } catch (cause) {
    throw ioError(cause, "look into", folder, "read");
  }
}
