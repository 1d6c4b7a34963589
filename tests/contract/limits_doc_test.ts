import { assert, assertEquals } from "../_assert.ts";
import { limits } from "../../core/limits.ts";
import { projectText } from "../../tools/project_files.ts";

/*
 * docs/limits.md has a row for every limit of core/limits.ts, with its value and unit, in the same order.
 */

const ROW = /^\| `(\w+)` +\| +([\d,]+) +\| +([^|]*?) +\| +([^|]*?) +\|$/gm;
const rows = Array.from(projectText("docs/limits.md").matchAll(ROW), ([, name, value, unit, why]) => ({
  name,
  value: Number(value.replaceAll(",", "")),
  unit: unit.trim(),
  why: why.trim(),
}));

/** A limit's name says its unit; these say it in other words. */
const units: readonly (readonly [RegExp, string])[] = [
  [/BytesPerSecond|BytesMin$|BytesMax$|BytesLanMax$/, "bytes"],
  [/Ms(Max)?$/, "ms"],
  [/CharsMax$/, "characters"],
];

Deno.test("docs/limits.md has the limits of the code, all and in their order", () => {
  assertEquals(rows.map(({ name, value }) => [name, value]), Object.entries(limits));
});

Deno.test("docs/limits.md gives each limit the unit of its name, and a reason", () => {
  for (const { name, unit, why } of rows) {
    const expected = units.find(([ending]) => ending.test(name))?.[1];
    if (expected) assert(unit.startsWith(expected), `${name}: unit '${unit}', not '${expected}'`);
    assert(unit !== "" && why.length > 10, `${name} needs a unit and a reason`);
  }
});
