// Round trips longer than our patience with a first packet: nothing is taken for lost that is only far away.
import { assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { weathers } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

for (const delayMs of [150, 300, 600, 1000]) {
  Deno.test(`a round trip of ${2 * delayMs} ms: the line is used, and little is sent twice`, async () => {
    for (const seed of simSeeds(1, 2)) {
      const exposure = await simExposure(seed, 4_000_000, { chunkSize: 262_144 });
      const path = { delayMs, bytesPerSecond: 1_250_000, queueBytes: 2_000_000 };
      const { world, exposer, puller } = simTransfer(seed, exposure, { path });
      const time = world.run(() => puller.ended, 120_000);
      expectWhole(puller, exposure);
      assertLess(time, 3200 + 12 * delayMs);
      assertLess(exposer.machine.bytesSent, 1.05 * leastWireBytes(exposure));
    }
  });
}

Deno.test("a satellite that loses one packet in 200, and has a tenth of the rate back: nothing is given up", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 2_000_000, { chunkSize: 262_144 });
    const { world, exposer, puller } = simTransfer(seed, exposure, { weather: weathers.satellite });
    const time = world.run(() => puller.ended, 120_000);
    expectWhole(puller, exposure);
    assertLess(time, 6000);
    assertLess(exposer.machine.bytesSent, 1.03 * leastWireBytes(exposure));
  }
});
