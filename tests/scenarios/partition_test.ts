// The network is down for a while: the puller says why nothing comes, and goes on or gives up in time.
import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "../_assert.ts";
import { expectFailure, expectWhole, simExposure, simTransfer } from "../sim/transfer.ts";
import type { SimTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const path = { delayMs: 20, bytesPerSecond: 500_000, queueBytes: 50_000 };

async function partitioned(seed: number, forMs: number, timeoutMs: number): Promise<SimTransfer> {
  const exposure = await simExposure(seed, 2_000_000);
  const transfer = simTransfer(seed, exposure, { path, puller: { timeoutMs } });
  const { world, exposer, puller } = transfer;
  const [a, b] = [exposer.address.host, puller.address.host];
  world.at(2000, () => world.network.partition(a, b));
  world.at(2000 + forMs, () => world.network.heal(a, b));
  world.run(() => puller.ended, 200_000);
  return transfer;
}

for (const [forMs, timeoutMs] of [[10_000, 30_000], [60_000, 120_000]]) {
  Deno.test(`a partition of ${forMs / 1000} s: it is said, and the pull goes on when it ends`, async () => {
    for (const seed of simSeeds(1, 2, 3)) {
      const { world, exposure, exposer, puller } = await partitioned(seed, forMs, timeoutMs);
      expectWhole(puller, exposure);
      const [reason, resumed] = puller.stalls;
      assertStringIncludes(reason!, "192.0.2.1:9000 no longer answers");
      assertEquals([puller.stalls.length, resumed], [2, undefined]);
      assertLess(world.now, 4500 + forMs + 6000);
      // The last queue before it, and requests that got through in one direction.
      assertLess(exposer.machine.bytesSent, 2_800_000);
    }
  });
}

Deno.test("a partition that outlasts the timeout: TIMEOUT, in time, and what is here stays", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const { puller, exposure } = await partitioned(seed, 60_000, 30_000);
    const error = expectFailure(puller, "TIMEOUT");
    assertStringIncludes(error.message, "run the same pull again");
    assertGreater(puller.endedAt, 32_000 - 100);
    assertLess(puller.endedAt, 32_500);
    assert(puller.stored.size > 0 && puller.stored.size < exposure.sealed.chunkCount);
  }
});
