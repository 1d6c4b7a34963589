/*
 * The emulated link with real packets of real kernels: it delays, queues and loses as it was told to, counts every packet, and leaves
 * nothing behind. How well the numbers fit is the subject of `path_test.ts`, in virtual time; here bounds are wide, for busy machines.
 */
import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLess } from "../_assert.ts";
import { run } from "./_namespaces.ts";
import { quantile } from "./_histogram.ts";
import type { PathOptions } from "./_path.ts";
import type { Received, Sending } from "./_traffic.ts";
import { crossing, Wan, wanAddresses, whyNoWan } from "./_wan.ts";
import type { Crossing, WanOptions } from "./_wan.ts";

const noWan = await whyNoWan();
const noPing = noWan || await run("ping", "-V").then(() => "", () => "no ping here");
const PORT = 4000;

test("delays what it carries", async () => {
  const { received } = await send({ delayMs: 30, queueMs: Infinity }, {
    packets: 100,
    packetBytes: 1000,
    mbitPerSecond: 2,
  });
  assertEquals(received.numbers.length, 100);
  assert(received.delays.every((ms) => ms >= 30));
  assertLess(median(received.delays), 45);
});

test("carries ICMP, both ways delayed", async () => {
  await using wan = await Wan.make({ delayMs: 15 });
  const said = await run(
    ...wan.via("puller"),
    ...["ping", "-c", "5", "-i", "0.05", "-q", wanAddresses.exposer],
  );
  const [, min] = /= ([\d.]+)\//.exec(said) ?? [];
  assertGreater(Number(min), 30);
  assertLess(Number(min), 60);
  const { back } = await wan.report();
  assertEquals(back.flows.map(({ protocol, packets }) => [protocol, packets]), [[1, 5]]);
}, noPing);

test("carries as much as it should, queues as long as it may, and counts what it drops", async () => {
  const sending = { packets: 4000, packetBytes: 1250, mbitPerSecond: 100 };
  const { met, received, seconds } = await send({ mbitPerSecond: 50, queueMs: 20 }, sending);
  assertEquals(met.packets, 4000);
  assertEquals(met.bytes, 4000 * 1250);
  assertEquals([met.lost, met.policed], [0, 0]);
  assertEquals(met.deliveredPackets + met.queueDrops, 4000);
  assertGreater(met.queueDrops, 1000);
  assertLess(quantile(met.queueing, 1), 22);
  // The sender may have been slower than asked; but faster than its rate the link never is.
  const [first, last] = [received.numbers[0], received.numbers.at(-1)!];
  assertLess(received.numbers.length * 1250 * 8 / 1e6, 50 * (seconds + 0.02));
  assertLess(first, last);
});

test("loses at random as much as it should, the same packets for the same seed", async () => {
  const sending = { packets: 3000, packetBytes: 200, mbitPerSecond: 10 };
  const runs = [await send({ lossRate: 0.2 }, sending), await send({ lossRate: 0.2 }, sending)];
  for (const { met, received } of runs) {
    assertAlmostEquals(met.lost, 600, 6 * Math.sqrt(3000 * 0.2 * 0.8));
    assertEquals(met.deliveredPackets + met.lost, 3000);
    assertEquals(received.numbers.length, met.deliveredPackets);
  }
  assertEquals(runs[0].received.numbers, runs[1].received.numbers);
});

test("loses in runs of the mean length that it should", async () => {
  const sending = { packets: 10_000, packetBytes: 200, mbitPerSecond: 20 };
  const { received } = await send({ lossRate: 0.2, lossRun: 10 }, sending);
  const came = new Set(received.numbers);
  const isLost = (number: number) => !came.has(number);
  const numbers = Array.from({ length: received.numbers.at(-1)! }, (_, number) => number);
  const runs = numbers.filter((number) => isLost(number) && !isLost(number - 1)).length;
  // 200 runs with a standard deviation of 9.5 each: 5 of those of their mean.
  assertAlmostEquals(numbers.filter(isLost).length / runs, 10, 3.4);
});

test("lets packets overtake others", async () => {
  const sending = { packets: 2000, packetBytes: 200, mbitPerSecond: 4 };
  const { received } = await send({ reorderRate: 0.1, reorderMs: 10 }, sending);
  assertEquals(received.numbers.length, 2000);
  // 200 with a standard deviation of 13: 6 of those. A machine that stalls makes more of them late.
  assertGreater(received.delays.filter((ms) => ms >= 10).length, 120);
  // What is sent in one go is held back, and comes, in one go too: how many overtakings that makes is the sender's affair.
  const overtaken = received.numbers.filter((number, i) => number < received.numbers[i - 1]).length;
  assertGreater(overtaken, 10);
});

test("polices without a queue", async () => {
  const sending = { packets: 2000, packetBytes: 1250, mbitPerSecond: 40 };
  const { met, seconds } = await send({ policerMbitPerSecond: 10, policerBytes: 12_500 }, sending);
  assertEquals(met.deliveredPackets + met.policed, 2000);
  assertGreater(met.policed, 1000);
  assertLess(met.deliveredBytes, 12_500 + 10e6 / 8 * (seconds + 0.1));
  assertEquals(quantile(met.queueing, 1), 1);
});

test("gives each port of TCP the congestion control that was asked for", async () => {
  await using wan = await Wan.make({ delayMs: 1 });
  const available = await run("cat", "/proc/sys/net/ipv4/tcp_available_congestion_control");
  const names = available.trim().split(" ");
  for (const [i, name] of names.entries()) await wan.setCongestionControl("exposer", PORT + i, name);
  for (const [i, name] of names.entries()) {
    const to = [wanAddresses.puller, "ipproto", "tcp", "sport", `${PORT + i}`];
    const route = await run(...wan.via("exposer"), "ip", "route", "get", ...to);
    assert(route.includes(`congctl ${name}`), route);
  }
});

test("is gone without a trace when it is not needed any more, and when its maker was killed", async () => {
  const wan = await Wan.make({});
  const name = wan.via("exposer").at(-1)!;
  assert((await namespaces()).includes(name));
  const stays = new Deno.Command("ip", {
    args: [...wan.via("puller").slice(1), "sh", "-c", "echo here; exec sleep 100"],
    stdout: "piped",
  }).spawn();
  const said = stays.stdout.getReader();
  assertEquals(new TextDecoder().decode((await said.read()).value), "here\n");
  await said.cancel();
  await wan[Symbol.asyncDispose]();
  assert(!(await namespaces()).includes(name));
  assertEquals((await stays.status).signal, "SIGKILL");

  const maker = new Deno.Command(Deno.execPath(), {
    args: ["eval", MAKER],
    cwd: import.meta.dirname,
    stdout: "piped",
  }).spawn();
  const reader = maker.stdout.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  const left = new TextDecoder().decode(value).trim();
  assert((await namespaces()).includes(left));
  maker.kill("SIGKILL");
  await maker.status;
  for (let tries = 0; (await namespaces()).includes(left); tries++) {
    assertLess(tries, 100, `${left} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

/** Makes a link, says what it is called, and waits for its own end. */
const MAKER = `
  import { Wan } from "./_wan.ts";
  const wan = await Wan.make({});
  console.log(wan.via("exposer").at(-1));
  setInterval(() => {}, 1000);
`;

interface Sent {
  readonly met: Crossing;
  readonly received: Received;
  /** From the first packet to the last. */
  readonly seconds: number;
}

/** Sends datagrams from the exposer's side to the puller's. */
async function send(options: WanOptions & Partial<PathOptions>, sending: Sending): Promise<Sent> {
  await using wan = await Wan.make(options);
  const before = await wan.report();
  const receiver = traffic(wan.via("puller"), "receive", wanAddresses.puller, `${PORT}`);
  const output = receiver.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await output.read()).value, "ready\n");
  const started = performance.now();
  const sender = traffic(
    wan.via("exposer"),
    ...["send", wanAddresses.puller, `${PORT}`, JSON.stringify(sending)],
  );
  assert((await sender.status).success);
  const seconds = (performance.now() - started) / 1000;
  await sender.stdin.close();
  await sender.stdout.cancel();
  let now = await wan.report();
  for (let tries = 0; now.there.inFlight > 0 && tries < 100; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    now = await wan.report();
  }
  await receiver.stdin.close();
  let text = "";
  for (let { value, done } = await output.read(); !done; { value, done } = await output.read()) text += value;
  assert((await receiver.status).success);
  assertEquals([now.faults, now.there.inFlight, await wan.deviceDrops()], [0, 0, 0]);
  const met = crossing(
    before.there,
    now.there,
    ({ protocol, pullerPort }) => protocol === 17 && pullerPort === PORT,
  );
  return { met, received: JSON.parse(text), seconds };
}

function traffic(via: readonly string[], ...args: string[]): Deno.ChildProcess {
  const [command, ...before] = [...via, Deno.execPath()];
  const file = (name: string) => new URL(name, import.meta.url).pathname;
  return new Deno.Command(command, {
    args: [
      ...[...before, "run", "-A", "--quiet", "--config", file("../../deno.json")],
      ...[file("_traffic.ts"), ...args],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

async function namespaces(): Promise<string[]> {
  return (await run("ip", "netns", "list")).split("\n").map((line) => line.split(" ")[0]);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function test(name: string, fn: () => Promise<void>, skipped = noWan): void {
  Deno.test({
    name: `an emulated link ${name}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn,
  });
}
