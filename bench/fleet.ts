/*
 * A fleet of five nodes and a controller, each a process of its own on a loopback address: how long it takes to join, to start an instance,
 * to put a file three times and to get it back; then a node is killed, and how long it takes until it is suspected, is known to be dead, and
 * until all that it ran and kept is elsewhere. With RNP's own timeline when no pace is given.
 *
 *   deno task bench:fleet [MEGABYTES] [PACE]
 */
import { initAuthority, issueNode, readNodeFolder } from "../cluster/io/authority_folder.ts";
import { FleetClient } from "../cluster/io/fleet_client.ts";
import { parseAddress } from "../codec/address.ts";
import { BenchProcess, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 1000);
const pace = Number(Deno.args[1] ?? 1);
const NODES = 5;
const LOOK_MS = 50;
const WAIT_MS = 300_000;
const SERVICE = { service_name: "web", version: "1.0.0", protocol: "http", port: 18_472, health_check: "/" };
const PROGRAM =
  `Deno.serve({ hostname: Deno.env.get("RNP_HOST"), port: Number(Deno.env.get("PORT")), onListen() {} },
  () => new Response("well"))`;
const resources = { cpu_percent: 0, ram_mb: 0, disk_mb: 0 };

const folder = await Deno.makeTempDir({ prefix: "rnp-bench-" });
try {
  await using stack = new AsyncDisposableStack();
  await initAuthority(`${folder}/ca`);
  const ids = ["controller", ...Array.from({ length: NODES }, (_, i) => `node-${i + 1}`)];
  for (const id of [...ids, "operator"]) await issueNode(`${folder}/ca`, id);
  const processes = new Map<string, BenchProcess>();
  let seed = "";
  for (const [i, id] of ids.entries()) {
    const how = seed === "" ? ["start"] : ["join", seed];
    const place = ["--as", `${folder}/ca/nodes/${id}`, "--listen", `127.0.0.${i + 1}:0`];
    const process = stack.use(
      new BenchProcess("cli/main.ts", ["node", ...how, ...place, "--pace", `${pace}`, "--json"]),
    );
    processes.set(id, process);
    seed ||= String((await process.event("ready")).address);
  }
  const identity = await readNodeFolder(`${folder}/ca/nodes/operator`);
  const client = stack.use(await FleetClient.connect({ ...identity, at: [parseAddress(seed)!] }));
  await timed(
    "all have joined and told what they have",
    () =>
      until(async () => (await client.nodes()).filter(({ ram_free_mb }) => ram_free_mb > 0).length === NODES),
  );

  for (const [id, service] of [["plain", undefined], ["web", SERVICE]] as const) {
    const program = service
      ? { script: Deno.execPath(), args: ["eval", PROGRAM] }
      : { script: "sleep", args: ["9999"] };
    await timed(
      `an instance runs${service ? ", whose service listens" : ""}`,
      () => client.run({ instance_id: id, name: id, ...program, resources, ...(service && { service }) }),
    );
  }
  await writeRandomFile(`${folder}/file`, megabytes * 1e6);
  const put = await timed(`put ${megabytes} MB, 3 copies`, () => client.put(`${folder}/file`, "/file", 3));
  console.log(`  ${rate(put)} of the file, ${rate({ ...put, ms: put.ms / 3 })} onto disks`);
  const got = await timed(`get ${megabytes} MB`, () => client.get("/file", `${folder}/back`));
  console.log(`  ${rate(got)}`);

  const victim = await somebodyWithBoth(client);
  const killed = performance.now();
  Deno.kill(processes.get(victim)!.pid, "SIGKILL");
  const since = (what: string) =>
    console.log(`${((performance.now() - killed) / 1000).toFixed(1).padStart(8)} s  ${what}`);
  console.log(`${victim} is killed, which keeps the file; at ${pace} times RNP's pace:`);
  const stateOf = async () => (await client.nodes()).find(({ node }) => node === victim)!.state;
  await until(async () => await stateOf() !== "alive");
  since("suspected");
  await until(async () => await stateOf() === "dead");
  since("dead");
  await until(async () =>
    (await client.instances()).every(({ node, state }) => node !== victim && state === "running")
  );
  since("what it ran runs elsewhere");
  await until(async () => (await client.services()).every(({ node, healthy }) => node !== victim && healthy));
  since("and is healthy");
  await until(
    async () => (await client.files()).every(({ nodes }) => nodes.length === 3 && !nodes.includes(victim)),
    WAIT_MS,
  );
  since("what it kept is there three times again");
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** A node that keeps the file, with an instance if there is one. */
async function somebodyWithBoth(client: FleetClient): Promise<string> {
  const [{ nodes }] = await client.files();
  const running = (await client.instances()).map(({ node }) => node);
  return nodes.find((node) => running.includes(node)) ?? nodes[0];
}

async function timed<T>(
  what: string,
  work: () => Promise<T>,
): Promise<{ readonly ms: number; readonly result: T }> {
  const started = performance.now();
  const result = await work();
  const ms = performance.now() - started;
  console.log(`${(ms / 1000).toFixed(3).padStart(8)} s  ${what}`);
  return { ms, result };
}

function rate({ ms }: { readonly ms: number }): string {
  return `${(megabytes / ms * 1000).toFixed(0)} MB/s`;
}

async function until(isSo: () => Promise<boolean>, ms = WAIT_MS): Promise<void> {
  const end = performance.now() + ms;
  while (!await isSo()) {
    if (performance.now() > end) throw new Error(`not in ${ms / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
