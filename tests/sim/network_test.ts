import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertNotEquals,
} from "../_assert.ts";
import { type Delivery, type Passage, SimNetwork } from "./network.ts";
import { HEADER_BYTES } from "./path.ts";
import type { PathOptions, PathRule } from "./path.ts";

const a = { host: "192.0.2.1", port: 1000 };
const b = { host: "192.0.2.2", port: 2000 };

/** Payload of a packet that occupies 1000 bytes of a link. */
const LENGTH = 1000 - HEADER_BYTES;

/** Sends `count` numbered packets from a to b, one every `everyMs`, and gives what comes out, by time of arrival. */
function run(
  seed: number,
  path: Partial<PathOptions>,
  { count = 1000, everyMs = 1, length = LENGTH } = {},
): { arrivals: Delivery[]; network: SimNetwork } {
  const network = new SimNetwork(seed, path);
  const arrivals: Delivery[] = [];
  for (let i = 0; i < count; i++) arrivals.push(...network.send(i * everyMs, a, b, numbered(i, length)));
  arrivals.sort((x, y) => x.at - y.at);
  return { arrivals, network };
}

function numbered(number: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function numbers(arrivals: Delivery[]): number[] {
  return arrivals.map(({ bytes }) => new DataView(bytes.buffer).getUint32(0));
}

/** Five standard deviations of the mean of `count` throws with probability `rate`. */
function tolerance(rate: number, count: number): number {
  return 5 * Math.sqrt(rate * (1 - rate) / count);
}

Deno.test("network: a perfect path brings everything at once, as copies, from who sent it", () => {
  const sent = Uint8Array.of(1, 2, 3);
  const [delivery] = new SimNetwork(1).send(5, a, b, sent);
  sent.fill(9);
  assertEquals(delivery, { at: 5, from: a, to: b, bytes: Uint8Array.of(1, 2, 3) });
});

Deno.test("network: loss has the rate that was asked for, seed by seed", () => {
  for (let seed = 0; seed < 50; seed++) {
    for (const lossRate of [0, 0.01, 0.3, 1]) {
      const { arrivals, network } = run(seed, { lossRate });
      assertAlmostEquals(1 - arrivals.length / 1000, lossRate, tolerance(lossRate, 1000) + 1e-9);
      assertEquals(network.stats.lost, 1000 - arrivals.length);
    }
  }
});

Deno.test("network: delay is exact, and order is kept without jitter", () => {
  const { arrivals } = run(3, { delayMs: 25, bytesPerSecond: 400_000 });
  assertEquals(numbers(arrivals), Array.from({ length: 1000 }, (_, i) => i));
  assertAlmostEquals(arrivals[0].at, 25 + 1000 / 400);
});

Deno.test("network: jitter stays within its bound, and lets packets overtake", () => {
  const { arrivals } = run(3, { delayMs: 10, jitterMs: 5 });
  for (const [i, number] of numbers(arrivals).entries()) {
    const took = arrivals[i].at - number;
    assert(took >= 10 && took < 15);
  }
  assertNotEquals(numbers(arrivals), Array.from({ length: 1000 }, (_, i) => i));
});

Deno.test("network: the rate holds, and what the queue has no room for is dropped at its tail", () => {
  // 1000 bytes every ms into 500 bytes a ms: the queue of 10,000 fills, then every other packet is dropped.
  const { arrivals, network } = run(1, { bytesPerSecond: 500_000, queueBytes: 10_000 });
  const last = arrivals[arrivals.length - 1].at;
  assertAlmostEquals(arrivals.length * 1000 / last, 500, 1);
  assertEquals(numbers(arrivals).slice(0, 18), Array.from({ length: 18 }, (_, i) => i));
  assertEquals(arrivals.length + network.stats.queueDrops, 1000);
  assertAlmostEquals(network.stats.queueDrops, 490, 2);
  // Nobody waits longer than the queue takes to drain.
  for (const [i, number] of numbers(arrivals).entries()) {
    assertLessOrEqual(arrivals[i].at - number, 20 + 1e-6);
  }
});

Deno.test("network: the queue takes exactly its bytes", () => {
  const network = new SimNetwork(1, { bytesPerSecond: 1000, queueBytes: 3000 });
  const at = (now: number, wire: number) =>
    network.send(now, a, b, new Uint8Array(wire - HEADER_BYTES)).map((delivery) => delivery.at);
  assertEquals([at(0, 3000), at(0, 29)], [[3000], []]);
  assertEquals(at(29, 29), [3029]); // 29 bytes have left
});

Deno.test("network: a queue that is bounded in time lets nobody wait longer, and takes a packet of any size when it is empty", () => {
  const { arrivals, network } = run(1, { bytesPerSecond: 500_000, queueMs: 15 });
  const waits = numbers(arrivals).map((number, i) => arrivals[i].at - number - 2);
  assert(Math.max(...waits) > 14 && Math.max(...waits) <= 15 + 1e-6, `${Math.max(...waits)}`);
  assertEquals(arrivals.length + network.stats.queueDrops, 1000);
  const slow = new SimNetwork(1, { bytesPerSecond: 10, queueMs: 0 });
  assertEquals([0, 1, 100_000].map((now) => slow.send(now, a, b, numbered(1, LENGTH)).length), [1, 0, 1]);
});

Deno.test("network: paths that name a link share its queue, those that do not have one each", () => {
  for (const link of [undefined, "all"]) {
    const shared = link !== undefined;
    const network = new SimNetwork(1, {
      bytesPerSecond: 1_000_000,
      queueBytes: 10_000,
      ...(link && { link }),
    });
    const hosts = Array.from({ length: 4 }, (_, i) => ({ host: `192.0.2.${10 + i}`, port: 1 }));
    let arrived = 0;
    // Each sends what the link carries: together four times as much.
    for (let i = 0; i < 1000; i++) {
      for (const host of hosts) arrived += network.send(i, host, b, numbered(i, LENGTH)).length;
    }
    assertAlmostEquals(arrived, shared ? 1010 : 4000, 10);
    assertEquals(network.stats.queueDrops, 4000 - arrived);
    const drops = hosts.map(({ host }) => network.statsOf(host, b.host).queueDrops);
    assertEquals(drops.reduce((sum, n) => sum + n), network.stats.queueDrops);
  }
});

Deno.test("network: a policer passes its burst, then its rate, and holds nothing back", () => {
  // 1000 bytes every ms; 300 bytes a ms are allowed, and 20,000 at once.
  const policed = { policedBytesPerSecond: 300_000, policedBurstBytes: 20_000, delayMs: 5 };
  const { arrivals, network } = run(1, policed);
  assertEquals(numbers(arrivals).slice(0, 28), Array.from({ length: 28 }, (_, i) => i));
  assertAlmostEquals(arrivals.length, 20 + 300, 2);
  assertEquals(network.stats.policed, 1000 - arrivals.length);
  for (const [i, number] of numbers(arrivals).entries()) assertEquals(arrivals[i].at, number + 5);
});

Deno.test("network: loss in bursts has the mean loss and the mean length that were asked for", () => {
  for (const [burstLossRate, burstPackets] of [[0.02, 8], [0.1, 3], [0.3, 20], [0.1, 1]]) {
    const count = 200_000;
    const { arrivals, network } = run(7, { burstLossRate, burstPackets }, { count, length: 4 });
    const here = new Set(numbers(arrivals));
    let bursts = 0;
    for (let i = 1; i < count; i++) if (!here.has(i) && here.has(i - 1)) bursts++;
    assertEquals(network.stats.burstLost, count - here.size);
    // What one packet in a burst does says something of its neighbours: the mean is worth fewer throws.
    const throws = count / (2 * burstPackets);
    assertAlmostEquals(1 - here.size / count, burstLossRate, tolerance(burstLossRate, throws));
    assertAlmostEquals((count - here.size) / bursts / burstPackets, 1, 5 / Math.sqrt(bursts));
  }
});

Deno.test("network: a burst is over when its time is, however few packets it has met", () => {
  // One packet a second; each burst would last for a thousand of them.
  const rare = { everyMs: 1000, count: 2000, length: 4 };
  const path = { burstLossRate: 0.5, burstPackets: 1000 };
  assertGreater(run(7, path, rare).network.stats.burstLost, 500);
  const { burstLost } = run(7, { ...path, burstMs: 500 }, rare).network.stats;
  assert(burstLost > 0 && burstLost < 20, `${burstLost}`);
});

Deno.test("network: jitter that keeps the order delays those behind, and nobody beyond its bound", () => {
  const { arrivals } = run(3, { delayMs: 10, jitterMs: 5, jitterKeepsOrder: true });
  assertEquals(numbers(arrivals), Array.from({ length: 1000 }, (_, i) => i));
  for (const [i, { at }] of arrivals.entries()) assert(at >= i + 10 && at < i + 15);
});

Deno.test("network: pauses have the mean length and the mean distance that were asked for, and keep the order", () => {
  const count = 100_000;
  const [pauseMs, pauseEveryMs] = [8, 40];
  const { arrivals } = run(3, { delayMs: 10, pauseMs, pauseEveryMs }, { count, length: 4 });
  assertEquals(numbers(arrivals), Array.from({ length: count }, (_, i) => i));
  const held = arrivals.map(({ at }, i) => at - i - 10).filter((ms) => ms > 1e-6);
  assertAlmostEquals(held.length / count, pauseMs / (pauseMs + pauseEveryMs), 0.02);
  // Whoever meets an exponential pause, at whatever time, has as much of it before him as a whole one.
  assertAlmostEquals(held.reduce((sum, ms) => sum + ms, 0) / held.length, pauseMs, 0.5);
});

Deno.test("network: options by direction, and changes that hold for paths that are used later too", () => {
  const rule: PathRule = (from) => from === a.host ? { delayMs: 30 } : { delayMs: 2 };
  const network = new SimNetwork(1, rule);
  const at = (from: typeof a, to: typeof a) => network.send(100, from, to, new Uint8Array(1))[0]?.at;
  assertEquals([at(a, b), at(b, a)], [130, 102]);
  network.change((from) => from === a.host ? { mtu: 28 } : { jitterMs: 0 });
  assertEquals([at(a, b), at(b, a), at(a, { host: "192.0.2.9", port: 1 })], [undefined, 102, undefined]);
  assertEquals(network.stats.mtuDrops, 2);
});

Deno.test("network: the observer sees every packet, how long it waits, and why it does not arrive", () => {
  const network = new SimNetwork(1, { bytesPerSecond: 1_000_000, queueBytes: 2000 });
  const seen: Passage[] = [];
  network.observe = (passage) => seen.push(passage);
  for (let i = 0; i < 3; i++) network.send(0, a, b, numbered(i, LENGTH));
  assertEquals(seen.map(({ wireBytes, waitMs, drop }) => [wireBytes, waitMs, drop]), [
    [1000, 0, undefined],
    [1000, 1, undefined],
    [1000, 2, "queueDrops"],
  ]);
});

Deno.test("network: the same seed gives the same run, another seed another", () => {
  const rough = {
    delayMs: 20,
    jitterMs: 3,
    lossRate: 0.1,
    duplicateRate: 0.1,
    reorderRate: 0.1,
    corruptRate: 0.1,
    burstLossRate: 0.05,
    burstPackets: 4,
    bytesPerSecond: 900_000,
    queueBytes: 30_000,
  };
  assertEquals(run(5, rough), run(5, rough));
  assertNotEquals(run(5, rough).arrivals, run(6, rough).arrivals);
});

Deno.test("network: what happens elsewhere, and options switched on, leave other fates alone", () => {
  const plain = numbers(run(5, { lossRate: 0.2 }).arrivals);
  assertEquals([...new Set(numbers(run(5, { lossRate: 0.2, duplicateRate: 0.5 }).arrivals))].sort(by), plain);
  const busy = new SimNetwork(5, { lossRate: 0.2 });
  const arrivals: Delivery[] = [];
  for (let i = 0; i < 1000; i++) {
    busy.send(i, b, a, new Uint8Array(9));
    arrivals.push(...busy.send(i, a, b, numbered(i, LENGTH)));
  }
  assertEquals(numbers(arrivals), plain);
});

Deno.test("network: a partition is one way, ends, and lets through what was under way", () => {
  const network = new SimNetwork(1, { delayMs: 10 });
  const bytes = new Uint8Array(3);
  assertEquals(network.send(0, a, b, bytes).length, 1);
  network.partition(a.host, b.host);
  assertEquals(network.send(1, a, b, bytes).length, 0);
  assertEquals(network.send(1, b, a, bytes).length, 1);
  network.heal(a.host, b.host);
  assertEquals(network.send(2, a, b, bytes).length, 1);
  assertEquals(network.stats.partitionDrops, 1);
});

Deno.test("network: corruption flips exactly one bit, anywhere", () => {
  const { arrivals, network } = run(4, { corruptRate: 1 }, { count: 4000, length: 8 });
  const places = new Set<number>();
  for (const { at, bytes } of arrivals) {
    const sent = numbered(at, 8);
    const flipped = [...bytes].flatMap((byte, i) =>
      [...Array(8).keys()].filter((bit) => ((byte ^ sent[i]) >> bit) & 1).map((bit) => i * 8 + bit)
    );
    assertEquals(flipped.length, 1);
    places.add(flipped[0]);
  }
  assertEquals([places.size, network.stats.corrupted], [64, 4000]);
  // An empty packet has no bit to flip.
  assertEquals(network.send(4000, a, b, new Uint8Array(0))[0].bytes.length, 0);
  assertEquals(network.stats.corrupted, 4000);
});

Deno.test("network: duplicates and held back packets come at their rates", () => {
  const { arrivals, network } = run(9, { duplicateRate: 0.25, delayMs: 1 });
  assertEquals(arrivals.length, 1000 + network.stats.duplicated);
  assertAlmostEquals(network.stats.duplicated / 1000, 0.25, tolerance(0.25, 1000));
  const held = run(9, { reorderRate: 0.25, reorderMs: 3.5 });
  const late = numbers(held.arrivals).filter((number, i) => held.arrivals[i].at - number === 3.5).length;
  assertEquals(late, held.network.stats.reordered);
  assertAlmostEquals(late / 1000, 0.25, tolerance(0.25, 1000));
});

Deno.test("network: the MTU passes, one byte more vanishes", () => {
  const network = new SimNetwork(1);
  network.setPath(a.host, b.host, { mtu: 1500 });
  assertEquals(network.send(0, a, b, new Uint8Array(1472)).length, 1);
  assertEquals(network.send(0, a, b, new Uint8Array(1473)).length, 0);
  assertEquals(network.send(0, b, a, new Uint8Array(1473)).length, 1);
  assertEquals(network.stats.mtuDrops, 1);
});

function by(x: number, y: number): number {
  return x - y;
}
