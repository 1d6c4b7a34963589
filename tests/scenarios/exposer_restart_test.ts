// The exposer is killed and started again with other secrets: its pullers go on, and pull only what is missing.
import { assertGreater, assertLess } from "../_assert.ts";
import { expectWhole, SimExposer, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const path = { delayMs: 10, bytesPerSecond: 1_000_000, queueBytes: 30_000 };
const RESTARTS = [{ at: 2000, downMs: 500 }, { at: 5000, downMs: 4000 }];

Deno.test("an exposer that restarts twice sends at most 1.05 x the bytes of an uninterrupted pull", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 8_000_000);
    const whole = simTransfer(seed, exposure, { path });
    whole.world.run(() => whole.puller.ended, 60_000);

    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    const exposers = [exposer];
    for (const { at, downMs } of RESTARTS) {
      world.at(at, () => exposers.at(-1)!.crash());
      world.at(at + downMs, () => exposers.push(new SimExposer(world, exposer.address, exposure)));
    }
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    // Each of them had its part in it.
    for (const { machine } of exposers) assertGreater(machine.bytesSent, 1_000_000);
    const sent = exposers.reduce((sum, { machine }) => sum + machine.bytesSent, 0);
    assertLess(sent, 1.05 * whole.exposer.machine.bytesSent);
    assertLess(time, whole.world.now + 4500 + 2 * 3000);
  }
});
