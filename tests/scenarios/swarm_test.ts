// A thousand pull the same thing, and serve what they have meanwhile: the exposer sends it about once.
import { assert, assertEquals, assertLess } from "../_assert.ts";
import { exposerAddress, leastWireBytes, SimExposer, simExposure } from "../sim/transfer.ts";
import { SimPeer } from "../sim/swarm.ts";
import { simSeeds, World } from "../sim/world.ts";

/** How many take from one. */
const FAN_OUT = 4;
const path = { delayMs: 15, bytesPerSecond: 12_500_000, queueMs: 50, queueBytes: 500_000 };

const hostOf = (i: number) => `10.0.${i >> 8}.${i & 255}`;
const parentOf = (i: number) => i === 0 ? undefined : hostOf(Math.floor((i - 1) / FAN_OUT));

function swarm(count: number, seed: number, exposure: Awaited<ReturnType<typeof simExposure>>) {
  const world = new World({ seed, path });
  const exposer = new SimExposer(world, exposerAddress, exposure);
  const peers = Array.from(
    { length: count },
    (_, i) => new SimPeer(world, hostOf(i), exposure, exposerAddress, parentOf(i)),
  );
  return { world, exposer, peers };
}

Deno.test("1,000 peers in a tree: all have everything, and the exposer has sent it at most 1.05 times", async () => {
  for (const seed of simSeeds(1)) {
    const exposure = await simExposure(seed, 100_000, { chunkSize: 16_384 });
    const { world, exposer, peers } = swarm(1000, seed, exposure);
    world.run(() => peers.every(({ endedAt }) => endedAt < Infinity), 60_000);
    assertEquals(peers.filter(({ endedAt }) => endedAt === Infinity).length, 0);
    assertLess(exposer.machine.bytesSent, 1.05 * leastWireBytes(exposure));
    const most = Math.max(...peers.map(({ bytesSent }) => bytesSent));
    assertLess(most, 1.2 * FAN_OUT * leastWireBytes(exposure));
  }
});

Deno.test("ten of 300 are killed on the way: who took from them goes on with the exposer", async () => {
  for (const seed of simSeeds(2)) {
    const exposure = await simExposure(seed, 100_000, { chunkSize: 16_384 });
    const { world, exposer, peers } = swarm(300, seed, exposure);
    world.run(() => peers.some(({ endedAt }) => endedAt < Infinity), 60_000);
    const killed = peers.slice(20, 30);
    for (const peer of killed) peer.crash();
    const rest = peers.filter((peer) => !killed.includes(peer));
    world.run(() => rest.every(({ endedAt }) => endedAt < Infinity), 60_000);
    assert(rest.every(({ endedAt }) => endedAt < Infinity));
    // Forty peers lost theirs.
    assertLess(exposer.machine.bytesSent, (1.05 + 1.1 * FAN_OUT * killed.length) * leastWireBytes(exposure));
  }
});
