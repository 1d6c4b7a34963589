import { RgtpError } from "../../core/errors.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { QuickFiles, quickWriter } from "../link/quick_files.ts";
import { settleFiles } from "../crew/file_list.ts";
import type { FileCrew } from "../crew/file_list.ts";
import { chunksOf, collect, feed, hash } from "./_feed.ts";
import type { FeedOptions, TestCollection } from "./_feed.ts";
import { describeTree, makeTree, noise } from "./_trees.ts";
import type { Tree } from "./_trees.ts";
import { FolderSink } from "./folder_sink.ts";
import type { FolderResult, FolderSinkOptions } from "./folder_sink.ts";

const isUnix = Deno.build.os !== "windows";

const tree: Tree = {
  "a/empty": "folder",
  "a/run.sh*": "#!/bin/sh\n",
  "a/b/c/deep": noise(30_000, 1),
  "a/zero": "",
  "a-b": noise(5000, 2),
  big: noise(1_048_576 + 3, 3),
  "z/last": noise(10, 4),
  "z/program*": noise(9000, 5),
  ...(isUnix && { "l/link": "->../a/run.sh", "l/dangling": "->nothing", "l/folder": "->../z" }),
};
const files = 7;
const links = isUnix ? 3 : 0;

/** By the runtime's calls, and by the C library's where there are such. */
const ways: [name: string, quickFiles: FolderSinkOptions["quickFiles"]][] = [
  ["folder sink: ", undefined],
  ["folder sink, by the C library: ", (folder) => QuickFiles.of(folder)],
];
let quickFiles: FolderSinkOptions["quickFiles"];

function test(name: string, check: () => Promise<void>): void {
  for (const [prefix, way] of ways) {
    Deno.test(prefix + name, async () => {
      quickFiles = way;
      await check().finally(() => quickFiles = undefined);
    });
  }
}

async function scene(check: (folder: string, source: string, out: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rgtp-sink-" });
  try {
    makeTree(`${folder}/source`, tree);
    await check(folder, `${folder}/source`, `${folder}/out`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

type More = Partial<Pick<FolderSinkOptions, "force" | "files">> & FeedOptions;

function open({ manifest, id }: TestCollection, out: string, more: More = {}): FolderSink {
  return new FolderSink({ out, manifest, id, hash, ...(quickFiles && { quickFiles }), ...more });
}

/** A pull from beginning to end, or until it is cut off. */
async function pull(
  collection: TestCollection,
  out: string,
  more: More = {},
): Promise<{ given: number; kept: number; result?: FolderResult }> {
  const sink = open(collection, out, more);
  try {
    const { isWhole, ...counts } = await feed(sink, collection, more);
    return isWhole ? { ...counts, result: await sink.finish() } : counts;
  } finally {
    sink.close();
  }
}

async function refused(promise: Promise<unknown>, condition: string, says: string): Promise<void> {
  const error = await assertRejects(() => promise, RgtpError);
  assertEquals(error.condition, condition, error.message);
  assertStringIncludes(error.message, says);
}

const isThere = (path: string) => {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
};

test("a whole tree comes out the same, in order and in any order, and nothing else is left", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    const { result, given } = await pull(collection, out);
    assertEquals(describeTree(out), describeTree(source));
    assertEquals([given, result!.files, result!.alreadyComplete], [chunksOf(collection), files, false]);
    for (const seed of [1, 2, 3]) {
      const { integer } = seededRandom(seed);
      const order = (chunks: number[]) =>
        chunks.map((chunk) => ({ chunk, at: integer(1e9) })).toSorted((a, b) => a.at - b.at)
          .map(({ chunk }) => chunk);
      await pull(collection, `${out}${seed}/`, { order });
      assertEquals(describeTree(`${out}${seed}`), describeTree(source), `seed ${seed}`);
    }
  }));

test("what is there already is left as it is, and only the index moves", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    await pull(collection, out);
    Deno.utimeSync(`${out}/big`, 7, 7);
    const before = describeTree(out);
    const { given, result } = await pull(collection, out);
    assertEquals([given, result!.alreadyComplete], [1, true]);
    assertEquals(result!.reusedBytes, result!.bytes);
    assertEquals(describeTree(out), before);
    await Deno.remove(`${out}/a/b/c/deep`);
    const again = await pull(collection, out);
    assertLessOrEqual(again.given, 1 + Math.ceil(30_000 / 4096) + 1);
    assertEquals(Deno.readFileSync(`${out}/a/b/c/deep`), tree["a/b/c/deep"]);
  }));

test("one file of it moves its chunks and the index; a pattern for nothing moves only the index", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    const { given, result } = await pull(collection, out, { files: ["a/b/**"] });
    assertLessOrEqual(given, 1 + Math.ceil(30_000 / 4096) + 1);
    assertEquals([result!.files, result!.bytes], [1, 30_000]);
    assertEquals(describeTree(out).filter((line) => !line.includes("/ ")).length, 1);
    await refused(pull(collection, out, { files: ["none", "nor*"] }), "NOT_FOUND", "'none' or 'nor*'");
    await refused(pull(collection, `${out}2`, { files: ["none"] }), "NOT_FOUND", "--list");
    assertEquals(isThere(`${out}2`), false);
  }));

test("cut off after any number of chunks, it goes on with what is missing", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    const chunks = chunksOf(collection);
    for (const stopAfter of [0, 1, 2, 3, 5, 8, 12, 40, chunks - 2, chunks - 1]) {
      const first = await pull(collection, `${out}${stopAfter}`, { stopAfter });
      assertEquals(first.result, undefined);
      const second = await pull(collection, `${out}${stopAfter}`);
      assertEquals(describeTree(`${out}${stopAfter}`), describeTree(source), `${stopAfter}`);
      // Two chunks at the edges of files that were in their places already.
      assertLessOrEqual(first.given + second.given, chunks + 2, `${stopAfter}`);
    }
  }));

test("cut off again and again, in any order", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    const { integer } = seededRandom(5);
    let given = 0;
    for (let times = 0;; times++) {
      assert(times < 200);
      const one = await pull(collection, out, {
        stopAfter: 1 + integer(20),
        order: (chunks) => chunks.toSorted(() => integer(3) - 1),
      });
      given += one.given;
      if (one.result) break;
    }
    assertEquals(describeTree(out), describeTree(source));
    assertLessOrEqual(given, 2 * chunksOf(collection));
  }));

test("a part without a journal, or of another exposure, is tried; a damaged one is pulled again", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    const chunks = chunksOf(collection);
    const cut = async (change: (work: string) => void) => {
      await pull(collection, out, { stopAfter: chunks - 5 });
      change(`${out}/.rgtp-part`);
    };
    await cut((work) => Deno.removeSync(`${work}/journal`));
    assertLessOrEqual((await pull(collection, out)).given, 20);
    await Deno.remove(out, { recursive: true });
    // Another file in front, another ID, other chunks: the part of the large file is worth the same.
    await cut(() => Deno.writeFileSync(`${source}/a/before`, noise(3000, 8)));
    const later = await collect([source]);
    assertLessOrEqual((await pull(later, out)).given, 20);
    assertEquals(describeTree(out), describeTree(source));
    await Deno.remove(out, { recursive: true });
    await cut((work) => {
      for (const { name } of Deno.readDirSync(work)) {
        if (name.length === 32) Deno.writeFileSync(`${work}/${name}`, new Uint8Array(2_000_000).fill(7));
      }
    });
    await pull(later, out);
    assertEquals(describeTree(out), describeTree(source));
  }));

test("files that hold something else are not touched, and nothing is made; --force replaces them", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    makeTree(out, { big: noise(1000, 9), "z/last": noise(10, 9), own: "mine" });
    const before = describeTree(out);
    await refused(
      pull(collection, out),
      "EXISTS",
      "big' exists and holds something else (and so do 1 others)",
    );
    assertEquals(describeTree(out), before);
    await pull(collection, out, { force: true });
    assertEquals(describeTree(out).filter((line) => !line.startsWith("own ")), describeTree(source));
    assertEquals(Deno.readTextFileSync(`${out}/own`), "mine");
  }));

test("of an older version only the chunks that differ move", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    await pull(collection, out);
    const changed = Deno.readFileSync(`${out}/big`);
    changed[500_000] ^= 1;
    Deno.writeFileSync(`${out}/big`, changed);
    const { given, kept } = await pull(collection, out, { force: true });
    // The index, the changed chunk, and the last one if another file has a part in it.
    assertLessOrEqual(given, 3);
    assert(kept >= 255);
    assertEquals(Deno.readFileSync(`${out}/big`), tree["big"]);
  }));

test("a file that appears meanwhile is not overwritten", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    const sink = open(collection, out);
    await feed(sink, collection, { stopAfter: 3 });
    Deno.writeTextFileSync(`${out}/big`, "mine");
    sink.close();
    await refused(pull(collection, out), "EXISTS", "/big'");
    assertEquals(Deno.readTextFileSync(`${out}/big`), "mine");
    await Deno.remove(`${out}/big`);
    const late = open(collection, out);
    await feed(late, collection);
    Deno.writeTextFileSync(`${out}/big`, "mine");
    await refused(late.finish(), "EXISTS", "/big'");
    late.close();
    assertEquals(Deno.readTextFileSync(`${out}/big`), "mine");
  }));

/** A link into nothing appears where a file goes. */
async function refusesLink(collection: TestCollection, out: string): Promise<void> {
  const sink = open(collection, out);
  await feed(sink, collection);
  Deno.symlinkSync("nowhere", `${out}/big`);
  await refused(sink.finish(), "EXISTS", "/big'");
  sink.close();
  assertEquals(Deno.readLinkSync(`${out}/big`), "nowhere");
}

/** A crew without threads: sometimes it is busy, and sometimes a thread breaks off. */
function crewOf(seed: number): FileCrew & { end(): Promise<unknown> } {
  const random = seededRandom(seed);
  const jobs: Promise<void>[] = [];
  const write = quickFiles && quickWriter();
  return {
    end: () => Promise.all(jobs),
    memory: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
    settleFiles: (files, done) => {
      if (random.chance(0.2)) return false;
      const outcomes = random.chance(0.2) ? undefined : settleFiles(hash, files, write);
      jobs.push(new Promise((end) => setTimeout(end, 1)).then(() => done(outcomes)));
      return true;
    },
  };
}

const many: Tree = Object.fromEntries(
  Array.from({ length: 300 }, (_, i) => [`${i % 7}/${i}`, noise((i * 7919) % 9000, i)]),
);

test("many small files, hashed by a crew, in order and in any order, also when they are cut off", () =>
  scene(async (folder, _source, out) => {
    makeTree(`${folder}/many`, many);
    const collection = await collect([`${folder}/many`]);
    for (const seed of [1, 2, 3, 4]) {
      const { integer } = seededRandom(seed);
      const order = (chunks: number[]) =>
        seed === 1
          ? chunks
          : chunks.map((chunk) => ({ chunk, at: chunk + integer(20) })).toSorted((a, b) => a.at - b.at)
            .map(({ chunk }) => chunk);
      for (const stopAfter of seed % 2 ? [undefined] : [150, undefined]) {
        const sink = open(collection, `${out}${seed}`);
        const crew = crewOf(seed);
        sink.useCrew(crew);
        const { isWhole } = await feed(sink, collection, { order, ...(stopAfter && { stopAfter }) });
        await crew.end();
        if (isWhole) assertEquals((await sink.finish()).files, 300);
        sink.close();
      }
      const expected = describeTree(`${folder}/many`);
      const others = describeTree(`${out}${seed}`).filter((line, i) => line !== expected[i]);
      assertEquals(others.map((line) => line.slice(0, 40)), [], `seed ${seed}`);
    }
  }));

test("a file that is not what the index says, hashed by a crew: MERKLE_FAIL, and it is not there", () =>
  scene(async (folder, _source, out) => {
    makeTree(`${folder}/many`, many);
    const { plain, manifest, ...collection } = await collect([`${folder}/many`]);
    const lying = plain.slice();
    lying[plain.length - 40_000] ^= 1;
    const sink = open({ plain: lying, manifest, ...collection }, out);
    const crew = crewOf(9);
    sink.useCrew(crew);
    const error = await assertRejects(async () => {
      await feed(sink, { plain: lying, manifest, ...collection }).finally(() => crew.end());
      await sink.finish();
    }, RgtpError);
    sink.close();
    assertEquals(error.condition, "MERKLE_FAIL", error.message);
    assertEquals(isThere(`${out}/${error.data?.path}`), false);
  }));

Deno.test({
  name: "folder sink: a link into nothing that appears meanwhile is not overwritten",
  ignore: !isUnix,
  fn: () => scene(async (_folder, source, out) => await refusesLink(await collect([source]), out)),
});

Deno.test({
  name: "folder sink: where a file cannot have two names it is renamed, and nothing is overwritten either",
  ignore: !isUnix,
  fn: () =>
    scene(async (_folder, source, out) => {
      const collection = await collect([source]);
      const { linkSync } = Deno;
      let tries = 0;
      try {
        Object.assign(Deno, {
          linkSync: () => {
            tries++;
            throw new Deno.errors.NotSupported("no links here");
          },
        });
        await pull(collection, out);
        assertEquals(describeTree(out), describeTree(source));
        await refusesLink(collection, `${out}2`);
      } finally {
        Object.assign(Deno, { linkSync });
      }
      assert(tries > files);
    }),
});

test("two pulls into one folder: the second says so", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    const sink = open(collection, out);
    await feed(sink, collection, { stopAfter: 3 });
    const error = assertThrows(() => open(collection, out), RgtpError);
    assertEquals(error.condition, "BUSY");
    sink.close();
    await pull(collection, out);
  }));

test("a file that appears in place of the folder, while the index comes: EXISTS", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    const sink = open(collection, out);
    Deno.writeTextFileSync(out, "mine");
    await refused(feed(sink, collection), "EXISTS", "/out' is no folder");
    sink.close();
    assertEquals(Deno.readTextFileSync(out), "mine");
  }));

test("a file in place of the folder, and a file or link in place of one of its folders: EXISTS", () =>
  scene(async (folder, source, out) => {
    const collection = await collect([source]);
    Deno.writeTextFileSync(out, "a file");
    assertEquals(assertThrows(() => open(collection, out), RgtpError).condition, "EXISTS");
    await Deno.remove(out);
    makeTree(out, { a: "a file" });
    for (const force of [false, true]) await refused(pull(collection, out, { force }), "EXISTS", "/a'");
    await Deno.remove(`${out}/a`);
    if (!isUnix) return;
    await Deno.mkdir(`${folder}/elsewhere`);
    await Deno.symlink(`${folder}/elsewhere`, `${out}/a`);
    for (const force of [false, true]) await refused(pull(collection, out, { force }), "EXISTS", "/a'");
    assertEquals([...Deno.readDirSync(`${folder}/elsewhere`)], []);
  }));

Deno.test({
  name:
    "folder sink: links are made last, replaced only with --force, and never lead out by way of one that is there",
  ignore: !isUnix,
  fn: () =>
    scene(async (folder, source, out) => {
      const collection = await collect([source]);
      const { given } = await pull(collection, out, { files: ["l"] });
      assertEquals([given, [...Deno.readDirSync(`${out}/l`)].length], [1, links]);
      await Deno.remove(`${out}/l/link`);
      await Deno.symlink("elsewhere", `${out}/l/link`);
      await refused(pull(collection, out, { files: ["l"] }), "EXISTS", "/l/link'");
      await pull(collection, out, { files: ["l"], force: true });
      assertEquals(Deno.readLinkSync(`${out}/l/link`), "../a/run.sh");
      await Deno.remove(out, { recursive: true });
      await Deno.mkdir(`${folder}/elsewhere`);
      await Deno.mkdir(out);
      await Deno.symlink(`${folder}/elsewhere`, `${out}/z`);
      await refused(pull(collection, out, { files: ["l"] }), "NOT_SUPPORTED", "lead out");
      assertEquals(isThere(`${out}/l/folder`), false);
    }),
});

Deno.test({
  name: "folder sink: zeros become holes",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    scene(async (_folder, source, out) => {
      const sparse = new Uint8Array(3_000_000);
      sparse.set(noise(5000, 1), 1_000_000);
      Deno.writeFileSync(`${source}/sparse`, sparse);
      Deno.writeFileSync(`${source}/zeros`, new Uint8Array(50_000));
      await pull(await collect([source]), out);
      assertEquals(describeTree(out), describeTree(source));
      assertLessOrEqual(Deno.statSync(`${out}/sparse`).blocks! * 512, 32_768);
      assertEquals(Deno.statSync(`${out}/zeros`).blocks, 0);
    }),
});

test("what was opened for nothing is taken away again", () =>
  scene(async (_folder, source, out) => {
    const collection = await collect([source]);
    const sink = open(collection, out);
    await feed(sink, collection, { stopAfter: 1 });
    sink.close();
    sink.close();
    assertEquals(isThere(out), false);
  }));
