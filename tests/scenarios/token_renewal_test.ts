// A pull that outlives its token several times: new ones come in time, and nobody notices.
import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "../_assert.ts";
import { isChunkData } from "../../codec/packet.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
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
    // Requests are as large as the window allows: at this rate the next one is due seconds later.
    assertLess(longest, 12_000);
    assertEquals(puller.stalls.filter((reason) => reason?.includes("no longer answers") === false), []);
    assertLess(exposer.machine.bytesSent, 1.01 * leastWireBytes(exposure));
    assertEquals(exposer.machine.drops.of("bad token"), 0);
    assertEquals(exposer.machine.drops.of("over the limit"), 0);
  }
});

Deno.test("a token is renewed at full speed: what is under way under the old one still counts", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 4_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, {
      path: { delayMs: 50, bytesPerSecond: 1_000_000, queueBytes: 200_000 },
      puller: { limitRate: 900_000 },
    });
    // The exposer's clock is far on: its secret is nearly over, and so is the token that it grants.
    world.run(() => puller.machine.times.grantedAt !== undefined, 1000);
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(time, 8000);
    assertLess(exposer.machine.bytesSent, 1.02 * leastWireBytes(exposure));
  }
});
