import { EntryKind } from "../../codec/collection_index.ts";
import type { CollectionEntry, LinkEntry } from "../../codec/collection_index.ts";
import { parentPath } from "../../codec/collection_path.ts";
import { RgtpError } from "../../core/errors.ts";
import { removeQuietly } from "./_disk.ts";
import { ioError } from "./_io_errors.ts";
import { inTheWay } from "./_placing.ts";
import type { Placing } from "./_placing.ts";

/**
 * Whether links can be made, before anything is pulled: Deno lets only a program make them that may read and write everywhere.
 *
 * @throws {RgtpError} IO
 */
export function checkLinksPermitted(entries: readonly CollectionEntry[]): void {
  const link = entries.find(({ kind }) => kind === EntryKind.LINK);
  if (!link || (["read", "write"] as const).every(isGranted)) return;
  throw new RgtpError(
    "IO",
    `the collection holds symbolic links, such as '${link.path}', which Deno makes only for programs that may read and write ` +
      "everywhere: run again with --allow-read --allow-write, or choose other files",
    { data: { path: link.path } },
  );
}

/**
 * Makes a link, and looks where it really leads, by way of whatever stands in the folder: a link that leads out of it is taken away
 * again.
 *
 * @throws {RgtpError} EXISTS, NOT_SUPPORTED, IO
 */
export function makeLink(out: string, { path, target }: LinkEntry, force: boolean, placing: Placing): void {
  const place = `${out}/${path}`;
  placing.makeFolder(parentPath(path));
  try {
    if (force) removeQuietly(place);
    Deno.symlinkSync(target, place, {
      type: isFolder(`${out}/${parentPath(path)}/${target}`) ? "dir" : "file",
    });
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) throw inTheWay(place);
    throw ioError(cause, "make the link", place, "write");
  }
  placing.touch(parentPath(path));
  if (leadsInside(out, place)) return;
  removeQuietly(place);
  throw new RgtpError(
    "NOT_SUPPORTED",
    `the link '${path}' would lead out of '${out}', by way of a link that is there already; it was not made`,
    { data: { path } },
  );
}

/** A link into nothing leads nowhere yet; its letters were looked at before. */
function leadsInside(out: string, place: string): boolean {
  let real: string;
  try {
    real = Deno.realPathSync(place);
  } catch {
    return true;
  }
  const root = Deno.realPathSync(out);
  return real === root || real.startsWith(root.endsWith("/") ? root : `${root}/`) ||
    real.startsWith(`${root}\\`);
}

/** Windows has links of two kinds. */
function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function isGranted(name: "read" | "write"): boolean {
  return Deno.permissions.querySync({ name }).state === "granted";
}
