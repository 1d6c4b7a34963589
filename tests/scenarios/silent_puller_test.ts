// A puller's address stops receiving: what is still sent there is bounded, whoever goes on asking.
import { assert, assertLess } from "../_assert.ts";
import { limits } from "../../core/limits.ts";
import { simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("the puller vanishes: not more than what it had asked for is sent", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 20_000_000);
    const path = { delayMs: 50, bytesPerSecond: 10_000_000, queueBytes: 500_000 };
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    let atCrash = 0;
    world.at(1500, () => {
      puller.crash();
      atCrash = exposer.machine.bytesSent;
    });
    world.run(() => world.now > 40_000, 700_000);
    assert(atCrash > 0);
    assertLess(exposer.machine.bytesSent - atCrash, 400 * 1452);
  }
});

Deno.test("it still asks, but nothing reaches it: the floor rate after 6 s, nothing after its token", async () => {
  for (const seed of simSeeds(1)) {
    const exposure = await simExposure(seed, 20_000_000);
    const path = { delayMs: 20, bytesPerSecond: 2_000_000, queueBytes: 100_000 };
    const { world, exposer, puller } = simTransfer(seed, exposure, { path, puller: { timeoutMs: 1e9 } });
    world.at(1500, () => world.network.partition(exposer.address.host, puller.address.host));
    world.run(() => world.now > 1500 + limits.receiptAgeMsMax, 700_000);
    const later = exposer.machine.bytesSent;
    world.run(() => world.now > 8000 + 1_200_000, 2_000_000);
    // The puller's own timeouts keep it far below what it may have.
    const allowed = limits.floorBytesPerSecond * limits.tokenLifeMsMax / 1000 + limits.requestBytesMax;
    assertLess(exposer.machine.bytesSent - later, allowed);
    assertLess(exposer.machine.bytesSent, 6_500_000);
  }
});
