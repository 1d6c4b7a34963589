import { assertEquals, assertStringIncludes, assertThrows } from "../tests/_assert.ts";
import { concatBytes } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { assertTruncationsRefused, embedded, ramp } from "./_samples.ts";
import {
  collectionDataBytes,
  collectionMismatch,
  decodeCollectionIndex,
  encodeCollectionIndex,
  EntryKind,
  FileMode,
  fileOffset,
  paddedIndexBytes,
} from "./collection_index.ts";
import type { CollectionEntry, CollectionIndex, FileEntry } from "./collection_index.ts";
import { ManifestKind } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { encodeMessagePack, messagePackArrayHead } from "./msgpack.ts";
import type { MessagePackValue } from "./msgpack.ts";

const CHUNK = 65_536;
const HASH = ramp(32);

function file(path: string, size: number, offset: number): FileEntry {
  return { kind: EntryKind.FILE, path, mtimeMs: 0, mode: FileMode.PLAIN, size, offset, sha256: HASH };
}

function folder(path: string): CollectionEntry {
  return { kind: EntryKind.FOLDER, path, mtimeMs: 0 };
}

/** Files one after another, as the rule has it. */
function files(...sizes: number[]): FileEntry[] {
  let end = 0;
  return sizes.map((size, i) => {
    const offset = fileOffset(end, size, CHUNK);
    end = offset + size;
    return file(`f${String(i).padStart(4, "0")}`, size, offset);
  });
}

const index = (entries: readonly CollectionEntry[], chunkSize = CHUNK): CollectionIndex => ({
  chunkSize,
  entries,
});

/** An index of any values, which the encoder would not write. */
function forged(entries: readonly MessagePackValue[], version = 1, chunkSize: number = CHUNK): Uint8Array {
  return encodeMessagePack([version, chunkSize, entries]);
}

function refused(bytes: Uint8Array, says: string): void {
  const error = assertThrows(() => decodeCollectionIndex(bytes), RgtpError);
  assertEquals(error.condition, "NOT_SUPPORTED");
  assertStringIncludes(error.message, says);
}

Deno.test("collection index: it comes back from any place of a buffer, and no part of it is taken for a whole", () => {
  const whole = index([
    folder("a"),
    file("a/b", 10, 0),
    { kind: EntryKind.LINK, path: "a/c", mtimeMs: -7, target: "../x" },
    { ...file("x", 2 ** 40, CHUNK), mode: FileMode.EXECUTABLE, mtimeMs: 2 ** 43 },
  ]);
  const bytes = encodeCollectionIndex(whole);
  assertEquals(decodeCollectionIndex(embedded(bytes)), whole);
  assertTruncationsRefused(decodeCollectionIndex, bytes);
  refused(concatBytes(bytes, Uint8Array.of(0)), "bytes follow");
  assertEquals(decodeCollectionIndex(encodeCollectionIndex(index([]))), index([]));
});

Deno.test("collection index: its size does not depend on the hashes", () => {
  const entries = files(1, 2, 3);
  const zeros = entries.map((entry) => ({ ...entry, sha256: new Uint8Array(32) }));
  assertEquals(encodeCollectionIndex(index(entries)).length, encodeCollectionIndex(index(zeros)).length);
});

Deno.test("collection index: large files begin with a chunk, others where the last one ends", () => {
  const big = 1_048_576;
  assertEquals(files(10, 20, big - 1, big, 5).map(({ offset }) => offset), [
    0,
    10,
    30,
    17 * CHUNK,
    17 * CHUNK + big,
  ]);
  assertEquals(paddedIndexBytes(1, CHUNK), CHUNK);
  assertEquals(paddedIndexBytes(CHUNK, CHUNK), CHUNK);
  assertEquals(collectionDataBytes(index([...files(10, 20), folder("z")])), 30);
  assertEquals(collectionDataBytes(index([])), 0);
});

Deno.test("collection index: places that overlap, leave gaps, go back or go too far are refused", () => {
  const wrong: [string, FileEntry[]][] = [
    ["stands at 9", [file("a", 10, 0), file("b", 5, 9)]],
    ["stands at 11", [file("a", 10, 0), file("b", 5, 11)]],
    ["stands at 0", [file("a", 10, 0), file("b", 5, 0)]],
    ["stands at 1", [file("a", 10, 1)]],
    ["stands at 10", [file("a", 10, 0), file("b", 1_048_576, 10)]],
    ["too large", [file("a", 2 ** 53 - 1, 0), file("b", 1000, 2 ** 53 - 1)]],
  ];
  for (const [says, entries] of wrong) {
    const values = entries.map((entry) => Object.values(entry).toSpliced(0, 2, entry.path, 0));
    refused(forged(values), says);
    assertThrows(() => encodeCollectionIndex(index(entries)), RangeError, says);
  }
});

Deno.test("collection index: order, doubles, and folders that are missing or no folders are refused", () => {
  const link: CollectionEntry = { kind: EntryKind.LINK, path: "a", mtimeMs: 0, target: "x" };
  const wrong: [string, CollectionEntry[]][] = [
    ["'a' stands behind 'b'", [folder("b"), folder("a")]],
    ["'a' stands behind 'a'", [folder("a"), folder("a")]],
    ["lies in no folder", [file("a/b", 0, 0)]],
    ["lies in no folder", [file("a", 0, 0), file("a/b", 0, 0)]],
    ["lies in no folder", [link, file("a/b", 0, 0)]],
    ["lies in no folder", [folder("a"), folder("a/b/c")]],
  ];
  for (const [says, entries] of wrong) {
    assertThrows(() => encodeCollectionIndex(index(entries)), RangeError, says);
  }
});

Deno.test("collection index: paths and targets that lead astray are refused", () => {
  for (const path of ["../x", "/etc/passwd", "a\\b", "a\0", ".", ""]) {
    refused(forged([[path, 1, 0]]), "path");
  }
  for (const target of ["/etc", "C:/x", ""]) refused(forged([["a", 2, 0, target]]), "target");
});

Deno.test("collection index: entries that are of another form than the one that is written are refused", () => {
  const good: MessagePackValue[] = ["a", 0, 0, 0o644, 5, 0, HASH];
  assertEquals(decodeCollectionIndex(forged([good])).entries.length, 1);
  const wrong: MessagePackValue[] = [
    "a",
    7,
    [],
    ["a"],
    ["a", 1],
    ["a", 1, 0, 0],
    ["a", 3, 0],
    ["a", 2, 0],
    good.slice(0, 6),
    [...good, 0],
    good.with(0, 5),
    good.with(1, 1),
    good.with(2, "0"),
    good.with(4, -1),
    good.with(4, 2n ** 60n),
    good.with(4, [5]),
    good.with(6, HASH.subarray(1)),
    good.with(6, "x".repeat(32)),
  ];
  for (const values of wrong) refused(forged([values]), "");
  refused(forged([good.with(3, 0o777)]), "mode");
  refused(forged([good.with(3, 0o4755)]), "mode");
  // 5 as an integer of 16 bits, and a text that is not UTF-8.
  const bytes = forged([good]).toHex();
  refused(Uint8Array.fromHex(bytes.replace("cd01a40500", "cd01a4cd000500")), "damaged");
  refused(Uint8Array.fromHex(bytes.replace("a161", "a1ff")), "damaged");
  // A byte order mark, which a decoder drops.
  refused(Uint8Array.fromHex(bytes.replace("a161", "a4efbbbf61")), "damaged");
  refused(forged([["l", 2, 0, "\ufeffx"]]), "damaged");
  assertEquals(decodeCollectionIndex(forged([["\ufffd", 1, 0]])).entries[0].path, "\ufffd");
});

Deno.test("collection index: other versions, chunk sizes that are none, and counts that lie are refused at once", () => {
  refused(forged([], 2), "version 2");
  refused(forged([], 1, 65_537), "chunk size");
  refused(encodeMessagePack([1, CHUNK]), "damaged");
  const claim = (count: number) =>
    concatBytes(messagePackArrayHead(3), Uint8Array.of(1, 0xce, 0, 1, 0, 0), messagePackArrayHead(count));
  refused(claim(10_000_000), "10000000 entries");
  refused(claim(limits.collectionEntriesMax + 1), "entries");
  refused(claim(limits.collectionEntriesMax), "cut off");
});

Deno.test("collection index: it must fit its manifest", () => {
  const whole = index(files(10, 20));
  const bytes = encodeCollectionIndex(whole).length;
  const manifest: Manifest = {
    version: 2,
    kind: ManifestKind.COLLECTION,
    aead: 0,
    hash: 0,
    chunkSize: CHUNK,
    totalSize: CHUNK + 30,
    indexSize: bytes,
    reserved: 0,
    keyCheck: HASH,
    root: HASH,
  };
  assertEquals(collectionMismatch(whole, manifest), undefined);
  for (const change of [{ totalSize: CHUNK + 31 }, { chunkSize: 4096 }, { kind: ManifestKind.BLOB }]) {
    assertEquals(typeof collectionMismatch(whole, { ...manifest, ...change }), "string");
  }
});
