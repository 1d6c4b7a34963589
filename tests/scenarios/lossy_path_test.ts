// Packets get lost at random, both ways: everything arrives, and costs what the loss makes it cost.
import { assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const BYTES = 1_000_000;
const cases = [
  { lossRate: 0.01, secondsMax: 0.4, factorMax: 1.05 },
  { lossRate: 0.1, secondsMax: 0.45, factorMax: 1.22 },
  { lossRate: 0.5, secondsMax: 2.5, factorMax: 2.3 },
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
