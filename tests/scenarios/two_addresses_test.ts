// A ticket names several addresses and not all of them answer: the first that does is taken, without waiting for the others.
import { assertEquals, assertLess } from "../_assert.ts";
import {
  expectWhole,
  exposerAddress,
  pullerAddress,
  SimExposer,
  simExposure,
  SimPuller,
} from "../sim/transfer.ts";
import { simSeeds, World } from "../sim/world.ts";

Deno.test("the first of two addresses is dead: granted within 500 ms", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 300_000);
    const world = new World({ seed, path: { delayMs: 40 } });
    new SimExposer(world, exposerAddress, exposure);
    const dead = { host: "192.0.2.250", port: 9000 };
    const puller = new SimPuller(world, pullerAddress, dead, exposure, { addresses: [dead, exposerAddress] });
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(puller.machine.times.grantedAt!, 500);
  }
});

Deno.test("both addresses answer: one grant is used, the exposer forgets the other", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 300_000);
    // Slow enough that the second is tried as well.
    const world = new World({ seed, path: { delayMs: 200 } });
    const exposers = [exposerAddress, { host: "192.0.2.2", port: 9000 }].map((address) =>
      new SimExposer(world, address, exposure)
    );
    const addresses = exposers.map((exposer) => exposer.address);
    const puller = new SimPuller(world, pullerAddress, exposerAddress, exposure, { addresses });
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertEquals(exposers[1].machine.bytesSent, 0);
    assertEquals(exposers[1].machine.memory.liveTokens, 0);
  }
});
