// A pull that may wait shares a line with TCP: it takes what is left, and leaves nearly everything.
import { assertGreater } from "../_assert.ts";
import { contest, contestExposure, useOf } from "../sim/contest.ts";
import { simSeeds } from "../sim/world.ts";

for (const kind of ["cubic", "bbr"] as const) {
  Deno.test(`batch beside ${kind} for forty seconds: TCP has nine tenths of the line`, async () => {
    const exposure = await contestExposure();
    for (const seed of simSeeds(1, 2)) {
      const fought = contest(seed, exposure, [{ kind: "batch" }, { kind }], 40);
      assertGreater(useOf(fought, 1, 5, 40), 0.9);
      // It is not forgotten either.
      assertGreater(useOf(fought, 0, 5, 40), 0.005);
    }
  });
}
