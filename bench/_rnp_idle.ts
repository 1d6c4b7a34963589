/*
 * One side of `bench/rnp_idle.ts`, in a process of its own.
 *
 *   _rnp_idle.ts hold FOLDER             a node that takes connections; prints its port, and what it holds for each line that it is told
 *   _rnp_idle.ts dial FOLDER PORT FIRST COUNT   so many nodes that each dial it; prints how many have, and how they fare for each line
 */
import { defaultRetry, readNodeFolder, startNode } from "../cluster/mod.ts";
import type { ClusterNode } from "../cluster/mod.ts";
import { issueCertificate } from "../cluster/io/authority.ts";
import { lines } from "./_processes.ts";

const LINKS_MAX = 20_000;
/** Handshakes at once: a node lets in 64 strangers. */
const AT_ONCE = 8;
const PINGS = 50;
/** On a machine that has other work a handshake may take seconds. */
const retry = { ...defaultRetry, attemptsMax: 20 };
/** RNP closes a link that has carried no message for 300 s; a PING is none. */
const USED_EVERY_MS = 120_000;
const beat = { cpu_percent: 45.2, ram_used_mb: 2048, instance_count: 12 };

const [role, folder, ...rest] = Deno.args;
if (role === "hold") await hold();
else await dial(Number(rest[0]), Number(rest[1]), Number(rest[2]));

async function hold(): Promise<void> {
  const { credentials } = await readNodeFolder(folder);
  const node = await startNode({ credentials, listen: { host: "127.0.0.1", port: 0 }, linksMax: LINKS_MAX });
  node.handle("heartbeat", () => {});
  console.log(node.address!.port);
  for await (const _ of lines(Deno.stdin.readable)) {
    // Twice: what was found unreachable at first is given back to the system at the second.
    for (let i = 0; i < 2; i++) {
      (globalThis as { gc?: () => void }).gc?.();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const links = node.peers.reduce((sum, peer) => sum + peer.links, 0);
    const { rss, heapUsed: heap } = Deno.memoryUsage();
    console.log(JSON.stringify({ links, rss, heap, troubles: node.troubles }));
  }
}

async function dial(port: number, first: number, count: number): Promise<void> {
  const [cert, key] = await Promise.all(
    ["authority.pem", "authority.key"].map((name) => Deno.readTextFile(`${folder}/${name}`)),
  );
  const nodes: ClusterNode[] = [];
  const one = async (id: string) => {
    const credentials = { ...await issueCertificate({ cert, key }, id), ca: cert };
    const node = await startNode({ credentials, peers: { hub: { host: "127.0.0.1", port } }, retry });
    await node.ping("hub", 120_000);
    setInterval(() => void node.post("hub", "heartbeat", beat), USED_EVERY_MS);
    nodes.push(node);
  };
  let next = first;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < first + count) await one(`node-${next++}`);
  }));
  console.log(JSON.stringify({ linked: nodes.length }));
  for await (const _ of lines(Deno.stdin.readable)) {
    const times: number[] = [];
    for (let i = 0; i < PINGS; i++) times.push(await nodes[i * 31 % nodes.length].ping("hub", 60_000));
    const open = nodes.filter(({ peers }) => peers[0].isReachable).length;
    const troubles = nodes.flatMap((node) => node.troubles);
    console.log(JSON.stringify({ open, times, troubles }));
  }
}
