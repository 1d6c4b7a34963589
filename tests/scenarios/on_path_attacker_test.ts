// Somebody on the way reads every packet and adds forged ones: chunks are spoiled and pulled again, and only true bytes are stored.
import { assert, assertEquals, assertGreater, assertLess } from "../_assert.ts";
import { refusal, RefusalReason } from "../../codec/control.ts";
import { chunkDataPiece, isChunkData, PacketType, readWord } from "../../codec/packet.ts";
import { expectFailure, expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import type { SimExposure, SimTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

// No queue that a forged packet could push a true one out of.
const path = { delayMs: 20 };

/** Before a symbol that `choose` says yes to, a changed copy arrives. */
function forging(transfer: SimTransfer, choose: (packet: Uint8Array) => boolean): () => number {
  const { world, exposer } = transfer;
  let forged = 0;
  exposer.tap = (to, bytes) => {
    if (!isChunkData(bytes) || !choose(bytes)) return;
    forged++;
    world.send(exposer.address, to, bytes.with(bytes.length - 1, bytes[bytes.length - 1] ^ 0xff));
  };
  return () => forged;
}

async function start(seed: number, bytes: number): Promise<SimTransfer & { exposure: SimExposure }> {
  return simTransfer(seed, await simExposure(seed, bytes), { path });
}

Deno.test("one forged symbol with the right tag: one chunk is pulled twice, nothing else", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const transfer = await start(seed, 1_000_000);
    let done = false;
    const forged = forging(transfer, (packet) => !done && (done = chunkDataPiece(packet) === 5));
    const { world, exposer, puller, exposure } = transfer;
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertEquals([forged(), puller.machine.drops.of("wrong chunk")], [1, 1]);
    assertLess(exposer.machine.bytesSent, 1.08 * leastWireBytes(exposure) + 70_000);
    assertEquals(puller.machine.memory.wrongPieces, 0);
  }
});

Deno.test("a forged symbol whose request number is from the future does not make everything look lost", async () => {
  for (const seed of simSeeds(1, 2)) {
    const { world, exposer, puller, exposure } = await start(seed, 1_000_000);
    let forged = 0;
    exposer.tap = (to, bytes) => {
      if (!isChunkData(bytes) || forged++ % 10 !== 0) return;
      world.send(
        exposer.address,
        to,
        Uint8Array.from(bytes.map((byte, i) => i >= 12 && i < 16 ? 0xff : byte)),
      );
    };
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertGreater(puller.machine.drops.of("unexpected"), 50);
    assertLess(exposer.machine.bytesSent, 1.2 * leastWireBytes(exposure));
  }
});

Deno.test("every packet of one chunk is forged, every time: MERKLE_FAIL, and no wrong byte", async () => {
  for (const seed of simSeeds(1, 2)) {
    const transfer = await start(seed, 500_000);
    forging(transfer, (packet) => chunkDataPiece(packet) === 3);
    transfer.world.run(() => transfer.puller.ended, 60_000);
    const error = expectFailure(transfer.puller, "MERKLE_FAIL");
    assert(error.message.includes("chunk 3") && error.message.includes("16 times"), error.message);
    assert(!transfer.puller.stored.has(3));
  }
});

Deno.test("REFUSALs without a MAC that echo the right tag: handshakes at a bounded rate, no error", async () => {
  for (const seed of simSeeds(1, 2)) {
    const { world, exposer, puller, exposure } = await start(seed, 3_000_000);
    let refused = 0;
    puller.tap = (to, bytes) => {
      if (readWord(bytes)?.type !== PacketType.PULL_REQUEST) return;
      for (const field of Object.values(RefusalReason)) {
        world.send(to, puller.address, refusal.encode({ echo: bytes.slice(4, 12) }, { field }));
        refused++;
      }
    };
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertGreater(refused, 100);
    const grants = exposer.events.filter((event) => event.kind === "granted").length;
    assertLess(grants, 3 + time / 1000);
    // Each handshake asks again for what is under way.
    assertLess(exposer.machine.bytesSent, 1.4 * leastWireBytes(exposure));
  }
});
