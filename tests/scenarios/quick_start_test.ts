// Who has a ticket pulls a megabyte from 40 ms away: it is there within six round trips, the handshake among them. Here nobody reckons for
// any time, so less is asked: what processes take comes on top.
import { assertLessOrEqual } from "../_assert.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import { mbit } from "../sim/weather.ts";
import { simSeeds } from "../sim/world.ts";

const ROUND_TRIP_MS = 40;

for (
  const { megabits, roundTrips } of [{ megabits: 200, roundTrips: 5.7 }, { megabits: 1000, roundTrips: 5.4 }]
) {
  Deno.test(`1 MB at ${megabits} Mbit/s: ${roundTrips} round trips from the first packet to the last byte`, async () => {
    for (const seed of simSeeds(1, 2, 3)) {
      const exposure = await simExposure(seed, 1_000_000);
      const path = {
        delayMs: ROUND_TRIP_MS / 2,
        bytesPerSecond: mbit(megabits),
        queueMs: 50,
        jitterMs: 0.5,
        jitterKeepsOrder: true,
      };
      const { world, exposer, puller } = simTransfer(seed, exposure, { path });
      world.run(() => puller.ended, 10_000);
      expectWhole(puller, exposure);
      assertLessOrEqual(puller.endedAt, roundTrips * ROUND_TRIP_MS);
      assertLessOrEqual(exposer.machine.bytesSent, 1.02 * leastWireBytes(exposure));
    }
  });
}
