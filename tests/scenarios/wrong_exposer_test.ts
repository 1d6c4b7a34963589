// Somebody else, nobody, or another version answers at the ticket's address: the puller says which, in time.
import { assertEquals, assertGreater, assertLess, assertStringIncludes } from "../_assert.ts";
import { PROTOCOL_VERSION } from "../../codec/packet.ts";
import { refusal, RefusalReason } from "../../codec/control.ts";
import {
  expectFailure,
  expectWhole,
  exposedOf,
  exposerAddress,
  pullerAddress,
  SimExposer,
  simExposure,
  SimPuller,
  simTransfer,
} from "../sim/transfer.ts";
import { simSeeds, World } from "../sim/world.ts";

for (const lossRate of [0, 0.1]) {
  Deno.test(`an exposer with another key, ${lossRate * 100} % loss: AUTH_FAIL in under 3 s`, async () => {
    for (const seed of simSeeds(1, 2, 3)) {
      const [meant, other] = [await simExposure(seed, 1000), await simExposure(seed + 100, 1000)];
      const world = new World({ seed, path: { delayMs: 40, lossRate } });
      const exposer = new SimExposer(world, exposerAddress, other);
      const puller = new SimPuller(world, pullerAddress, exposerAddress, meant);
      world.run(() => puller.ended, 60_000);
      assertStringIncludes(expectFailure(puller, "AUTH_FAIL").message, "ask for a new ticket");
      assertLess(puller.endedAt, 3000);
      assertGreater(exposer.machine.drops.of("handshake not for this key"), 2);
    }
  });
}

Deno.test("nothing there: TIMEOUT when the time for the first contact is over, and what to check", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 1000);
    const world = new World({ seed });
    const puller = new SimPuller(world, pullerAddress, exposerAddress, exposure, {
      handshakeTimeoutMs: 7000,
    });
    world.run(() => puller.ended, 60_000);
    const { message } = expectFailure(puller, "TIMEOUT");
    for (const part of ["192.0.2.1:9000", "firewall", "check the address"]) {
      assertStringIncludes(message, part);
    }
    assertLess(Math.abs(puller.endedAt - 7000), 1);
  }
});

Deno.test("another version: VERSION, and that both should run the same release", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 1000);
    const world = new World({ seed, path: { delayMs: 20 } });
    world.add({
      address: exposerAddress,
      deliver: (_now, from, bytes) => {
        const packet = refusal.encode({ echo: bytes.slice(4, 12) }, { field: RefusalReason.VERSION });
        // Its word carries its own version.
        packet[0] = ((PROTOCOL_VERSION + 1) << 4) | (packet[0] & 15);
        world.send(exposerAddress, from, packet);
      },
      deadline: () => Infinity,
      timeout: () => {},
    });
    const puller = new SimPuller(world, pullerAddress, exposerAddress, exposure);
    world.run(() => puller.ended, 60_000);
    assertStringIncludes(expectFailure(puller, "VERSION").message, "same release");
    assertLess(puller.endedAt, 10_001);
  }
});

Deno.test("an answer that comes when the puller has given up: counted, no more", async () => {
  const exposure = await simExposure(1, 1000);
  const { world, puller } = simTransfer(1, exposure, {
    path: { delayMs: 700 },
    puller: { handshakeTimeoutMs: 1000 },
  });
  world.run(() => puller.ended, 60_000);
  expectFailure(puller, "TIMEOUT");
  world.run(() => puller.machine.drops.of("unexpected") > 2, 60_000);
});

Deno.test("forged hints outrun the exposer's answer on a slow path: they are not believed", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 1000);
    const { world, puller } = simTransfer(seed, exposure, { path: { delayMs: 250 } });
    const forger = { host: "203.0.113.66", port: 9000 };
    world.network.setPath(forger.host, puller.address.host, { delayMs: 0 });
    puller.tap = (_to, bytes) => {
      const packet = refusal.encode({ echo: bytes.slice(4, 12) }, { field: RefusalReason.KEY });
      for (let i = 0; i < 10; i++) world.send(forger, puller.address, packet);
    };
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
  }
});

Deno.test("a grant with another key, or of another exposure, than the ID says: refused before a byte is asked for", async () => {
  const [meant, other] = [await simExposure(1, 1000), await simExposure(2, 1000)];
  const honest = exposedOf(meant, () => meant.psk);
  const lies = [
    { exposureKey: other.sealed.exposureKey },
    { manifestBytes: other.sealed.manifest, manifest: other.manifest, exposureKey: other.sealed.exposureKey },
  ];
  for (const lie of lies) {
    const { world, exposer, puller } = simTransfer(1, meant, { path: { delayMs: 20 } });
    exposer.machine.add({ ...honest, ...lie });
    world.run(() => puller.ended, 10_000);
    expectFailure(puller, "AUTH_FAIL");
    assertEquals([exposer.machine.bytesSent, puller.stored.size], [0, 0]);
  }
});
