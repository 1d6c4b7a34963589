// A pull and a TCP flow under CUBIC begin at the same moment: each has its part, and the queue drops no more than with two of those.
import { assertGreater, assertLess } from "../_assert.ts";
import { contest, contestExposure, dropsOf, sharesOf } from "../sim/contest.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("beside CUBIC for a minute, after ten seconds: 0.35 to 0.65 of the line on average, and 1.2 x the drops of two CUBIC flows at most", async () => {
  const exposure = await contestExposure();
  const seeds = simSeeds(1, 2, 3, 4);
  const fought = seeds.map((seed) => contest(seed, exposure, [{ kind: "normal" }, { kind: "cubic" }], 60));
  const usual = seeds.map((seed) => contest(seed, exposure, [{ kind: "cubic" }, { kind: "cubic" }], 60));
  const shares = fought.map((one) => sharesOf(one, 10, 60)[0]);
  assertGreater(mean(shares), 0.35);
  assertLess(mean(shares), 0.65);
  assertLess(
    mean(fought.map((one) => dropsOf(one, 10, 60))),
    1.2 * mean(usual.map((one) => dropsOf(one, 10, 60))),
  );
});

function mean(figures: readonly number[]): number {
  return figures.reduce((sum, one) => sum + one, 0) / figures.length;
}
