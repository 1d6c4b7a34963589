/*
 * How much the garbage collector of a puller gets to do, for each link and each engine that works here: bytes that a pull makes and drops,
 * for each megabyte that it receives. Several pulls in one process, of which the first is left out.
 *
 *   deno task bench:garbage [--size 500MB] [--rounds 3] [--only 'linux_udp, libcrypto'] [--json]
 */
import { parseArgs } from "node:util";
import { openLink } from "../transport/link/open_link.ts";
import type { LinkKind } from "../transport/link/open_link.ts";
import { bytesOf, spreadText, table } from "./_compare/text.ts";
import { engines, type Garbage } from "./_garbage_puller.ts";
import { BenchProcess, fastTempDir, writeRandomFile } from "./_processes.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    size: { type: "string", default: "500MB" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(flags.rounds);
const links: readonly LinkKind[] = ["linux_udp", "datagram_conn", "node_dgram"];
/** What is asked of the best of them, KB of both kinds for each MB. */
const ASKED: Readonly<Record<string, number>> = { "linux_udp, libcrypto": 2 };

const folder = await fastTempDir();
try {
  const source = `${folder}/source`;
  await writeRandomFile(source, bytesOf(flags.size));
  const rows: string[][] = [];
  for (const link of links) {
    const wanted = Object.keys(engines).filter((engine) => `${link}, ${engine}`.includes(flags.only));
    if (wanted.length === 0 || !await works(link)) continue;
    await using exposer = new BenchProcess("bench/_counted_exposer.ts", [source, link], {
      flags: ["--v8-flags=--expose-gc"],
    });
    const { ticket } = JSON.parse(await exposer.line());
    for (const engine of wanted) {
      if (!engines[engine]()) continue;
      const all = await pulls(ticket, link, engine);
      const perMb = all.map(({ heap, buffers, bytes }) => (heap + buffers) / 1000 / (bytes / 1e6));
      const asked = ASKED[`${link}, ${engine}`];
      if (flags.json) {
        console.log(JSON.stringify({ link, engine, kbPerMb: perMb, asked, rounds: all }));
      }
      rows.push([
        link,
        engine,
        spreadText(all.map(({ heap, bytes }) => heap / 1000 / (bytes / 1e6)), 2),
        spreadText(all.map(({ buffers, bytes }) => buffers / 1000 / (bytes / 1e6)), 2),
        asked === undefined ? "" : `< ${asked}: ${perMb.every((kb) => kb < asked) ? "met" : "short"}`,
        spreadText(all.map(({ bytes, seconds }) => bytes / 1e6 / seconds), 0),
      ]);
    }
  }
  if (rows.length === 0) {
    console.error(`nothing to measure: of no link and engine that work here does '${flags.only}' name one`);
    Deno.exitCode = 2;
  } else if (!flags.json) {
    console.log(`${flags.size} pulled ${rounds} times: median (range)\n`);
    console.log(
      table(["link", "engine", "KB on the heap a MB", "KB of buffers a MB", "asked", "MB/s"], rows),
    );
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function works(kind: LinkKind): Promise<boolean> {
  try {
    (await openLink({ host: "127.0.0.1", port: 0, kind })).close();
    return true;
  } catch (error) {
    console.error(`${kind} is left out: ${error instanceof Error ? error.message : error}`);
    return false;
  }
}

async function pulls(ticket: string, link: string, engine: string): Promise<Garbage[]> {
  const args = [ticket, `${folder}/out`, link, engine, `${rounds + 1}`];
  await using pulling = new BenchProcess("bench/_garbage_puller.ts", args);
  const all: Garbage[] = [];
  while (all.length <= rounds) {
    const one: Garbage = JSON.parse(await pulling.line());
    all.push(one);
    const kb = (one.heap + one.buffers) / 1000 / (one.bytes / 1e6);
    const which = all.length === 1 ? "before the rounds" : `round ${all.length - 1} of ${rounds}`;
    console.error(`${link}, ${engine}, ${which}: ${kb.toFixed(0)} KB a MB, ${one.seconds.toFixed(1)} s`);
  }
  return all.slice(1);
}
