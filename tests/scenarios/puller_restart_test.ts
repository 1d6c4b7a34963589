// The puller is killed and started again with what it has on disk: it is checked, and only the rest is pulled.
import { assertEquals, assertLess } from "../_assert.ts";
import { expectWhole, simExposure, SimPuller, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const path = { delayMs: 10, bytesPerSecond: 1_000_000, queueBytes: 30_000 };

Deno.test("a puller that is killed twice costs at most 1.05 x the bytes of an uninterrupted pull", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 12_000_000);
    const whole = simTransfer(seed, exposure, { path });
    whole.world.run(() => whole.puller.ended, 60_000);

    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    let present = puller;
    for (const at of [4000, 9000]) {
      world.run(() => world.now >= at, 60_000);
      present.crash();
      const disk = present.stored;
      present = new SimPuller(world, puller.address, exposer.address, exposure, { disk });
    }
    world.run(() => present.ended, 60_000);
    expectWhole(present, exposure);
    assertLess(exposer.machine.bytesSent, 1.05 * whole.exposer.machine.bytesSent);
  }
});

Deno.test("what was damaged on disk is pulled, what was not is kept", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 2_000_000, { chunkSize: 16_384 });
    const { plaintext, manifest } = exposure;
    const disk = new Map<number, Uint8Array>();
    for (let chunk = 0; chunk < exposure.sealed.chunkCount; chunk += 2) {
      disk.set(chunk, plaintext.slice(chunk * 16_384, (chunk + 1) * 16_384));
    }
    disk.get(6)![100] ^= 1;
    const { world, puller } = simTransfer(seed, exposure, { puller: { disk } });
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    const right = [...disk.keys()].filter((chunk) => chunk !== 6).reduce(
      (sum, chunk) => sum + Math.min(16_384, manifest.totalSize - chunk * 16_384),
      0,
    );
    assertEquals(puller.machine.progress.reused, right);
  }
});

Deno.test("everything is on disk already: nothing but leaves is sent", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 6_000_000, { chunkSize: 4096 });
    const disk = new Map<number, Uint8Array>();
    for (let chunk = 0; chunk < exposure.sealed.chunkCount; chunk++) {
      disk.set(chunk, exposure.plaintext.slice(chunk * 4096, (chunk + 1) * 4096));
    }
    const { world, exposer, puller } = simTransfer(seed, exposure, { puller: { disk } });
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(exposer.machine.bytesSent, 60_000);
    assertEquals(puller.machine.progress.reused, 6_000_000);
  }
});
