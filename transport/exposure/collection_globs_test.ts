import { assertEquals } from "../../tests/_assert.ts";
import { pathChooser } from "./collection_globs.ts";

Deno.test("globs: what they choose, and what not", () => {
  const table: [string, string[], string[]][] = [
    ["a.txt", ["a.txt", "a.txt/below"], ["b/a.txt", "a.txt2", "axtxt"]],
    ["*.jpg", ["a.jpg", ".jpg"], ["d/a.jpg", "a.jpg.txt"]],
    ["**/*.jpg", ["a.jpg", "d/a.jpg", "d/e/a.jpg"], ["a.png"]],
    ["docs", ["docs", "docs/a", "docs/b/c"], ["docs2", "x/docs"]],
    ["docs/", ["docs", "docs/a"], ["doc"]],
    ["./docs/*", ["docs/a", "docs/b/c"], ["docs"]],
    ["d?c", ["doc", "d🌍c"], ["d/c", "dc"]],
    ["a**z", ["az", "a/b/z"], ["a/b/zx"]],
    ["[x](y)+", ["[x](y)+"], ["x", "xyy"]],
    ["*", ["a", "a/b"], []],
  ];
  for (const [glob, chosen, left] of table) {
    const chooses = pathChooser([glob]);
    for (const path of chosen) assertEquals(chooses(path), true, `${glob} chooses ${path}`);
    for (const path of left) assertEquals(chooses(path), false, `${glob} leaves ${path}`);
  }
});

Deno.test("globs: one of several is enough, and none chooses nothing", () => {
  const chooses = pathChooser(["a", "*.b"]);
  assertEquals(["a", "x.b", "x.c"].map(chooses), [true, true, false]);
  assertEquals(pathChooser([])("a"), false);
});
