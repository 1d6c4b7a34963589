import { assert, assertGreater, assertLess } from "../_assert.ts";
import { Bbr } from "./bbr.ts";
import { Cubic } from "./cubic.ts";
import type { PathOptions } from "./path.ts";
import { SEGMENT_DATA_BYTES, TcpReceiver, TcpSender } from "./tcp.ts";
import type { CongestionControl } from "./tcp.ts";
import { mbit, weatherRule } from "./weather.ts";
import { World } from "./world.ts";

/**
 * 50 Mbit/s, 40 ms there and back, 60 ms of queue; and a little jitter, without which flows fall into step with the queue and one of them
 * meets all its drops.
 */
const line: Partial<PathOptions> = {
  delayMs: 20,
  bytesPerSecond: mbit(50),
  queueMs: 60,
  jitterMs: 1,
  jitterKeepsOrder: true,
};
/** What of it is data. */
const MOST = mbit(50) * SEGMENT_DATA_BYTES / 1500;
const SERVER = "192.0.2.1";

interface Flow {
  readonly sender: TcpSender;
  readonly receiver: TcpReceiver;
}

/** Flows that begin one after the other, all through one bottleneck, and the share of it that each gets from `from` to `to`, ms. */
function shares(
  controls: readonly CongestionControl[],
  path: Partial<PathOptions>,
  { seed = 1, from = 0, to = 20_000 } = {},
): { shares: number[]; flows: Flow[]; waits: number[] } {
  const world = new World({ seed, path: weatherRule({ down: path, up: path }, SERVER) });
  const flows: Flow[] = [];
  for (const [i, control] of controls.entries()) {
    const [at, other] = [{ host: SERVER, port: 80 + i }, { host: `198.51.100.${i}`, port: 7 }];
    const receiver = new TcpReceiver(world, other);
    world.at(i * 1000, () => flows.push({ sender: new TcpSender(world, at, other, control), receiver }));
  }
  const waits: number[] = [];
  world.network.observe = ({ fromHost, waitMs }) => {
    if (fromHost === SERVER && world.now >= from) waits.push(waitMs);
  };
  world.at(from, () => {});
  world.run(() => world.now >= from, to);
  const before = flows.map(({ receiver }) => receiver.bytes);
  world.at(to, () => {});
  world.run(() => world.now >= to, to);
  const seconds = (to - from) / 1000;
  return {
    flows,
    waits,
    shares: flows.map(({ receiver }, i) => (receiver.bytes - (before[i] ?? 0)) / seconds / MOST),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

for (const [name, make] of [["CUBIC", () => new Cubic()], ["BBR", () => new Bbr()]] as const) {
  Deno.test(`tcp: ${name} alone fills the line to more than 90 %`, () => {
    for (const seed of [1, 2]) assertGreater(shares([make()], line, { seed, to: 12_000 }).shares[0], 0.9);
  });

  Deno.test(`tcp: two flows of ${name} share the line, and fill it`, () => {
    const [a, b] = shares([make(), make()], line, { from: 10_000, to: 35_000 }).shares;
    assertGreater(a + b, 0.9);
    for (const one of [a, b]) assert(one > 0.3 && one < 0.7, `${a} and ${b}`);
  });

  Deno.test(`tcp: ${name} starts within three seconds, and is not stopped by an outage`, () => {
    assertGreater(shares([make()], line, { from: 3000, to: 6000 }).shares[0], 0.85);
    const world = new World({ seed: 1, path: line });
    const receiver = new TcpReceiver(world, { host: "198.51.100.1", port: 7 });
    new TcpSender(world, { host: SERVER, port: 80 }, receiver.address, make());
    world.at(2000, () => world.network.change(() => ({ open: false })));
    world.at(4000, () => world.network.change(() => ({ open: true })));
    world.at(10_000, () => {});
    world.run(() => world.now >= 5000, 60_000);
    const before = receiver.bytes;
    world.run(() => world.now >= 10_000, 60_000);
    assertGreater((receiver.bytes - before) / 5 / MOST, 0.5);
  });
}

Deno.test("tcp: CUBIC on a fast line has repaired what its slow start has lost after two seconds", () => {
  const fast = { delayMs: 20, bytesPerSecond: mbit(200), queueMs: 40 };
  const { shares: [share], flows: [{ sender, receiver }] } = shares([new Cubic()], fast, {
    from: 2000,
    to: 4000,
  });
  // More than the line carries would be what had long been there behind a gap.
  assert(share * 50 / 200 > 0.9 && share * 50 / 200 < 1.001, `${share}`);
  assertLess(sender.delivered - receiver.bytes / SEGMENT_DATA_BYTES, 10);
});

Deno.test("tcp: CUBIC fills the queue until it loses, BBR keeps it short", () => {
  // Jitter makes BBR take the path for a faster one than it is: so did the true one.
  const steady = { ...line, jitterMs: 0 };
  const cubic = shares([new Cubic()], steady, { from: 5000, to: 15_000 });
  const bbr = shares([new Bbr()], steady, { from: 5000, to: 15_000 });
  assertGreater(mean(cubic.waits), 20);
  assertLess(mean(bbr.waits), 12);
  assertGreater(cubic.flows[0].sender.lost, 0);
});

Deno.test("tcp: one packet in a hundred lost stops CUBIC, not BBR", () => {
  const lossy = { ...line, lossRate: 0.01 };
  assertLess(shares([new Cubic()], lossy).shares[0], 0.35);
  assertGreater(shares([new Bbr()], lossy).shares[0], 0.85);
});

Deno.test("tcp: five flows of CUBIC: none starves", () => {
  const five =
    shares(Array.from({ length: 5 }, () => new Cubic()), line, { from: 10_000, to: 35_000 }).shares;
  assertGreater(five.reduce((sum, one) => sum + one), 0.9);
  assertGreater(Math.min(...five), 0.08);
});
