// Either side limits the rate: it is kept, and used.
import { assertAlmostEquals, assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import type { SimTransferOptions } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const BYTES = 1_000_000;
const cases: readonly (readonly [string, number, SimTransferOptions])[] = [
  ["the puller", 300_000, { puller: { limitRate: 300_000 } }],
  ["the puller, hard", 30_000, { puller: { limitRate: 30_000 } }],
  ["the exposer", 300_000, { exposer: { limitRate: 300_000 } }],
  ["the exposer, for each puller", 300_000, { exposer: { pullRateMax: 300_000 } }],
];

for (const [who, rate, options] of cases) {
  Deno.test(`${who} allows ${rate} bytes a second: that is what comes, within 5 %`, async () => {
    for (const seed of simSeeds(1, 2)) {
      // Long enough that a burst at the start, and the debt of the last request, do not count.
      const exposure = await simExposure(seed, Math.max(rate * 15, 2_000_000));
      const { world, exposer, puller } = simTransfer(seed, exposure, options);
      const start = world.run(() => puller.machine.times.requestedAt !== undefined, 1000);
      const time = world.run(() => puller.ended, 300_000) - start;
      expectWhole(puller, exposure);
      assertAlmostEquals(exposer.machine.bytesSent / time * 1000, rate, rate * 0.05);
      assertLess(exposer.machine.bytesSent, 1.05 * leastWireBytes(exposure));
    }
  });
}

Deno.test("a newcomer's handshake does not wait until a limited exposer has served those before it", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, BYTES);
    const { world, exposer, puller } = simTransfer(seed, exposure, { exposer: { limitRate: 20_000 } });
    world.run(() => exposer.machine.memory.answers > 0 && world.now > 2000, 60_000);
    puller.move({ host: puller.address.host, port: 50_000 });
    const moved = world.now;
    world.run(() => exposer.events.filter((event) => event.kind === "granted").length > 1, 60_000);
    assertLess(world.now - moved, 5000);
  }
});
