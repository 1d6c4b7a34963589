// The path carries no packet over 1300 bytes, and nobody says so: smaller symbols are asked for.
import { assertEquals, assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { weathers } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("an MTU of 1300 from the beginning: bytes flow within 2 s", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 2_000_000);
    const path = { delayMs: 20, mtu: 1300, bytesPerSecond: 5_000_000, queueBytes: 100_000 };
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    assertLess(world.run(() => puller.machine.progress.done > 0, 10_000), 2000);
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(exposer.machine.bytesSent, 1.2 * leastWireBytes(exposure, 1200));
  }
});

Deno.test("the MTU falls to 1300 in mid-transfer, as when a tunnel comes up: it goes on by itself", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 3_000_000);
    const path = { delayMs: 20, mtu: 1500, bytesPerSecond: 1_000_000, queueBytes: 50_000 };
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    world.at(1500, () => world.network.setPath(exposer.address.host, puller.address.host, { mtu: 1300 }));
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(time, 12_000);
    assertEquals(puller.stalls.length % 2, 0);
  }
});

Deno.test("the MTU falls while much is under way on a fast line: it goes on within 3 s", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 10_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { weather: weathers["mtu falls"] });
    // By then nothing is under way any more that was sent before it fell.
    world.at(1000, () => {});
    world.run(() => world.now >= 1000, 1000);
    const { done } = puller.machine.progress;
    assertLess(world.run(() => puller.machine.progress.done > done, 60_000), 800 + 3000);
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(exposer.machine.bytesSent, 1.5 * leastWireBytes(exposure, 1200));
  }
});
