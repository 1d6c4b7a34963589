/*
 * What one link between two nodes carries, over mutual TLS on loopback, two processes: messages of a heartbeat's size, PING, FS.WRITE of a
 * megabyte, and bulk beside what bare `node:tls` moves with the same certificates in the same run, in writes of a megabyte and in such as it
 * likes best. Then FS.WRITE of a file as an exposure.
 *
 *   deno task bench:rnp [ROUNDS] [hmac]
 */
import { createHash } from "node:crypto";
import tls from "node:tls";
import { anyMap, initAuthority, issueNode, readNodeFolder, startNode } from "../cluster/mod.ts";
import type { ClusterNode, Credentials, Delivery } from "../cluster/mod.ts";
import { expose } from "../mod.ts";
import { BenchProcess, cpuSeconds, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const rounds = Number(Deno.args[0] ?? 5);
const isSigned = Deno.args[1] === "hmac";
const MESSAGES = 200_000;
const PINGS = 5000;
/** Bulk and bare connections take turns, so often in a round: what else the machine does meets all of them. */
const TURNS = 5;
const BULK_MB = 60;
const FILE_MB = 300;
const CHUNK = 1_000_000;
/** The runtime encrypts so much in one step. */
const TLS_PIECE = 49_152;

const beat = { cpu_percent: 45.2, ram_used_mb: 2048, instance_count: 12 };
const chunk = new Uint8Array(CHUNK);
for (let at = 0; at < CHUNK; at += 50_000) crypto.getRandomValues(chunk.subarray(at, at + 50_000));

const folder = await fastTempDir();
try {
  await writeRandomFile(`${folder}/file`, FILE_MB * 1e6);
  await initAuthority(folder);
  for (const id of ["node-a", "node-b"]) await issueNode(folder, id);
  await using process = new BenchProcess("bench/_rnp_node.ts", [
    `${folder}/nodes/node-a`,
    ...(isSigned ? ["hmac"] : []),
  ]);
  const [port, barePort] = (await process.line()).split(" ").map(Number);
  const { credentials, secret } = await readNodeFolder(`${folder}/nodes/node-b`);
  await using node = await startNode({
    credentials,
    peers: { "node-a": { host: "127.0.0.1", port } },
    ...(isSigned && { secret }),
  });
  await prove(node);

  const figures = {
    "heartbeats exactly once, thousands/s": [] as number[],
    "  their sender's processor, µs each": [] as number[],
    "  their receiver's": [] as number[],
    "heartbeats at most once, thousands/s": [] as number[],
    "PING p50, ms": [] as number[],
    "PING p99, ms": [] as number[],
    "FS.WRITE 1 MB, ms": [] as number[],
    "bulk, MB/s": [] as number[],
    "bare node:tls, MB/s": [] as number[],
    "bare node:tls in pieces of 48 KiB, MB/s": [] as number[],
    "bulk ÷ bare": [] as number[],
    "bulk ÷ bare in pieces": [] as number[],
    "bulk ÷ bare, both processors' time": [] as number[],
    "making an exposure, MB/s": [] as number[],
    "FS.WRITE of it, MB/s": [] as number[],
  };
  const used = async () => [await cpuSeconds(Deno.pid), await process.cpuSeconds()];
  /** The figure of some work, and the seconds of processor that it has taken here and there. */
  const costing = async (work: () => Promise<number>) => {
    const before = await used();
    const figure = await work();
    const [here, there] = (await used()).map((seconds, i) => seconds - before[i]);
    return { figure, here, there };
  };
  /** MB/s of several works that take turns, and the seconds of both processors. */
  const inTurns = async (works: readonly (() => Promise<number>)[]) => {
    const sums = works.map(() => ({ ms: 0, cpu: 0 }));
    for (let turn = 0; turn < TURNS; turn++) {
      for (const [i, work] of works.entries()) {
        const { figure: ms, here, there } = await costing(work);
        sums[i].ms += ms;
        sums[i].cpu += here + there;
      }
    }
    return sums.map(({ ms, cpu }) => ({ rate: TURNS * BULK_MB * 1000 / ms, cpu }));
  };
  for (let round = -1; round < rounds; round++) {
    const pings = await pingTimes(node);
    const beats = await costing(() => messageRate(node, "exactly-once"));
    const [bulk, bare, pieces] = await inTurns([
      () => bulkMs(node),
      () => bareMs(barePort, credentials, CHUNK),
      () => bareMs(barePort, credentials, TLS_PIECE),
    ]);
    const exposure = await exposureRates(node);
    const found = {
      "heartbeats exactly once, thousands/s": beats.figure,
      "  their sender's processor, µs each": beats.here * 1e6 / MESSAGES,
      "  their receiver's": beats.there * 1e6 / MESSAGES,
      "heartbeats at most once, thousands/s": await messageRate(node, "at-most-once"),
      "PING p50, ms": pings[PINGS * 0.5],
      "PING p99, ms": pings[PINGS * 0.99],
      "FS.WRITE 1 MB, ms": await writeTime(node),
      "bulk, MB/s": bulk.rate,
      "bare node:tls, MB/s": bare.rate,
      "bare node:tls in pieces of 48 KiB, MB/s": pieces.rate,
      "bulk ÷ bare": bulk.rate / bare.rate,
      "bulk ÷ bare in pieces": bulk.rate / pieces.rate,
      "bulk ÷ bare, both processors' time": bulk.cpu / bare.cpu,
      "making an exposure, MB/s": exposure.made,
      "FS.WRITE of it, MB/s": exposure.taken,
    };
    // The first round is for the compilers.
    if (round < 0) continue;
    for (const [name, figure] of Object.entries(found)) figures[name as keyof typeof figures].push(figure);
  }
  console.log(
    `one link, two processes, ${isSigned ? "with" : "without"} hmac, ${rounds} rounds: median (range)`,
  );
  for (const [name, all] of Object.entries(figures)) print(name, all);
} finally {
  await Deno.remove(folder, { recursive: true });
}

function print(name: string, all: readonly number[]): void {
  const { median, min, max } = spread(all);
  console.log(`  ${name.padEnd(38)} ${median.toFixed(2).padStart(8)}  (${min.toFixed(2)}-${max.toFixed(2)})`);
}

/** What is sent is what arrives, before anything is timed. */
async function prove(node: ClusterNode): Promise<void> {
  const hash = createHash("sha256");
  for (let i = 0; i < 8; i++) {
    hash.update(chunk);
    await sendChunk(node, i);
  }
  await node.send("node-a", "heartbeat", beat);
  node.define("app.proof", anyMap);
  const { data } = await node.request("node-a", "app.proof", { messages: 0, bytes: 0, sha256: "" });
  if (data.messages !== 1 || data.bytes !== 8 * CHUNK || data.sha256 !== hash.digest("hex")) {
    throw new Error(`what arrived is not what was sent: ${JSON.stringify(data)}`);
  }
}

async function messageRate(node: ClusterNode, delivery: Delivery): Promise<number> {
  const started = performance.now();
  for (let i = 0; i < MESSAGES; i++) {
    if (!node.post("node-a", "heartbeat", beat, { delivery })) await node.room("node-a");
  }
  // Acknowledged after all that went before it over this link.
  await node.send("node-a", "heartbeat", beat);
  return MESSAGES / (performance.now() - started);
}

/** In ms, ascending. */
async function pingTimes(node: ClusterNode): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) times.push(await node.ping("node-a"));
  return times.sort((a, b) => a - b);
}

/** A file of one chunk: announced, sent, and acknowledged. */
async function writeTime(node: ClusterNode): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 20; i++) {
    const started = performance.now();
    const write = {
      path: `/bench/${i}`,
      size: CHUNK,
      checksum: "sha256:0",
      chunks: 1,
      replication_factor: 1,
    };
    void node.send("node-a", "fs.write", write, { pool: "data", channel: "bulk" });
    await sendChunk(node, 0);
    times.push(performance.now() - started);
  }
  return spread(times).median;
}

async function sendChunk(node: ClusterNode, id: number): Promise<void> {
  await node.send("node-a", "fs.replicate", chunkData(id), { pool: "data", channel: "bulk" });
}

function chunkData(
  id: number,
): { file_id: string; chunk_id: number; chunk_data: Uint8Array; checksum: string } {
  return { file_id: "bench", chunk_id: id, chunk_data: chunk, checksum: "sha256:0" };
}

async function bulkMs(node: ClusterNode): Promise<number> {
  const started = performance.now();
  for (let i = 1; i < BULK_MB; i++) {
    const isRoom = node.post("node-a", "fs.replicate", chunkData(i), { pool: "data", channel: "bulk" });
    if (!isRoom) await node.room("node-a");
  }
  await sendChunk(node, 0);
  return performance.now() - started;
}

/** The same bytes over a connection of its own, one after the other, until the other side says that it has all. */
async function bareMs(port: number, { cert, key, ca }: Credentials, pieceBytes: number): Promise<number> {
  const socket = tls.connect({ host: "127.0.0.1", port, cert, key, ca, servername: "node-a" });
  await new Promise<void>((resolve) => socket.once("secureConnect", resolve));
  const answer = new Promise<void>((resolve) => socket.once("data", () => resolve()));
  const started = performance.now();
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, BULK_MB);
  socket.write(head);
  for (let left = BULK_MB * CHUNK; left > 0; left -= pieceBytes) {
    const piece = chunk.subarray(0, Math.min(pieceBytes, left));
    if (!socket.write(piece)) await new Promise<void>((resolve) => socket.once("drain", resolve));
  }
  await answer;
  const ms = performance.now() - started;
  socket.destroy();
  return ms;
}

/** A file: exposed, and then written to the other node, which pulls and checks it. */
async function exposureRates(node: ClusterNode): Promise<{ made: number; taken: number }> {
  const started = performance.now();
  await using offer = await expose(`${folder}/file`, { port: 0, host: "127.0.0.1", profile: "lan" });
  const offered = performance.now();
  const size = FILE_MB * CHUNK;
  const write = { path: "/file", size, checksum: "sha256:0", chunks: 0, replication_factor: 1 };
  const { data } = await node.request("node-a", "fs.write", { ...write, ticket: offer.ticket }, {
    pool: "data",
    channel: "bulk",
    timeoutMs: 300_000,
  });
  if (data.complete !== true) throw new Error("the file did not arrive whole");
  const rate = (from: number, to: number) => FILE_MB * 1000 / (to - from);
  return { made: rate(started, offered), taken: rate(offered, performance.now()) };
}
