/*
 * The power goes at any moment of a pull: what then stands under an output's name is whole, and the same pull completes from whatever
 * else the disk has kept.
 */
import { chunkBytes, chunkCount } from "../../codec/manifest.ts";
import { equalBytes } from "../../core/bytes.ts";
import { pageBytes } from "../../crypto/leaf_pages.ts";
import { assert, assertEquals, assertGreater } from "../../tests/_assert.ts";
import { afterPowerCut, anyLuck, everything, recordDisk, restoreDisk, withFolder } from "./_disk_log.ts";
import type { DiskImage } from "./_disk_log.ts";
import { collect, feed, hash } from "./_feed.ts";
import { describeTree, noise } from "./_trees.ts";
import { FolderSink } from "./folder_sink.ts";
import { openPart } from "./part_file.ts";
import type { PieceFacts } from "./pieces.ts";
import { chunkOffset } from "./pieces.ts";

/** At each moment: all that was written, and so many draws of what may be left of it. */
const DRAWS = 3;
const facts: PieceFacts = { chunkSize: 4096, totalSize: 11 * 4096 + 7 };
const plain = noise(facts.totalSize);
const id = new Uint8Array(32).fill(1);

/** Every moment of what `work` does, and whatever the disk may hold then, put into a folder. */
function atEveryCut(
  work: (folder: string) => Promise<void>,
  check: (folder: string, image: DiskImage) => Promise<void>,
): Promise<void> {
  return withFolder(async (root) => {
    await Deno.mkdir(`${root}/before`);
    const steps = await recordDisk(`${root}/before`, () => work(`${root}/before`));
    assertGreater(steps.length, 20, "that is too little to be a pull");
    for (let count = 0; count <= steps.length; count++) {
      for (let draw = 0; draw <= DRAWS; draw++) {
        const image = afterPowerCut(steps, count, draw === 0 ? everything : anyLuck(1000 * count + draw));
        const folder = `${root}/after`;
        await Deno.mkdir(folder);
        restoreDisk(image, folder);
        await check(folder, image).catch((error) => {
          throw new Error(`power cut behind step ${count} of ${steps.length}, draw ${draw}`, {
            cause: error,
          });
        });
        await Deno.remove(folder, { recursive: true });
      }
    }
  });
}

/** A pull of one file, as a puller's shell does it. How many chunks came from afar. */
async function pullFile(out: string): Promise<number> {
  const part = openPart({ path: out, manifest: facts, id, hash });
  try {
    const flags = part.candidates(0);
    let fetched = 0;
    for (let chunk = 0; chunk < chunkCount(facts); chunk++) {
      const at = chunkOffset(facts, chunk);
      const right = plain.subarray(at, at + chunkBytes(facts, chunk));
      const into = new Uint8Array(right.length);
      if (flags?.[chunk] && part.read(chunk, into)) {
        if (equalBytes(into, right)) {
          part.keep(chunk, into);
          continue;
        }
        part.reject(chunk);
      }
      part.write(chunk, right);
      fetched++;
    }
    part.savePage(0, new Uint8Array(pageBytes(chunkCount(facts), 0)).fill(7));
    await part.finish();
    return fetched;
  } finally {
    part.close();
  }
}

Deno.test("power cut: a file is whole or not there, and the same pull completes", async () => {
  const fetched = new Set<number>();
  await atEveryCut(
    async (folder) => void await pullFile(`${folder}/out`),
    async (folder, image) => {
      const there = image.get("out");
      if (there !== undefined) assertEquals(there, plain);
      fetched.add(await pullFile(`${folder}/out`));
      assertEquals(Deno.readFileSync(`${folder}/out`), plain);
      assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["out"]);
    },
  );
  // From nothing, from all, and from much between: the cuts were where it matters.
  assert(fetched.has(0) && fetched.has(chunkCount(facts)) && fetched.size > 8, [...fetched].join(" "));
});

/** The model of a disk knows nothing of times. */
function withoutTimes(root: string): string[] {
  return describeTree(root).map((line) => line.replace(/ \d+$/, ""));
}

const names = ["a", "deep/b", "deep/er/c", "deep/er/d", "e"];

Deno.test("power cut: of a folder each file is whole or not there, and the same pull completes", () =>
  withFolder(async (source) => {
    Deno.mkdirSync(`${source}/deep/er`, { recursive: true });
    const files = new Map(names.map((name, i) => [name, noise(3000 * i, i + 1)]));
    for (const [name, bytes] of files) Deno.writeFileSync(`${source}/${name}`, bytes);
    Deno.symlinkSync("deep", `${source}/link`);
    const collection = await collect([source]);
    const { manifest, id } = collection;
    const expected = withoutTimes(source);
    const pullFolder = async (out: string) => {
      const sink = new FolderSink({ out, manifest, id, hash });
      try {
        await feed(sink, collection);
        await sink.finish();
      } finally {
        sink.close();
      }
    };
    await atEveryCut(
      (folder) => pullFolder(`${folder}/out`),
      async (folder, image) => {
        for (const [name, right] of files) {
          const there = image.get(`out/${name}`);
          if (there !== undefined) assertEquals(there, right, name);
        }
        await pullFolder(`${folder}/out`);
        assertEquals(withoutTimes(`${folder}/out`), expected);
      },
    );
  }));
