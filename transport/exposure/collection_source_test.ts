import { collectionMismatch, decodeCollectionIndex, EntryKind } from "../../codec/collection_index.ts";
import type { FileEntry } from "../../codec/collection_index.ts";
import { ManifestKind } from "../../codec/manifest.ts";
import { decodeManifest } from "../../codec/manifest.ts";
import { RgtpError } from "../../core/errors.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../tests/_assert.ts";
import { makeTree, noise } from "./_trees.ts";
import type { Tree } from "./_trees.ts";
import { openCollectionSource } from "./collection_source.ts";
import { sealSource } from "./seal.ts";
import type { ByteSource } from "./source.ts";

const CHUNK = 4096;
const hash = nativeEngine.sha256;
const options = { chunkSize: CHUNK, hash };
const isUnix = Deno.build.os !== "windows";

const tree: Tree = {
  "a/empty": "folder",
  "a/run.sh*": "#!/bin/sh\n",
  "a/zero": "",
  "a-b": noise(5000, 2),
  big: noise(1_048_576 + 3, 3),
  "z/last": noise(10, 4),
  ...(isUnix && { "z/link": "->../a/run.sh" }),
};

async function inFolder(check: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "rgtp-collection-" });
  try {
    await check(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** All bytes, read as sealing does: the index last. */
function readAll(source: ByteSource, step = CHUNK): Uint8Array {
  const whole = new Uint8Array(source.size);
  const { lateBytes } = source.collection!;
  for (let at = lateBytes; at < source.size; at += step) {
    source.read(at, whole.subarray(at, Math.min(source.size, at + step)));
  }
  source.read(0, whole.subarray(0, lateBytes));
  return whole;
}

Deno.test("collection source: an index that tells all, then every file at its place, and zeros between", () =>
  inFolder(async (root) => {
    makeTree(root, tree);
    const source = await openCollectionSource([root], options);
    const whole = readAll(source);
    const { indexSize, lateBytes } = source.collection!;
    const index = decodeCollectionIndex(whole.subarray(0, indexSize));
    const paths = ["a", "a-b", "a/empty", "a/run.sh", "a/zero", "big", "z", "z/last"];
    assertEquals(index.entries.map(({ path }) => path), isUnix ? [...paths, "z/link"] : paths);
    const covered = new Uint8Array(source.size).fill(1, 0, indexSize);
    for (const entry of index.entries.filter((entry): entry is FileEntry => entry.kind === EntryKind.FILE)) {
      const start = lateBytes + entry.offset;
      const bytes = whole.subarray(start, start + entry.size);
      assertEquals(bytes, Deno.readFileSync(`${root}/${entry.path}`), entry.path);
      assertEquals(entry.sha256, hash.digest(bytes), entry.path);
      assertEquals(entry.mtimeMs, Deno.statSync(`${root}/${entry.path}`).mtime!.getTime());
      covered.fill(1, start, start + entry.size);
    }
    assert(whole.every((byte, i) => covered[i] === 1 || byte === 0));
    const { offset } = index.entries.find((entry): entry is FileEntry => entry.path === "big")!;
    assertEquals(offset % CHUNK, 0);
    source.close();
  }));

Deno.test("collection source: any order and size of reads gives the same bytes, hashes included", () =>
  inFolder(async (root) => {
    makeTree(root, tree);
    const expected = readAll(await openCollectionSource([root], options));
    for (const step of [1000, 70_000, 2_000_000]) {
      assertEquals(readAll(await openCollectionSource([root], options), step), expected);
    }
    // Whoever asks for the index first waits for all to be read.
    const source = await openCollectionSource([root], options);
    const whole = new Uint8Array(source.size);
    source.read(0, whole);
    assertEquals(whole, expected);
    source.read(source.size - 7, whole.subarray(0, 7));
    assertEquals(whole.subarray(0, 7), expected.subarray(-7));
    assertThrows(() => source.read(source.size, new Uint8Array(1)), RangeError);
    // Broken off, and read from the front again: as when a catalog's row turns out to be of another content.
    const again = await openCollectionSource([root], options);
    again.read(again.collection!.lateBytes, new Uint8Array(3000));
    assertEquals(readAll(again), expected);
  }));

Deno.test("collection source: it is sealed in one pass, as a collection, and again as the same", () =>
  inFolder(async (root) => {
    makeTree(root, tree);
    const seal = async (expectedLeaves?: Uint8Array) =>
      await sealSource(await openCollectionSource([root], options), {
        engine: nativeEngine,
        chunkSize: CHUNK,
        secret: new Uint8Array(32),
        salt: new Uint8Array(32),
        ...(expectedLeaves && { expectedLeaves }),
      });
    const sealed = (await seal())!;
    const manifest = decodeManifest(sealed.manifest);
    assertEquals(manifest.kind, ManifestKind.COLLECTION);
    const source = await openCollectionSource([root], options);
    const index = decodeCollectionIndex(readAll(source).subarray(0, manifest.indexSize));
    assertEquals(collectionMismatch(index, manifest), undefined);
    assertEquals((await seal(sealed.leaves))?.id, sealed.id);
    assert(sealed.store.piece(0) && sealed.store.piece(sealed.chunkCount - 1));
  }));

Deno.test("collection source: several paths, each under its own name; one file alone among them too", () =>
  inFolder(async (root) => {
    makeTree(root, { "one/a": "1", "two/b": "2", "c.txt": "3", "other/a": "folder" });
    const open = async (...names: string[]) => {
      const source = await openCollectionSource(names.map((name) => `${root}/${name}`), options);
      return decodeCollectionIndex(readAll(source).subarray(0, source.collection!.indexSize)).entries
        .map(({ path }) => path);
    };
    assertEquals(await open("two/", "c.txt", "one"), ["c.txt", "one", "one/a", "two", "two/b"]);
    assertEquals(await open("c.txt"), ["c.txt"]);
    const twice = await assertRejects(() => open("one/a", "other/a"), RgtpError);
    assertEquals(twice.condition, "INVALID_ARG");
    assertEquals((await assertRejects(() => open("none", "one"), RgtpError)).condition, "NOT_FOUND");
  }));

Deno.test("collection source: an empty folder is a collection", () =>
  inFolder(async (root) => {
    const source = await openCollectionSource([root], options);
    assertEquals(source.size, CHUNK);
    assertEquals(
      decodeCollectionIndex(readAll(source).subarray(0, source.collection!.indexSize)).entries,
      [],
    );
  }));

Deno.test("collection source: files that change, shrink or are replaced: SOURCE_CHANGED with their path", () =>
  inFolder(async (root) => {
    const changes: readonly ((path: string) => void)[] = [
      (path) => Deno.truncateSync(path, 10),
      (path) => Deno.writeFileSync(path, noise(5000, 9)),
      (path) => {
        Deno.writeFileSync(`${path}.new`, noise(5000, 2));
        Deno.renameSync(`${path}.new`, path);
      },
    ];
    for (const change of changes) {
      makeTree(root, { x: noise(5000, 2) });
      Deno.utimeSync(`${root}/x`, 1, 1);
      const source = await openCollectionSource([root], options);
      assertEquals(source.unchanged(), true);
      change(`${root}/x`);
      assertEquals(source.unchanged(), false);
      const error = assertThrows(() => readAll(source), RgtpError);
      assertEquals(error.condition, "SOURCE_CHANGED");
      assertStringIncludes(error.message, `${root}/x`);
    }
    // Times tick: a folder that was changed a moment ago may show the same time after the next change.
    Deno.utimeSync(root, 1, 1);
    const source = await openCollectionSource([root], options);
    await Deno.writeTextFile(`${root}/new`, "");
    assertEquals(source.unchanged(), false);
  }));

Deno.test("collection source: the fingerprint is that of all states, and of the paths", () =>
  inFolder(async (root) => {
    makeTree(root, { a: "1", "b/c": "2" });
    const print = async () => (await openCollectionSource([root], options)).fingerprint;
    const first = await print();
    assertEquals(await print(), first);
    await Deno.rename(`${root}/a`, `${root}/A`);
    const renamed = await print();
    assert(renamed!.inode !== first!.inode && renamed!.path === first!.path);
    Deno.utimeSync(`${root}/b/c`, 5, 5);
    assert((await print())!.inode !== renamed!.inode);
  }));

Deno.test({
  name:
    "collection source: what cannot be carried is named: pipes, links that lead out, traps, names that are not UTF-8",
  ignore: !isUnix,
  fn: () =>
    inFolder(async (root) => {
      const refused = async (says: string, make: (path: string) => void | Promise<void>) => {
        await Deno.mkdir(`${root}/d`);
        await make(`${root}/d`);
        const error = await assertRejects(() => openCollectionSource([root], options), RgtpError);
        assertStringIncludes(error.message, says);
        await Deno.remove(`${root}/d`, { recursive: true });
        return error.condition;
      };
      const shell = async (script: string) => {
        const { success } = await new Deno.Command("sh", { args: ["-c", script] }).output();
        assert(success, script);
      };
      assertEquals(await refused("d/pipe", (path) => shell(`mkfifo ${path}/pipe`)), "NOT_SUPPORTED");
      await refused("absolute", (path) => Deno.symlinkSync("/etc", `${path}/l`));
      await refused("leads out", (path) => Deno.symlinkSync("../../x", `${path}/l`));
      await refused("device", (path) => Deno.writeTextFileSync(`${path}/aux.c`, ""));
      await refused("backslash", (path) => Deno.writeTextFileSync(`${path}/a\\b`, ""));
      await refused("control", (path) => Deno.writeTextFileSync(`${path}/a\nb`, ""));
      await refused("not UTF-8", (path) => shell(`touch "$(printf '${path}/bad\\377')"`));
      await refused("one name", (path) => {
        Deno.writeTextFileSync(`${path}/Makefile`, "");
        Deno.writeTextFileSync(`${path}/makefile`, "");
      });
    }),
});
