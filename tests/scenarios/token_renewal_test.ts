// A pull that outlives its token several times: new ones come in time, and nobody notices.
import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "../_assert.ts";
import { isChunkData } from "../../codec/packet.ts";
import { expectFailure, expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("25 minutes at 12 kB/s: several tokens, no gap, next to nothing sent twice", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 18_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, {
      path: { delayMs: 40 },
      puller: { limitRate: 12_000 },
    });
    let [last, longest] = [0, 0];
    exposer.tap = (_to, bytes) => {
      if (!isChunkData(bytes)) return;
      if (last > 0) longest = Math.max(longest, world.now - last);
      last = world.now;
    };
    const time = world.run(() => puller.ended, 2_000_000);
    expectWhole(puller, exposure);
    assert(time > 24 * 60_000);
    const grants = exposer.events.filter((event) => event.kind === "granted").length;
    assertGreaterOrEqual(grants, 4);
    // A token lives for 5 to 10 minutes and is renewed after four fifths of that.
    assertLess(grants, 8);
    // Four symbols are asked for at a time, twice a second.
    assertLess(longest, 1500);
    assertEquals(puller.stalls, []);
    assertLess(exposer.machine.bytesSent, 1.01 * leastWireBytes(exposure));
    assertEquals(exposer.machine.drops.of("bad token"), 0);
    assertEquals(exposer.machine.drops.of("over the limit"), 0);
  }
});

Deno.test("50 bytes a second: slower than any timeout, but no stall", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 40_000, { chunkSize: 4096 });
    const { world, puller } = simTransfer(seed, exposure, { puller: { limitRate: 50 } });
    world.run(() => puller.ended, 2_000_000);
    expectWhole(puller, exposure);
    assertEquals(puller.stalls, []);
    assert(puller.endedAt > 300_000);
  }
});

Deno.test("50 bytes a second, and the exposer is gone: TIMEOUT all the same", async () => {
  const exposure = await simExposure(1, 40_000, { chunkSize: 4096 });
  const { world, exposer, puller } = simTransfer(1, exposure, { puller: { limitRate: 50 } });
  world.at(1000, () => exposer.crash());
  world.run(() => puller.ended, 2_000_000);
  expectFailure(puller, "TIMEOUT");
  assertLess(puller.endedAt, 500_000);
});
