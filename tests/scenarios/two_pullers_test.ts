// Two pulls on machines of their own share one line, from the same moment on: each gets its half.
import { assertGreater } from "../_assert.ts";
import { contest, contestExposure, fairnessOf, sharesOf, useOf } from "../sim/contest.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("two pullers for a minute: Jain's index is 0.95 at least, and the line is full", async () => {
  const exposure = await contestExposure();
  for (const seed of simSeeds(1, 2)) {
    const fought = contest(seed, exposure, [{ kind: "normal" }, { kind: "normal" }], 60);
    assertGreater(fairnessOf(sharesOf(fought, 10, 60)), 0.95);
    assertGreater(useOf(fought, 0, 10, 60) + useOf(fought, 1, 10, 60), 0.97);
  }
});
