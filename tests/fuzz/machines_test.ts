import { assert } from "../_assert.ts";
import { runChaos } from "./_chaos.ts";

const SEEDS = 120;

Deno.test("fuzz: both machines under damaged packets and calls in any order never throw, never spin, keep their bounds, and end", () => {
  let [done, parity] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { isDone, parityServed } = runChaos(seed);
    if (isDone) done++;
    parity += parityServed;
  }
  assert(parity > 10 * SEEDS, `only ${parity} symbols of parity were served`);
  assert(done > SEEDS / 5, `only ${done} of ${SEEDS} came to a good end: the rest tests little`);
});
