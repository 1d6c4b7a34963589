// Packets get lost many in a row, as on air: only those are sent again.
import { assertGreater, assertLess } from "../_assert.ts";
import { meanOf, measure } from "../sim/measure.ts";
import type { Measured } from "../sim/measure.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { mbit, weathers } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const cases = [
  { name: "bursts", secondsMax: 1.5, factorMax: 1.15 },
  { name: "long bursts", secondsMax: 1.5, factorMax: 1.2 },
  { name: "wireless", secondsMax: 2, factorMax: 1.05 },
] as const;

for (const { name, secondsMax, factorMax } of cases) {
  Deno.test(`${name}: all bytes arrive within ${secondsMax} s`, async () => {
    for (const seed of simSeeds(1, 2, 3, 4)) {
      const exposure = await simExposure(seed, 2_000_000);
      const { world, exposer, puller } = simTransfer(seed, exposure, { weather: weathers[name] });
      const time = world.run(() => puller.ended, 120_000);
      expectWhole(puller, exposure);
      assertLess(time, secondsMax * 1000);
      assertLess(exposer.machine.bytesSent, factorMax * leastWireBytes(exposure));
    }
  });
}

// Luck decides: a burst at a bad moment is taken for a loss of our own making.
Deno.test("a full line of 200 Mbit/s, 5 % lost in bursts of ten: seven tenths of it are used on average", async () => {
  const path = { delayMs: 20, bytesPerSecond: mbit(200), queueMs: 50, burstLossRate: 0.05, burstPackets: 10 };
  const measured: Measured[] = [];
  for (const seed of simSeeds(1, 2, 3, 4, 5, 6)) {
    measured.push(await measure({ down: path, up: path }, { size: 60e6, seed }));
    assertGreater(measured.at(-1)!.share, 0.5);
  }
  const { share, extraShare } = meanOf(measured);
  assertGreater(share, 0.7);
  assertLess(extraShare, 0.1);
});
