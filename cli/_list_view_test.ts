import { EntryKind, FileMode } from "../codec/collection_index.ts";
import type { CollectionEntry } from "../codec/collection_index.ts";
import { assertEquals } from "../tests/_assert.ts";
import type { Io } from "./_io.ts";
import { showEntries } from "./_list_view.ts";

const entries: readonly CollectionEntry[] = [
  { kind: EntryKind.FOLDER, path: "d", mtimeMs: 0 },
  {
    kind: EntryKind.FILE,
    path: "d/photo\u202egpj.exe",
    mtimeMs: 1_700_000_000_000,
    mode: FileMode.EXECUTABLE,
    size: 12_345,
    offset: 0,
    sha256: new Uint8Array(32).fill(7),
  },
  { kind: EntryKind.LINK, path: "l", mtimeMs: 8_700_000_000_000_000, target: "d/\u200bx" },
];

function shown(json: boolean): { out: string[]; err: string } {
  const out: string[] = [];
  let err = "";
  const io: Io = {
    out: (line) => void out.push(line),
    err: (text) => void (err += text),
    errIsTerminal: false,
    columns: () => 80,
    readLine: () => Promise.resolve(""),
  };
  showEntries(io, json, entries);
  return { out, err };
}

Deno.test("a list for people: nothing in it acts on a terminal, and a time that no calendar has is blank", () => {
  const { out, err } = shown(false);
  assertEquals(out, [
    "       1970-01-01 00:00  d/",
    "12345  2023-11-14 22:13  d/photo\\u{202e}gpj.exe*",
    "                         l -> d/\\u{200b}x",
  ]);
  assertEquals(err, "1 file, 12.3 kB (12345 bytes)\n");
});

Deno.test("a list for programs: a line for each entry, and one at the end", () => {
  const { out, err } = shown(true);
  assertEquals(out.map((line) => JSON.parse(line)), [
    { event: "entry", path: "d", kind: "folder", mtimeMs: 0 },
    {
      event: "entry",
      path: "d/photo\u202egpj.exe",
      kind: "file",
      mtimeMs: 1_700_000_000_000,
      size: 12_345,
      executable: true,
      sha256: "07".repeat(32),
    },
    { event: "entry", path: "l", kind: "link", mtimeMs: 8_700_000_000_000_000, target: "d/\u200bx" },
    { event: "listed", entries: 3, files: 1, bytes: 12_345 },
  ]);
  assertEquals(err, "");
});
