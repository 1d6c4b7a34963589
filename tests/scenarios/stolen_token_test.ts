// Somebody has read the puller's packets and sends them again, from here and from there: he gets nothing but a refusal.
import { assert, assertEquals, assertLess } from "../_assert.ts";
import { PacketType, readWord } from "../../codec/packet.ts";
import { SimPuller } from "../sim/transfer.ts";
import { expectWhole, leastWireBytes, simExposure, simTransfer } from "../sim/transfer.ts";
import type { SimHost } from "../sim/world.ts";
import { simSeeds } from "../sim/world.ts";

const path = { delayMs: 20, bytesPerSecond: 1_000_000, queueBytes: 61_200 };

/** Keeps what arrives. */
function listener(address: SimHost["address"]): SimHost & { readonly got: Uint8Array[] } {
  const got: Uint8Array[] = [];
  return {
    address,
    got,
    deliver: (_now, _from, bytes) => void got.push(bytes),
    deadline: () => Infinity,
    timeout() {},
  };
}

Deno.test("requests replayed with the puller's own address: each number is served once", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 3_000_000);
    const calm = simTransfer(seed, exposure, { path });
    calm.world.run(() => calm.puller.ended, 60_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    const seen: Uint8Array[] = [];
    puller.tap = (to, bytes) => {
      if (readWord(bytes)?.type !== PacketType.PULL_REQUEST) return;
      seen.push(bytes);
      // This one again at once, an old one, and the first.
      for (const old of [bytes, seen[seen.length >> 1], seen[0]]) {
        world.at(world.now + 5, () => world.send(puller.address, to, old));
      }
    };
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(exposer.machine.bytesSent, 1.03 * calm.exposer.machine.bytesSent);
    assert(exposer.machine.drops.of("replayed request") >= 2 * seen.length);
  }
});

Deno.test("a sniffed token used from another address: refusals alone, at most ten a second, and less than was sent", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 3_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    const thief = listener({ host: "203.0.113.66", port: puller.address.port });
    world.add(thief);
    let sent = 0;
    puller.tap = (to, bytes) => {
      if (readWord(bytes)?.type !== PacketType.PULL_REQUEST) return;
      sent += bytes.length;
      world.send(thief.address, to, bytes);
    };
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assert(thief.got.length > 0);
    for (const packet of thief.got) {
      assertEquals([packet[0] & 15, packet.length], [PacketType.REFUSAL, 12]);
    }
    assertLess(thief.got.length, 2 + time / 100);
    assertLess(exposer.sentTo.get(thief.address.host)!, sent);
  }
});

Deno.test("requests replayed after the exposer forgot the puller: no more than the floor rate, until the token ends", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 1_000_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    const seen: Uint8Array[] = [];
    puller.tap = (_to, bytes) => {
      if (readWord(bytes)?.type === PacketType.PULL_REQUEST) seen.push(bytes);
    };
    world.run(() => puller.ended, 60_000);
    puller.crash();
    const before = exposer.machine.bytesSent;
    const start = world.now;
    // For an hour the thief says everything again and again, and pauses so that his window is forgotten.
    const replay = () => {
      for (const packet of seen) world.send(puller.address, exposer.address, packet);
      if (world.now < start + 3_600_000) world.at(world.now + 30_000, replay);
    };
    world.at(start + 60_000, replay);
    world.run(() => world.now > start + 3_600_000, 4_000_000);
    // Each pause gives him one request beyond his credit; after ten minutes the token is dead.
    assertLess(exposer.machine.bytesSent - before, 1_000_000);
    assert(exposer.machine.drops.of("bad token") > 0);
  }
});

Deno.test("another ticket holder's token does not help a puller of another address", async () => {
  const exposure = await simExposure(1, 200_000);
  const { world, exposer, puller } = simTransfer(1, exposure, { path });
  const other = new SimPuller(world, { host: "203.0.113.9", port: 1 }, exposer.address, exposure);
  world.run(() => puller.ended && other.ended, 60_000);
  expectWhole(puller, exposure);
  expectWhole(other, exposure);
  assertLess(exposer.machine.bytesSent, 2.2 * leastWireBytes(exposure));
});
