// Several machines behind one bottleneck, at different distances and starting at different times, and TCP beside them: nobody starves.
import { assertGreater, assertLess } from "../_assert.ts";
import { measure } from "../sim/measure.ts";
import { expectWhole, exposerAddress, SimExposer, simExposure, SimPuller } from "../sim/transfer.ts";
import { mbit, weatherWorld } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const line = { delayMs: 15, bytesPerSecond: mbit(20), queueMs: 60, jitterMs: 1, jitterKeepsOrder: true };
const BYTES = 2_000_000;

Deno.test("five pullers on machines of their own: the slowest takes at most 3 x the time of the median", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, BYTES);
    const world = weatherWorld(seed, { down: line, up: line }, exposerAddress.host);
    const exposer = new SimExposer(world, exposerAddress, exposure);
    const pullers: SimPuller[] = [];
    for (let i = 0; i < 5; i++) {
      const address = { host: `198.51.100.${2 + i}`, port: 40_000 };
      world.network.setPath(exposerAddress.host, address.host, { delayMs: 5 + 20 * i });
      world.at(200 * i, () => pullers.push(new SimPuller(world, address, exposerAddress, exposure)));
    }
    world.run(() => pullers.length === 5 && pullers.every((puller) => puller.ended), 60_000);
    for (const puller of pullers) expectWhole(puller, exposure);
    const times = pullers.map((puller, i) => puller.endedAt - 200 * i).toSorted((a, b) => a - b);
    assertLess(times[4], 3 * times[2]);
    assertLess(world.now, 2 * 5 * BYTES / line.bytesPerSecond * 1000);
    assertLess(exposer.machine.bytesSent, 1.3 * 5 * BYTES);
  }
});

for (const other of ["cubic", "bbr"] as const) {
  Deno.test(`beside one flow of ${other}: both get at least a tenth of the line`, async () => {
    for (const seed of simSeeds(1, 2)) {
      const { share, otherShares } = await measure({ down: line, up: line }, {
        size: 4_000_000,
        seed,
        others: [other],
      });
      assertGreater(share, 0.1);
      assertGreater(otherShares[0], 0.1);
    }
  });
}
