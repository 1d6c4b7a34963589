// A puller that knows no key meets an exposer that asks for no ticket: from the first answer on, its key is the only one.
import { assert, assertEquals, assertGreater } from "../_assert.ts";
import type { Address } from "../../codec/address.ts";
import { HandshakeMessage } from "../../codec/handshake.ts";
import { PacketType, readWord } from "../../codec/packet.ts";
import {
  expectFailure,
  expectWhole,
  exposedOf,
  exposerAddress,
  pullerAddress,
  SimExposer,
  simExposure,
  SimPuller,
} from "../sim/transfer.ts";
import type { SimExposure } from "../sim/transfer.ts";
import { simSeeds, World } from "../sim/world.ts";

const path = { delayMs: 20, bytesPerSecond: 1_000_000, queueBytes: 60_000, lossRate: 0.01 };

function open(world: World, address: Address, exposure: SimExposure): SimExposer {
  const exposer = new SimExposer(world, address, exposure);
  exposer.machine.add(exposedOf(exposure, () => "open"));
  return exposer;
}

/** Without a key and without a ticket. */
function stranger(world: World, exposure: SimExposure): SimPuller {
  const nothing = { exposerKey: undefined, ticket: undefined };
  return new SimPuller(world, pullerAddress, exposerAddress, exposure, nothing);
}

Deno.test("XX at first contact; IK with the same key when the exposer has restarted", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 2_000_000);
    const world = new World({ seed, path });
    const exposers = [open(world, exposerAddress, exposure)];
    const puller = stranger(world, exposure);
    const messages: number[] = [];
    puller.tap = (_to, bytes) => {
      const word = readWord(bytes);
      if (word?.type === PacketType.HANDSHAKE) messages.push(word.field >> 8);
    };
    world.at(1000, () => exposers[0].crash());
    world.at(1500, () => exposers.push(open(world, exposerAddress, exposure)));
    world.run(() => puller.ended, 120_000);
    expectWhole(puller, exposure);
    const { XX1, XX3, IK1, HYBRID_XX1, HYBRID_IK1 } = HandshakeMessage;
    const known = [IK1, HYBRID_IK1] as readonly number[];
    const others = messages.filter((message) => !known.includes(message));
    // The first packet was sent before anybody listened; it is repeated now and then.
    assertEquals(new Set([...others, XX1]), new Set([XX1, HYBRID_XX1, XX3]));
    assertEquals(messages.lastIndexOf(XX3) < messages.findIndex((message) => known.includes(message)), true);
    assert(messages.includes(HYBRID_IK1));
    assert(puller.machine.sources[0].isHybrid);
    assertGreater(exposers[1].machine.bytesSent, 0);
  }
});

Deno.test("another exposer in its place, with another key and the same content, is not taken for it", async () => {
  const exposure = await simExposure(1, 2_000_000);
  const { staticPrivate, staticKey } = await simExposure(2, 10);
  const world = new World({ seed: 1, path });
  const exposer = open(world, exposerAddress, exposure);
  const puller = stranger(world, exposure);
  world.at(1000, () => {
    exposer.crash();
    open(world, exposerAddress, { ...exposure, staticPrivate, staticKey });
  });
  world.run(() => puller.ended, 120_000);
  assert(expectFailure(puller, "TIMEOUT"));
});
