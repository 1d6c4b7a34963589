import fc from "fast-check";
import { assertEquals, assertStringIncludes } from "../tests/_assert.ts";
import { utf8 } from "../core/bytes.ts";
import { collectionPathFault, comparePaths, linkTargetFault, parentPath } from "./collection_path.ts";

Deno.test("collection path: what none may be", () => {
  const table: [string, string][] = [
    ["", "empty"],
    ["/etc/passwd", "absolute"],
    ["..", "'..'"],
    ["a/../b", "'..'"],
    ["a/..", "'..'"],
    [".", "'.'"],
    ["./a", "'.'"],
    ["a//b", "empty part"],
    ["a/", "empty part"],
    ["a\\b", "backslash"],
    ["..\\b", "backslash"],
    ["a\0b", "control"],
    ["a\nb", "control"],
    ["\x1b[2J", "control"],
    ["\x7f", "control"],
    ["\x9b2J", "control"],
    ["a\ud800", "Unicode"],
    ["\ufeffa", "byte order mark"],
    ["a/\ufeff", "byte order mark"],
    ["x".repeat(256), "255 bytes"],
    ["ü".repeat(128), "255 bytes"],
    [new Array(10).fill("x".repeat(204)).join("/"), "2048 bytes"],
  ];
  for (const [path, says] of table) assertStringIncludes(collectionPathFault(path) ?? "no fault", says, path);
});

Deno.test("collection path: odd names that are honest, and the limits themselves", () => {
  const odd = [
    "...",
    "..a",
    "a..",
    "-rf",
    "~",
    "$(x)",
    "a b",
    " ",
    "%2e%2e",
    "C:",
    "C:/x",
    "*?",
    "🌍",
    "\u202e",
  ];
  const paths = [
    "x".repeat(255),
    `${"ü".repeat(127)}x`,
    new Array(8).fill("x".repeat(255)).join("/"),
    ...odd,
  ];
  for (const path of paths) assertEquals(collectionPathFault(path), undefined, path);
});

Deno.test("collection path: targets of links may go up, and not be absolute", () => {
  for (const target of ["..", "../../x", "a//b", "./x", "a/"]) {
    assertEquals(linkTargetFault(target), undefined);
  }
  for (const target of ["", "/etc", "C:/x", "c:x", "a\\b", "a\0", "\ud800", "\ufeffa", "x".repeat(2049)]) {
    assertEquals(typeof linkTargetFault(target), "string", target);
  }
});

Deno.test("collection path: the order is that of UTF-8, whatever planes the characters are of", () => {
  const name = fc.array(fc.constantFrom("a", "b", "/", "-", "ä", "\ud7ff", "\ue000", "\uffff", "😀", "𐀀"), {
    maxLength: 4,
  }).map((parts) => parts.join(""));
  fc.assert(fc.property(name, name, (a, b) => {
    const [one, other] = [utf8(a).toHex(), utf8(b).toHex()];
    assertEquals(Math.sign(comparePaths(a, b)), one < other ? -1 : one > other ? 1 : 0);
  }));
});

Deno.test("collection path: the folder that a path lies in", () => {
  assertEquals(["a", "a/b", "a/b/c"].map(parentPath), ["", "a", "a/b"]);
});
