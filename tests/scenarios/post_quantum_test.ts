// Hybrid handshakes in bad weather, and between programs of two ages.
import { assert, assertEquals, assertGreater, assertLess } from "../_assert.ts";
import { PacketType, readWord } from "../../codec/packet.ts";
import { expectWhole, simExposure, simTransfer } from "../sim/transfer.ts";
import type { SimTransferOptions } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const ROUND_TRIP_MS = 40;

/** Pulls something small, and says when it was granted, in ms. */
async function grantedAfter(seed: number, options: SimTransferOptions): Promise<number> {
  const exposure = await simExposure(seed, 20_000);
  const { world, puller } = simTransfer(seed, exposure, options);
  world.run(() => puller.ended, 60_000);
  expectWhole(puller, exposure);
  return puller.machine.times.grantedAt! - puller.machine.times.startedAt;
}

const calm = { delayMs: ROUND_TRIP_MS / 2 };

Deno.test("a hybrid handshake takes one round trip more, and a ticket's takes none unless it is required", async () => {
  const trips = async (options: SimTransferOptions) =>
    (await grantedAfter(1, { path: calm, ...options })) / ROUND_TRIP_MS;
  assertLess(await trips({}), 1.1);
  assertLess(await trips({ puller: { postQuantum: "require" } }), 2.1);
  assertLess(await trips({ exposer: { postQuantum: "require" } }), 2.1);
  // An older program on either side: nothing is waited for.
  assertLess(await trips({ exposer: { postQuantum: "off" } }), 1.1);
  assertLess(await trips({ puller: { postQuantum: "off" } }), 1.1);
});

for (const lossRate of [0.1, 0.3, 0.5]) {
  Deno.test(`a hybrid handshake at ${100 * lossRate} % loss, both ways: it comes to its end in time`, async () => {
    const times: number[] = [];
    for (const seed of simSeeds(1, 2, 3, 4, 5, 6, 7, 8)) {
      const path = { ...calm, lossRate };
      times.push(
        await grantedAfter(seed, { path, puller: { postQuantum: "require", handshakeTimeoutMs: 30_000 } }),
      );
    }
    const late = times.filter((ms) => ms > 10_000);
    // At half of all packets one in a few takes longer than people wait.
    assert(late.length <= (lossRate < 0.5 ? 0 : 2), `${times.map(Math.round)} ms`);
  });
}

Deno.test("hybrid grants are renewed in the background: the pull goes on meanwhile", async () => {
  const exposure = await simExposure(1, 2_000_000);
  // Ten minutes, longer than a token lives.
  const { world, puller, exposer } = simTransfer(1, exposure, {
    path: calm,
    puller: { postQuantum: "require", limitRate: 3400 },
  });
  let retries = 0;
  exposer.tap = (_to, bytes) => {
    if (readWord(bytes)?.type === PacketType.RETRY) retries++;
  };
  world.run(() => puller.ended, 1_200_000);
  expectWhole(puller, exposure);
  assertGreater(exposer.machine.handshakes.granted, 1);
  assertGreater(retries, 1);
  assertEquals(puller.stalls, []);
  assert(puller.machine.sources[0].isHybrid);
});
