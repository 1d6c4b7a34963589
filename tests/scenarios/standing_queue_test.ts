// A line of 2 Mbit/s before which two seconds of packets fit: it is filled, and whoever else uses it waits little for that.
import { assertGreater, assertLess } from "../_assert.ts";
import { measure } from "../sim/measure.ts";
import { weathers } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const jitter = { jitterMs: 0.5, jitterKeepsOrder: true };
// Four symbols, the least that one request asks for, take 24 ms.
const cases = [
  // Without jitter, with which it may take its own queue for that of others; so there is no chance in it.
  { trafficClass: "normal", meanMax: 60, most95: 130, path: {}, seeds: [1] },
  { trafficClass: "batch", meanMax: 50, most95: 95, path: jitter, seeds: [1, 2, 3] },
] as const;

for (const { trafficClass, meanMax, most95, path, seeds } of cases) {
  Deno.test(`${trafficClass}: packets wait ${meanMax} ms on average, and 19 of 20 less than ${most95} ms`, async () => {
    const line = { ...weathers["2 s of queue"].down, ...path };
    for (const seed of simSeeds(...seeds)) {
      const measured = await measure({ down: line, up: line }, {
        size: 10e6,
        seed,
        puller: { trafficClass },
      });
      assertGreater(measured.share, 0.97);
      assertLess(measured.waitMs, meanMax);
      assertLess(measured.wait95Ms, most95);
      assertLess(measured.ownLoss, 1e-6);
    }
  });
}
