// A line of 200 Mbit/s, 40 ms away, with any loss: it is filled, and little is sent beside the file and what gets lost.
import { assertGreater, assertLess } from "../_assert.ts";
import { measure } from "../sim/measure.ts";
import { mbit } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const line = { delayMs: 20, bytesPerSecond: mbit(200), queueMs: 50 };
/** The start, 0.15 s and where symbols get lost twice as long, is a tenth of it. */
const BYTES = 60_000_000;
const cases = [
  { lossRate: 0, shareMin: 0.92, requestsMax: 0.006 },
  { lossRate: 0.01, shareMin: 0.87, requestsMax: 0.007 },
  { lossRate: 0.05, shareMin: 0.82, requestsMax: 0.007 },
  { lossRate: 0.1, shareMin: 0.79, requestsMax: 0.008 },
  { lossRate: 0.3, shareMin: 0.75, requestsMax: 0.012 },
  { lossRate: 0.5, shareMin: 0.72, requestsMax: 0.015 },
];

for (const { lossRate, shareMin, requestsMax } of cases) {
  Deno.test(`${lossRate * 100} % loss both ways: ${shareMin} of what there is to have`, async () => {
    const path = { ...line, lossRate };
    // Without loss nothing is left to chance.
    for (const seed of lossRate > 0 ? simSeeds(1, 2) : simSeeds(1)) {
      const { share, downBytes, upBytes } = await measure({ down: path, up: path }, { size: BYTES, seed });
      assertGreater(share, shareMin);
      // Headers, what gets lost, and of that a twentieth for luck.
      assertLess(downBytes, BYTES * 1.06 / (1 - lossRate) * (lossRate > 0 ? 1.05 : 1));
      assertLess(upBytes, requestsMax * downBytes);
    }
  });
}
