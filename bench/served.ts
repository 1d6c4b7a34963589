/*
 * What a gigabyte costs who serves it, in processor time: an exposer, beside a loop in C that only sends as many bytes in datagrams of the
 * same size, the same loop with headers from elsewhere, and nginx with TLS, in turn. And by its counters, that an exposer that serves again
 * seals nothing again.
 * Ends with status 1 when something asked for is not met.
 *
 *   deno task bench:served [--size 1GB] [--rounds 5] [--json]
 */
import { parseArgs } from "node:util";
import { run } from "./_compare/contest.ts";
import type { Contestant } from "./_compare/contest.ts";
import { missing } from "./_compare/programs.ts";
import { treeCpuSeconds } from "./_compare/process_tree.ts";
import { bytesOf, spreadText, table } from "./_compare/text.ts";
import { web } from "./_compare/web.ts";
import type { Counts } from "./_counted_exposer.ts";
import { BenchProcess, denoWords, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    size: { type: "string", default: "1GB" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const bytes = bytesOf(flags.size);
const rounds = Number(flags.rounds);
/** What RGTP sends on loopback: so many bytes of a datagram are the file's, and so many datagrams are one message to the kernel. */
const [SYMBOL_BYTES, DATAGRAM_BYTES, DATAGRAMS] = [8928, 8952, 7];
const BARE = "GSO loop in C";
const RATIO_MAX = 1.5;

/** Somebody who serves all bytes once when asked to; the answer is its processor time in seconds. */
interface Server extends AsyncDisposable {
  readonly name: string;
  serveOnce(): Promise<number>;
}

const folder = await fastTempDir();
try {
  const source = `${folder}/source`;
  await writeRandomFile(source, bytes);
  await using started = new AsyncDisposableStack();
  await using exposer = new BenchProcess("bench/_counted_exposer.ts", [source], {
    flags: ["--v8-flags=--expose-gc"],
  });
  const { ticket } = JSON.parse(await exposer.line());
  const count = async () => (await exposer.ask("look")) as unknown as Counts;
  const servers: Server[] = [];
  const program = await compiledLoop();
  const opening = [
    loop(program, BARE, 0),
    loop(program, "  headers apart", DATAGRAM_BYTES - SYMBOL_BYTES),
    rgtp(exposer, ticket),
    nginx(),
  ];
  for (const server of await Promise.all(opening)) {
    if (typeof server === "string") console.error(server);
    else servers.push(started.use(server));
  }
  // The first pull is for code that is not warm yet, and for pages that are packed when they are first asked for.
  await servers.find(({ name }) => name === "RGTP")!.serveOnce();
  const before = await count();
  const perGb = new Map<string, number[]>(servers.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) perGb.get(server.name)!.push(await server.serveOnce() / (bytes / 1e9));
  }
  const after = await count();
  report(perGb, before, after);
} finally {
  await Deno.remove(folder, { recursive: true });
}

function report(perGb: ReadonlyMap<string, readonly number[]>, before: Counts, after: Counts): void {
  const [ours, bare] = [perGb.get("RGTP")!, perGb.get(BARE)];
  const ratios = bare && ours.map((seconds, round) => seconds / bare[round]);
  const isCheap = ratios === undefined || spread(ratios).median <= RATIO_MAX;
  const did = (what: keyof Counts["store"]) => after.store[what] - before.store[what];
  const isSealedOnce = did("seals") === 0 && did("reseals") === 0;
  if (!isCheap || !isSealedOnce) Deno.exitCode = 1;
  if (flags.json) {
    for (const [name, all] of perGb) console.log(JSON.stringify({ name, perGb: spread(all) }));
    const summary = { ratio: ratios && spread(ratios), atMost: RATIO_MAX, seals: did("seals") };
    console.log(JSON.stringify({ ...summary, reseals: did("reseals") }));
    return;
  }
  console.log(`${flags.size} served ${rounds} times: CPU seconds of the server a GB, median (range)\n`);
  console.log(
    table(["who", "CPU s/GB"], [...perGb].map(([name, all]) => [name, spreadText(all, 3)])),
  );
  const verdict = (isMet: boolean) => isMet ? "met" : "short";
  if (ratios) {
    console.log(`\nRGTP ÷ the loop: ${spreadText(ratios, 2)}   ≤ ${RATIO_MAX}: ${verdict(isCheap)}`);
  }
  console.log(
    `\n${before.store.seals} chunks were sealed before the first pull; in the ${rounds} later ones ${
      did("seals")
    } were sealed   0: ${verdict(isSealedOnce)}`,
  );
}

function rgtp(exposer: BenchProcess, ticket: string): Promise<Server> {
  return Promise.resolve({
    name: "RGTP",
    serveOnce: async () => {
      const before = exposer.cpuSeconds();
      const [command, ...args] = denoWords("cli/main.ts", ["pull", ticket, `${folder}/out`, "--json"]);
      await run(command, ...args);
      await Deno.remove(`${folder}/out`);
      return await exposer.cpuSeconds() - await before;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

/** The loop in C as a program; `undefined` where it cannot be compiled. */
async function compiledLoop(): Promise<string | undefined> {
  const program = `${folder}/gso`;
  try {
    await run("gcc", "-O2", "-o", program, new URL("_peers/gso.c", import.meta.url).pathname);
    return program;
  } catch (error) {
    console.error(`the loop in C is left out: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

function loop(program: string | undefined, name: string, headerBytes: number): Server | string {
  if (program === undefined) return `${name} is left out`;
  const sent = Math.round(bytes * DATAGRAM_BYTES / SYMBOL_BYTES);
  return {
    name,
    serveOnce: async () => {
      const words = [DATAGRAM_BYTES, DATAGRAMS, sent, headerBytes].map(String);
      const [cpu, , , came] = (await run(program, ...words)).split(" ").map(Number);
      if (came < sent) console.error(`of ${sent} bytes of the loop in C ${came} came`);
      return cpu;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function nginx(): Promise<Server | string> {
  const contestant: Contestant = web("curl", "https");
  const why = await missing(contestant);
  if (why !== "") return `nginx is left out: ${why}`;
  const load = { kind: "file", path: `${folder}/source`, bytes, sha256: "" } as const;
  const service = await contestant.serve(load, { folder, via: [] });
  return {
    name: "nginx, TLS 1.3",
    serveOnce: async () => {
      const before = treeCpuSeconds(service.pid);
      const [command, ...args] = service.fetch("/dev/null");
      await run(command, ...args);
      return treeCpuSeconds(service.pid) - before;
    },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}
