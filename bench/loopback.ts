/*
 * How near a sealed and verified pull comes to bare datagrams: RGTP and a bare `Deno.DatagramConn` loop with the same datagram size and
 * request pattern, in turn, two processes each, over loopback. Prints MB/s (10^6 bytes of payload) and the median of the ratios round by round.
 *
 *   deno task bench:loopback [MEGABYTES] [ROUNDS]
 */
import { createHash } from "node:crypto";
import { BenchProcess, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 500);
const rounds = Number(Deno.args[1] ?? 5);
const bytes = megabytes * 1e6;

const folder = await fastTempDir();
try {
  const source = `${folder}/source`;
  await writeRandomFile(source, bytes);
  const expected = await sha256(source);
  await using exposer = new BenchProcess("cli/main.ts", [
    ...["expose", source, "--host", "127.0.0.1", "--port", "0", "--link", "datagram_conn", "--json"],
    // What does not fit the memory is sealed again while it is served: that is another question (`bench:memory`).
    ...["--state-dir", `${folder}/state`, "--memory", "4GiB"],
  ]);
  const { ticket, sealSeconds } = await exposer.event("ready");
  await using bare = new BenchProcess("bench/_bare_loop.ts", ["serve"]);
  const port = await bare.line();

  const figures: { bare: number[]; rgtp: number[] } = { bare: [], rgtp: [] };
  for (let round = 0; round < rounds; round++) {
    figures.bare.push(await fetchBare(port));
    figures.rgtp.push(await pull(String(ticket), `${folder}/out`, expected));
  }
  console.log(`${megabytes} MB over loopback, ${rounds} rounds in turn, MB/s: median (range)`);
  for (const [name, all] of Object.entries(figures)) {
    const { median, min, max } = spread(all);
    console.log(
      `  ${name.padEnd(5)} ${median.toFixed(1).padStart(7)}  (${min.toFixed(1)}-${max.toFixed(1)})`,
    );
  }
  // Round by round: a machine that is slow for a while is slow for both.
  const { median, min, max } = spread(figures.rgtp.map((rate, round) => rate / figures.bare[round]));
  console.log(`  rgtp / bare, round by round: ${median.toFixed(3)}  (${min.toFixed(3)}-${max.toFixed(3)})`);
  console.log(`  sealed at ${(megabytes / Number(sealSeconds)).toFixed(0)} MB/s`);
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function fetchBare(port: string): Promise<number> {
  await using fetching = new BenchProcess("bench/_bare_loop.ts", ["fetch", port, String(bytes)]);
  return Number(await fetching.line());
}

/** MB/s of a pull; its bytes are proved by the exposure's ID and, once more, by SHA-256. */
async function pull(ticket: string, out: string, expected: string): Promise<number> {
  await using pulling = new BenchProcess("cli/main.ts", [
    "pull",
    ticket,
    out,
    "--link",
    "datagram_conn",
    "--json",
  ]);
  const done = await pulling.event("done");
  await pulling.ended();
  if (done.sha256 !== expected) {
    throw new Error("the pulled file differs from its source");
  }
  await Deno.remove(out);
  return bytes / 1e6 / Number(done.seconds);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await Deno.open(path);
  for await (const block of file.readable) hash.update(block);
  return hash.digest("hex");
}
