import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "../_assert.ts";
import { seededRandom, xoshiro128 } from "./random.ts";

Deno.test("random: xoshiro128** 1.1 from the state 1, 2, 3, 4", () => {
  // The vector of the Rust crate rand_xoshiro (from the authors' C program), computed again by a second program in Python.
  const expected = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849];
  const random = xoshiro128(1, 2, 3, 4);
  assertEquals(expected.map(() => random.uint32()), expected);
});

Deno.test("random: the same for the same seed and label, else different", () => {
  const first = (seed: number, label?: string) => [...seededRandom(seed, label).bytes(32)];
  assertEquals(first(7, "a"), first(7, "a"));
  assertNotEquals(first(7, "a"), first(8, "a"));
  assertNotEquals(first(7, "a"), first(7, "b"));
});

Deno.test("random: neighbouring seeds give even and unrelated streams", () => {
  for (let seed = 0; seed < 20; seed++) {
    const [a, b] = [seededRandom(seed), seededRandom(seed + 1)];
    let [sum, product] = [0, 0];
    const count = 20_000;
    for (let i = 0; i < count; i++) {
      const [x, y] = [a.float(), b.float()];
      assert(x >= 0 && x < 1);
      sum += x;
      product += (x - 0.5) * (y - 0.5);
    }
    // Five standard deviations.
    assertAlmostEquals(sum / count, 0.5, 5 * Math.sqrt(1 / 12 / count));
    assertAlmostEquals(product / count, 0, 5 / 12 / Math.sqrt(count));
  }
});

Deno.test("random: integers reach both ends, chance knows never and always", () => {
  const random = seededRandom(1);
  const seen = new Set(Array.from({ length: 1000 }, () => random.integer(8)));
  assertEquals([...seen].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  for (let i = 0; i < 1000; i++) assert(!random.chance(0) && random.chance(1));
});
