/*
 * How many idle connections one node holds, and what each takes: nodes with certificates of their own dial it over mutual TLS on loopback,
 * from several processes, and send a heartbeat every two minutes, because RNP closes a link that is of no use. After a while all must be
 * there.
 *
 *   deno task bench:rnp_idle [CONNECTIONS] [SECONDS]
 */
import { initAuthority, issueNode } from "../cluster/mod.ts";
import { BenchProcess, spread } from "./_processes.ts";

const connections = Number(Deno.args[0] ?? 10_000);
const seconds = Number(Deno.args[1] ?? 75);
const DIALLERS = 4;

/** A process may often have fewer descriptors than it could. */
const via = ["sh", "-c", 'ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh"];
const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;

const folder = await Deno.makeTempDir({ prefix: "rnp-bench-" });
try {
  await initAuthority(folder);
  await issueNode(folder, "hub");
  await using hub = new BenchProcess("bench/_rnp_idle.ts", ["hold", `${folder}/nodes/hub`], {
    via,
    flags: ["--v8-flags=--expose-gc"],
  });
  const port = await hub.line();
  const empty = await hub.ask("state");

  const each = Math.ceil(connections / DIALLERS);
  const started = performance.now();
  await using stack = new AsyncDisposableStack();
  const diallers = Array.from({ length: DIALLERS }, (_, i) => {
    const count = Math.min(each, connections - i * each);
    const args = ["dial", folder, port, `${i * each}`, `${count}`];
    return stack.use(new BenchProcess("bench/_rnp_idle.ts", args, { via }));
  });
  await Promise.all(diallers.map((dialler) => dialler.line()));
  const linking = (performance.now() - started) / 1000;
  console.log(`${connections} nodes have linked in ${linking.toFixed(0)} s, certificates and all`);

  const cpu = await hub.cpuSeconds();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const idleCpu = (await hub.cpuSeconds() - cpu) / seconds;
  const full = await hub.ask("state");
  const states = await Promise.all(diallers.map((dialler) => dialler.ask("state")));
  const open = states.reduce((sum, state) => sum + Number(state.open), 0);
  const { median, max } = spread(states.flatMap(({ times }) => times as number[]));
  const per = (what: string) => kib((Number(full[what]) - Number(empty[what])) / connections);
  console.log(`after ${seconds} s the node holds ${full.links} links, and ${open} nodes say so too`);
  console.log(`  memory for each        ${per("rss")} (of these ${per("heap")} in JavaScript's heap)`);
  console.log(`  the node in all        ${kib(Number(full.rss))}, ${kib(Number(empty.rss))} without a link`);
  console.log(`  processor while idle   ${(100 * idleCpu).toFixed(1)} % of one`);
  console.log(`  PING over them, ms     median ${median.toFixed(2)}, most ${max.toFixed(2)}`);
  const troubles = [full, ...states].flatMap(({ troubles }) => troubles as string[]);
  const counts = Map.groupBy(troubles, (text) => text.replace(/^node-\d+/, "node-…"));
  for (const [text, all] of counts) console.log(`  ${all.length} times: ${text}`);
  if (full.links !== connections || open !== connections) throw new Error("links were lost");
} finally {
  await Deno.remove(folder, { recursive: true });
}
