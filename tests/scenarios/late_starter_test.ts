// A line is full when a pull begins: within twenty seconds it has its share, and whoever was there before keeps one.
import { assertGreater, assertLess } from "../_assert.ts";
import { contest, contestExposure, sharesOf } from "../sim/contest.ts";
import { simSeeds } from "../sim/world.ts";

const START_S = 10;

for (const kind of ["cubic", "normal"] as const) {
  Deno.test(`beside ${kind} that has had the line for ${START_S} s: 0.35 to 0.65 from its twentieth second to its fortieth`, async () => {
    const exposure = await contestExposure();
    const shares = simSeeds(1, 2, 3).map((seed) => {
      const fought = contest(
        seed,
        exposure,
        [{ kind }, { kind: "normal", atMs: START_S * 1000 }],
        START_S + 40,
      );
      return sharesOf(fought, START_S + 20, START_S + 40)[1];
    });
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    assertGreater(mean, 0.35);
    assertLess(mean, 0.65);
  });
}
