import { decodeCollectionIndex } from "../../codec/collection_index.ts";
import type { CollectionEntry } from "../../codec/collection_index.ts";
import { RgtpError } from "../../core/errors.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { assertEquals, assertMatch, assertRejects } from "../../tests/_assert.ts";
import { makeTree, noise } from "./_trees.ts";
import type { Tree } from "./_trees.ts";
import { openCollectionSource } from "./collection_source.ts";
import { compareFolder } from "./folder_comparison.ts";

const hash = nativeEngine.sha256;
const isUnix = Deno.build.os !== "windows";

const tree: Tree = {
  "a/one": noise(5000, 1),
  "a/empty": "folder",
  "a/none": "",
  "b/deep/two": noise(700_000, 2),
  "c": "c",
  ...(isUnix && { "run*": "#!/bin/sh\n", "link": "->a/one" }),
};
const ENTRIES = isUnix ? 10 : 8;

/** The tree in a folder, and its entries as an exposer would tell them. */
async function withTree(
  check: (root: string, entries: readonly CollectionEntry[]) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "rgtp-comparison-" });
  try {
    makeTree(root, tree);
    const source = await openCollectionSource([root], { chunkSize: 4096, hash });
    const index = new Uint8Array(source.collection!.indexSize);
    source.read(0, index);
    source.close();
    await check(root, decodeCollectionIndex(index).entries);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("folder comparison: the same folder is right, whatever its times are", () =>
  withTree(async (root, entries) => {
    Deno.utimeSync(`${root}/c`, 5, 5);
    const told: number[] = [];
    const result = await compareFolder(root, entries, { hash, onHash: (bytes) => told.push(bytes) });
    assertEquals(result, { right: ENTRIES, wrong: 0, missing: 0, extra: 0, entries: [] });
  }));

Deno.test("folder comparison: other bytes, sizes and kinds are wrong; what is not there is missing, and what nobody exposed extra", () =>
  withTree(async (root, entries) => {
    Deno.writeFileSync(`${root}/a/one`, noise(5000, 9));
    Deno.truncateSync(`${root}/b/deep/two`, 10);
    Deno.removeSync(`${root}/c`);
    Deno.mkdirSync(`${root}/c`);
    Deno.writeTextFileSync(`${root}/c/inside`, "of an extra folder nothing more is told");
    Deno.removeSync(`${root}/a/none`);
    Deno.writeTextFileSync(`${root}/a/more`, "");
    Deno.mkdirSync(`${root}/new/below`, { recursive: true });
    const { entries: told, ...counts } = await compareFolder(root, entries, { hash });
    assertEquals(counts, { right: ENTRIES - 4, wrong: 3, missing: 1, extra: 2 });
    assertEquals(told, [
      { path: "a/more", kind: "extra" },
      { path: "a/none", kind: "missing" },
      { path: "a/one", kind: "wrong", why: "other bytes" },
      { path: "b/deep/two", kind: "wrong", why: "10 bytes where 700000 are exposed" },
      { path: "c", kind: "wrong", why: "a folder where a file is exposed" },
      { path: "new", kind: "extra" },
    ]);
  }));

Deno.test({
  name: "folder comparison: links are not followed, and whether something can be run counts",
  ignore: !isUnix,
  fn: () =>
    withTree(async (root, entries) => {
      Deno.chmodSync(`${root}/run`, 0o644);
      Deno.removeSync(`${root}/link`);
      Deno.symlinkSync("c", `${root}/link`);
      // All that is below is right where the link leads to; but a link is no folder.
      Deno.renameSync(`${root}/b`, `${root}/elsewhere`);
      Deno.symlinkSync("elsewhere", `${root}/b`);
      const { entries: told } = await compareFolder(root, entries, { hash });
      assertEquals(told.map(({ path, kind }) => `${kind} ${path}`), [
        "wrong b",
        "missing b/deep",
        "missing b/deep/two",
        "extra elsewhere",
        "wrong link",
        "wrong run",
      ]);
      assertMatch(told.at(-1)!.why!, /cannot be run/);
    }),
});

Deno.test("folder comparison: an empty folder lacks everything; a signal ends it", () =>
  withTree(async (root, entries) => {
    const { missing, extra } = await compareFolder(`${root}/a/empty`, entries, { hash });
    assertEquals([missing, extra], [ENTRIES, 0]);
    const reason = new RgtpError("CANCELLED", "enough");
    // Ten milliseconds of work come before it is looked at.
    const many = Array.from({ length: 3000 }, () => entries).flat();
    const error = await assertRejects(
      () => compareFolder(root, many, { hash, signal: AbortSignal.abort(reason) }),
      RgtpError,
    );
    assertEquals(error, reason);
  }));
