/*
 * How long it takes until an exposer serves a large file, or a folder of many: the first time, when all is read and sealed, and again, when
 * the catalog knows it. Files are sparse where the system can do that, so that the disk is not what is measured.
 *
 *   deno task bench:reopen [MEGABYTES [FILES]]
 */
import { BenchProcess } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 50_000);
const files = Number(Deno.args[1] ?? 10_000);
/** What was written so shortly before it was sealed is not believed to be the same. */
const REST_MS = 4000;

const folder = await Deno.makeTempDir({ prefix: "rgtp-bench-" });
try {
  await makeSparse(`${folder}/file`, megabytes * 1e6);
  for (let i = 0; i < files; i++) {
    // Folders of a hundred, as people have them.
    if (i % 100 === 0) await Deno.mkdir(`${folder}/folder/${i / 100}`, { recursive: true });
    await makeSparse(`${folder}/folder/${Math.floor(i / 100)}/${i}`, megabytes * 1e6 / files);
  }
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  await measure(`a file of ${megabytes} MB`, `${folder}/file`);
  await measure(`a folder of ${files} files, ${megabytes} MB together`, `${folder}/folder`);
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function makeSparse(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  await file.truncate(bytes);
}

async function measure(what: string, source: string): Promise<void> {
  const first = await start(source);
  const again = await start(source);
  if (first.id !== again.id) throw new Error("it is another exposure the second time");
  console.log(`${what}, from the start of the process to its ticket:`);
  console.log(
    `  first time  ${first.seconds.toFixed(2).padStart(7)} s  (sealed at ${
      (megabytes / first.sealSeconds).toFixed(0)
    } MB/s)`,
  );
  console.log(`  again       ${again.seconds.toFixed(2).padStart(7)} s`);
}

async function start(source: string): Promise<{ seconds: number; sealSeconds: number; id: unknown }> {
  const started = performance.now();
  await using exposer = new BenchProcess("cli/main.ts", [
    ...["expose", source, "--host", "127.0.0.1", "--port", "0", "--no-shared", "--json"],
    ...["--state-dir", `${folder}/state`],
  ]);
  const { id, sealSeconds } = await exposer.event("ready");
  return { seconds: (performance.now() - started) / 1000, sealSeconds: Number(sealSeconds), id };
}
