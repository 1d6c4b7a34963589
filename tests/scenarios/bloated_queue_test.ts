// A queue of seconds before a slow line: what waits in it is not taken for lost.
import { assertEquals, assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { weathers } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const cases = [
  { name: "2 s of queue", bytes: 1_000_000, secondsMax: 5, factorMax: 1.05 },
  // A start of 32 symbols is a second and a half here.
  { name: "thin", bytes: 500_000, secondsMax: 20, factorMax: 1.4 },
  { name: "mobile", bytes: 3_000_000, secondsMax: 6, factorMax: 1.05 },
] as const;

for (const { name, bytes, secondsMax, factorMax } of cases) {
  Deno.test(`${name}: ${bytes / 1e6} MB arrive within ${secondsMax} s`, async () => {
    for (const seed of simSeeds(1, 2, 3)) {
      const exposure = await simExposure(seed, bytes);
      const { world, exposer, puller } = simTransfer(seed, exposure, { weather: weathers[name] });
      const time = world.run(() => puller.ended, 120_000);
      expectWhole(puller, exposure);
      assertLess(time, secondsMax * 1000);
      assertLess(exposer.machine.bytesSent, factorMax * leastWireBytes(exposure));
      // Where seconds pass without a symbol it says so, and then that it goes on.
      assertEquals(puller.stalls.length % 2, 0);
    }
  });
}
