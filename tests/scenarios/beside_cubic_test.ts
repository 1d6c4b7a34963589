// A pull and a TCP flow under CUBIC begin at the same moment: nobody is starved for good, and the queue drops hardly more than with two of those.
import { assertGreater, assertLess } from "../_assert.ts";
import { contest, contestExposure, sharesOf } from "../sim/contest.ts";
import { simSeeds } from "../sim/world.ts";

// Meant are 0.35 to 0.65. What is seen depends on who fills the queue first: see docs/performance.md.
Deno.test("beside CUBIC for a minute: a fifth of the line at least on average, and 1.2 x the drops", async () => {
  const exposure = await contestExposure();
  const usual = contest(1, exposure, [{ kind: "cubic" }, { kind: "cubic" }], 60).drops;
  const shares: number[] = [];
  for (const seed of simSeeds(1, 2, 3, 4)) {
    const fought = contest(seed, exposure, [{ kind: "normal" }, { kind: "cubic" }], 60);
    shares.push(sharesOf(fought, 10, 60)[0]);
    assertLess(fought.drops, 1.2 * usual);
  }
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  assertGreater(mean, 0.2);
  assertLess(mean, 0.65);
});
