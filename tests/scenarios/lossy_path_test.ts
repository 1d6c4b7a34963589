// Packets get lost at random, both ways: everything arrives, and costs what the loss makes it cost.
import { assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const BYTES = 1_000_000;
// The times are generous: the first window takes all loss for its own fault.
const cases = [
  { lossRate: 0.01, secondsMax: 8, factorMax: 1.08 },
  { lossRate: 0.1, secondsMax: 20, factorMax: 1.25 },
  { lossRate: 0.5, secondsMax: 90, factorMax: 2.4 },
];

for (const { lossRate, secondsMax, factorMax } of cases) {
  Deno.test(`${lossRate * 100} % loss both ways: all bytes arrive`, async () => {
    for (const seed of simSeeds(1, 2, 3)) {
      const exposure = await simExposure(seed, BYTES);
      const { world, exposer, puller } = simTransfer(seed, exposure, { path: { delayMs: 20, lossRate } });
      const time = world.run(() => puller.ended, 600_000);
      expectWhole(puller, exposure);
      assertLess(time, secondsMax * 1000);
      assertLess(exposer.machine.bytesSent, factorMax * leastWireBytes(exposure));
    }
  });
}
