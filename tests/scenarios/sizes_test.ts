// Exposures of every awkward size: nothing at all, one byte, leaves that just fit the grant, many leaf pages.
import { assertEquals, assertGreater, assertLess } from "../_assert.ts";
import { limits } from "../../core/limits.ts";
import { DEFAULT_RATE_POLICY } from "../../transport/protocol/group_rate.ts";
import { expectWhole, exposedOf, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const CHUNK = 4096;
const sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 16 * CHUNK, 16 * CHUNK + 1, 17 * CHUNK, 1024 * CHUNK + 1];

for (const bytes of sizes) {
  Deno.test(`${bytes} bytes in chunks of ${CHUNK}`, async () => {
    for (const seed of simSeeds(1, 2)) {
      const exposure = await simExposure(seed, bytes, { chunkSize: CHUNK });
      const path = { delayMs: 20, bytesPerSecond: 1_000_000, queueBytes: 2_000_000 };
      const { world, exposer, puller } = simTransfer(seed, exposure, { path });
      const time = world.run(() => puller.ended, 60_000);
      expectWhole(puller, exposure);
      assertEquals(puller.machine.progress.total, bytes);
      assertEquals(puller.machine.progress.done, bytes);
      assertLess(time, 100 + 1.5 * bytes / 1000);
      assertLess(exposer.machine.bytesSent, 1.01 * leastWireBytes(exposure) + 1);
    }
  });
}

Deno.test("3000 chunks: three leaf pages, on a path that loses 2 %", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 3000 * CHUNK, { chunkSize: CHUNK });
    const { world, exposer, puller } = simTransfer(seed, exposure, { path: { delayMs: 5, lossRate: 0.02 } });
    world.run(() => puller.ended, 120_000);
    expectWhole(puller, exposure);
    assertLess(exposer.machine.bytesSent, 1.1 * leastWireBytes(exposure));
  }
});

Deno.test("ranges: only what is wanted moves", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 3000 * CHUNK - 7, { chunkSize: CHUNK });
    const wanted = [{ first: 5, end: 6 }, { first: 1020, end: 1030 }, { first: 2999, end: 3000 }];
    const { world, exposer, puller } = simTransfer(seed, exposure, { puller: { wanted } });
    world.run(() => puller.ended, 10_000);
    assertEquals(puller.outcome, "done");
    const expected = [5, ...Array.from({ length: 10 }, (_, i) => 1020 + i), 2999];
    assertEquals([...puller.stored.keys()].toSorted((a, b) => a - b), expected);
    assertEquals(puller.machine.progress.total, 12 * CHUNK - 7);
    assertEquals(puller.machine.progress.done, 12 * CHUNK - 7);
    // Twelve chunks and three pages of leaves.
    assertLess(exposer.machine.bytesSent, 12 * (CHUNK + 90) + 3 * 34_000);
  }
});

Deno.test("nothing is wanted: done at once, without a byte", async () => {
  const exposure = await simExposure(1, 100 * CHUNK, { chunkSize: CHUNK });
  const { world, exposer, puller } = simTransfer(1, exposure, { puller: { wanted: [] } });
  world.run(() => puller.ended, 10_000);
  assertEquals([puller.outcome, exposer.machine.bytesSent, puller.stored.size], ["done", 0, 0]);
});

Deno.test("leaves that find no room in the grant come on a page", async () => {
  const exposure = await simExposure(1, 16 * 4096, { chunkSize: 4096 });
  const { world, exposer, puller } = simTransfer(1, exposure, { path: { delayMs: 20 } });
  const group = {
    address: { host: "239.1.2.3", port: 9000 },
    tag: new Uint8Array(8),
    key: new Uint8Array(32),
    symbolSize: 1428,
  };
  exposer.machine.add({
    ...exposedOf(exposure, () => exposure.psk),
    name: "n".repeat(limits.nameBytesMax),
    share: new Uint8Array(16),
    cast: { group, policy: DEFAULT_RATE_POLICY },
  });
  world.run(() => puller.ended, 10_000);
  expectWhole(puller, exposure);
  assertGreater(exposer.machine.bytesSent, leastWireBytes(exposure));
});
