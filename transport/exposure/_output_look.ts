import { EntryKind } from "../../codec/collection_index.ts";
import type { CollectionEntry, FileEntry } from "../../codec/collection_index.ts";
import { parentPath } from "../../codec/collection_path.ts";
import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Hash } from "../../crypto/engine.ts";
import { existing } from "./_disk.ts";
import { ioError } from "./_io_errors.ts";
import { inTheWay } from "./_placing.ts";
import { Turns } from "./_turns.ts";

/**
 * What stands in the output folder where an entry goes. `absent`: nothing; `right`: just that, with its bytes compared; `other`: a file
 * or link that holds something else, which may be replaced only when that is permitted.
 */
export type Standing = "absent" | "right" | "other";

/** How {@linkcode lookAtOutput} looks. */
export interface LookOptions {
  /** The output folder. */
  readonly out: string;
  /** Entries of the collection that are wanted. */
  readonly entries: readonly CollectionEntry[];
  /** To compare files that are there. */
  readonly hash: Hash;
  /** Whether what holds something else may be replaced. */
  readonly force: boolean;
  /** Told how many bytes have been compared. */
  readonly onHash?: (bytes: number) => void;
  /** Asked between files: throws to stop. */
  readonly checkOpen: () => void;
}

const SLICE_BYTES = 262_144;

/**
 * Looks at what is there already, before anything is written.
 *
 * @throws {RgtpError} EXISTS when something is in the way; IO
 */
export async function lookAtOutput(options: LookOptions): Promise<Standing[]> {
  const { out, entries, force, onHash, checkOpen } = options;
  const absent = new Set<string>();
  // It may have come since the pull began.
  if (!outputFolder(out)) absent.add("");
  const turns = new Turns();
  const slice = new Uint8Array(SLICE_BYTES);
  const standings: Standing[] = [];
  const inWay: string[] = [];
  let compared = 0;
  for (const entry of entries) {
    const place = `${out}/${entry.path}`;
    // What is not there has nothing in it: most pulls go into an empty folder.
    const info = absent.has(parentPath(entry.path)) ? undefined : infoOf(place);
    if (!info) {
      if (entry.kind === EntryKind.FOLDER) absent.add(entry.path);
      standings.push("absent");
      continue;
    }
    let isRight = isLike(entry, info, place);
    if (isRight && entry.kind === EntryKind.FILE) {
      const steps = compare(place, entry, slice, options.hash);
      let step = steps.next();
      for (; !step.done; step = steps.next()) {
        compared += step.value;
        if (!turns.isOver()) continue;
        onHash?.(compared);
        await turns.yield();
        checkOpen();
      }
      isRight = step.value;
    }
    standings.push(isRight ? "right" : "other");
    // A folder is never replaced, nor does one take the place of something else.
    const isReplaceable = force && !info.isDirectory && entry.kind !== EntryKind.FOLDER;
    if (isRight || isReplaceable) continue;
    inWay.push(place);
    // What stands in the way of a folder is not looked into, least of all a link to another one.
    if (entry.kind === EntryKind.FOLDER) absent.add(entry.path);
  }
  if (inWay.length > 0) throw inTheWay(inWay[0], inWay.length - 1);
  return standings;
}

/** The output folder; nothing where there is none. @throws {RgtpError} EXISTS when something else is there; IO */
export function outputFolder(out: string): ReturnType<typeof existing> {
  const there = existing(out);
  if (!there || there.isDirectory) return there;
  throw new RgtpError(
    "EXISTS",
    `'${out}' is no folder, and what is exposed is a collection of files; name another output`,
    { data: { path: out } },
  );
}

/** Links are not followed: what they lead to is no part of the output. */
export function infoOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw ioError(cause, "look at", path, "read");
  }
}

/** Whether what stands there can be the entry, as far as it shows without reading it. */
export function isLike(entry: CollectionEntry, info: Deno.FileInfo, place: string): boolean {
  if (entry.kind === EntryKind.FOLDER) return info.isDirectory;
  if (entry.kind === EntryKind.LINK) return info.isSymlink && Deno.readLinkSync(place) === entry.target;
  return info.isFile && info.size === entry.size;
}

/** Reads a file in slices, and gives their sizes, then whether it is the right one. */
export function* compare(
  place: string,
  { size, sha256 }: FileEntry,
  slice: Uint8Array,
  hash: Hash,
): Generator<number, boolean> {
  const hasher = hash.create();
  let at = 0;
  try {
    using file = Deno.openSync(place);
    for (let count = file.readSync(slice); count !== null; count = file.readSync(slice)) {
      hasher.update(slice.subarray(0, count));
      at += count;
      yield count;
    }
  } catch (cause) {
    throw ioError(cause, "read", place, "read");
  }
  return at === size && equalBytes(hasher.digest(), sha256);
}
