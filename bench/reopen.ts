/*
 * How long it takes until an exposer serves a large file: the first time, when it is read and sealed, and again, when the catalog knows
 * it. The file is sparse where the system can do that, so that the disk is not what is measured.
 *
 *   deno task bench:reopen [MEGABYTES]
 */
import { BenchProcess } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 50_000);
/** A file that was written so shortly before it was sealed is not believed to be the same. */
const REST_MS = 4000;

const folder = await Deno.makeTempDir({ prefix: "rgtp-bench-" });
try {
  const source = `${folder}/source`;
  {
    using file = await Deno.open(source, { write: true, create: true });
    await file.truncate(megabytes * 1e6);
  }
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const first = await start(source);
  const again = await start(source);
  if (first.id !== again.id) throw new Error("it is another exposure the second time");
  console.log(`${megabytes} MB, from the start of the process to its ticket:`);
  console.log(
    `  first time  ${first.seconds.toFixed(2).padStart(7)} s  (sealed at ${
      (megabytes / first.sealSeconds).toFixed(0)
    } MB/s)`,
  );
  console.log(`  again       ${again.seconds.toFixed(2).padStart(7)} s`);
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function start(source: string): Promise<{ seconds: number; sealSeconds: number; id: unknown }> {
  const started = performance.now();
  await using exposer = new BenchProcess("cli/main.ts", [
    ...["expose", source, "--host", "127.0.0.1", "--port", "0", "--json", "--state-dir", `${folder}/state`],
  ]);
  const { id, sealSeconds } = await exposer.event("ready");
  return { seconds: (performance.now() - started) / 1000, sealSeconds: Number(sealSeconds), id };
}
