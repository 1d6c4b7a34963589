/*
 * Trains of datagrams from one machine to another over the Linux link: whole over a cable that carries them, and datagram by datagram
 * where the way cannot: a smaller MTU, a queue that takes them apart, a multicast group. Every datagram arrives once and as it was.
 */
import { join } from "node:path";
import { openLinuxUdp } from "../../transport/link/linux_udp.ts";
import { assert, assertEquals, assertLess } from "../_assert.ts";
import { projectRoot } from "../real/_processes.ts";
import { addresses, Lab, whyNoLab } from "./_lab.ts";
import type { Received, Sent } from "./_trains.ts";

const PORT = 9000;
const GROUP = "239.77.0.1";
const SIZE = 1452;
/** A machine without anything else to do takes a second. */
const MS_MAX = 60_000;

const skipped = await whyNoLinuxUdp() || await whyNoLab();

function test(name: string, fn: (lab: Lab) => Promise<void>): void {
  Deno.test({
    name: `linux_udp: ${name}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn: async () => {
      await using lab = await Lab.make();
      await fn(lab);
    },
  });
}

for (const family of ["IPv4", "IPv6"] as const) {
  const host = addresses[family].puller;
  const receiver = ["receive", host, `${PORT}`];

  test(`trains that a cable carries whole arrive whole, ${family}`, async (lab) => {
    await lab.carryTrains();
    const { messages } = await cross(lab, receiver, host, 1880);
    // 46 datagrams are two messages: when the receiver is woken between them matters not, when they come singly does.
    assertLess(messages, 1880 / 10);
  });

  test(`trains that the system takes apart for the cable, ${family}`, async (lab) => {
    await cross(lab, receiver, host, 1880);
  });

  test(`datagrams longer than the MTU go one by one, in fragments, ${family}`, async (lab) => {
    await lab.carryTrains();
    for (const side of ["exposer", "puller"] as const) await lab.setMtu(side, 1300);
    // Few enough for the place that fragments wait in to be put together.
    await cross(lab, receiver, host, 470);
  });

  test(`a queue that takes trains apart, and a sender that has to wait for it, ${family}`, async (lab) => {
    // 11 MB are more than the send buffer holds, and the queue holds more than that: nothing is lost but time. At this rate a receiver
    // may be kept from its work for some 400 ms.
    const tbf = ["tbf", "rate", "100mbit", "burst", "64kb", "limit", "64mb"];
    await lab.run("exposer", "tc", "qdisc", "add", "dev", "cable", "root", ...tbf);
    await cross(lab, receiver, host, 7520);
  });
}

test("a multicast group gets every datagram of a train", async (lab) => {
  for (const side of ["exposer", "puller"] as const) {
    await lab.run(side, "ip", "route", "add", "224.0.0.0/4", "dev", "cable");
  }
  await cross(lab, ["join", addresses.IPv4.puller, GROUP, `${PORT}`], GROUP, 47);
});

/** Sends `count` datagrams to `host`, and sees that the receiver got each of them. */
async function cross(lab: Lab, receiver: string[], host: string, count: number): Promise<Received> {
  const signal = AbortSignal.timeout(MS_MAX);
  const command = program(lab.via("puller"), [...receiver, `${count}`], signal);
  await using process = command.spawn();
  const lines = linesOf(process.stdout);
  assertEquals((await lines.next()).value, "ready");
  const sender = await program(lab.via("exposer"), ["send", host, `${PORT}`, `${count}`, `${SIZE}`], signal)
    .output();
  assert(sender.success, "the sender failed");
  const sent: Sent = JSON.parse(new TextDecoder().decode(sender.stdout));
  const received: Received = JSON.parse((await lines.next()).value ?? "{}");
  assertEquals(sent, { packetsSent: count, sendErrors: 0 });
  assertEquals([received.datagrams, received.wrong], [count, 0]);
  return received;
}

function program(via: readonly string[], args: readonly string[], signal: AbortSignal): Deno.Command {
  const [command, ...before] = [...via, Deno.execPath()];
  const script = join(projectRoot, "tests", "lab", "_trains.ts");
  const config = `--config=${join(projectRoot, "deno.json")}`;
  return new Deno.Command(command, {
    args: [...before, "run", "-A", "--quiet", config, script, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal,
  });
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

async function whyNoLinuxUdp(): Promise<string> {
  try {
    (await openLinuxUdp({ host: "127.0.0.1", port: 0 })).close();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
