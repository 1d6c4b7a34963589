// Packets get lost many in a row, as on air: only those are sent again.
import { assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { weathers } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const cases = [
  { name: "bursts", secondsMax: 5, factorMax: 1.15 },
  { name: "long bursts", secondsMax: 5, factorMax: 1.2 },
  { name: "wireless", secondsMax: 5, factorMax: 1.05 },
] as const;

for (const { name, secondsMax, factorMax } of cases) {
  Deno.test(`${name}: all bytes arrive within ${secondsMax} s`, async () => {
    for (const seed of simSeeds(1, 2, 3, 4)) {
      const exposure = await simExposure(seed, 2_000_000);
      const { world, exposer, puller } = simTransfer(seed, exposure, { weather: weathers[name] });
      const time = world.run(() => puller.ended, 120_000);
      expectWhole(puller, exposure);
      assertLess(time, secondsMax * 1000);
      assertLess(exposer.machine.bytesSent, factorMax * leastWireBytes(exposure));
    }
  });
}
