// Twenty pullers at once behind one bottleneck: all get everything, and none starves.
import { assertLess, assertLessOrEqual } from "../_assert.ts";
import { expectWhole, exposerAddress, SimExposer, simExposure, SimPuller } from "../sim/transfer.ts";
import { simSeeds, World } from "../sim/world.ts";

const PULLERS = 20;
const BYTES = 500_000;

Deno.test("20 pullers on one line: the slowest takes at most 3 x the time of the median", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, BYTES);
    const path = { delayMs: 15, bytesPerSecond: 2_500_000, queueBytes: 150_000 };
    const world = new World({ seed, path });
    const exposer = new SimExposer(world, exposerAddress, exposure);
    // Ports of one host share its path.
    const pullers = Array.from(
      { length: PULLERS },
      (_, i) => new SimPuller(world, { host: "198.51.100.2", port: 40_000 + i }, exposerAddress, exposure),
    );
    world.run(() => pullers.every((puller) => puller.ended), 300_000);
    for (const puller of pullers) expectWhole(puller, exposure);
    const times = pullers.map((puller) => puller.endedAt).toSorted((a, b) => a - b);
    assertLessOrEqual(times[PULLERS - 1], 3 * times[PULLERS / 2]);
    assertLess(exposer.machine.bytesSent, 2 * PULLERS * BYTES);
  }
});

Deno.test("20 pullers of an exposer with a limited rate: the rate is shared", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, BYTES);
    const world = new World({ seed, path: { delayMs: 15 } });
    const exposer = new SimExposer(world, exposerAddress, exposure, { limitRate: 1_000_000 });
    const pullers = Array.from(
      { length: PULLERS },
      (_, i) => new SimPuller(world, { host: `198.51.100.${i + 1}`, port: 40_000 }, exposerAddress, exposure),
    );
    world.run(() => pullers.every((puller) => puller.ended), 300_000);
    for (const puller of pullers) expectWhole(puller, exposure);
    const times = pullers.map((puller) => puller.endedAt).toSorted((a, b) => a - b);
    assertLessOrEqual(times[PULLERS - 1], 3 * times[PULLERS / 2]);
    assertLess(exposer.machine.bytesSent, 2 * PULLERS * BYTES);
  }
});
