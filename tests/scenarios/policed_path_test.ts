// Somebody drops what is over a rate, and holds nothing back: no delay tells of it, and the rate is found all the same.
import { assertGreater, assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { weathers } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("a policer of 50 Mbit/s, 40 ms away: a third of its rate is used, and little is sent in vain but at the start", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 6_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { weather: weathers.policer });
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(time, 3 * 6_000_000 / 6_250_000 * 1000);
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
