// A path that loses nothing of itself: the line is filled, and next to nothing is sent twice.
import { assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const BYTES = 4_000_000;
const BYTES_PER_SECOND = 2_500_000;

Deno.test("a clean path: the line is filled, and next to nothing is sent twice", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, BYTES);
    const path = { delayMs: 20, bytesPerSecond: BYTES_PER_SECOND, queueBytes: 100_000 };
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(time, 1.2 * BYTES / BYTES_PER_SECOND * 1000);
    assertLess(exposer.machine.bytesSent, 1.01 * leastWireBytes(exposure));
  }
});

Deno.test("a path without a queue to overflow: not one byte is sent twice", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, BYTES);
    const { world, exposer, puller } = simTransfer(seed, exposure, { path: { delayMs: 0.1 } });
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(time, 100);
    assertLess(exposer.machine.bytesSent, leastWireBytes(exposure) + 1);
  }
});
