/*
 * A handful of what `deno task faults` runs by the thousand: one of each kind, and what has gone wrong once.
 */
import { assertEquals } from "../_assert.ts";
import { faults, lacks, runFault } from "./run.ts";

/** A few that need nothing that a machine may lack, and one for each of the others; with a seed that strikes in the middle. */
const tried: readonly (readonly [name: string, seed: number])[] = [
  ["the puller is killed", 1],
  ["what a pull keeps is damaged", 3],
  ["the catalog is damaged", 4],
  ["the disk of the output fails", 5],
  ["files may not grow", 6],
  ["bits flip on the wire", 8],
  ["an interface goes down for a while", 9],
  ["the source is written to", 10],
];

const lack = await lacks();

for (const [name, seed] of tried) {
  const fault = faults.find((one) => one.name === name)!;
  const skipped = fault.needs ? lack[fault.needs] : "";
  Deno.test({
    name: `fault: ${name}, seed ${seed}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn: async () => {
      const { trouble } = await runFault(fault, seed);
      assertEquals(trouble?.message, undefined);
    },
  });
}
