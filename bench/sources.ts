/*
 * One pull from two exposers on lines of their own, in real namespaces on a bridge: how much of what both lines can carry arrives, and what
 * it costs when one of them is killed half-way. What arrives is compared. Needs root.
 *
 *   deno task bench:sources [MEGABYTES] [ROUNDS] [MBIT/S OF EACH]
 */
import { Bridge } from "./_bridge.ts";
import type { BridgeHost } from "./_bridge.ts";
import { digestOf } from "./_compare/load.ts";
import { BenchProcess, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 100);
const rounds = Number(Deno.args[1] ?? 5);
const mbits = Number(Deno.args[2] ?? 100);
const bytes = megabytes * 1e6;
/** The least that is asked for, of two lines of 100 Mbit/s. Headers leave 191 of them. */
const ASKED_SHARE = 185 / 200;

/** What a pull has shown. */
interface Figures {
  readonly mbitsPerSecond: number;
  /** Bytes that both lines carried, by those of the file. */
  readonly sent: number;
}

const folder = await fastTempDir();
try {
  const file = `${folder}/source`;
  await writeRandomFile(file, bytes);
  const expected = await digestOf(file);
  await using bridge = await Bridge.make(3);
  for (const host of bridge.hosts.slice(1)) await bridge.shape(host, mbits);
  console.log(`${megabytes} MB from two exposers of ${mbits} Mbit/s each, ${rounds} rounds: median (range)`);
  const whole: Figures[] = [];
  const killed: Figures[] = [];
  for (let round = 0; round < rounds; round++) {
    whole.push(await measure(bridge, file, expected, false));
    killed.push(await measure(bridge, file, expected, true));
  }
  report("both to the end", whole);
  report("one killed half-way", killed);
  const { median } = spread(whole.map(({ mbitsPerSecond }) => mbitsPerSecond));
  const asked = 2 * mbits * ASKED_SHARE;
  console.log(`  -> ${median.toFixed(1)} Mbit/s, asked ${asked}: ${median >= asked ? "met" : "NOT MET"}`);
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function measure(bridge: Bridge, file: string, expected: string, isKilled: boolean): Promise<Figures> {
  const [puller, ...hosts] = bridge.hosts;
  const state = await Deno.makeTempDir({ dir: folder });
  // One identity and one catalog: the same file is the same exposure.
  await using one = expose(hosts[0], file, state);
  const first = String((await one.event("ready")).ticket);
  await using other = expose(hosts[1], file, state);
  const second = String((await other.event("ready")).ticket);
  const carried = async () => (await Promise.all(hosts.map((host) => bridge.sentBytes(host))));
  const before = await carried();
  const out = `${state}/out`;
  await using pull = new BenchProcess("cli/main.ts", [
    ...["pull", first, out, "--from", second, "--json"],
  ], { via: puller.via });
  while (isKilled) {
    const { bytes: come } = await pull.event("progress");
    if (Number(come) < bytes / 2) continue;
    await one[Symbol.asyncDispose]();
    break;
  }
  const { seconds } = await pull.event("done");
  const sent = (await carried()).reduce((sum, now, i) => sum + now - before[i], 0);
  if (await digestOf(out) !== expected) throw new Error("what arrived is something else");
  await Deno.remove(state, { recursive: true });
  return { mbitsPerSecond: 8 * megabytes / Number(seconds), sent: sent / bytes };
}

function expose({ via, address }: BridgeHost, file: string, state: string): BenchProcess {
  const words = ["expose", file, "--host", address, "--port", "0", "--state-dir", state, "--json"];
  return new BenchProcess("cli/main.ts", words, { via });
}

function report(what: string, figures: readonly Figures[]): void {
  const rate = spread(figures.map(({ mbitsPerSecond }) => mbitsPerSecond));
  const sent = spread(figures.map((one) => one.sent));
  console.log(
    `  ${what.padEnd(22)} ${rate.median.toFixed(1)} Mbit/s (${rate.min.toFixed(1)}-${rate.max.toFixed(1)})` +
      `  sent ${sent.median.toFixed(3)} x the file (${sent.max.toFixed(3)})`,
  );
}
