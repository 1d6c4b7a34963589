import { comparePaths, parentPath } from "../../codec/collection_path.ts";
import { EntryKind } from "../../codec/collection_index.ts";
import type { CollectionEntry } from "../../codec/collection_index.ts";
import { RgtpError } from "../../core/errors.ts";
import { WORK_FOLDER } from "./work_path.ts";

/*
 * Names that are traps on some system. What a path may be at all is the codec's to say; docs/decisions/0009 says what is refused where,
 * and why.
 */

/** Names of devices on Windows, with any extension, and with spaces before it. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\..*)?$/i;
/** Characters that no name has on Windows. */
const NOT_ON_WINDOWS = /[<>:"|?*]/;

/** The file system that a name is for. */
export interface NameTarget {
  /** Whether names are those of Windows. */
  readonly isWindows: boolean;
}

/**
 * What is wrong with the names of a collection, or `undefined`: devices of Windows, endings that Windows cuts off, names that differ only
 * in case or in how their letters are put together, links that lead outside. These are refused everywhere, on both sides; characters
 * that Windows has not, only there.
 */
export function collectionNamesFault(
  entries: readonly CollectionEntry[],
  { isWindows }: NameTarget,
): string | undefined {
  const names = new Map<string, string>();
  for (const { path } of entries) {
    const name = path.slice(parentPath(path).length).replace("/", "");
    const fault = nameFault(name) ?? (isWindows ? windowsFault(name) : undefined);
    if (fault) return `the name '${path}' ${fault}`;
    const folded = foldedName(path);
    if (folded === WORK_FOLDER) return `the name '${path}' is kept for pulls that are under way`;
    const other = names.get(folded);
    if (other !== undefined) {
      return `'${other}' and '${path}' are one name where case, or how letters are composed, makes no difference`;
    }
    names.set(folded, path);
  }
  return linksFault(entries);
}

/** @throws {RgtpError} NOT_SUPPORTED when a name is a trap somewhere, with what to do about it */
export function checkCollectionNames(
  entries: readonly CollectionEntry[],
  target: NameTarget,
  advice: string,
): void {
  const fault = collectionNamesFault(entries, target);
  if (fault) throw new RgtpError("NOT_SUPPORTED", `${fault}: ${advice}`);
}

/** What makes a part of a path a trap somewhere. */
function nameFault(name: string): string | undefined {
  if (DEVICE.test(name)) return "is that of a device on Windows";
  if (/[. ]$/.test(name)) return "ends in a dot or a space, which Windows cuts off";
  return undefined;
}

function windowsFault(name: string): string | undefined {
  const [character] = NOT_ON_WINDOWS.exec(name) ?? [];
  return character === undefined ? undefined : `holds '${character}', which no name has on Windows`;
}

/** Most paths hold nothing else, and then all that follows is their small letters. */
const ASCII = /^[ -~]*$/;

/** The same text for names that one file system or another takes for one. */
export function foldedName(path: string): string {
  if (ASCII.test(path)) return path.toLowerCase();
  const folded = Array.from(path.normalize("NFD"), (character) => {
    const upper = character.toUpperCase();
    // Where one letter becomes several (ß), file systems leave it alone.
    return [...upper].length === 1 ? upper.toLowerCase() : character.toLowerCase();
  });
  return folded.join("").normalize("NFC");
}

/** Links that lead to each other without end are followed no further; nor are all of them together beyond all measure. */
const HOPS_MAX = 40;
const STEPS_MAX = 2_000_000;

/** The first link that leads out of the collection, or `undefined`. */
function linksFault(entries: readonly CollectionEntry[]): string | undefined {
  const links = new Map<string, string>();
  for (const entry of entries) if (entry.kind === EntryKind.LINK) links.set(entry.path, entry.target);
  const budget = { steps: STEPS_MAX };
  for (const [path, target] of links) {
    if (leadsOut(path, target, links, budget)) {
      return `the link '${path}' leads out of the collection, or in circles, by way of '${target}'`;
    }
  }
  return undefined;
}

/**
 * Whether a link leads above the top, with the collection's other links followed as the system would follow them: `..` behind a link goes up
 * from where the link leads, not from where it lies.
 */
function leadsOut(
  path: string,
  target: string,
  links: ReadonlyMap<string, string>,
  budget: { steps: number },
): boolean {
  const at = partsOf(parentPath(path));
  const todo = partsOf(target).reverse();
  for (let hops = 0; todo.length > 0;) {
    if (--budget.steps < 0) return true;
    const part = todo.pop()!;
    if (part === "..") {
      if (at.pop() === undefined) return true;
      continue;
    }
    at.push(part);
    const next = links.get(at.join("/"));
    if (next === undefined) continue;
    at.pop();
    todo.push(...partsOf(next).reverse());
    if (++hops > HOPS_MAX) return true;
  }
  return false;
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** Paths in the order of their bytes. */
export function sortedByPath<Entry extends { readonly path: string }>(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((a, b) => comparePaths(a.path, b.path));
}
