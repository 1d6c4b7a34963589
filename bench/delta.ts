/*
 * What moves when a file is pulled over an older version of it: with one chunk in a hundred changed in place, and with nothing changed
 * but its times. Ends with status 1 when it is more than it should be.
 *
 *   deno task bench:delta [MEGABYTES]
 */
import { BenchProcess, fastTempDir, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 1000);
const bytes = megabytes * 1e6;
const BLOCK = 65_536;
const CHANGED_SHARE_MAX = 0.025;
/** Leaf hashes are 32 bytes for each chunk; headers and proofs come on top. */
const UNCHANGED_SHARE_MAX = 0.001;

const folder = await fastTempDir();
let isWithin = true;
try {
  const [source, out] = [`${folder}/source`, `${folder}/out`];
  await writeRandomFile(source, bytes);
  await Deno.copyFile(source, out);
  await change(source);
  report("one block in a hundred changed", await pull(source, out), CHANGED_SHARE_MAX);
  await Deno.utime(source, 1_000_000, 1_000_000);
  report("touched", await pull(source, out), UNCHANGED_SHARE_MAX);
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(isWithin ? 0 : 1);

/** Writes new bytes into each hundredth block, at its own place. */
async function change(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true });
  const block = new Uint8Array(BLOCK);
  for (let at = 37 * BLOCK; at + BLOCK <= bytes; at += 100 * BLOCK) {
    crypto.getRandomValues(block);
    await file.seek(at, Deno.SeekMode.Start);
    await file.write(block);
  }
}

/** Exposes `source` and pulls it over `out`. */
async function pull(source: string, out: string): Promise<Record<string, unknown>> {
  await using exposer = new BenchProcess("cli/main.ts", [
    ...["expose", source, "--host", "127.0.0.1", "--port", "0", "--no-shared", "--json"],
    ...["--state-dir", `${folder}/state`],
  ]);
  const { ticket } = await exposer.event("ready");
  const started = performance.now();
  await using pulling = new BenchProcess("cli/main.ts", ["pull", String(ticket), out, "--force", "--json"]);
  const done = await pulling.event("done");
  await pulling.ended();
  return { ...done, wall: (performance.now() - started) / 1000 };
}

function report(what: string, done: Record<string, unknown>, shareMax: number): void {
  const moved = Number(done.wireBytes);
  const isOver = moved > shareMax * bytes;
  if (isOver) isWithin = false;
  console.log(
    `${what}: ${(moved / 1e6).toFixed(2)} MB of ${megabytes} moved, ${(100 * moved / bytes).toFixed(3)} % ` +
      `(${isOver ? "ABOVE" : "at most"} ${100 * shareMax} %), ${
        (Number(done.reused) / 1e6).toFixed(1)
      } MB reused, ` +
      `${Number(done.wall).toFixed(1)} s`,
  );
}
