/*
 * Collections that were made to do harm: each is refused when its index is there, and nothing is made on the disk.
 */
import { encodeCollectionIndex, EntryKind, FileMode } from "../../codec/collection_index.ts";
import type { CollectionEntry, FileEntry } from "../../codec/collection_index.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { decodeManifest, encodeManifest } from "../../codec/manifest.ts";
import { encodeMessagePack, messagePackArrayHead } from "../../codec/msgpack.ts";
import type { MessagePackValue } from "../../codec/msgpack.ts";
import { concatBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../../tests/_assert.ts";
import { collectionOf, feed, hash } from "./_feed.ts";
import type { TestCollection } from "./_feed.ts";
import { noise } from "./_trees.ts";
import { FolderSink } from "./folder_sink.ts";

const CHUNK = 4096;
const DATA = noise(10_000);

/** Pulls it into a folder that does not exist; gives the error, and checks that there still is none. */
async function refusal(collection: TestCollection, files?: readonly string[]): Promise<RgtpError> {
  const folder = await Deno.makeTempDir({ prefix: "rgtp-hostile-" });
  const { manifest, id } = collection;
  const sink = new FolderSink({ out: `${folder}/out`, manifest, id, hash, ...(files && { files }) });
  try {
    const error = await assertRejects(async () => {
      await feed(sink, collection);
      await sink.finish();
    }, RgtpError);
    sink.close();
    assertEquals([...Deno.readDirSync(folder)], [], error.message);
    return error;
  } finally {
    sink.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function refused(collection: TestCollection, says: string): Promise<void> {
  const error = await refusal(collection);
  assertEquals(error.condition, "NOT_SUPPORTED", error.message);
  assertStringIncludes(error.message, says);
}

/** An index that the encoder would not write. */
function forged(...entries: MessagePackValue[]): TestCollection {
  return collectionOf(encodeMessagePack([1, CHUNK, entries]), DATA, CHUNK);
}

function forgedFile(path: string, size = DATA.length, offset = 0): MessagePackValue {
  return [path, EntryKind.FILE, 0, FileMode.PLAIN, size, offset, hash.digest(DATA.subarray(0, size))];
}

/** A legal index of files with these names, and links. */
function named(paths: readonly string[], links: Readonly<Record<string, string>> = {}): TestCollection {
  const folders = new Set(
    [...paths, ...Object.keys(links)].flatMap((path) =>
      path.split("/").slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join("/"))
    ),
  );
  const entries: CollectionEntry[] = [
    ...paths.map((path): FileEntry => ({
      kind: EntryKind.FILE,
      path,
      mtimeMs: 0,
      mode: FileMode.PLAIN,
      size: 0,
      offset: 0,
      sha256: hash.digest(),
    })),
    ...Array.from(folders, (path) => ({ kind: EntryKind.FOLDER, path, mtimeMs: 0 })),
    ...Object.entries(links).map(([path, target]) => ({ kind: EntryKind.LINK, path, mtimeMs: 0, target })),
  ];
  entries.sort((a, b) => a.path < b.path ? -1 : 1);
  return collectionOf(encodeCollectionIndex({ chunkSize: CHUNK, entries }), new Uint8Array(0), CHUNK);
}

Deno.test("hostile: paths that lead out, are absolute, or hide something", async () => {
  for (
    const path of ["../x", "a/../../x", "/etc/passwd", "a\\..\\..\\x", "", ".", "a//b", "a\0b", "a\x1b[2J"]
  ) {
    await refused(forged(forgedFile(path)), "path");
  }
});

Deno.test("hostile: names of devices, endings that get lost, names that fall together", async () => {
  for (const name of ["con", "AUX.txt", "d/nul", "com1", "x.", "x "]) await refused(named([name]), "Windows");
  await refused(named(["readme", "README"]), "are one name");
  await refused(named(["d/caf\u00e9", "d/cafe\u0301"]), "are one name");
  await refused(named(["D/a", "d/b"]), "are one name");
  await refused(named([".rgtp-part/journal"]), "kept for pulls");
});

Deno.test("hostile: links that lead out, by themselves or by way of each other, and files below links", async () => {
  await refused(named([], { l: "../../etc/passwd" }), "leads out");
  await refused(named([], { "d/e/l": "../..", m: "d/e/l/../etc" }), "leads out");
  await refused(forged(["l", EntryKind.LINK, 0, "/etc"]), "absolute");
  await refused(forged(["l", EntryKind.LINK, 0, "."], forgedFile("l/x")), "lies in no folder");
});

Deno.test("hostile: ten million entries, claimed and written", async () => {
  const head = concatBytes(
    messagePackArrayHead(3),
    Uint8Array.of(1, 0xcd, 0x10, 0),
    messagePackArrayHead(10_000_000),
  );
  await refused(collectionOf(head, DATA, CHUNK), "claims 10000000 entries");
  const entry = encodeMessagePack(["a", EntryKind.FOLDER, 0]);
  await refused(
    collectionOf(concatBytes(head, ...new Array<Uint8Array>(1000).fill(entry)), DATA, CHUNK),
    "claims",
  );
});

Deno.test("hostile: files that overlap, leave gaps, or lie outside", async () => {
  await refused(forged(forgedFile("a", 5000), forgedFile("b", 5000, 4999)), "stands at 4999");
  await refused(forged(forgedFile("a", 5000), forgedFile("b", 5000, 0)), "stands at 0");
  await refused(forged(forgedFile("a", 5000), forgedFile("b", 4999, 5001)), "stands at 5001");
  await refused(forged(forgedFile("a", 10_001)), "end at");
  await refused(forged(forgedFile("a", 9_999)), "end at");
  await refused(forged(forgedFile("a", 2 ** 50)), "end at");
});

Deno.test("hostile: sizes in the manifest that lie", () => {
  const { manifest } = forged(forgedFile("a"));
  const wrong: Partial<Manifest>[] = [
    { indexSize: manifest.totalSize + 1 },
    { indexSize: 268_435_457, totalSize: 2 ** 40 },
    { totalSize: 2 ** 50 },
  ];
  for (const change of wrong) {
    assertThrows(() => encodeManifest({ ...manifest, ...change }), RangeError);
    const bytes = encodeManifest(manifest);
    const view = new DataView(bytes.buffer);
    if (change.indexSize !== undefined) view.setUint32(16, change.indexSize);
    if (change.totalSize !== undefined) view.setBigUint64(8, BigInt(change.totalSize));
    assertThrows(() => decodeManifest(bytes), RgtpError);
  }
});

Deno.test("hostile: an index that is cut off, longer than it says, or of another exposure", async () => {
  const { plain, manifest } = forged(forgedFile("a"));
  const index = plain.subarray(0, manifest.indexSize);
  await refused(collectionOf(index.subarray(0, -1), DATA, CHUNK), "cut off");
  await refused(collectionOf(concatBytes(index, Uint8Array.of(0)), DATA, CHUNK), "bytes follow");
  await refused(collectionOf(new Uint8Array(100), DATA, CHUNK), "damaged");
  await refused(collectionOf(index, DATA.subarray(1), CHUNK), "the manifest says");
});

Deno.test("hostile: a hash that lies: the file does not get its name", async () => {
  const folder = await Deno.makeTempDir({ prefix: "rgtp-hostile-" });
  try {
    const lie = hash.digest(Uint8Array.of(1));
    const collection = forged(["a", EntryKind.FILE, 0, FileMode.PLAIN, DATA.length, 0, lie]);
    const { manifest, id } = collection;
    const sink = new FolderSink({ out: `${folder}/out`, manifest, id, hash });
    const error = await assertRejects(() => feed(sink, collection), RgtpError);
    sink.close();
    assertEquals(error.condition, "MERKLE_FAIL");
    assertEquals(Array.from(Deno.readDirSync(`${folder}/out`), ({ name }) => name), [".rgtp-part"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
