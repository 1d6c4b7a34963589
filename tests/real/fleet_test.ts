/*
 * Five nodes and a controller as processes of their own, each on a loopback address: what people do with them, and what happens when one
 * is killed. RNP's timeline goes ten times as fast.
 */
import { assert, assertEquals, assertStringIncludes } from "../_assert.ts";
import { makeFile, sha256Of } from "./_files.ts";
import { TestFleet } from "./_fleet.ts";

const ignore = Deno.build.os !== "linux";
const test = (what: string, fn: () => Promise<void>) => Deno.test({ name: `fleet: ${what}`, fn, ignore });

/** A service that listens where it is told. */
const SERVER =
  `Deno.serve({ hostname: Deno.env.get("RNP_HOST"), port: Number(Deno.env.get("PORT")), onListen() {} },
  (request) => new Response(null, { status: new URL(request.url).pathname === "/health" ? 200 : 404 }))`;
const serverArgs = ["--", Deno.execPath(), "eval", "--no-lock", SERVER];

test("join, run, services, put and get; a node that is killed is made up for, and comes back; one leaves", async () => {
  await using fleet = await TestFleet.start({ workers: 5, pace: 10 });
  const { folder } = fleet;
  const events = async (...args: readonly string[]) => {
    const { code, err, events } = await fleet.run(...args);
    assertEquals([code, err], [0, ""], args.join(" "));
    return events();
  };

  const nodes = await events("ls");
  assertEquals(nodes.map(({ node, state, controller }) => [node, state, controller]), [
    ["controller", "alive", true],
    ...[1, 2, 3, 4, 5].map((n) => [`node-${n}`, "alive", false]),
  ]);

  // Instances: one that is placed by a constraint, one with a service.
  const [placed] = await events("run", "--id", "sleeper", "--constraint", "number=3", "--", "sleep", "1000");
  assertEquals([placed.event, placed.node], ["started", "node-3"]);
  assert(Number(placed.pid) > 0 && Number(placed.startup_time_ms) > 0);
  const service = ["--service", "web:18471", "--health", "/health", "--constraint", "node!=node-3"];
  const [served] = await events("run", "--id", "server", ...service, ...serverArgs);
  assertStringIncludes(String(served.listening_on), ":18471");
  const [web] = await events("services", "web", "--healthy");
  assertEquals([web.node, web.address, web.healthy], [served.node, served.listening_on, true]);
  assert(Number(web.latency_ms) > 0);

  // Files: one in messages, one as an exposure.
  const small = await makeFile(`${folder}/small`, 300_000, 1);
  const large = await makeFile(`${folder}/large`, 12_000_000, 2);
  for (const { path, sha256 } of [small, large]) {
    const name = `/data/${path.split("/").at(-1)}`;
    const [stored] = await events("put", path, name);
    assertEquals([(stored.nodes as string[]).length, stored.missing], [3, []]);
    const [got] = await events("get", name, `${path}.back`);
    assertEquals(got.checksum, `sha256:${sha256}`);
    assertEquals(await sha256Of(`${path}.back`), sha256);
  }

  // The death of the node with the service: somebody else offers it, and what the node has kept is elsewhere three times.
  const victim = String(served.node);
  await fleet.processes.get(victim)!.kill("SIGKILL");
  await fleet.until(
    "the death is known",
    async (client) => (await client.nodes()).find(({ node }) => node === victim)!.state === "dead",
  );
  await fleet.until("its instance runs elsewhere", async (client) => {
    const server = (await client.instances()).find(({ instance_id }) => instance_id === "server")!;
    return server.state === "running" && server.node !== victim;
  });
  await fleet.until(
    "its service is healthy elsewhere",
    async (client) => (await client.services()).some(({ healthy, node }) => healthy && node !== victim),
  );
  await fleet.until(
    "its files are there three times",
    async (client) =>
      (await client.files()).every(({ nodes }) => nodes.length === 3 && !nodes.includes(victim)),
  );

  // It comes back, and what has moved meanwhile does not rise from the dead.
  await fleet.spawn(victim, 40);
  await fleet.until(
    "it is alive again",
    async (client) => (await client.nodes()).find(({ node }) => node === victim)!.state === "alive",
  );
  const [again] = await events("services", "web");
  assert(again.node !== victim, "its service is where it was moved to");
  assertEquals((await events("services", "web")).length, 1);

  // One leaves: its instance moves, and its files are elsewhere.
  const [left] = await events("leave", "node-3");
  assertEquals([left.event, left.node], ["left", "node-3"]);
  assertEquals((await fleet.processes.get("node-3")!.ended()).code, 0);
  const sleeper = (await events("ls", "instances")).find(({ instance_id }) => instance_id === "sleeper")!;
  // Nobody else has its label.
  assertEquals(sleeper.state, "lost");
  for (const file of await events("ls", "files")) {
    const keepers = file.nodes as string[];
    assertEquals([keepers.length, keepers.includes("node-3")], [3, false]);
  }
  const [gone] = await events("stop", "sleeper");
  assertEquals([gone.event, gone.reason], ["stopped", "cancelled"]);
  const [ended] = await events("stop", "server");
  assertEquals(ended.reason, "terminated");
  assertEquals((await fleet.run("services", "web")).code, 16);
  const looked = (await events("top", "--once")).at(-1)!;
  assertEquals([looked.event, looked.instances], ["looked", 0]);
});
