/*
 * RNP beside others that carry messages: two processes (with NATS its server between them), mutual TLS with the same certificates, on
 * loopback, in turns of one run. Every one checks each heartbeat, and counts what has arrived before a figure is believed.
 *
 *   deno task bench:rnp_peers [ROUNDS]
 */
import { initAuthority, issueNode, readNodeFolder } from "../cluster/mod.ts";
import { type Messenger, SERVER } from "./_messengers/messenger.ts";
import { protocols } from "./_messengers/protocols.ts";
import { BenchProcess, spread } from "./_processes.ts";

const rounds = Number(Deno.args[0] ?? 5);
const BEATS = 50_000;
const PINGS = 1000;
const CHUNKS = 100;

/** What is measured of each, and how well: more is better but for times. */
const measures: Readonly<Record<string, (messenger: Messenger) => Promise<number>>> = {
  "heartbeats, thousands/s": async (messenger) => BEATS / await msOf(() => messenger.beats(BEATS)),
  "request and answer p50, ms": async (messenger) => (await pings(messenger))[PINGS * 0.5],
  "request and answer p99, ms": async (messenger) => (await pings(messenger))[PINGS * 0.99],
  "bulk, MB/s": async (messenger) => CHUNKS * 1000 / await msOf(() => messenger.bulk(CHUNKS)),
};

const folder = await Deno.makeTempDir({ prefix: "rnp-bench-" });
await using stack = new AsyncDisposableStack();
stack.defer(() => Deno.remove(folder, { recursive: true }));
await initAuthority(folder);
for (const id of [SERVER, "sender"]) await issueNode(folder, id);
const { credentials } = await readNodeFolder(`${folder}/nodes/sender`);

const messengers = new Map<string, Messenger>();
for (const protocol of protocols) {
  const why = await protocol.prepare();
  if (why !== "") {
    console.log(`without ${protocol.name}: ${why}`);
    continue;
  }
  const between = protocol.between && stack.use(await protocol.between(folder));
  const args = [protocol.name, `${folder}/nodes/${SERVER}`, `${between?.port ?? 0}`];
  const server = stack.use(new BenchProcess("bench/_rnp_peers_server.ts", args));
  const messenger = await protocol.dial(credentials, Number(await server.line()));
  stack.defer(() => messenger.close());
  messengers.set(`${protocol.name} (${protocol.promise})`, messenger);
}

const figures = new Map<string, number[]>();
for (let round = -1; round < rounds; round++) {
  for (const [what, measure] of Object.entries(measures)) {
    for (const [who, messenger] of messengers) {
      const figure = await measure(messenger);
      // The first round is for the compilers.
      if (round >= 0) figures.set(what + who, [...figures.get(what + who) ?? [], figure]);
    }
  }
}
console.log(`two processes, mutual TLS, ${rounds} rounds: median (range)`);
for (const what of Object.keys(measures)) {
  console.log(what);
  for (const who of messengers.keys()) {
    const { median, min, max } = spread(figures.get(what + who)!);
    const text = `${median.toFixed(2).padStart(8)}  (${min.toFixed(2)}-${max.toFixed(2)})`;
    console.log(`  ${who.padEnd(24)} ${text}`);
  }
}

async function msOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** In ms, ascending. */
async function pings(messenger: Messenger): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) times.push(await msOf(() => messenger.ping()));
  return times.sort((a, b) => a - b);
}
