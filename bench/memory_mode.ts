/*
 * What direct memory is worth between two processes of one machine, beside the network's road between the same two, in turn in one run:
 * how long the first byte takes, how fast a view is there and how fast it is read, and how fast a file is saved.
 *
 *   deno task bench:shared [MEGABYTES] [ROUNDS]
 */
import { pull } from "../mod.ts";
import { BenchProcess, cpuSeconds, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 1000);
const rounds = Number(Deno.args[1] ?? 5);
const bytes = megabytes * 1e6;
const FIRST_BYTE_ROUNDS = 20;
const roads = ["shared", "network"] as const;
type Road = (typeof roads)[number];
/** The least that is asked for, with the names that figures have below. */
const ASKED = { firstByteMsMax: 5, readGbPerSecondMin: 5, saveRatioMin: 2 };

const folder = await fastTempDir();
try {
  await writeRandomFile(`${folder}/source`, bytes);
  await using exposer = new BenchProcess("cli/main.ts", [
    ...["expose", `${folder}/source`, "--host", "127.0.0.1", "--port", "0", "--json"],
    ...["--state-dir", `${folder}/state`, "--memory", "4GiB"],
  ]);
  const ticket = String((await exposer.event("ready")).ticket);
  console.log(`${megabytes} MB, medians of ${rounds} rounds in turn (least to most):`);
  await firstBytes(ticket);
  await views(ticket);
  await saves(ticket, exposer);
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** From the grant to the first verified byte; the handshake before it is the same on both roads. */
async function firstBytes(ticket: string): Promise<void> {
  const figures = { handshake: [] as number[], shared: [] as number[], network: [] as number[] };
  for (let round = 0; round <= FIRST_BYTE_ROUNDS; round++) {
    for (const road of roads) {
      const started = performance.now();
      let granted = 0;
      const one = pull(ticket, {
        shared: road === "shared",
        onEvent: ({ kind }) => kind === "granted" && (granted = performance.now()),
      });
      for await (const _ of one.range(0, 1)) break;
      // The first round warms the code.
      if (round === 0) continue;
      figures[road].push(performance.now() - granted);
      figures.handshake.push(granted - started);
    }
  }
  report("handshake", figures.handshake, "ms");
  for (const road of roads) report(`first byte after it, ${road}`, figures[road], "ms");
  verdict(
    "first byte, shared",
    spread(figures.shared).median,
    ASKED.firstByteMsMax,
    (is, asked) => is <= asked,
  );
}

/** The time until all is verified, and then a reader's speed: every byte copied once into a buffer that stays in the processor's cache. */
async function views(ticket: string): Promise<void> {
  const rates = { shared: [] as number[], network: [] as number[] };
  const reads = { shared: [] as number[], network: [] as number[] };
  const cached = new Uint8Array(131_072);
  for (let round = 0; round < rounds; round++) {
    for (const road of roads) {
      const started = performance.now();
      const view = await pull(ticket, { shared: road === "shared" }).view();
      const there = performance.now();
      for (let at = 0; at < view.length; at += cached.length) {
        cached.set(view.subarray(at, at + cached.length));
      }
      rates[road].push(bytes / 1e6 / (there - started));
      reads[road].push(bytes / 1e6 / (performance.now() - there));
    }
  }
  for (const road of roads) report(`a verified view, ${road}`, rates[road], "GB/s");
  for (const road of roads) report(`reading it, ${road}`, reads[road], "GB/s");
  verdict(
    "reading a shared view",
    spread(reads.shared).median,
    ASKED.readGbPerSecondMin,
    (is, asked) => is >= asked,
  );
}

/** Files saved, from the call to the end (with the SHA-256 that is told), and from the first request to the last byte stored. */
async function saves(ticket: string, exposer: BenchProcess): Promise<void> {
  const whole = { shared: [] as number[], network: [] as number[] };
  const moving = { shared: [] as number[], network: [] as number[] };
  const exposers = { shared: [] as number[], network: [] as number[] };
  const pullers = { shared: [] as number[], network: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const road of roads) {
      const before = [await exposer.cpuSeconds(), await cpuSeconds(Deno.pid)];
      const started = performance.now();
      const out = `${folder}/out`;
      const { seconds, sharedBytes } = await pull(ticket, { shared: road === "shared" }).saveTo(out);
      if ((sharedBytes === bytes) !== (road === "shared")) {
        throw new Error(`${sharedBytes} bytes were shared`);
      }
      whole[road].push(bytes / 1e3 / (performance.now() - started));
      moving[road].push(megabytes / seconds);
      exposers[road].push((await exposer.cpuSeconds() - before[0]) * 1000 / megabytes);
      pullers[road].push((await cpuSeconds(Deno.pid) - before[1]) * 1000 / megabytes);
      await Deno.remove(out);
    }
  }
  for (const road of roads) report(`saveTo, ${road}`, whole[road], "MB/s");
  for (const road of roads) report(`of it without the last SHA-256, ${road}`, moving[road], "MB/s");
  for (const road of roads) report(`the exposer's processor time, ${road}`, exposers[road], "s/GB");
  for (const road of roads) report(`the puller's, ${road}`, pullers[road], "s/GB");
  const ratio = spread(whole.shared.map((rate, round) => rate / whole.network[round]));
  verdict(
    "saveTo, shared ÷ network",
    ratio.median,
    ASKED.saveRatioMin,
    (is, asked) => is >= asked,
  );
}

function report(what: string, figures: readonly number[], unit: string): void {
  const { median, min, max } = spread(figures);
  console.log(
    `  ${what.padEnd(46)} ${median.toFixed(2).padStart(8)} ${unit} (${min.toFixed(2)} to ${max.toFixed(2)})`,
  );
}

function verdict(
  what: string,
  is: number,
  asked: number,
  isMet: (is: number, asked: number) => boolean,
): void {
  console.log(`  -> ${what}: ${is.toFixed(2)}, asked ${asked}: ${isMet(is, asked) ? "met" : "NOT MET"}`);
}
