// Pullers come and go, finished or not: 30 s after the last one the exposer keeps nothing of them.
import { assert, assertEquals, assertGreater } from "../_assert.ts";
import { exposerAddress, SimExposer, simExposure, SimPuller } from "../sim/transfer.ts";
import { simSeeds, World } from "../sim/world.ts";

const NOTHING = { liveTokens: 0, answers: 0, answerBytes: 0, handshakes: 0, fragmented: 0, refusals: 0 };

Deno.test("30 pullers, a third of them killed, and strangers: all is forgotten 30 s later", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 400_000);
    const world = new World({ seed, path: { delayMs: 20, lossRate: 0.02 } });
    const exposer = new SimExposer(world, exposerAddress, exposure, { limitRate: 4_000_000 });
    const pullers = Array.from(
      { length: 30 },
      (_, i) => new SimPuller(world, { host: `198.51.100.${i}`, port: 7 }, exposerAddress, exposure),
    );
    pullers.forEach((puller, i) =>
      i % 3 === 0 && world.at(300 + 30 * i, () => puller.ended || puller.crash())
    );
    // Somebody with a token of nobody's: refused, and that is remembered for a moment.
    for (let i = 0; i < 50; i++) {
      const request = new Uint8Array(150).with(0, 0x24).with(2, 0x05).with(3, 0x94);
      world.at(100 * i, () => world.send({ host: `203.0.113.${i}`, port: 9 }, exposerAddress, request));
    }
    world.run(() => pullers.every((puller, i) => i % 3 === 0 || puller.ended) && world.now > 6000, 120_000);
    const last = world.now;
    const most = exposer.machine.memory;
    assertGreater(most.liveTokens, 0);
    // Nothing may be left to happen: so the clock is moved by hand.
    world.at(last + 30_000, () => {});
    world.run(() => world.now >= last + 30_000, 200_000);
    assertEquals(exposer.machine.memory, NOTHING);
    assertEquals(exposer.machine.pullers(world.now), []);
    const left = exposer.events.filter((event) => event.kind === "left");
    assertEquals(left.filter((event) => event.kind === "left" && event.done).length, 20);
    assert(left.length <= 30);
  }
});
