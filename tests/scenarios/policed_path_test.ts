// Somebody drops what is over a rate, and holds little back or nothing: next to no delay tells of it, and the rate is found all the same.
import { assertGreater, assertLess } from "../_assert.ts";
import { measure } from "../sim/measure.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { mbit, weathers } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const way = { delayMs: 20, jitterMs: 0.5, jitterKeepsOrder: true };
const rate = mbit(50);
const cases = [
  {
    name: "a policer whose bucket holds 64 KB",
    bound: { policedBytesPerSecond: rate, policedBurstBytes: 64_000 },
    shareMin: 0.85,
    ownLossMax: 0.045,
  },
  {
    name: "a policer whose bucket holds 5 ms",
    bound: { policedBytesPerSecond: rate, policedBurstBytes: rate / 200 },
    shareMin: 0.7,
    ownLossMax: 0.045,
  },
  { name: "a queue of 5 ms", bound: { bytesPerSecond: rate, queueMs: 5 }, shareMin: 0.88, ownLossMax: 0.045 },
];

for (const { name, bound, shareMin, ownLossMax } of cases) {
  Deno.test(`${name}, 50 Mbit/s, 40 ms away: ${shareMin} of it is used, and ${ownLossMax * 100} % dropped at most`, async () => {
    const path = { ...way, ...bound };
    for (const seed of simSeeds(1, 2)) {
      const { share, ownLoss } = await measure({ down: path, up: path }, { size: 60e6, seed });
      assertGreater(share, shareMin);
      assertLess(ownLoss, ownLossMax);
      assertGreater(ownLoss, 0);
    }
  });
}

Deno.test("6 MB through a policer of 50 Mbit/s, 40 ms away: half of its rate is used, and little is sent in vain but at the start", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 6_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { weather: weathers.policer });
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(time, 2 * 6_000_000 / rate * 1000);
    // The policer lets the trains pass by which a start tells a fast path.
    assertLess(exposer.machine.bytesSent, 1.5 * leastWireBytes(exposure));
    assertGreater(world.network.stats.policed, 0);
  }
});

Deno.test("a policer next door, of a rate far below what one window brings: it is slow, and comes to its end", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 300_000);
    const path = { delayMs: 1, policedBytesPerSecond: 60_000, policedBurstBytes: 15_000 };
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(time, 2 * 300_000 / 60_000 * 1000);
    // A window of four symbols each 2 ms is fifty times what passes: most of what is asked for is dropped.
    assertLess(exposer.machine.bytesSent, 25 * leastWireBytes(exposure));
  }
});
