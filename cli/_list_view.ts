import { EntryKind, FileMode } from "../codec/collection_index.ts";
import type { CollectionEntry } from "../codec/collection_index.ts";
import type { Io } from "./_io.ts";
import { emit } from "./_report.ts";
import { formatBytes, plural, visible } from "./_text.ts";

/** What a collection holds: a line for each entry, with names in which nothing acts on the terminal; or as JSON lines. */
export function showEntries(io: Io, json: boolean, entries: readonly CollectionEntry[]): void {
  let [files, bytes] = [0, 0];
  const width = Math.max(0, ...sizes(entries)).toString().length;
  for (const entry of entries) {
    if (entry.kind === EntryKind.FILE) {
      files++;
      bytes += entry.size;
    }
    if (json) emit(io, "entry", fieldsOf(entry));
    else io.out(lineOf(entry, width));
  }
  if (json) emit(io, "listed", { entries: entries.length, files, bytes });
  else io.err(`${plural(files, "file")}, ${formatBytes(bytes)} (${bytes} bytes)\n`);
}

function* sizes(entries: readonly CollectionEntry[]): Generator<number> {
  for (const entry of entries) if (entry.kind === EntryKind.FILE) yield entry.size;
}

function fieldsOf(entry: CollectionEntry): Readonly<Record<string, unknown>> {
  const { path, mtimeMs } = entry;
  if (entry.kind === EntryKind.FOLDER) return { path, kind: "folder", mtimeMs };
  if (entry.kind === EntryKind.LINK) return { path, kind: "link", mtimeMs, target: entry.target };
  const { size, mode, sha256 } = entry;
  const executable = mode === FileMode.EXECUTABLE;
  return { path, kind: "file", mtimeMs, size, executable, sha256: sha256.toHex() };
}

/** `      1234  2024-05-06 07:08  docs/a.txt`: folders end in `/`, programs in `*`, and links show where they lead. */
function lineOf(entry: CollectionEntry, width: number): string {
  const { path, mtimeMs } = entry;
  const isFile = entry.kind === EntryKind.FILE;
  const size = (isFile ? `${entry.size}` : "").padStart(width);
  const mark = entry.kind === EntryKind.FOLDER
    ? "/"
    : entry.kind === EntryKind.LINK
    ? ` -> ${visible(entry.target)}`
    : entry.mode === FileMode.EXECUTABLE
    ? "*"
    : "";
  return `${size}  ${timeText(mtimeMs)}  ${visible(path)}${mark}`;
}

/** In UTC. A time that no calendar has (an exposer may send any number) is left blank. */
function timeText(mtimeMs: number): string {
  const time = new Date(mtimeMs);
  const text = Number.isNaN(time.getTime()) ? "" : time.toISOString().slice(0, 16).replace("T", " ");
  return text.padEnd(16);
}
