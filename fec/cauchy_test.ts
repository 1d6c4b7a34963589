import { assertEquals } from "../tests/_assert.ts";
import { slowInverse, slowInvert, slowMultiply, slowRow } from "./_slow_code.ts";
import { cauchyRows } from "./cauchy.ts";

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** The rows that make `targets` out of the symbols in `slots`, by elimination. */
function slowRows(slots: readonly number[], targets: readonly number[]): number[] {
  const decode = slowInvert(slots.map((index) => slowRow(slots.length, index)));
  return targets.flatMap((target) => {
    const row = slowRow(slots.length, target);
    return slots.map((_, s) => row.reduce((sum, factor, j) => sum ^ slowMultiply(factor, decode[j][s]), 0));
  });
}

Deno.test("cauchy: the coefficient of data j in parity i is 1 / (i ^ j), whatever k is", () => {
  for (const k of [1, 2, 55, 127, 128, 254]) {
    const parity = upTo(255 - k).map((i) => k + i);
    const expected = parity.flatMap((i) => upTo(k).map((j) => slowInverse(i ^ j)));
    assertEquals([...cauchyRows(Uint8Array.from(upTo(k)), Uint8Array.from(parity))], expected);
  }
});

Deno.test("cauchy: rows for every choice of k of small blocks equal those of an elimination", () => {
  for (let k = 1; k <= 5; k++) {
    const indexes = upTo(k + 5);
    for (let chosen = 0; chosen < 1 << indexes.length; chosen++) {
      const have = indexes.filter((i) => (chosen >> i) & 1);
      if (have.length !== k) continue;
      const parity = have.filter((i) => i >= k);
      const slots = upTo(k).map((j) => have.includes(j) ? j : parity.pop()!);
      const targets = indexes.filter((i) => !have.includes(i));
      assertEquals(
        [...cauchyRows(Uint8Array.from(slots), Uint8Array.from(targets))],
        slowRows(slots, targets),
        `${slots} -> ${targets}`,
      );
    }
  }
});

Deno.test("cauchy: rows for large blocks, and for the indexes at the end, equal those of an elimination", () => {
  const table: [number, number[], number[]][] = [
    [55, [0, 7, 13, 14, 53, 54], [254, 253, 55, 60, 128, 127]],
    [128, [127], [128]],
    [32, upTo(32), upTo(32).map((i) => 254 - i)],
    [40, upTo(40).filter((i) => i % 2 === 1), upTo(20).map((i) => 200 + i)],
  ];
  for (const [k, missing, parity] of table) {
    const slots = upTo(k);
    missing.forEach((j, i) => slots[j] = parity[i]);
    const targets = [...missing, 254 - 21, 254 - 40].filter((i) => !slots.includes(i));
    assertEquals([...cauchyRows(Uint8Array.from(slots), Uint8Array.from(targets))], slowRows(slots, targets));
  }
});
