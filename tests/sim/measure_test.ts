import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "../_assert.ts";
import { meanOf, measure } from "./measure.ts";
import { mbit } from "./weather.ts";
import type { Weather } from "./weather.ts";

/** 10 Mbit/s, 20 ms there and back, and a queue in which all that is ever under way has room. */
const line: Weather = {
  down: { delayMs: 10, bytesPerSecond: mbit(10), queueMs: 5000 },
  up: { delayMs: 10, bytesPerSecond: mbit(10) },
};

Deno.test("measure: a line that loses nothing: what it costs can be reckoned", async () => {
  const measured = await measure(line, { size: 2_000_000, seed: 1 });
  const { share, ms, roundTrips, downBytes, waitMs, wait95Ms, otherShares } = measured;
  assert(share > 0.9 && share < 1, `${share}`);
  assertAlmostEquals(ms, 2_000_000 / (mbit(10) * 1428 / 1480 * share) * 1000, 0.01);
  assertAlmostEquals(roundTrips, ms / 20);
  assertEquals([measured.ownLoss, measured.ownLossUp, measured.lossDown, measured.lossUp], [0, 0, 0, 0]);
  assertEquals([measured.extraShare, otherShares], [0, []]);
  // All symbols, their headers, and a handshake.
  assertAlmostEquals(downBytes, 2_000_000 * 1480 / 1428, 5000);
  assert(waitMs > 0 && wait95Ms > waitMs && wait95Ms < 5000, `${waitMs} and ${wait95Ms}`);
});

Deno.test("measure: what is lost is told apart: by chance, and by a queue that was full", async () => {
  const lossy = { ...line, down: { ...line.down, lossRate: 0.1 } };
  const byChance = await measure(lossy, { size: 1_000_000, seed: 1 });
  assertAlmostEquals(byChance.lossDown, 0.1, 0.05);
  assertEquals([byChance.ownLoss, byChance.lossUp], [0, 0]);
  assertGreater(byChance.extraShare, 0.05);

  const short = { ...line, down: { ...line.down, queueMs: 10 } };
  const byQueue = await measure(short, { size: 1_000_000, seed: 1 });
  assertGreater(byQueue.ownLoss, 0);
  assertEquals(byQueue.lossDown, 0);
  assertLess(byQueue.wait95Ms, 10 + 1e-6);
});

Deno.test("measure: beside TCP, both are measured", async () => {
  const options = { size: 3_000_000, others: ["cubic", "cubic"] } as const;
  const usual = { ...line, down: { ...line.down, queueMs: 60 } };
  const measured = [];
  for (const seed of [1, 2]) measured.push(await measure(usual, { ...options, seed }));
  const { share, otherShares } = meanOf(measured);
  const sum = otherShares.reduce((all, one) => all + one, share);
  assertEquals(otherShares.length, 2);
  assert(sum > 0.85 && sum < 1.05, `${share} ${otherShares}`);
});

Deno.test("measure: a transfer that takes too long is a failure with its seed", async () => {
  await assertRejects(
    () => measure(line, { size: 2_000_000, seed: 5, limitMs: 100 }),
    Error,
    "simulation with seed 5 failed",
  );
});
