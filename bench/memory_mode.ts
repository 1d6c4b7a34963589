/*
 * What direct memory is worth between two processes of one machine, beside the network's road between the same two, in turn in one run:
 * how long the first byte takes, how fast a view is there and how fast it is read, and how fast a file is saved; and how fast two
 * processors could save it at most that did nothing but what must be done to each byte.
 *
 *   deno task bench:shared [MEGABYTES] [ROUNDS]
 */
import { defaultEngine } from "../crypto/default_engine.ts";
import { LEAF_ROW_MAX } from "../crypto/native/leaf_row.ts";
import { pull } from "../mod.ts";
import { ChunkCipher } from "../transport/crew/chunk_cipher.ts";
import type { ClaimedChunk } from "../transport/crew/chunk_cipher.ts";
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
  const network = [];
  for (const sha256 of [true, false]) network.push(await saves(ticket, exposer, sha256));
  await bounds(network);
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

/**
 * Files saved, from the call to the end (with the SHA-256 that is told, or without), and from the first request to the last byte stored.
 * Answers with what the network's road makes, MB/s.
 */
async function saves(ticket: string, exposer: BenchProcess, sha256: boolean): Promise<number> {
  const what = sha256 ? "saveTo" : "saveTo without SHA-256";
  const whole = { shared: [] as number[], network: [] as number[] };
  const moving = { shared: [] as number[], network: [] as number[] };
  const exposers = { shared: [] as number[], network: [] as number[] };
  const pullers = { shared: [] as number[], network: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const road of roads) {
      const before = [await exposer.cpuSeconds(), await cpuSeconds(Deno.pid)];
      const started = performance.now();
      const out = `${folder}/out`;
      const { seconds, sharedBytes } = await pull(ticket, { shared: road === "shared" }).saveTo(out, {
        sha256,
      });
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
  for (const road of roads) report(`${what}, ${road}`, whole[road], "MB/s");
  for (const road of roads) report(`of it the bytes alone, ${road}`, moving[road], "MB/s");
  for (const road of roads) report(`the exposer's processor time, ${road}`, exposers[road], "s/GB");
  for (const road of roads) report(`the puller's, ${road}`, pullers[road], "s/GB");
  const ratio = spread(whole.shared.map((rate, round) => rate / whole.network[round]));
  verdict(
    `${what}, shared ÷ network`,
    ratio.median,
    ASKED.saveRatioMin,
    (is, asked) => is >= asked,
  );
  return spread(whole.network).median;
}

/**
 * What each byte that is saved costs in any case, each by itself in this thread: it is sealed again and hashed for its leaf, hashed for the
 * whole file, and written. What two processors could make of that together, if there was nothing else to do; also as a multiple of what the
 * network's road has made, with the hash of the file and without: more than that cannot be had here, whoever asks for it.
 */
async function bounds([withHash, without]: readonly number[]): Promise<void> {
  const engine = defaultEngine();
  const [key, aad, leaf] = [32, 64, 32].map((length) => new Uint8Array(length));
  const cipher = new ChunkCipher(engine, { aead: "chacha20-poly1305", key, aad });
  // More than caches hold.
  const content = crypto.getRandomValues(new Uint8Array(65_536));
  const memory = new Uint8Array(1024 * content.length);
  for (let at = 0; at < memory.length; at += content.length) memory.set(content, at);
  // Processor time: others may have much to do meanwhile.
  const secondsPerGb = async (work: (chunk: Uint8Array) => void) => {
    const before = await cpuSeconds(Deno.pid);
    for (
      let at = 0, done = 0;
      done < bytes;
      done += content.length, at = (at + content.length) % memory.length
    ) {
      work(memory.subarray(at, at + content.length));
    }
    return (await cpuSeconds(Deno.pid) - before) * 1000 / megabytes;
  };
  const row: ClaimedChunk[] = [];
  const hasher = engine.sha256.create();
  const out = `${folder}/bound`;
  using file = await Deno.open(out, { write: true, create: true });
  const costs = {
    // As a thread does it that has much to compare: in rows, side by side where that can be done.
    "sealed again and hashed": await secondsPerGb((chunk) => {
      row.push({ chunk: 0, bytes: chunk, leaf });
      if (row.length === LEAF_ROW_MAX) cipher.areChunks(row.splice(0));
    }),
    "hashed for the whole file": await secondsPerGb((chunk) => hasher.update(chunk)),
    "written": await secondsPerGb((chunk) => file.writeSync(chunk)),
  };
  await Deno.remove(out);
  for (const [what, seconds] of Object.entries(costs)) report(`each byte, ${what}`, [seconds], "s/GB");
  const sum = (all: number[]) => all.reduce((a, b) => a + b);
  const [check, hash, write] = Object.values(costs);
  const most = [2000 / sum([check, hash, write]), 2000 / sum([check, write])];
  report("two processors at most", [most[0]], "MB/s");
  report("that ÷ network", [most[0] / withHash], "x");
  report("two processors at most, without SHA-256", [most[1]], "MB/s");
  report("that ÷ network", [most[1] / without], "x");
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
