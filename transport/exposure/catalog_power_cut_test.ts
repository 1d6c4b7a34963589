/*
 * The power goes at any moment of a catalog's life: what an exposer was told to remember is there afterwards, or was under way. Above
 * all: a ticket that was revoked stays revoked.
 */
import { assert, assertEquals, assertGreater } from "../../tests/_assert.ts";
import { projectRoot } from "../../tests/real/_processes.ts";
import { story, told } from "./_catalog_story.ts";
import { afterPowerCut, anyLuck, everything, restoreDisk, withFolder } from "./_disk_log.ts";
import type { DiskImage } from "./_disk_log.ts";
import { watchDisk, whyNoStrace } from "./_system_calls.ts";
import { openCatalog } from "./catalog.ts";

const DRAWS = 2;
const lack = await whyNoStrace();

/** What a catalog tells after none of the changes, the first, the first two… */
function toldAfterEach(folder: string): unknown[] {
  const catalog = openCatalog(folder);
  try {
    return [
      told(catalog),
      ...story.map((change) => {
        change(catalog);
        return told(catalog);
      }),
    ];
  } finally {
    catalog.close();
  }
}

function marks(image: DiskImage): number {
  return [...image.keys()].filter((path) => path.startsWith("mark ")).length;
}

Deno.test({
  name: `power cut: a catalog has what it was told, at every moment${lack && ` [skipped: ${lack}]`}`,
  ignore: lack !== "",
  fn: () =>
    withFolder(async (root) => {
      const states = toldAfterEach(`${root}/model`);
      await Deno.mkdir(`${root}/before`);
      const steps = await watchDisk(`${root}/before`, [
        ...[Deno.execPath(), "run", "-A", "--no-lock", "--no-check", `--config=${projectRoot}/deno.json`],
        ...[`${projectRoot}/transport/exposure/_catalog_story.ts`, `${root}/before`],
      ]);
      assertGreater(steps.filter(({ kind }) => kind === "write").length, 30);
      const seen = new Set<number>();
      for (let count = 0; count <= steps.length; count++) {
        // What was marked had been promised by then, whatever is left of the mark.
        const promised = marks(afterPowerCut(steps, count, everything));
        for (let draw = 0; draw <= DRAWS; draw++) {
          const image = afterPowerCut(steps, count, draw === 0 ? everything : anyLuck(1000 * count + draw));
          const now = await toldAfter(image, `${root}/after`);
          const state = states.findIndex((one, i) => i >= promised && isSame(one, now));
          const what =
            `behind step ${count} of ${steps.length}, draw ${draw}: after ${promised} changes it tells`;
          assert(state === promised || state === promised + 1, `${what} ${Deno.inspect(now)}`);
          seen.add(state);
        }
      }
      assertEquals([...seen].sort((a, b) => a - b), states.map((_, i) => i));
    }),
});

/** What a catalog tells that a disk holds so. */
async function toldAfter(image: DiskImage, folder: string): Promise<unknown> {
  await Deno.mkdir(folder);
  try {
    restoreDisk(image, folder);
    const catalog = openCatalog(`${folder}/state`);
    try {
      return told(catalog);
    } finally {
      catalog.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function isSame(one: unknown, other: unknown): boolean {
  return Deno.inspect(one, { depth: 9, iterableLimit: 1e6 }) ===
    Deno.inspect(other, { depth: 9, iterableLimit: 1e6 });
}
