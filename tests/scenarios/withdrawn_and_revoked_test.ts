// The exposer takes back what it exposed, or a ticket: the puller learns it at once, and which of the two.
import { assert, assertEquals, assertLess } from "../_assert.ts";
import { expectFailure, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const path = { delayMs: 20, bytesPerSecond: 500_000, queueBytes: 50_000 };

Deno.test("an exposure that is withdrawn in mid-transfer: WITHDRAWN within a round trip", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 2_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    world.at(2000, () => exposer.withdraw());
    world.run(() => puller.ended, 60_000);
    expectFailure(puller, "WITHDRAWN");
    assert(puller.stored.size > 0);
    // What waits in the queue comes first.
    assertLess(puller.endedAt, 2000 + 20 + 101);
    assertEquals(exposer.machine.memory.liveTokens, 0);
  }
});

Deno.test("a withdrawal of which the puller does not hear: it is told when it asks", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 2_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    const [a, b] = [exposer.address.host, puller.address.host];
    world.at(2000, () => world.network.partition(a, b));
    world.at(2001, () => exposer.withdraw());
    world.at(2200, () => world.network.heal(a, b));
    world.run(() => puller.ended, 60_000);
    expectFailure(puller, "ACCESS_DENIED");
    assertLess(puller.endedAt, 6000);
  }
});

Deno.test("a ticket that is revoked in mid-transfer: ACCESS_DENIED, and no further byte", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 2_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    let sentThen = 0;
    world.at(2000, () => {
      exposer.revoke();
      sentThen = exposer.machine.bytesSent;
    });
    world.run(() => puller.ended, 60_000);
    expectFailure(puller, "ACCESS_DENIED");
    assertLess(puller.endedAt, 3000);
    assertEquals(exposer.machine.bytesSent, sentThen);
  }
});
