/*
 * Collections by generation: honest ones, and the same with something changed that does harm. Whatever is in an index, a model says from
 * its letters alone what may be made of it; more than that is never made, less only when all is refused, and honest ones are taken.
 */
import fc from "fast-check";
import { EntryKind, FileMode, fileOffset } from "../../codec/collection_index.ts";
import { decodeManifest, encodeManifest } from "../../codec/manifest.ts";
import { encodeMessagePack } from "../../codec/msgpack.ts";
import type { MessagePackValue } from "../../codec/msgpack.ts";
import { limits } from "../../core/limits.ts";
import { RgtpError } from "../../core/errors.ts";
import { leafPager, verifyLeafPage } from "../../crypto/leaf_pages.ts";
import { assert, assertEquals, assertGreater } from "../../tests/_assert.ts";
import { collectionOf, feed, hash } from "./_feed.ts";
import { noise } from "./_trees.ts";
import { FolderSink } from "./folder_sink.ts";

const CHUNK = 4096;
const DATA = noise(20_000);
const RUNS = 400;

/** An entry as an exposer writes it, whatever it writes. */
type Entry = MessagePackValue[];
/** Places in an entry. */
const [PATH, KIND, SIZE, OFFSET, SHA256, TARGET] = [0, 1, 4, 5, 6, 3];

/** Parts that people use, and parts that somebody who means harm might. */
const goodPart = fc.constantFrom("a", "b", "c", "read me", "ä", "日本", "x.tar.gz", "-", "~");
const badPart = fc.constantFrom(
  ...[
    "..",
    ".",
    "",
    "A",
    "B",
    "con",
    "NUL.txt",
    "com1",
    "x.",
    "x ",
    ".rgtp-part",
    "a\\b",
    "a\0b",
    "\x1b[2J",
    "c:",
    "\ufeffa",
    "a\u0308",
  ],
  "n".repeat(limits.pathPartBytesMax + 1),
);

/** An honest index: files of some sizes one behind the other, folders for all that lie in one, and links that stay inside. */
const honest = fc.record({
  files: fc.uniqueArray(
    fc.record({
      parts: fc.array(goodPart, { minLength: 1, maxLength: 3 }),
      size: fc.integer({ min: 0, max: 5000 }),
    }),
    { maxLength: 4, selector: ({ parts }) => parts.join("/") },
  ),
  link: fc.option(fc.constantFrom("a", "b", "./a", "a/b", "nothing there"), { nil: undefined }),
}).map(({ files, link }): Entry[] => {
  const folders = new Set(
    files.flatMap(({ parts }) => parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"))),
  );
  const entries: Entry[] = [
    // Whatever is a folder already is no file.
    ...files.filter(({ parts }) => !folders.has(parts.join("/"))).map(({ parts, size }): Entry => [
      ...[parts.join("/"), EntryKind.FILE, 0, FileMode.PLAIN, size],
    ]),
    ...Array.from(folders, (path): Entry => [path, EntryKind.FOLDER, 0]),
    ...(link === undefined ? [] : [["zz link", EntryKind.LINK, 0, link] as Entry]),
  ];
  return placed(inOrder(entries));
});

function inOrder(entries: readonly Entry[]): Entry[] {
  const bytes = (entry: Entry) => new TextEncoder().encode(String(entry[PATH]).toWellFormed()).toHex();
  return entries.toSorted((one, other) => bytes(one) < bytes(other) ? -1 : 1);
}

/** Files one behind the other, each with its hash. */
function placed(entries: readonly Entry[]): Entry[] {
  let end = 0;
  return entries.map((entry) => {
    if (entry[KIND] !== EntryKind.FILE) return entry;
    const size = Number(entry[SIZE]);
    if (!Number.isSafeInteger(size)) return entry;
    const offset = fileOffset(end, size, CHUNK);
    end = offset + size;
    return [...entry.slice(0, OFFSET), offset, hash.digest(DATA.subarray(offset, end))];
  });
}

/** What somebody who means harm changes in an entry. */
type Change = (entry: Entry) => Entry;
const change: fc.Arbitrary<Change> = fc.oneof(
  // Its name, or a part of it.
  fc.tuple(badPart, fc.nat(3), fc.boolean()).map(([bad, at, isMore]): Change => (entry) => {
    const parts = String(entry[PATH]).split("/");
    return entry.with(PATH, parts.toSpliced(at % (parts.length + 1), isMore ? 0 : 1, bad).join("/"));
  }),
  fc.constantFrom("/", "//etc", "../").map((before): Change => (entry) =>
    entry.with(PATH, before + String(entry[PATH]))
  ),
  // What it is.
  fc.constantFrom<MessagePackValue>(0, 1, 2, 3, -1, "0").map((kind): Change => (entry) =>
    entry.with(KIND, kind)
  ),
  // Where a link leads.
  fc.constantFrom(
    "..",
    "../..",
    "/etc/passwd",
    "a/../..",
    "zz link",
    "zz link/..",
    "",
    "c:\\x",
    "a/b/../../..",
  ).map((
    target,
  ): Change =>
  (entry) => [entry[PATH], EntryKind.LINK, 0, target]),
  // How large it is and where it stands.
  fc.tuple(
    fc.constantFrom(SIZE, OFFSET),
    fc.constantFrom<MessagePackValue>(-1, 1, 4095, 2 ** 31, 2 ** 52, "1"),
  ).map((
    [field, value],
  ): Change =>
  (entry) => entry.length > field ? entry.with(field, value) : entry),
  // What it holds.
  fc.constant<Change>((entry) => entry.length > SHA256 ? entry.with(SHA256, new Uint8Array(32)) : entry),
  // Too few fields, or too many.
  fc.constant<Change>((entry) => entry.slice(0, -1)),
  fc.constant<Change>((entry) => [...entry, 0]),
);

/** An honest index with some entries changed, doubled, or in another order. */
const hostile = fc.tuple(
  honest.filter((entries) => entries.length > 0),
  fc.array(fc.tuple(fc.nat(), change), { minLength: 1, maxLength: 2 }),
  fc.boolean(),
  fc.boolean(),
).map(([entries, changes, isDoubled, isOrdered]) => {
  let changed = entries;
  for (const [at, make] of changes) {
    changed = changed.with(at % changed.length, make(changed[at % changed.length]));
  }
  if (isDoubled) changed = [...changed, changed[0]];
  return isOrdered ? placed(inOrder(changed)) : changed;
});

/**
 * The model: what these entries may make, by path. No path leads up or out, or means different things on different systems; nothing lies
 * below anything but a folder; no link is absolute, or goes up further than it lies deep.
 */
function mayMake(entries: readonly Entry[]): Map<string, string> {
  const made = new Map<string, string>();
  for (const entry of entries) {
    const path = String(entry[PATH]);
    const parts = path.split("/");
    const isPlain = parts.every((part) =>
      /^[\p{L}\p{N}\p{M} ._~:[-]+$/u.test(part) && !/^\.{1,2}$/.test(part)
    );
    assert(isPlain, `'${path}' was taken`);
    assert(
      parts.length === 1 || made.get(parts.slice(0, -1).join("/")) === "folder",
      `'${path}' lies in no folder`,
    );
    assert(!made.has(path), `'${path}' stands twice`);
    if (entry[KIND] === EntryKind.FOLDER) made.set(path, "folder");
    else if (entry[KIND] === EntryKind.LINK) {
      const target = String(entry[TARGET]);
      assert(!/^\/|^[a-z]:|\\/i.test(target), `'${target}' is absolute`);
      made.set(path, `link to ${target}`);
    } else {
      const [size, offset] = [Number(entry[SIZE]), Number(entry[OFFSET])];
      made.set(path, DATA.subarray(offset, offset + size).toHex());
    }
  }
  return made;
}

/** What stands in a folder, told as the model tells it. Links are looked at as well: where they really lead. */
function found(root: string): Map<string, string> {
  const all = new Map<string, string>();
  const real = Deno.realPathSync(root);
  const look = (below: string) => {
    for (const { name } of Deno.readDirSync(`${root}/${below}`)) {
      const path = below === "" ? name : `${below}/${name}`;
      const info = Deno.lstatSync(`${root}/${path}`);
      if (info.isSymlink) {
        all.set(path, `link to ${Deno.readLinkSync(`${root}/${path}`)}`);
        const leadsTo = realPath(`${root}/${path}`) ?? real;
        assert(`${leadsTo}/`.startsWith(`${real}/`), `'${path}' leads out`);
      } else if (info.isDirectory) {
        all.set(path, "folder");
        look(path);
      } else all.set(path, Deno.readFileSync(`${root}/${path}`).toHex());
    }
  };
  look("");
  return all;
}

/** Where a link really leads; `undefined` when that is nowhere. */
function realPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    return undefined;
  }
}

/** Pulls what these entries say into a folder beside something that must stay as it is. Whether it was taken. */
async function pulled(entries: readonly Entry[]): Promise<boolean> {
  const root = await Deno.makeTempDir({ prefix: "rgtp-generated-" });
  try {
    Deno.writeTextFileSync(`${root}/a`, "mine");
    const index = encodeMessagePack([1, CHUNK, entries.map((entry) => [...entry])]);
    const end = Math.max(
      0,
      ...entries.map((entry) => {
        const last = entry[KIND] === EntryKind.FILE ? Number(entry[SIZE]) + Number(entry[OFFSET]) : 0;
        return last <= DATA.length ? last : 0;
      }),
    );
    const collection = collectionOf(index, DATA.subarray(0, end), CHUNK);
    const { manifest, id } = collection;
    const sink = new FolderSink({ out: `${root}/b`, manifest, id, hash });
    let refusal: RgtpError | undefined;
    try {
      await feed(sink, collection);
      await sink.finish();
    } catch (error) {
      // Anything else would be a fault of this program.
      if (!(error instanceof RgtpError)) throw error;
      refusal = error;
    } finally {
      sink.close();
    }
    assertEquals(Deno.readTextFileSync(`${root}/a`), "mine");
    const names = Array.from(Deno.readDirSync(root), ({ name }) => name).sort();
    if (refusal?.condition === "MERKLE_FAIL") {
      // A hash that lies shows when a file is whole: what came before it is there, and right.
      const made = [...found(`${root}/b`)].filter(([path]) => !path.startsWith(".rgtp-part"));
      const may = mayMake(entries);
      for (const [path, what] of made) assertEquals(what, may.get(path));
    } else if (refusal) {
      assertEquals([refusal.condition, names], ["NOT_SUPPORTED", ["a"]], refusal.message);
    } else {
      assertEquals(names, ["a", "b"]);
      assertEquals([...found(`${root}/b`)].sort(), [...mayMake(entries)].sort());
    }
    return !refusal;
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("generated: honest collections are taken, and become what they say", async () => {
  await fc.assert(
    fc.asyncProperty(honest, async (entries) => assert(await pulled(entries))),
    { numRuns: RUNS / 4 },
  );
});

Deno.test("generated: of hostile collections nothing is made that a model forbids", async () => {
  let [taken, refused] = [0, 0];
  await fc.assert(
    fc.asyncProperty(hostile, async (entries) => {
      if (await pulled(entries)) taken++;
      else refused++;
    }),
    { numRuns: RUNS },
  );
  // Most changes do harm; some give another collection that is as good.
  assertGreater(refused, RUNS / 2);
  assertGreater(taken, 0);
});

Deno.test("generated: a manifest that is read keeps to the limits, whatever its bytes were", () => {
  const base = encodeManifest(collectionOf(encodeMessagePack([1, CHUNK, []]), DATA, CHUNK).manifest);
  const border = fc.constantFrom(0, 1, 0x7f, 0x80, 0xff);
  let read = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(31), border), { maxLength: 6 }), (changes) => {
      const bytes = base.slice();
      for (const [at, value] of changes) bytes[at] = value;
      try {
        const { chunkSize, totalSize, indexSize } = decodeManifest(bytes);
        read++;
        assert(chunkSize >= limits.chunkBytesMin && chunkSize <= limits.chunkBytesMax);
        assert(Number.isSafeInteger(totalSize) && Math.ceil(totalSize / chunkSize) <= limits.chunksMax);
        assert(indexSize <= Math.min(totalSize, limits.indexBytesMax));
      } catch (error) {
        if (!(error instanceof RgtpError)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
  assertGreater(read, 100);
});

Deno.test("generated: a leaf page is believed only as it was made, where it belongs", () => {
  const trees = [1, 1024, 1025, 3000].map((size) => {
    const leaves = noise(size * 32, size);
    return { size, leaves, pager: leafPager(hash, leaves) };
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...trees),
      fc.constantFrom(...trees),
      fc.nat(3),
      fc.nat(3),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      (of, beside, page, place, at, flip) => {
        const [from, to] = [page % of.pager.pageCount, place % beside.pager.pageCount];
        const bytes = of.pager.page(from).slice();
        bytes[at % bytes.length] ^= flip;
        const isTrue = flip === 0 && of === beside && from === to;
        const verified = verifyLeafPage(hash, beside.pager.root, beside.size, to, bytes);
        assertEquals(verified !== undefined, isTrue);
      },
    ),
    { numRuns: 3000 },
  );
});
