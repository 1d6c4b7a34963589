/*
 * Folders through the API: over loopback, in one process.
 */
import { DatabaseSync } from "node:sqlite";
import { RgtpError } from "../core/errors.ts";
import { assertEquals, assertGreater, assertLess, assertRejects } from "../tests/_assert.ts";
import { expose } from "./expose.ts";
import { describeTree, makeTree, noise } from "./exposure/_trees.ts";
import { EntryKind, pull } from "./mod.ts";

const here = { host: "127.0.0.1", port: 0 };

async function inFolder(check: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "rgtp-api-" });
  try {
    await check(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const tree = { "docs/a.txt": "a", "docs/b.txt": "b", "image.bin": noise(300_000), "run*": "#!/bin/sh\n" };

Deno.test("collection: expose a folder, list it, pull a part of it, then all", () =>
  inFolder(async (root) => {
    makeTree(`${root}/source`, tree);
    await using exposure = await expose(`${root}/source`, here);
    const entries = await pull(exposure.ticket).list();
    assertEquals(entries.map(({ path, kind }) => [path, kind]), [
      ["docs", EntryKind.FOLDER],
      ["docs/a.txt", EntryKind.FILE],
      ["docs/b.txt", EntryKind.FILE],
      ["image.bin", EntryKind.FILE],
      ["run", EntryKind.FILE],
    ]);
    const part = await pull(exposure.ticket).saveTo(`${root}/out`, { files: ["docs/*"] });
    assertEquals([part.files, part.bytes, part.alreadyComplete], [2, 2, false]);
    assertLess(part.wireBytes, 150_000);
    const whole = await pull(exposure.ticket).saveTo(() => `${root}/out`);
    assertEquals([whole.files, whole.path, whole.alreadyComplete], [4, `${root}/out`, false]);
    assertEquals(describeTree(`${root}/out`), describeTree(`${root}/source`));
    const again = await pull(exposure.ticket).saveTo(`${root}/out`);
    assertEquals([again.alreadyComplete, again.reusedBytes], [true, again.bytes]);
  }));

Deno.test("collection: several paths, and one path in a list, which stays one file", () =>
  inFolder(async (root) => {
    makeTree(`${root}/source`, tree);
    await using both = await expose([`${root}/source/docs`, `${root}/source/run`], here);
    await pull(both.ticket).saveTo(`${root}/out`);
    assertEquals(describeTree(`${root}/out`).map((line) => line.split(" ")[0]), [
      "docs/",
      "docs/a.txt",
      "docs/b.txt",
      "run",
    ]);
    await using one = await expose([`${root}/source/docs/a.txt`], here);
    assertEquals(await pull(one.ticket).bytes(), new TextEncoder().encode("a"));
    const error = await assertRejects(() => pull(one.ticket).list(), RgtpError);
    assertEquals(error.condition, "NOT_SUPPORTED");
    const chosen = pull(one.ticket).saveTo(`${root}/a.txt`, { files: ["a.txt"] });
    assertEquals((await assertRejects(() => chosen, RgtpError)).condition, "NOT_SUPPORTED");
    await assertRejects(() => expose([], here), TypeError);
  }));

Deno.test("collection: with a state folder the same exposure again, and another one when something has changed", () =>
  inFolder(async (root) => {
    makeTree(`${root}/source`, tree);
    const options = { ...here, stateDir: `${root}/state` };
    const idOf = async (more = {}) => {
      await using exposure = await expose(`${root}/source`, { ...options, ...more });
      return exposure.id;
    };
    const first = await idOf();
    assertEquals(await idOf(), first);
    const reproducible = await idOf({ reproducible: true });
    assertEquals(await idOf({ reproducible: true, rekey: false }), reproducible);
    assertEquals(reproducible === first, false);
    Deno.utimeSync(`${root}/source/run`, 5, 5);
    assertEquals(await idOf() === first, false);
  }));

Deno.test("collection: a store that holds only a part of it serves all of it", () =>
  inFolder(async (root) => {
    makeTree(`${root}/source`, { ...tree, big: noise(18_000_000, 2), other: noise(3_000_000, 3) });
    await using exposure = await expose(`${root}/source`, { ...here, memoryBytesMax: 16 * 1_048_576 });
    await pull(exposure.ticket).saveTo(`${root}/out`);
    assertEquals(describeTree(`${root}/out`), describeTree(`${root}/source`));
  }));

Deno.test("collection: a pull that is cancelled is gone on with", () =>
  inFolder(async (root) => {
    makeTree(`${root}/source`, { ...tree, big: noise(8_000_000, 2) });
    await using exposure = await expose(`${root}/source`, here);
    const cancelled = pull(exposure.ticket, { limitRate: 4_000_000 });
    const onProgress = () => cancelled.progress.done > 1_000_000 && cancelled.close();
    const error = await assertRejects(() => cancelled.saveTo(`${root}/out`, { onProgress }), RgtpError);
    assertEquals(error.condition, "CANCELLED");
    const rest = await pull(exposure.ticket).saveTo(`${root}/out`);
    assertLess(rest.wireBytes, 7_800_000);
    assertEquals(describeTree(`${root}/out`), describeTree(`${root}/source`));
  }));

Deno.test("collection: a large folder exposed again is not read before it is pulled, and arrives the same", () =>
  inFolder(async (root) => {
    makeTree(`${root}/source`, { "a/one": noise(12_000_000, 1), "b": noise(9_000_000, 2), ...tree });
    // What is shared is not sealed again.
    const options = {
      ...here,
      stateDir: `${root}/state`,
      memoryBytesMax: 16 * 1_048_576,
      shared: "off",
    } as const;
    let id = "";
    {
      await using exposure = await expose(`${root}/source`, options);
      id = exposure.id;
      // Just written, it is not believed.
      assertGreater(exposure.stats().store.seals, exposure.chunks - 1);
    }
    const database = new DatabaseSync(`${root}/state/catalog.sqlite`);
    database.exec("UPDATE exposures SET sealed_at_ms = sealed_at_ms + 100000");
    database.close();
    await using again = await expose(`${root}/source`, options);
    assertEquals([again.id, again.stats().store.seals], [id, 0]);
    await pull(again.ticket).saveTo(`${root}/out`);
    assertEquals(describeTree(`${root}/out`), describeTree(`${root}/source`));
    assertGreater(again.stats().store.seals, again.chunks - 1);
  }));

Deno.test("collection: one file of many moves its own chunks and those of the index, byte for byte", () =>
  inFolder(async (root) => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, noise(10_000, i)]));
    makeTree(`${root}/source`, { ...many, "z.bin": noise(2_000_000, 7) });
    await using exposure = await expose(`${root}/source`, { ...here, chunkSize: 65_536 });
    const indexBytes = exposure.bytes - Math.ceil(300 * 10_000 / 65_536) * 65_536 - 2_000_000;
    const wire = (bytes: number, chunks: number) => {
      // Each chunk is 16 bytes longer sealed, and goes out as symbols of 1428 bytes with 24 in front of each.
      const symbols = Math.ceil((Math.min(65_536, bytes) + 16) / 1428);
      return bytes + chunks * 16 + (Math.ceil(bytes / 65_536 * symbols) + 1) * 24;
    };
    // The large one begins with a chunk: it has its chunks to itself. The small one shares one, or two.
    const cases = [["z.bin", 2_000_000, 31], ["f7", 2 * 65_536, 2]] as const;
    for (const [file, bytes, chunks] of cases) {
      const { wireBytes, files } = await pull(exposure.ticket).saveTo(`${root}/${file}-out`, {
        files: [file],
      });
      assertEquals(files, 1);
      assertEquals(
        Deno.readFileSync(`${root}/${file}-out/${file}`),
        Deno.readFileSync(`${root}/source/${file}`),
      );
      // One leaf page, and what a busy machine may lose and ask for again.
      const most = wire(indexBytes, Math.ceil(indexBytes / 65_536)) + wire(bytes, chunks) + 4000;
      assertLess(wireBytes, 1.05 * most, `${file}: ${wireBytes} of ${most}`);
    }
  }));
