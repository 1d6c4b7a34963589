/*
 * One exposer and many pullers at once, on real sockets of loopback: all of them in one process. What the exposer keeps for them, what a
 * gigabyte costs it beside one puller at a time, and how evenly it serves. Ends with status 1 when something asked for is not met.
 *
 *   deno task bench:many [--pullers 500] [--size 4MB] [--json]
 */
import { parseArgs } from "node:util";
import { bytesOf } from "./_compare/text.ts";
import type { Counts } from "./_counted_exposer.ts";
import type { Pulled } from "./_many_pullers.ts";
import { BenchProcess, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    pullers: { type: "string", default: "500" },
    // A whole number of chunks of any profile, so that each chunk's place is known.
    size: { type: "string", default: "4194304" },
    json: { type: "boolean", default: false },
  },
});
const pullers = Number(flags.pullers);
const bytes = bytesOf(flags.size);
const MIB = 2 ** 20;
const LOOK_MS = 500;
/** Soft state is gone so long after the last packet. */
const EMPTY_AFTER_MS = 30_000;
const RSS_MIB_MAX = 16;
const CPU_RATIO_MAX = 1.3;
const SLOWEST_RATIO_MAX = 2;

const folder = await fastTempDir();
try {
  const path = `${folder}/source`;
  await writeRandomFile(path, bytes);
  await using exposer = new BenchProcess("bench/_counted_exposer.ts", [path], {
    flags: ["--v8-flags=--expose-gc"],
  });
  const { ticket } = JSON.parse(await exposer.line());
  const ask = async (what: "look" | "collect") => (await exposer.ask(what)) as unknown as Counts;
  const start = (atOnce: number, times: number) =>
    new BenchProcess("bench/_many_pullers.ts", [ticket, path, `${atOnce}`, `${times}`]);

  // The same pull one after the other, so that handshakes weigh the same; the first for code that is not warm yet.
  await ended(start(1, Math.ceil(pullers / 20)));
  const cold = await ask("collect");
  await ended(start(1, Math.ceil(pullers / 5)));
  const one = await ask("collect");

  await using crowd = start(pullers, 1);
  const all = ended(crowd);
  let [most, peak] = [one, one.rss];
  let isOver = false;
  all.finally(() => isOver = true).catch(() => {});
  while (!isOver) {
    const now = await ask(most.memory.liveTokens < pullers / 2 ? "look" : "collect");
    if (now.memory.liveTokens > most.memory.liveTokens) most = now;
    peak = Math.max(peak, now.rss);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const { seconds, failed } = await all;
  const many = await ask("collect");
  await new Promise((resolve) => setTimeout(resolve, EMPTY_AFTER_MS));
  const later = await ask("collect");

  const perGb = (from: Counts, to: Counts) => (to.cpu - from.cpu) / ((to.bytesSent - from.bytesSent) / 1e9);
  const { median, max } = spread(seconds);
  const left = Object.values(later.memory).reduce((sum, count) => sum + count, 0);
  const rows: readonly Row[] = [
    ["pulls that failed", failed.length, 0, 0],
    ["most pullers known at once", most.memory.liveTokens, 0],
    ["exposer's RSS, grown with all of them, MiB", (peak - one.rss) / MIB, 1],
    ["exposer's RSS, grown after them, MiB", (many.rss - one.rss) / MIB, 1, RSS_MIB_MAX],
    ["entries in its maps 30 s later", left, 0, 0],
    ["chunks sealed after the start", later.store.seals - cold.store.seals, 0, 0],
    ["CPU s a GB served, one at a time", perGb(cold, one), 3],
    ["CPU s a GB served, all at once", perGb(one, many), 3],
    ["  as a multiple", perGb(one, many) / perGb(cold, one), 2, CPU_RATIO_MAX],
    ["all of them together, MB/s", pullers * bytes / 1e6 / max, 0],
    ["median puller, s", median, 2],
    ["slowest puller, s", max, 2],
    ["  as a multiple", max / median, 2, SLOWEST_RATIO_MAX],
  ];
  report(rows);
  if (failed.length > 0) console.error(`the first that failed: ${failed[0]}`);
  const isMet = rows.every(([, value, , atMost]) => atMost === undefined || value <= atMost);
  Deno.exitCode = isMet ? 0 : 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** What, how much, with how many digits, and how much it may be. */
type Row = readonly [string, number, number, number?];

async function ended(pulling: BenchProcess): Promise<Pulled> {
  await using process = pulling;
  return JSON.parse(await process.line());
}

function report(rows: readonly Row[]): void {
  if (!flags.json) console.log(`${pullers} pullers of ${(bytes / 1e6).toFixed(1)} MB each, over loopback`);
  for (const [what, value, digits, atMost] of rows) {
    if (flags.json) console.log(JSON.stringify({ what: what.trim(), value, atMost }));
    else {
      const verdict = atMost === undefined ? "" : `   ≤ ${atMost}: ${value <= atMost ? "met" : "short"}`;
      console.log(`  ${what.padEnd(44)} ${value.toFixed(digits).padStart(8)}${verdict}`);
    }
  }
}
