/*
 * A node that takes part in a cluster, in a process of its own: `FOLDER HOST PACE [SEED]`. It prints where it listens, and for each line that
 * it is told what it takes the others for, and what has changed since it was told last.
 */
import { joinCluster, readNodeFolder, startNode } from "../../cluster/mod.ts";
import { parseAddress } from "../../codec/address.ts";
import { lines } from "../../bench/_processes.ts";

const [folder, host, pace, seed] = Deno.args;
const node = await startNode({ ...await readNodeFolder(folder), listen: { host, port: 0 } });
let changes: string[] = [];
const membership = await joinCluster(node, {
  pace: Number(pace),
  onChange: ({ node, state }) => void changes.push(`${node} ${state}`),
  ...(seed !== undefined && { seed: parseAddress(seed)! }),
});
console.log(node.address!.port);
for await (const _ of lines(Deno.stdin.readable)) {
  const members = Object.fromEntries(membership.members.map(({ node, state }) => [node, state]));
  console.log(JSON.stringify({ members, changes }));
  changes = [];
}
