// Chunks are here, but the leaf page that proves them is not: what waits for it is bounded, and is no reason to wait for ever.
import { assert, assertEquals, assertLess, assertLessOrEqual, assertStringIncludes } from "../_assert.ts";
import { blockPlan } from "../../codec/geometry.ts";
import { chunkDataIndex, chunkDataPiece, isChunkData, PAGE_BIT } from "../../codec/packet.ts";
import { pieceBytes } from "../../transport/exposure/pieces.ts";
import {
  expectFailure,
  expectWhole,
  exposerAddress,
  pullerAddress,
  SimExposer,
  simExposure,
  SimPuller,
} from "../sim/transfer.ts";
import { SimRelay } from "../sim/relay.ts";
import type { SimExposure } from "../sim/transfer.ts";
import { simSeeds, World } from "../sim/world.ts";

interface Relayed {
  readonly world: World;
  readonly relay: SimRelay;
  readonly exposer: SimExposer;
  readonly puller: SimPuller;
}

function relayed(seed: number, exposure: SimExposure): Relayed {
  const world = new World({ seed, path: { delayMs: 5 } });
  const exposer = new SimExposer(world, exposerAddress, exposure);
  const relay = new SimRelay(world, { host: "192.0.2.99", port: 9000 }, exposerAddress, pullerAddress);
  const puller = new SimPuller(world, pullerAddress, relay.address, exposure);
  return { world, relay, exposer, puller };
}

const isPage = (bytes: Uint8Array) => isChunkData(bytes) && chunkDataPiece(bytes) >= PAGE_BIT;

Deno.test("the page never comes, then nothing does: TIMEOUT, though whole chunks are in hand", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 4_000_000, { chunkSize: 16_384 });
    const { world, relay, puller } = relayed(seed, exposure);
    relay.filter = (_towards, bytes) => isPage(bytes) || world.now > 2000 ? [] : [bytes];
    world.run(() => puller.ended, 200_000);
    expectFailure(puller, "TIMEOUT");
    assertLess(puller.endedAt, 2100 + 30_000);
    assertEquals(puller.stored.size, 0);
  }
});

Deno.test("the page is wrong the first times, while chunks fill the hand: it is pulled again, all arrives", async () => {
  for (const seed of simSeeds(1, 2)) {
    // More chunks than the hand holds.
    const exposure = await simExposure(seed, 1000 * 4096, { chunkSize: 4096 });
    const { world, relay, puller } = relayed(seed, exposure);
    const { symbols } = blockPlan(pieceBytes(exposure.manifest, PAGE_BIT)!, 1428);
    let full = false;
    relay.filter = (towards, bytes) => {
      // One symbol of the page, and the parity that would do in its place, is kept back until the hand is full; then it is wrong.
      if (towards === "exposer" || !isPage(bytes)) return [bytes];
      const index = chunkDataIndex(bytes);
      if (index !== 3 && index < symbols) return [bytes];
      full ||= puller.machine.memory.pieces >= 512;
      if (!full) return [];
      return puller.machine.drops.of("wrong chunk") < 3 ? [bytes.with(60, bytes[60] ^ 1)] : [bytes];
    };
    world.run(() => puller.ended, 200_000);
    expectWhole(puller, exposure);
    assertLessOrEqual(puller.piecesMost, 513);
    assert(full);
    // Wrong ones that were on their way still come.
    const wrong = puller.machine.drops.of("wrong chunk");
    assert(wrong >= 3 && wrong <= 6, `${wrong}`);
  }
});

Deno.test("the page is wrong every time: MERKLE_FAIL names it", async () => {
  const exposure = await simExposure(1, 1000 * 4096, { chunkSize: 4096 });
  const { world, relay, puller } = relayed(1, exposure);
  relay.filter = (_towards, bytes) => isPage(bytes) ? [bytes.with(60, bytes[60] ^ 1)] : [bytes];
  world.run(() => puller.ended, 200_000);
  const { message } = expectFailure(puller, "MERKLE_FAIL");
  assertEquals(message.startsWith("leaf page 0 from"), true);
});

Deno.test("handshakes pass, data does not: TIMEOUT all the same, and the reason is another one", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 1_000_000);
    const { world, relay, puller } = relayed(seed, exposure);
    relay.filter = (_towards, bytes) => isChunkData(bytes) && world.now > 40 ? [] : [bytes];
    world.run(() => puller.ended, 200_000);
    assertStringIncludes(expectFailure(puller, "TIMEOUT").message, "answers, but its data does not arrive");
    assertLess(puller.endedAt, 31_000);
  }
});
