// Bits flip on the way and no checksum tells: a chunk that is wrong shows, is counted, and is pulled again.
import { assertGreater, assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("1 packet in 500 with a flipped bit: only true chunks are stored", async () => {
  let wrong = 0;
  for (const seed of simSeeds(1, 2, 3, 4)) {
    const exposure = await simExposure(seed, 3_000_000, { chunkSize: 16_384 });
    const { world, exposer, puller } = simTransfer(seed, exposure, {
      path: { delayMs: 20, corruptRate: 0.002 },
    });
    const time = world.run(() => puller.ended, 120_000);
    expectWhole(puller, exposure);
    wrong += puller.machine.drops.of("wrong chunk");
    assertLess(time, 500);
    assertLess(exposer.machine.bytesSent, 1.25 * leastWireBytes(exposure));
  }
  assertGreater(wrong, 0);
});
