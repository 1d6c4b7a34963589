import { EntryKind, FileMode } from "../../codec/collection_index.ts";
import type { CollectionEntry } from "../../codec/collection_index.ts";
import { RgtpError } from "../../core/errors.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../../tests/_assert.ts";
import { checkCollectionNames, collectionNamesFault, foldedName, sortedByPath } from "./collection_names.ts";

const here = { isWindows: false };

function files(...paths: string[]): CollectionEntry[] {
  const common = { kind: EntryKind.FILE, mtimeMs: 0, mode: FileMode.PLAIN, size: 0, offset: 0 };
  return paths.map((path) => ({ ...common, path, sha256: new Uint8Array(32) }));
}

function links(table: Readonly<Record<string, string>>): CollectionEntry[] {
  return Object.entries(table).map(([path, target]) => ({ kind: EntryKind.LINK, path, mtimeMs: 0, target }));
}

Deno.test("collection names: devices of Windows and endings that it cuts off are refused on every system", () => {
  const traps = [
    "con",
    "NUL",
    "aux.c",
    "Com1.tar.gz",
    "lpt9",
    "com¹",
    "CONIN$",
    "prn .txt",
    "a.",
    "a ",
    "a/b.",
    "x/aux",
  ];
  for (const path of traps) {
    assertStringIncludes(collectionNamesFault(files(path), here) ?? "no fault", "Windows", path);
  }
  for (const path of ["console", "aux_", "com10", "lpt", ".con", "a.b", " a", "..a"]) {
    assertEquals(collectionNamesFault(files(path), here), undefined, path);
  }
});

Deno.test("collection names: characters that Windows lacks are refused there alone", () => {
  for (const path of ["12:30", "a<b", 'say "hi"', "a|b", "why?", "*.txt", "a/b:c"]) {
    assertEquals(collectionNamesFault(files(path), here), undefined);
    assertStringIncludes(collectionNamesFault(files(path), { isWindows: true }) ?? "", "on Windows", path);
  }
});

Deno.test("collection names: two that some file system takes for one are refused, in folders too", () => {
  const pairs = [["a", "A"], ["Makefile", "makefile"], ["ä", "Ä"], ["\u00e9", "e\u0301"], ["ς", "Σ"], [
    "\u212a",
    "k",
  ]];
  for (const [one, other] of [...pairs, ["x/a", "X/b"], ["x/a", "x/A"]]) {
    const folders = [one, other].filter((path) => path.includes("/")).map((path) => path.split("/")[0]);
    const entries = files(...new Set(folders), one, other);
    assertStringIncludes(
      collectionNamesFault(entries, here) ?? "no fault",
      "are one name",
      `${one} ${other}`,
    );
  }
  assertEquals(collectionNamesFault(files("straße", "strasse", "x/a", "y/A", "a-b", "a_b"), here), undefined);
  assertEquals(foldedName("Straße/\u212a"), "straße/k");
});

Deno.test("collection names: the folder of pulls under way is taken, however it is written", () => {
  assertStringIncludes(collectionNamesFault(files(".rgtp-part"), here) ?? "", "kept for pulls");
  assertStringIncludes(collectionNamesFault(files(".RGTP-part"), here) ?? "", "kept for pulls");
  assertEquals(collectionNamesFault(files("a/.rgtp-part"), here), undefined);
});

Deno.test("collection names: links may lead anywhere inside, to what is not there as well", () => {
  const fine = links({
    a: "b",
    "d/e": "../x",
    "d/f": "../d/e",
    g: "nothing/there",
    h: ".",
    "d/i": "..",
    j: "d//e/./k",
  });
  assertEquals(collectionNamesFault(fine, here), undefined);
});

Deno.test("collection names: links that lead out are refused, also by way of others, and in circles", () => {
  const wrong: Readonly<Record<string, string>>[] = [
    { a: ".." },
    { a: "../x" },
    { "d/a": "../../x" },
    { "d/a": "x/../../.." },
    // By its letters `b` stays inside; but `a` leads to the top, and `..` from there leads out.
    { "d/e/a": "../..", b: "d/e/a/../x" },
    { a: "d/b", "d/b": "../.." },
    { a: "b", b: "a" },
    { a: "a/x" },
  ];
  for (const table of wrong) {
    assertStringIncludes(
      collectionNamesFault(links(table), here) ?? "no fault",
      "leads out",
      JSON.stringify(table),
    );
  }
});

Deno.test("collection names: links that are made to be slow to follow end soon", () => {
  const slow: Record<string, string> = {};
  for (let i = 0; i < 2000; i++) slow[`l${i}`] = `${"l".concat(String(i + 1), "/../").repeat(40)}x`;
  const started = performance.now();
  assertEquals(typeof collectionNamesFault(links(slow), here), "string");
  assertEquals(performance.now() - started < 5000, true);
});

Deno.test("collection names: the error says what to do, and paths are sorted by their bytes", () => {
  const error = assertThrows(() => checkCollectionNames(files("nul"), here, "rename it"), RgtpError);
  assertEquals(error.condition, "NOT_SUPPORTED");
  assertStringIncludes(error.message, "'nul' is that of a device on Windows: rename it");
  const sorted = sortedByPath(["a/b", "a", "a-b", "ä", "b"].map((path) => ({ path })));
  assertEquals(sorted.map(({ path }) => path), ["a", "a-b", "a/b", "b", "ä"]);
});
