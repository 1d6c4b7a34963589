// A pull and a TCP flow under BBR begin at the same moment: in a minute both get about the same.
import { assertGreater, assertLess } from "../_assert.ts";
import { contest, contestExposure, sharesOf } from "../sim/contest.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("beside BBR for a minute: 0.3 to 0.7 of the line on average, after the first ten seconds", async () => {
  const exposure = await contestExposure();
  const shares = simSeeds(1, 2, 3).map((seed) =>
    sharesOf(contest(seed, exposure, [{ kind: "normal" }, { kind: "bbr" }], 60), 10, 60)[0]
  );
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  assertGreater(mean, 0.3);
  assertLess(mean, 0.7);
});
