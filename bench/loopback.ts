/*
 * How near a sealed and verified pull comes to bare datagrams, on each kind of link: a bare `Deno.DatagramConn` loop and RGTP over that; a
 * bare loop over the Linux link, where that is possible, and RGTP over that. The same datagram size, in turn, two processes each, over
 * loopback. Prints MB/s (10^6 bytes of payload), CPU seconds a GB of both sides, and the median of the ratios round by round.
 *
 *   deno task bench:loopback [MEGABYTES] [ROUNDS]
 */
import { createHash } from "node:crypto";
import { openLinuxUdp } from "../transport/link/linux_udp.ts";
import { BenchProcess, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 500);
const rounds = Number(Deno.args[1] ?? 5);
const bytes = megabytes * 1e6;

/** What one round of a contestant showed; processor times in seconds a GB. */
interface Figures {
  readonly rate: number;
  readonly sender: number;
  readonly receiver: number;
}

/** Someone who moves the bytes once when asked to. */
interface Contestant extends AsyncDisposable {
  readonly name: string;
  fetch(): Promise<Figures>;
}

const folder = await fastTempDir();
try {
  await writeRandomFile(`${folder}/source`, bytes);
  const expected = await sha256(`${folder}/source`);
  await using started = new AsyncDisposableStack();
  const contestants: Contestant[] = [];
  for (const kind of await kinds()) {
    contestants.push(started.use(await bareLoop(kind)), started.use(await rgtp(kind, expected)));
  }
  const figures = new Map<Contestant, Figures[]>(contestants.map((one) => [one, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [one, all] of figures) all.push(await one.fetch());
  }
  console.log(`${megabytes} MB over loopback, ${rounds} rounds in turn: median (range)`);
  for (const [{ name }, all] of figures) console.log(line(name, all));
  // Round by round: a machine that is slow for a while is slow for all.
  const [bareConn, rgtpConn, bareLinux, rgtpLinux] = [...figures.entries()];
  for (const [one, base] of [[rgtpConn, bareConn], [rgtpLinux, bareLinux], [rgtpLinux, rgtpConn]]) {
    if (one) console.log(ratio(one, base));
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

function line(name: string, all: readonly Figures[]): string {
  const rate = spread(all.map((one) => one.rate));
  const [sender, receiver] = (["sender", "receiver"] as const).map((side) =>
    spread(all.map((one) => one[side])).median.toFixed(2)
  );
  return `  ${name.padEnd(20)} ${rate.median.toFixed(0).padStart(5)} MB/s  ` +
    `(${rate.min.toFixed(0)}-${rate.max.toFixed(0)}), CPU s/GB: sends ${sender}, receives ${receiver}`;
}

function ratio([one, ofOne]: [Contestant, Figures[]], [base, ofBase]: [Contestant, Figures[]]): string {
  const { median, min, max } = spread(ofOne.map(({ rate }, round) => rate / ofBase[round].rate));
  return `  ${one.name} / ${base.name}: ${median.toFixed(2)}  (${min.toFixed(2)}-${max.toFixed(2)})`;
}

async function kinds(): Promise<("datagram_conn" | "linux_udp")[]> {
  try {
    (await openLinuxUdp({ host: "127.0.0.1", port: 0 })).close();
    return ["datagram_conn", "linux_udp"];
  } catch (error) {
    console.log(`without linux_udp: ${error instanceof Error ? error.message : error}`);
    return ["datagram_conn"];
  }
}

async function bareLoop(kind: "datagram_conn" | "linux_udp"): Promise<Contestant> {
  const file = kind === "linux_udp" ? "bench/_bare_link.ts" : "bench/_bare_loop.ts";
  const server = new BenchProcess(file, ["serve"]);
  const port = await server.line();
  return {
    name: `bare (${kind})`,
    fetch: () =>
      measured(server, async () => {
        await using fetching = new BenchProcess(file, ["fetch", port, String(bytes)]);
        return JSON.parse(await fetching.line());
      }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function rgtp(kind: string, expected: string): Promise<Contestant> {
  const exposer = new BenchProcess("cli/main.ts", [
    ...["expose", `${folder}/source`, "--host", "127.0.0.1", "--port", "0", "--link", kind, "--json"],
    // What does not fit the memory is sealed again while it is served: that is another question (`bench:memory`).
    ...["--state-dir", `${folder}/state-${kind}`, "--memory", "4GiB"],
  ]);
  const { ticket } = await exposer.event("ready");
  return {
    name: `rgtp (${kind})`,
    fetch: () => measured(exposer, () => pull(String(ticket), kind, expected)),
    [Symbol.asyncDispose]: () => exposer[Symbol.asyncDispose](),
  };
}

async function measured(
  server: BenchProcess,
  fetching: () => Promise<{ rate: number; cpuSeconds: number }>,
): Promise<Figures> {
  const before = await server.cpuSeconds();
  const { rate, cpuSeconds } = await fetching();
  const perGb = 1e9 / bytes;
  return { rate, sender: (await server.cpuSeconds() - before) * perGb, receiver: cpuSeconds * perGb };
}

/** A pull; its bytes are proved by the exposure's ID and, once more, by SHA-256. CPU time is that of the whole process. */
async function pull(
  ticket: string,
  kind: string,
  expected: string,
): Promise<{ rate: number; cpuSeconds: number }> {
  const out = `${folder}/out`;
  await using pulling = new BenchProcess("cli/main.ts", ["pull", ticket, out, "--link", kind, "--json"]);
  const done = await pulling.event("done");
  const cpuSeconds = await pulling.cpuSeconds();
  await pulling.ended();
  if (done.sha256 !== expected) throw new Error("the pulled file differs from its source");
  await Deno.remove(out);
  return { rate: bytes / 1e6 / Number(done.seconds), cpuSeconds };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await Deno.open(path);
  for await (const block of file.readable) hash.update(block);
  return hash.digest("hex");
}
