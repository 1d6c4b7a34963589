import { CHUNK_HEADER_BYTES } from "../../codec/packet.ts";
import { limits } from "../../core/limits.ts";
import { expectWhole, exposedOf, simExposure, simTransfer } from "../../tests/sim/transfer.ts";
import { assert, assertEquals, assertGreater, assertLess } from "../../tests/_assert.ts";
import { PaidPieces, WorkMeter } from "./work_meter.ts";

const CHUNK = 65_536;

/** How much work is done in `ms` by somebody who asks all the time for `sent` bytes that take a chunk to be sealed. */
function workIn(ms: number, sent: number): number {
  const meter = new WorkMeter(limits.coldBytesPerSecond, limits.coldBurstBytesMax, 0);
  let work = 0;
  for (let now = 0; now < ms; now += 0.1) {
    if (!meter.affordsWork(now)) continue;
    meter.note(sent, CHUNK);
    work += CHUNK;
  }
  return work;
}

Deno.test("pulling earns its work: whoever takes half of each chunk or more is never held up", () => {
  assertEquals(workIn(1000, CHUNK), 10_000 * CHUNK);
  assertEquals(workIn(1000, CHUNK / 2), 10_000 * CHUNK);
});

Deno.test("whoever takes a symbol here and there comes down to the floor rate", () => {
  const work = workIn(10_000, 1428);
  const most = limits.coldBurstBytesMax + 10 * limits.coldBytesPerSecond;
  assertLess(work, 1.1 * most);
  assertGreater(work, 0.9 * most);
});

Deno.test("one that has overdrawn is let in again when it is out of debt, and its credit has a bound", () => {
  const meter = new WorkMeter(1000, 5000, 0);
  meter.note(0, 7000);
  assert(!meter.affordsWork(1999));
  assert(meter.affordsWork(2001));
  meter.note(10 ** 9, 0);
  meter.note(0, 5000);
  assert(!meter.affordsWork(2001));
});

Deno.test("paid pieces are the last ones that were paid for", () => {
  const paid = new PaidPieces(3);
  for (const piece of [1, 2, 3, 2, 4]) paid.add(piece);
  assertEquals([1, 2, 3, 4].map((piece) => paid.has(piece)), [false, true, true, true]);
});

Deno.test("an exposer whose chunks are all cold: a pull costs each of them once, and is not held up", async () => {
  for (const chunkSize of [65_536, 1_048_576]) {
    const exposure = await simExposure(1, 24_000_000, { chunkSize });
    const { world, exposer, puller } = simTransfer(1, exposure);
    exposer.machine.add({ ...exposedOf(exposure, () => exposure.psk), coldBytes: () => chunkSize });
    world.run(() => puller.ended, 120_000);
    expectWhole(puller, exposure);
    assertEquals(exposer.machine.drops.of("over the limit"), 0);
    assertLess(exposer.machine.bytesSent, 1.05 * 24_000_000 * (1 + CHUNK_HEADER_BYTES / 1428));
  }
});
