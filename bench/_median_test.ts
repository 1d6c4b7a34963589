import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { sureMedian } from "./_median.ts";

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

Deno.test("a median has the interval that tables of the sign test give", () => {
  assertEquals(sureMedian(upTo(15)), { median: 8, from: 4, to: 12 });
  assertEquals(sureMedian(upTo(30)), { median: 15.5, from: 10, to: 21 });
  assertEquals(sureMedian(upTo(6)), { median: 3.5, from: 1, to: 6 });
});

Deno.test("few figures have their range, and none are refused", () => {
  assertEquals(sureMedian([3, 1, 2]), { median: 2, from: 1, to: 3 });
  assertThrows(() => sureMedian([]), RangeError);
});

Deno.test("the interval holds the true middle as often as it says, of figures that are spread unevenly", () => {
  let state = 1;
  const float = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  let holds = 0;
  for (let draw = 0; draw < 1000; draw++) {
    const { from, to } = sureMedian(Array.from({ length: 15 }, () => -Math.log(1 - float())));
    if (from <= Math.LN2 && to >= Math.LN2) holds++;
  }
  assert(holds >= 945 && holds < 990, `${holds} of 1000`);
});
