// A machine stops for a while and wakes, or its clock jumps: time has passed without it, and nothing is wrong for that.
import { assertEquals, assertLess } from "../_assert.ts";
import { expectFailure, expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import type { SimTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const path = { delayMs: 20, bytesPerSecond: 1_000_000, queueBytes: 60_000 };
const BYTES = 3_000_000;

async function start(seed: number, timeoutMs = 30_000): Promise<SimTransfer> {
  return simTransfer(seed, await simExposure(seed, BYTES), { path, puller: { timeoutMs } });
}

for (const who of ["puller", "exposer"] as const) {
  for (const forMs of [300, 5000, 20_000]) {
    Deno.test(`the ${who} sleeps for ${forMs} ms in mid-transfer: it goes on within 5 s`, async () => {
      for (const seed of simSeeds(1, 2, 3)) {
        const { world, exposure, exposer, puller } = await start(seed);
        world.at(1500, () => world.suspend(who === "puller" ? puller : exposer, forMs));
        const time = world.run(() => puller.ended, 120_000);
        expectWhole(puller, exposure);
        assertLess(time, 5000 + forMs + 5000);
        assertLess(exposer.machine.bytesSent, 1.25 * leastWireBytes(exposure));
      }
    });
  }

  Deno.test(`the ${who}'s clock jumps by 10 s, twice: nothing is lost but time`, async () => {
    for (const seed of simSeeds(1, 2, 3)) {
      const { world, exposure, exposer, puller } = await start(seed);
      for (const at of [1000, 2000]) {
        world.at(at, () => world.stepClock(who === "puller" ? puller : exposer, 10_000));
      }
      const time = world.run(() => puller.ended, 60_000);
      expectWhole(puller, exposure);
      assertLess(time, 12_000);
      assertLess(exposer.machine.bytesSent, 1.2 * leastWireBytes(exposure));
    }
  });
}

Deno.test("the exposer's clock jumps beyond the life of its tokens and cookies: one more handshake", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const { world, exposure, exposer, puller } = await start(seed);
    world.at(1500, () => world.stepClock(exposer, 1_200_000));
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(time, 12_000);
    assertEquals(exposer.events.filter((event) => event.kind === "granted").length, 2);
  }
});

Deno.test("the puller sleeps for longer than it would wait: TIMEOUT, and no more than that", async () => {
  for (const seed of simSeeds(1, 2, 3, 4)) {
    const { world, puller } = await start(seed, 10_000);
    world.at(1500, () => world.suspend(puller, 60_000, 0));
    world.run(() => puller.ended, 120_000);
    expectFailure(puller, "TIMEOUT");
    assertLess(Math.abs(puller.endedAt - 61_500), 1);
  }
});
