/*
 * What small files cost: a folder of many small files and one file of the same size, pulled in turn over loopback by processes of their
 * own. Counted is the whole pull, from the start of the process to its end, syncs included. Prints MB/s (10^6 bytes of content), and the
 * ratio of the medians.
 *
 *   deno task bench:collection [FILES] [ROUNDS]
 */
import { BenchProcess, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const files = Number(Deno.args[0] ?? 10_000);
const rounds = Number(Deno.args[1] ?? 5);
const FILE_BYTES_MAX = 100_000;
const FILES_EACH = 100;

// On a disk unless that is asked for otherwise: what is measured are its syncs, too.
const folder = Deno.args[2] === "memory"
  ? await fastTempDir()
  : await Deno.makeTempDir({ prefix: "rgtp-bench-" });
try {
  const bytes = await writeFolder(`${folder}/many`);
  await writeRandomFile(`${folder}/one`, bytes);
  const figures: { one: number[]; many: number[] } = { one: [], many: [] };
  await using one = expose("one");
  await using many = expose("many");
  const tickets = {
    one: String((await one.event("ready")).ticket),
    many: String((await many.event("ready")).ticket),
  };
  for (let round = 0; round < rounds; round++) {
    for (const what of ["one", "many"] as const) figures[what].push(await pull(what, tickets[what], bytes));
  }
  console.log(
    `${files} files of 0 to ${FILE_BYTES_MAX} bytes, ${(bytes / 1e6).toFixed(0)} MB; MB/s: median (range)`,
  );
  for (const [name, all] of Object.entries(figures)) {
    const { median, min, max } = spread(all);
    console.log(
      `  ${name.padEnd(5)} ${median.toFixed(1).padStart(7)}  (${min.toFixed(1)}-${max.toFixed(1)})`,
    );
  }
  console.log(`  many / one = ${(spread(figures.many).median / spread(figures.one).median).toFixed(3)}`);
} finally {
  await Deno.remove(folder, { recursive: true });
}

function expose(what: string): BenchProcess {
  return new BenchProcess("cli/main.ts", [
    ...[
      "expose",
      `${folder}/${what}`,
      "--host",
      "127.0.0.1",
      "--port",
      "0",
      "--memory",
      "2GiB",
      "--no-shared",
      "--json",
    ],
    ...["--state-dir", `${folder}/state-${what}`],
  ]);
}

/** MB/s of a pull; that it is right is proved first. */
async function pull(what: string, ticket: string, bytes: number): Promise<number> {
  const out = `${folder}/out`;
  const started = performance.now();
  await using pulling = new BenchProcess("cli/main.ts", ["pull", ticket, out, "--json"]);
  const done = await pulling.event("done");
  await pulling.ended();
  const seconds = (performance.now() - started) / 1000;
  if (done.bytes !== bytes) throw new Error(`${done.bytes} bytes came, not ${bytes}`);
  const { success } = await new Deno.Command("diff", { args: ["-r", `${folder}/${what}`, out] }).output();
  if (!success) throw new Error("what was pulled differs from its source");
  // Beside the source, not removed: a file system may be slow to use again what has just been given up.
  await Deno.rename(out, `${folder}/done-${what}-${started}`);
  return bytes / 1e6 / seconds;
}

/** Folders of a hundred files each, of all sizes; the sum of their sizes. */
async function writeFolder(path: string): Promise<number> {
  const block = new Uint8Array(FILE_BYTES_MAX);
  let sum = 0;
  for (let i = 0; i < files; i++) {
    if (i % FILES_EACH === 0) await Deno.mkdir(`${path}/${i / FILES_EACH}`, { recursive: true });
    crypto.getRandomValues(block.subarray(0, 65_536));
    const size = (i * 7919) % (FILE_BYTES_MAX + 1);
    Deno.writeFileSync(`${path}/${Math.floor(i / FILES_EACH)}/${i}.bin`, block.subarray(0, size));
    sum += size;
  }
  return sum;
}
