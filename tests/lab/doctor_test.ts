/*
 * `rgtp doctor TICKET --path` from one machine to another: what it says of a link is what the link was made to be.
 */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "../_assert.ts";
import { makeFile, TestFolder } from "../real/_files.ts";
import { RgtpProcess, startExposer } from "../real/_processes.ts";
import type { CheckEvent } from "../real/_processes.ts";
import { Wan, wanAddresses, whyNoWan } from "./_wan.ts";
import type { WanOptions } from "./_wan.ts";

const why = await whyNoWan();

/** Runs it over a link, and answers with its checks by their names. */
async function look(options: WanOptions, flags: readonly string[] = []): Promise<Map<string, CheckEvent>> {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), 120_000_000, 51);
  await using wan = await Wan.make(options);
  const { exposer, ready } = await startExposer(made.path, {
    host: wanAddresses.exposer,
    stateDir: folder.file("state"),
    flags,
    via: wan.via("exposer"),
  });
  await using _exposer = exposer;
  await using doctor = new RgtpProcess(["doctor", ready.ticket, "--path", "--json"], {
    via: wan.via("puller"),
  });
  assertEquals((await doctor.ended(60_000)).code, 0);
  const checks = doctor.events.filter((event): event is CheckEvent => event.event === "check");
  for (const { name, state, what } of checks) console.log(`${state}  ${name}: ${what}`);
  return new Map(checks.map((check) => [check.name, check]));
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `doctor: ${name}${why && ` [skipped: ${why}]`}`, ignore: why !== "", fn });
}

/** The first number before a unit. */
function figure(checks: Map<string, CheckEvent>, name: string, unit: string): number {
  const [, text] = new RegExp(`([0-9.]+) ${unit}`).exec(checks.get(name)!.what) ?? [];
  return Number(text);
}

test("a link that is full is what limits, with its rate and round trip", async () => {
  const checks = await look({ delayMs: 20, mbitPerSecond: 40, queueMs: 80 });
  assertMatch(checks.get("what limits it")!.what, /slowest part of the way, or the exposer, is full/);
  const rate = figure(checks, "rate", "Mbit/s");
  assert(rate > 10 && rate < 41, `${rate}`);
  const [idle, least] = ["idle way", "loaded way"].map((name) => figure(checks, name, "ms"));
  assertGreater(idle, 39);
  assertLess(idle, 200);
  assertGreater(least, 39);
});

test("a limit of the exposer is told as such, where the link carries more", async () => {
  const checks = await look({ delayMs: 5, mbitPerSecond: 80, queueMs: 50 }, ["--limit-rate", "2Mbit/s"]);
  assertMatch(checks.get("what limits it")!.what, /the exposer: it lets each puller have 250 kB\/s/);
});

test("loss is told, and does not hide what limits", async () => {
  const checks = await look({ delayMs: 20, mbitPerSecond: 40, queueMs: 80, lossRate: 0.08 });
  assertEquals(checks.get("loss")!.state, "warn");
  const lost = figure(checks, "loss", "%");
  assert(lost > 4 && lost < 20, `${lost}`);
  assertMatch(checks.get("what limits it")!.what, /is full|get lost/);
});
