// The way back is many times narrower than the way here: requests fit it, and do not wait for each other.
import { assertEquals, assertLess } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { mbit, mostGoodput, weathers } from "../sim/weather.ts";
import type { Weather } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const cases: readonly { name: string; weather: Weather; timesMax: number; factorMax: number }[] = [
  { name: "ADSL", weather: weathers.adsl, timesMax: 1.05, factorMax: 1.02 },
  { name: "cable", weather: weathers.cable, timesMax: 1, factorMax: 1.02 },
  {
    name: "100 Mbit/s, and 64 kbit/s back",
    weather: {
      down: { delayMs: 20, bytesPerSecond: mbit(100), queueMs: 50 },
      up: { delayMs: 20, bytesPerSecond: mbit(0.064), queueMs: 400 },
    },
    timesMax: 45,
    factorMax: 1.3,
  },
];

for (const { name, weather, timesMax, factorMax } of cases) {
  Deno.test(`${name}: at most ${timesMax} x the time of the way here`, async () => {
    for (const seed of simSeeds(1, 2)) {
      const bytes = 2_000_000;
      const exposure = await simExposure(seed, bytes);
      const { world, exposer, puller } = simTransfer(seed, exposure, { weather });
      const time = world.run(() => puller.ended, 60_000);
      expectWhole(puller, exposure);
      assertLess(time, 200 + timesMax * bytes / mostGoodput(weather, 1428) * 1000);
      assertLess(exposer.machine.bytesSent, factorMax * leastWireBytes(exposure));
      assertEquals(puller.stalls, []);
    }
  });
}
