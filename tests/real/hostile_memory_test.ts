/*
 * Numbers in indexes and manifests that lie are refused before anything is allocated for them, and before anything is made on the disk.
 */
import { assert, assertEquals, assertLess } from "../_assert.ts";
import { TestFolder } from "./_files.ts";
import { hostileCases } from "./_hostile_indexes.ts";
import { projectRoot } from "./_processes.ts";

/** Far below the hundreds of megabytes that believing any of them would take, and far above what a heap grows by on its own. */
const BYTES_MAX = 50_000_000;
const noPeaks = Deno.build.os === "linux" ? "" : " [skipped: Linux alone tells a process's peak]";

for (const name of hostileCases) {
  Deno.test({
    name: `hostile sizes take no memory: ${name}${noPeaks}`,
    ignore: noPeaks !== "",
    fn: async () => {
      await using folder = await TestFolder.make();
      const script = `${projectRoot}/tests/real/_hostile_indexes.ts`;
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--quiet",
          `--config=${projectRoot}/deno.json`,
          script,
          name,
          folder.path,
        ],
        stdin: "null",
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      assert(success, text(stderr));
      const { bytes, told } = JSON.parse(text(stdout)) as { bytes: number; told: string };
      assertLess(bytes, BYTES_MAX, told);
      // The last one may exist: it is refused by nobody, and costs nothing all the same.
      assertEquals(told !== "", name !== hostileCases.at(-1));
      assertEquals([...Deno.readDirSync(folder.path)], []);
    },
  });
}
