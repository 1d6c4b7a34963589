import { assert, assertAlmostEquals, assertThrows } from "../tests/_assert.ts";
import { slopeOf } from "./_slope.ts";

type Point = readonly [number, number];

const line = (slope: number, noise: (i: number) => number): Point[] =>
  Array.from({ length: 200 }, (_, i) => [i, 50 + slope * i + noise(i)] as const);

Deno.test("a slope is found, with the interval that its noise leaves", () => {
  const exact = slopeOf(line(0.5, () => 0), 10);
  assertAlmostEquals(exact.slope, 0.5, 1e-9);
  assertAlmostEquals(exact.to - exact.from, 0, 1e-9);
  // Many draws of noise around a flat line: nearly all intervals hold 0, and not all of them.
  let state = 1;
  const float = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  let holds = 0;
  for (let draw = 0; draw < 1000; draw++) {
    const { from, to } = slopeOf(line(0, () => 20 * (float() - 0.5)), 10);
    if (from <= 0 && to >= 0) holds++;
  }
  assert(holds > 920 && holds < 980, `${holds} of 1000`);
});

Deno.test("memory that wanders, and always comes back, is hardly ever taken for growth", () => {
  let state = 1;
  const float = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  let grows = 0;
  for (let draw = 0; draw < 1000; draw++) {
    let at = 0;
    // Each figure is mostly the one before: half of a step is forgotten after 14 of 200.
    const wandering = line(0, () => at = 0.95 * at + float() - 0.5);
    if (slopeOf(wandering, 10).from > 0) grows++;
  }
  assert(grows < 60, `${grows} of 1000`);
});

Deno.test("growth that is larger than the noise is told from none", () => {
  assert(slopeOf(line(0.2, (i) => i % 7), 10).from > 0);
});

Deno.test("too few figures are refused", () => {
  assertThrows(() => slopeOf([[1, 1], [2, 2]], 2), RangeError);
  assertThrows(() => slopeOf([[1, 1], [2, 2]], 3), RangeError);
});
