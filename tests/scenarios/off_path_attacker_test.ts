// A stranger who knows both addresses, but sees nothing, sends everything that there is to send: nothing of it has an effect.
import { assert, assertEquals, assertGreater, assertLess } from "../_assert.ts";
import {
  chunkAvailable,
  complete,
  CompleteReason,
  keepaliveEcho,
  refusal,
  RefusalReason,
  retry,
} from "../../codec/control.ts";
import { encodeHandshake, HandshakeMessage } from "../../codec/handshake.ts";
import {
  CHUNK_HEADER_BYTES,
  PacketType,
  stampChunkHeader,
  writeChunkHeader,
  writeWord,
} from "../../codec/packet.ts";
import { expectWhole, simExposure, simTransfer } from "../sim/transfer.ts";
import { seededRandom } from "../sim/random.ts";
import type { SeededRandom } from "../sim/random.ts";
import { simSeeds } from "../sim/world.ts";

const path = { delayMs: 20, bytesPerSecond: 1_000_000, queueBytes: 60_000 };
const EVERY_MS = 2;

/** What a stranger can say to a puller. */
function forgeries(random: SeededRandom): Uint8Array[] {
  const { bytes, integer } = random;
  const symbol = new Uint8Array(CHUNK_HEADER_BYTES + 1428);
  writeChunkHeader(symbol, 0, integer(46), integer(60));
  stampChunkHeader(symbol, 0, bytes(8), 1 + integer(300), integer(2 ** 32));
  const manifest = new Uint8Array(92);
  writeWord(manifest, PacketType.EXPOSE_MANIFEST, 0, 0);
  const mac = () => bytes(8);
  const message = 1 + integer(Object.keys(HandshakeMessage).length);
  return [
    symbol,
    manifest,
    ...Object.values(RefusalReason).flatMap((field) => [
      refusal.encode({ echo: bytes(8) }, { field }),
      refusal.encode({ echo: bytes(8) }, { field }, mac),
    ]),
    ...Object.values(CompleteReason).map((field) =>
      complete.encode({ tag: bytes(8), label: bytes(16) }, { field }, mac)
    ),
    retry.encode({ exchange: bytes(8), cookie: bytes(16) }),
    keepaliveEcho.encode({ tag: bytes(8), number: 3 }, { flags: 2 }, mac),
    chunkAvailable.encode(
      { tag: bytes(8), label: bytes(16), size: 1, root: bytes(32), signature: bytes(64) },
      {},
      mac,
    ),
    encodeHandshake({
      message,
      fragment: 0,
      fragments: 1,
      exchange: bytes(8),
      offers: [1],
      retryCookie: bytes(0),
      stateCookie: bytes(100),
      body: bytes(300),
    }),
    bytes(1 + integer(1400)),
  ];
}

Deno.test("forged packets of every type to both sides, 500 a second: identical, at most 1.03 x the bytes", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 4_000_000);
    const calm = simTransfer(seed, exposure, { path });
    calm.world.run(() => calm.puller.ended, 60_000);

    const { world, exposer, puller } = simTransfer(seed, exposure, { path });
    const random = seededRandom(seed, "attacker");
    const attacker = { host: "203.0.113.66", port: 666 };
    let sent = 0;
    const attack = () => {
      if (puller.ended) return;
      const packets = forgeries(random);
      const packet = packets[random.integer(packets.length)];
      // With its own address, and with that of the other side.
      world.send(random.chance(0.5) ? attacker : exposer.address, puller.address, packet);
      world.send(random.chance(0.5) ? attacker : puller.address, exposer.address, packet);
      sent++;
      world.at(world.now + EVERY_MS, attack);
    };
    attack();
    const time = world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    // Forged packets share the line with the true ones.
    assertLess(time, 1.8 * calm.world.now);
    assertLess(exposer.machine.bytesSent, 1.03 * calm.exposer.machine.bytesSent);
    assertEquals(exposer.events.filter((event) => event.kind === "granted").length, 1);
    assertEquals(exposer.machine.memory.liveTokens, 1);
    assertGreater(sent, 1000);
    const { drops } = puller.machine;
    for (const reason of ["wrong tag", "unexpected"] as const) assert(drops.of(reason) > 0, reason);
  }
});

Deno.test("every forged packet is counted", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 100_000);
    const { world, exposer, puller } = simTransfer(seed, exposure, { puller: { limitRate: 2000 } });
    world.run(() => puller.machine.progress.symbolsReceived > 0, 10_000);
    const random = seededRandom(seed, "attacker");
    const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, n) => sum + n, 0);
    for (const packet of Array.from({ length: 20 }, () => forgeries(random)).flat()) {
      const [atPuller, atExposer] = [total(puller.machine.drops.all()), total(exposer.machine.drops.all())];
      puller.deliver(world.now, { host: "203.0.113.66", port: 666 }, packet);
      exposer.deliver(world.now, { host: "203.0.113.66", port: 666 }, packet);
      assertEquals(
        [total(puller.machine.drops.all()), total(exposer.machine.drops.all())],
        [atPuller + 1, atExposer + 1],
        packet.subarray(0, 12).toHex(),
      );
    }
  }
});
