// A pull at full rate is cut off for minutes, or its address changes: soon after it is as fast as before.
import { assertLess } from "../_assert.ts";
import { expectWhole, exposerAddress, simExposure, simTransfer } from "../sim/transfer.ts";
import type { SimTransfer } from "../sim/transfer.ts";
import { mbit } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const path = {
  delayMs: 20,
  bytesPerSecond: mbit(50),
  queueMs: 50,
  jitterMs: 0.5,
  jitterKeepsOrder: true,
};
/** When it happens, and in which intervals the rate is taken. */
const AT_MS = 3000;
const SLOT_MS = 200;

/** Bytes that arrive at any address of the puller, by slot. */
function arrivals({ world }: SimTransfer): number[] {
  const slots: number[] = [];
  world.network.observe = ({ now, fromHost, wireBytes, drop }) => {
    if (fromHost !== exposerAddress.host || drop) return;
    const slot = Math.floor(now / SLOT_MS);
    slots[slot] = (slots[slot] ?? 0) + wireBytes;
  };
  return slots;
}

/** How long after `from` the rate has been 0.8 of what it was before, for a slot; ms. */
function recoveredAfter(slots: readonly number[], from: number): number {
  const before =
    slots.slice((AT_MS - 1000) / SLOT_MS, AT_MS / SLOT_MS).reduce((sum, one) => sum + (one ?? 0), 0) / 5;
  const first = Math.ceil(from / SLOT_MS);
  const slot = slots.findIndex((bytes, i) => i >= first && bytes >= 0.8 * before);
  return (slot + 1) * SLOT_MS - from;
}

// The second is longer than a token lives.
for (const minutes of [3, 12]) {
  Deno.test(`nothing passes for ${minutes} minutes: 0.8 of the rate before within 4 s`, async () => {
    for (const seed of simSeeds(1, 2, 3)) {
      const exposure = await simExposure(seed, 35_000_000);
      const transfer = simTransfer(seed, exposure, { path, puller: { timeoutMs: 3_600_000 } });
      const { world, puller } = transfer;
      const slots = arrivals(transfer);
      // Not at a multiple of the puller's patience.
      const until = AT_MS + minutes * 60_000 + 1100 * seed;
      world.at(AT_MS, () => world.network.change(() => ({ open: false })));
      world.at(until, () => world.network.change(() => ({ open: true })));
      world.run(() => puller.ended, until + 60_000);
      expectWhole(puller, exposure);
      assertLess(recoveredAfter(slots, until), 4000);
    }
  });
}

Deno.test("another address: 0.8 of the rate before within 1 s", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 35_000_000);
    const transfer = simTransfer(seed, exposure, { path });
    const { world, puller } = transfer;
    const slots = arrivals(transfer);
    world.at(AT_MS, () => puller.move({ host: "203.0.113.77", port: 41_000 }));
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(recoveredAfter(slots, AT_MS), 1000);
  }
});
