// The puller's address changes in mid-transfer (Wi-Fi to mobile, a NAT that forgot): its token is refused, and it goes on with a new one.
import { assert, assertEquals, assertLess } from "../_assert.ts";
import { expectWhole, simExposure, simTransfer } from "../sim/transfer.ts";
import { simSeeds } from "../sim/world.ts";

const path = { delayMs: 20, bytesPerSecond: 1_000_000, queueBytes: 50_000 };

for (const host of ["198.51.100.2", "203.0.113.77"]) {
  const what = host === "198.51.100.2" ? "port" : "address";
  Deno.test(`the puller's ${what} changes twice: it goes on within half a second each time`, async () => {
    for (const seed of simSeeds(1, 2, 3)) {
      const exposure = await simExposure(seed, 4_000_000);
      const { world, exposer, puller } = simTransfer(seed, exposure, { path });
      world.at(1500, () => puller.move({ host, port: 41_000 }));
      world.at(4000, () => puller.move({ host, port: 42_000 }));
      const time = world.run(() => puller.ended, 60_000);
      expectWhole(puller, exposure);
      assertLess(time, 4200 + 2 * 500);
      assert(exposer.machine.drops.of("bad token") >= 2);
      assertEquals(exposer.events.filter((event) => event.kind === "granted").length, 3);
      assertEquals(puller.stalls, []);
      assertLess(exposer.machine.bytesSent, 4_600_000);
    }
  });
}
