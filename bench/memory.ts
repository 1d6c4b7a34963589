/*
 * How much memory a pull and an exposure take, whatever the size of the file: the high-water marks of both processes, as Linux tells
 * them, after one whole pull and after ten at once at different places. Ends with status 1 when one is above its bound.
 *
 *   deno task bench:memory [MEGABYTES] [MEMORY_MIB]
 */
import { createHash } from "node:crypto";
import { BenchProcess, fastTempDir, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 4000);
const memoryMib = Number(Deno.args[1] ?? 256);
const bytes = megabytes * 1e6;
const MIB = 2 ** 20;
const PULLERS = 10;
const PULLER_MB_MAX = 200;
const EXPOSER_MB_OVER_MEMORY_MAX = 150;
const CHUNK = 65_536;

const folder = await fastTempDir();
let isWithin = true;
try {
  const source = `${folder}/source`;
  await writeRandomFile(source, bytes);
  const expected = await sha256(source);
  await using exposer = new BenchProcess("cli/main.ts", [
    ...["expose", source, "--host", "127.0.0.1", "--port", "0", "--no-shared", "--json"],
    ...["--state-dir", `${folder}/state`, "--memory", `${memoryMib}MiB`],
  ]);
  const { ticket } = await exposer.event("ready");
  console.log(`${megabytes} MB, --memory ${memoryMib}MiB, high-water marks in MB (10^6 bytes):`);
  const exposerMax = memoryMib * MIB / 1e6 + EXPOSER_MB_OVER_MEMORY_MAX;
  report("exposer, sealed", await exposer.memoryPeak(), exposerMax);

  const out = `${folder}/out`;
  const { peak, done } = await watched(["cli/main.ts", ["pull", String(ticket), out, "--json"]]);
  if (done.sha256 !== expected) throw new Error("the pulled file differs from its source");
  await Deno.remove(out);
  report(`puller, whole file at ${(megabytes / Number(done.seconds)).toFixed(0)} MB/s`, peak, PULLER_MB_MAX);
  report("exposer, after one pull", await exposer.memoryPeak(), exposerMax);

  const chunks = Math.ceil(bytes / CHUNK);
  const started = performance.now();
  const pulls = await Promise.all(Array.from({ length: PULLERS }, (_, i) => {
    const [first, end] = [i, i + 1].map((part) => Math.floor(chunks * part / PULLERS));
    return watched(["bench/_part_puller.ts", [String(ticket), `${first}`, `${end}`]]);
  }));
  const seconds = (performance.now() - started) / 1000;
  const pulled = pulls.reduce((sum, { done }) => sum + Number(done.bytes), 0);
  if (pulled !== bytes) throw new Error(`the pullers brought ${pulled} bytes of ${bytes}`);
  report(
    `puller, largest of ${PULLERS} at different places`,
    Math.max(...pulls.map(({ peak }) => peak)),
    PULLER_MB_MAX,
  );
  report(
    `exposer, after ${PULLERS} at once (${(megabytes / seconds).toFixed(0)} MB/s)`,
    await exposer.memoryPeak(),
    exposerMax,
  );
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(isWithin ? 0 : 1);

function report(what: string, peak: number, max: number): void {
  const mb = peak / 1e6;
  const isOver = mb > max;
  if (isOver) isWithin = false;
  const verdict = isOver ? "ABOVE" : "at most";
  console.log(`  ${what.padEnd(48)} ${mb.toFixed(0).padStart(5)}  ${verdict} ${max.toFixed(0)}`);
}

/** Runs a puller to its end, and looks at its memory all the time. */
async function watched(
  [file, args]: [string, string[]],
): Promise<{ peak: number; done: Record<string, unknown> }> {
  await using process = new BenchProcess(file, args);
  let peak = 0;
  const timer = setInterval(async () => {
    peak = Math.max(peak, await process.memoryPeak());
  }, 50);
  try {
    const done = await process.event("done");
    await process.ended();
    return { peak, done };
  } finally {
    clearInterval(timer);
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await Deno.open(path);
  for await (const block of file.readable) hash.update(block);
  return hash.digest("hex");
}
