// Several exposers of one exposure feed one puller: each line is filled, nobody's end is the pull's, and who lies is found.
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "../_assert.ts";
import type { Address } from "../../codec/address.ts";
import { formatAddress } from "../../codec/address.ts";
import {
  CHUNK_HEADER_BYTES,
  chunkDataPiece,
  isChunkData,
  stampChunkHeader,
  writeChunkHeader,
} from "../../codec/packet.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import type { PullerOptions } from "../../transport/protocol/puller_types.ts";
import type { SourceFacts } from "../../transport/protocol/source.ts";
import type { PathOptions } from "../sim/path.ts";
import { seededRandom } from "../sim/random.ts";
import {
  expectWhole,
  exposerAddress,
  leastWireBytes,
  pullerAddress,
  SimExposer,
  simExposure,
  SimPuller,
} from "../sim/transfer.ts";
import type { SimExposure } from "../sim/transfer.ts";
import { simSeeds, World } from "../sim/world.ts";

const MBIT = 125_000;
const hosts = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
const line: Partial<PathOptions> = {
  delayMs: 10,
  bytesPerSecond: 100 * MBIT,
  queueMs: 50,
  queueBytes: 500_000,
};

/** A world in which each exposer has a line of its own to the puller. */
function worldOf(seed: number, lines: readonly Partial<PathOptions>[]): World {
  return new World({ seed, path: (from) => lines[hosts.indexOf(from)] ?? { delayMs: 10 } });
}

function at(i: number): Address {
  return { ...exposerAddress, host: hosts[i] };
}

function factsOf({ engine, staticKey, psk }: SimExposure, i: number): SourceFacts {
  return { addresses: [at(i)], exposerKey: staticKey, ticket: { id: ticketId(engine, psk), psk } };
}

/** A puller of the first exposer that knows `count - 1` others. */
function pullerOf(
  world: World,
  exposure: SimExposure,
  count: number,
  options: Partial<PullerOptions> = {},
): SimPuller {
  const others = Array.from({ length: count - 1 }, (_, i) => factsOf(exposure, i + 1));
  return new SimPuller(world, pullerAddress, at(0), exposure, { others, ...options });
}

Deno.test("two lines of 100 Mbit/s: at least 185 Mbit/s of content, and nearly nothing twice", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 60_000_000);
    const world = worldOf(seed, [line, line]);
    const exposers = [0, 1].map((i) => new SimExposer(world, at(i), exposure));
    const puller = pullerOf(world, exposure, 2);
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    const seconds = (puller.endedAt - puller.machine.times.requestedAt!) / 1000;
    assertGreater(60_000_000 / seconds, 185 * MBIT);
    const sent = exposers.reduce((sum, { machine }) => sum + machine.bytesSent, 0);
    assertLess(sent, 1.005 * leastWireBytes(exposure));
  }
});

Deno.test("lines of 100, 20 and 5 Mbit/s: each brings what it can, and the slowest holds nobody up at the end", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 40_000_000);
    const slower = (mbits: number) => ({ ...line, bytesPerSecond: mbits * MBIT, delayMs: 60 });
    const world = worldOf(seed, [line, slower(20), slower(5)]);
    const exposers = [0, 1, 2].map((i) => new SimExposer(world, at(i), exposure));
    const puller = pullerOf(world, exposure, 3);
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    const seconds = (puller.endedAt - puller.machine.times.requestedAt!) / 1000;
    assertGreater(40_000_000 / seconds, 0.85 * 125 * MBIT);
    const sent = exposers.reduce((sum, { machine }) => sum + machine.bytesSent, 0);
    assertLess(sent, 1.03 * leastWireBytes(exposure));
  }
});

Deno.test("one of two is killed half-way, and the other at three quarters but back again: whole, at little more than its bytes", async () => {
  for (const seed of simSeeds(1, 2, 3)) {
    const exposure = await simExposure(seed, 20_000_000);
    const world = worldOf(seed, [line, line]);
    const exposers = [0, 1].map((i) => new SimExposer(world, at(i), exposure));
    const puller = pullerOf(world, exposure, 2);
    const done = (share: number) => () => puller.ended || puller.machine.progress.done > share * 20_000_000;
    world.run(done(0.5), 60_000);
    exposers[seed % 2].crash();
    world.run(done(0.75), 60_000);
    const other = exposers[1 - seed % 2];
    other.crash();
    world.at(world.now + 700, () => void new SimExposer(world, other.address, exposure));
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertLess(puller.machine.progress.wireBytes, 1.05 * leastWireBytes(exposure));
    assertLess(puller.endedAt, 8000);
  }
});

Deno.test("one of two is withdrawn, or its ticket revoked: named and left, and the other goes on", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 30_000_000);
    const world = worldOf(seed, [line, line]);
    const exposers = [0, 1].map((i) => new SimExposer(world, at(i), exposure));
    const puller = pullerOf(world, exposure, 2);
    world.run(() => puller.machine.progress.done > 2_000_000, 60_000);
    if (seed % 2) exposers[0].withdraw();
    else exposers[0].revoke();
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertEquals(puller.dropped.map(({ source }) => source), [formatAddress(at(0))]);
    assertEquals(puller.dropped[0].error.condition, seed % 2 ? "WITHDRAWN" : "ACCESS_DENIED");
  }
});

Deno.test("a source that is not there at first, and one that never is: the pull does not wait for them", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 60_000_000);
    const world = worldOf(seed, [line, line, line]);
    new SimExposer(world, at(0), exposure);
    let late: SimExposer | undefined;
    world.at(1000, () => late = new SimExposer(world, at(1), exposure));
    const puller = pullerOf(world, exposure, 3);
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertGreater(late!.machine.bytesSent, 10_000_000);
  }
});

Deno.test("one exposer at two addresses is one source", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 4_000_000);
    const world = worldOf(seed, [line, line]);
    const exposer = new SimExposer(world, at(0), exposure);
    world.add({
      address: at(1),
      deliver: (now, from, bytes) => exposer.deliver(now, from, bytes),
      deadline: () => Infinity,
      timeout: () => {},
    });
    const puller = pullerOf(world, exposure, 2);
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertEquals(puller.machine.sources.filter(({ isGone }) => !isGone).length, 1);
    assertEquals(puller.dropped, []);
  }
});

/** Has an exposer say something else than what is exposed, in some of its symbols. */
function makeLiar(world: World, liar: Address, says: (bytes: Uint8Array) => boolean): { lies: Set<number> } {
  const lies = new Set<number>();
  const send = world.send.bind(world);
  world.send = (from, to, bytes) => {
    const isLie = from.host === liar.host && isChunkData(bytes) && says(bytes);
    if (!isLie) return send(from, to, bytes);
    lies.add(chunkDataPiece(bytes));
    const other = bytes.slice();
    other[CHUNK_HEADER_BYTES] ^= 1;
    send(from, to, other);
  };
  return { lies };
}

Deno.test("a source that lies in one symbol of a hundred is found, named and left; at most two chunks a lie come again", async () => {
  for (const seed of simSeeds(1, 2, 3, 4)) {
    const exposure = await simExposure(seed, 20_000_000);
    const world = worldOf(seed, [line, line]);
    [0, 1].forEach((i) => new SimExposer(world, at(i), exposure));
    const random = seededRandom(seed, "liar");
    const { lies } = makeLiar(world, at(seed % 2), () => random.chance(0.01));
    const puller = pullerOf(world, exposure, 2);
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertEquals(puller.dropped.map(({ source }) => source), [formatAddress(at(seed % 2))]);
    assertEquals(puller.dropped[0].error.condition, "MERKLE_FAIL");
    const again = puller.machine.progress.wireBytes - leastWireBytes(exposure);
    // What was under way from the liar when it was found is thrown away too.
    assertLessOrEqual(puller.machine.drops.all()["wrong chunk"] ?? 0, lies.size);
    assertLessOrEqual(again, 2 * lies.size * 68_000);
  }
});

Deno.test("lies in what two sources have brought together are found by symbol, and the honest one stays", async () => {
  for (const seed of simSeeds(1, 2, 3, 4)) {
    const exposure = await simExposure(seed, 6_000_000, { chunkSize: 1_048_576 });
    // So slow that the other one has to help out with the last chunks.
    const slow = { ...line, bytesPerSecond: 2 * MBIT };
    const world = worldOf(seed, [slow, line]);
    [0, 1].forEach((i) => new SimExposer(world, at(i), exposure));
    const liar = at(0);
    const { lies } = makeLiar(world, liar, () => true);
    const puller = pullerOf(world, exposure, 2);
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assert(lies.size > 0);
    assert(puller.dropped.every(({ source }) => source === formatAddress(liar)));
    const [first, second] = puller.machine.sources;
    assert(first && !second.isGone);
  }
});

Deno.test("a stranger off the path forges symbols in a source's name: no honest source is left", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 6_000_000);
    const world = worldOf(seed, [line, line]);
    [0, 1].forEach((i) => new SimExposer(world, at(i), exposure));
    const puller = pullerOf(world, exposure, 2);
    const random = seededRandom(seed, "stranger");
    const forge = () => {
      if (puller.ended) return;
      const symbol = new Uint8Array(CHUNK_HEADER_BYTES + 1428);
      writeChunkHeader(symbol, 0, random.integer(46), random.integer(90));
      stampChunkHeader(symbol, 0, random.bytes(8), 1 + random.integer(100), random.integer(2 ** 32));
      world.send(at(random.integer(2)), puller.address, symbol);
      world.at(world.now + 1, forge);
    };
    forge();
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    assertEquals(puller.dropped, []);
    assertEquals(puller.machine.sources.filter(({ isGone }) => isGone), []);
  }
});

Deno.test("two sources under one limit: together they keep it", async () => {
  for (const seed of simSeeds(1, 2)) {
    const exposure = await simExposure(seed, 4_000_000);
    const world = worldOf(seed, [line, line]);
    [0, 1].forEach((i) => new SimExposer(world, at(i), exposure));
    const puller = pullerOf(world, exposure, 2, { limitRate: 2_000_000 });
    world.run(() => puller.ended, 60_000);
    expectWhole(puller, exposure);
    const seconds = (puller.endedAt - puller.machine.times.requestedAt!) / 1000;
    assertGreater(seconds, 1.9);
    assertLess(seconds, 2.6);
  }
});
