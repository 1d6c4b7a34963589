import { assert, assertAlmostEquals, assertEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { TokenBucket } from "./token_bucket.ts";

/** 1000 bytes a second, a burst of 500, made at time 100: [time, bytes to spend, ready at, whether it was]. */
const table: readonly (readonly [number, number, number, boolean])[] = [
  [100, 0, 100, true],
  // What is there may be overdrawn once.
  [100, 700, 100, true],
  [100, 1, 301, false],
  [200, 1, 301, false],
  // Time that runs backwards changes nothing.
  [150, 1, 251, false],
  [301, 1, 301, true],
  [301, 1, 302, false],
  // However long it rests, it holds no more than its burst.
  [100_000, 500, 100_000, true],
  [100_000, 1, 100_001, false],
];

Deno.test("token bucket: a table", () => {
  const bucket = new TokenBucket(1000, 500, 100);
  table.forEach(([now, bytes, readyAt, spent], row) => {
    assertAlmostEquals(bucket.readyAt(now), readyAt, 1e-6, `row ${row}`);
    assertEquals(bucket.trySpend(now, bytes), spent, `row ${row}`);
  });
});

Deno.test("token bucket: over any time, no more than rate, burst and one debt go out; and at readyAt it is ready", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { integer, float } = seededRandom(seed);
    const rate = 10 ** (1 + integer(9));
    const burst = 1 + integer(100_000);
    const bucket = new TokenBucket(rate, burst, 0);
    let [now, spent, most] = [0, 0, 0];
    for (let i = 0; i < 500; i++) {
      const readyAt = bucket.readyAt(now);
      assert(readyAt >= now);
      const isReady = readyAt === now;
      if (!isReady && float() < 0.7) {
        now = readyAt;
        assertEquals(bucket.readyAt(now), now);
        continue;
      }
      if (!isReady) {
        now += float() * 10;
        continue;
      }
      const bytes = integer(3000);
      bucket.spend(now, bytes);
      most = Math.max(most, bytes);
      spent += bytes;
      assert(spent <= burst + most + now * rate / 1000 + 2, `seed ${seed}`);
    }
  }
});
