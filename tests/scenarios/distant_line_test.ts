// A round trip of 300 ms on a line of 200 Mbit/s with a short queue: five thousand packets are under way, and few of them too many.
import { assertGreater, assertLess } from "../_assert.ts";
import { measure } from "../sim/measure.ts";
import { mbit } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const path = { delayMs: 150, bytesPerSecond: mbit(200), queueMs: 50, jitterMs: 0.5, jitterKeepsOrder: true };

// The start is over two seconds of these five.
Deno.test("300 ms: 0.66 of what there is to have, and 2 % lost by our own doing", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const { share, ownLoss, extraShare } = await measure({ down: path, up: path }, { size: 120e6, seed });
    assertGreater(share, 0.66);
    assertLess(ownLoss, 0.02);
    assertLess(extraShare, 0.05);
  }
});
