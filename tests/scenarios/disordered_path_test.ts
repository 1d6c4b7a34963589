// Packets overtake each other and come twice: that is not loss, and nothing is stored twice.
import { assertGreater, assertLess } from "../_assert.ts";
import { measure } from "../sim/measure.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { mbit, weathers } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("jitter, packets held back and duplicates: all bytes arrive, and little is sent twice", async () => {
  for (const seed of simSeeds(1, 2, 3, 4)) {
    const exposure = await simExposure(seed, 2_000_000);
    const path = { delayMs: 20, jitterMs: 10, reorderRate: 0.05, reorderMs: 15, duplicateRate: 0.05 };
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    const time = world.run(() => puller.ended, 120_000);
    expectWhole(puller, exposure);
    assertLess(time, 1200);
    assertLess(exposer.machine.bytesSent, 1.1 * leastWireBytes(exposure));
  }
});

const cases = [
  { name: "reordering", secondsMax: 1, factorMax: 1.03 },
  { name: "disorder", secondsMax: 1, factorMax: 1.08 },
  { name: "jitter", secondsMax: 2.5, factorMax: 1.03 },
] as const;

for (const { name, secondsMax, factorMax } of cases) {
  Deno.test(`${name}: all bytes arrive within ${secondsMax} s, and next to nothing is sent twice`, async () => {
    for (const seed of simSeeds(1, 2, 3)) {
      const exposure = await simExposure(seed, 2_000_000);
      const { world, exposer, puller } = simTransfer(seed, exposure, { weather: weathers[name] });
      const time = world.run(() => puller.ended, 60_000);
      expectWhole(puller, exposure);
      assertLess(time, secondsMax * 1000);
      assertLess(exposer.machine.bytesSent, factorMax * leastWireBytes(exposure));
    }
  });
}

Deno.test("a full line of 200 Mbit/s, one packet in twenty held back by 5 ms: 0.89 of it is used, and 2 in 1000 sent twice", async () => {
  const path = { delayMs: 20, bytesPerSecond: mbit(200), queueMs: 50, reorderRate: 0.05, reorderMs: 5 };
  for (const seed of simSeeds(1, 2, 3)) {
    const { share, extraShare } = await measure({ down: path, up: path }, { size: 60e6, seed });
    assertGreater(share, 0.89);
    assertLess(extraShare, 0.002);
  }
});
