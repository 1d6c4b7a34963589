// Storing takes longer than the network: memory is bounded, and silence that is our own doing is no timeout.
import { assertGreaterOrEqual, assertLess, assertLessOrEqual } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

Deno.test("each chunk takes 50 ms to store: pieces in hand stay under their bound", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 4_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { puller: { storeMs: 50 } });
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLessOrEqual(puller.piecesMost * 65_552, 257 * 65_552);
    assertLess(exposer.machine.bytesSent, 1.05 * leastWireBytes(exposure));
  }
});

Deno.test("a store that is far behind: no more than 32 MiB are taken in advance", async () => {
  const exposure = await simExposure(1, 45_000_000, { chunkSize: 1_048_576 });
  const { world, puller } = simTransfer(1, exposure, { puller: { storeMs: 3000 } });
  world.run(() => puller.ended, 120_000);
  expectWhole(puller, exposure);
  assertLessOrEqual(puller.piecesMost, 33);
  assertGreaterOrEqual(puller.piecesMost, 32);
});

Deno.test("storing takes longer than the timeout: the pull waits for it", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 2_000_000, { chunkSize: 16_384 });
    const disk = new Map([[3, new Uint8Array(16_384)], [90, new Uint8Array(16_384)]]);
    const puller = { storeMs: 4000, timeoutMs: 3000, disk };
    const { world, puller: slow } = simTransfer(seed, exposure, { puller });
    world.run(() => slow.ended, 120_000);
    expectWhole(slow, exposure);
  }
});

Deno.test("a single chunk whose check takes longer than the timeout, and fails: it is pulled", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 16_384, { chunkSize: 16_384 });
    const disk = new Map([[0, new Uint8Array(16_384)]]);
    const { world, puller } = simTransfer(seed, exposure, {
      puller: { storeMs: 4000, timeoutMs: 3000, disk },
    });
    world.run(() => puller.ended, 120_000);
    expectWhole(puller, exposure);
  }
});
