import { assert, assertEquals, assertStringIncludes } from "../../tests/_assert.ts";
import { chunkCount, contentsOf, fileFault, fileIdOf, pathFault, planCopies, rendezvous } from "./files.ts";
import { isInstanceId, placed, planFault, reconcile, started, stopped } from "./instances.ts";
import type { InstancePlan } from "./instances.ts";
import { isController } from "./roles.ts";
import { isNews, judged, matching, offerFault, registered } from "./services.ts";

/*
 * What controllers know of instances, services and files, and what follows from it.
 */

const nodes = Array.from({ length: 20 }, (_, i) => `node-${i}`);
const fileId = (n: number) => n.toString(16).padStart(64, "0");

Deno.test("files: a node that goes moves what it had, and nothing else; all nodes get about as much", () => {
  const before = Array.from({ length: 2000 }, (_, n) => rendezvous(fileId(n), nodes, 3));
  const left = nodes.filter((node) => node !== "node-7");
  before.forEach((keepers, n) => {
    const after = rendezvous(fileId(n), left, 3);
    const kept = keepers.filter((node) => node !== "node-7");
    assertEquals(after.filter((node) => kept.includes(node)), kept);
  });
  for (const node of nodes) {
    const share = before.filter((keepers) => keepers.includes(node)).length;
    // 300 on average, and 16 more or less by chance.
    assert(share > 220 && share < 380, `${node} keeps ${share} of 2000`);
  }
});

Deno.test("files: what is missing is copied from those who have it, and nothing is dropped before it is there", () => {
  const content = { fileId: fileId(1), copies: 3 };
  const belong = rendezvous(content.fileId, nodes, 4);
  const [first, second, third, fourth] = belong;
  const plan = planCopies(content, new Set([first, fourth]), nodes, nodes);
  assertEquals(plan.copies.map(({ to }) => to), [second, third]);
  // Each of those who have it sends one.
  assertEquals(new Set(plan.copies.map(({ from }) => from)), new Set([first, fourth]));
  assertEquals(plan.drops, []);
  assertEquals(planCopies(content, new Set(belong), nodes, nodes), { copies: [], drops: [fourth] });
  // A keeper that died is made up for by the next in line.
  const alive = nodes.filter((node) => node !== first);
  assertEquals(
    planCopies(content, new Set([first, second, third]), alive, alive).copies.map(({ to }) => to),
    [
      fourth,
    ],
  );
  // One that leaves can still send.
  const staying = nodes.filter((node) => node !== first);
  assertEquals(planCopies({ ...content, copies: 1 }, new Set([first]), nodes, staying).copies, [
    { from: first, to: second },
  ]);
  assertEquals(planCopies(content, new Set([first]), alive, alive), { copies: [], drops: [] });
});

Deno.test("files: with fewer nodes than copies all of them keep it, and none drops it", () => {
  const content = { fileId: fileId(2), copies: 3 };
  assertEquals(planCopies(content, new Set(["a", "b"]), ["a", "b"], ["a", "b"]), { copies: [], drops: [] });
});

Deno.test("files: paths with the same content are one content, kept as often as any of them wants", () => {
  const record = {
    path: "/a",
    size: 1,
    checksum: `sha256:${fileId(3)}`,
    replication_factor: 1,
    nodes: ["a"],
  };
  const [content, ...others] = contentsOf([record, {
    ...record,
    path: "/b",
    replication_factor: 2,
    nodes: ["b"],
  }]);
  assertEquals(others, []);
  assertEquals(content, { fileId: fileId(3), copies: 2, holders: new Set(["a", "b"]) });
});

Deno.test("files: what is no path, checksum or number of copies is refused by name", () => {
  for (const path of ["", "a", "/", "//a", "/a/", "/a/../b", "/./a", "/a\n", `/${"a".repeat(1024)}`]) {
    assert(pathFault(path) !== undefined, path);
  }
  for (const path of ["/a", "/cluster/config.json", "/ü/ /…"]) assertEquals(pathFault(path), undefined);
  const good = { path: "/a", checksum: `sha256:${fileId(4)}`, replication_factor: 1 };
  assertEquals(fileFault(good), undefined);
  assertStringIncludes(fileFault({ ...good, replication_factor: 0 })!, "once at least");
  assertStringIncludes(fileFault({ ...good, checksum: "sha256:ABC" })!, "is no checksum");
  assertEquals(fileIdOf(`sha256:${"A".repeat(64)}`), undefined);
  assertEquals([0, 1, 1_048_576, 1_048_577].map(chunkCount), [0, 1, 1, 2]);
});

const plan: InstancePlan = {
  instance_id: "i-1",
  name: "one",
  script: "sleep",
  resources: { cpu_percent: 50, ram_mb: 1, disk_mb: 1 },
};
const room = { cpu_cores: 1, ram_mb: 1, disk_mb: 1 };

Deno.test("instances: a node's list and what is known make strangers and missing ones", () => {
  const make = (id: string, node: string) => placed(id, node, room, { strategy: "spread" }, 1);
  const facts = { instance_id: "", pid: 7, startup_time_ms: 1 };
  const runs = (id: string, node: string) => started(make(id, node), facts);
  const over = { instance_id: "", exit_code: 0, reason: "exited", runtime_seconds: 1 };
  const records = [
    runs("here", "a"),
    runs("absent", "a"),
    runs("elsewhere", "b"),
    make("coming", "a"),
    stopped(runs("ended", "a"), over, 2),
  ];
  const { strangers, missing } = reconcile("a", ["here", "elsewhere", "coming", "ended", "unknown"], records);
  assertEquals(strangers, ["elsewhere", "ended", "unknown"]);
  assertEquals(missing.map(({ instance_id }) => instance_id), ["absent"]);
});

Deno.test("instances: IDs that could be paths or flags, and plans that cannot be run, are refused", () => {
  for (const id of ["", ".", "..", "a/b", "-a", "a b", "a".repeat(64)]) {
    assertEquals(isInstanceId(id), false, id);
  }
  for (const id of ["a", "inst-12345", "A_b-1", "a".repeat(63)]) assert(isInstanceId(id), id);
  assertEquals(planFault(plan), undefined);
  const wrong: [Partial<InstancePlan>, string][] = [
    [{ script: "" }, "no program is named"],
    [{ args: ["a\0b"] }, "has a zero"],
    [{ env: { "A-B": "1" } }, "'A-B' cannot be a variable's name"],
    [{ args: ["x".repeat(65_536)] }, "65536 are the most"],
    [{ resources: { cpu_percent: -1, ram_mb: 0, disk_mb: 0 } }, "cpu_cores is -0.01"],
    [
      { service: { service_name: "a b", version: "1", protocol: "tcp", port: 1 } },
      "cannot be a service's name",
    ],
  ];
  for (const [part, text] of wrong) assertStringIncludes(planFault({ ...plan, ...part })!, text);
});

const offer = {
  service_name: "users",
  version: "1.0.0",
  instance_id: "i-1",
  protocol: "http",
  port: 8080,
  health_check: "/health",
};

Deno.test("services: one failure is forgiven, two are not, and one good answer ends that", () => {
  let record = registered(offer, "a", "127.0.0.1:8080");
  const look = (ok: boolean, ms = 8) => record = judged(record, { ok, ms });
  const seen = [record, look(true), look(false), look(false), look(false), look(true)];
  assertEquals(seen.map(({ healthy }) => healthy), [false, true, true, false, false, true]);
  assertEquals(registered({ ...offer, protocol: "udp" }, "a", "").healthy, true, "nobody can look at it");
});

Deno.test("services: latency is smoothed, and small changes are no news", () => {
  const first = judged(registered(offer, "a", ""), { ok: true, ms: 8 });
  const second = judged(first, { ok: true, ms: 16 });
  assertEquals([first.latency_ms, second.latency_ms], [8, 9]);
  assertEquals(isNews(first, second), false);
  assert(isNews(first, { ...first, latency_ms: 12 }));
  assert(isNews(first, judged(first, { ok: false, ms: 1 })));
});

Deno.test("services: a query finds by name, version and health: the healthy first, the quickest of them first", () => {
  const make = (instance_id: string, healthy: boolean, latency_ms: number, version = "1.0.0") => ({
    ...registered({ ...offer, instance_id, version }, "a", ""),
    healthy,
    latency_ms,
  });
  const records = [make("ill", false, 1), make("slow", true, 9), make("quick", true, 2, "2.0.0")];
  const found = (filters = {}) =>
    matching(records, { service_name: "users", filters }).map(({ instance_id }) => instance_id);
  assertEquals(found(), ["quick", "slow", "ill"]);
  assertEquals(found({ healthy: true, version: "1.0.0" }), ["slow"]);
  assertEquals(matching(records, { service_name: "others" }), []);
});

Deno.test("services: offers that cannot be are refused", () => {
  assertEquals(offerFault(offer), undefined);
  for (
    const part of [{ port: 0 }, { port: 65_536 }, { service_name: "" }, { health_check: "http://evil/" }]
  ) {
    assert(offerFault({ ...offer, ...part }) !== undefined, JSON.stringify(part));
  }
});

Deno.test("roles: a controller is one by its ID alone", () => {
  assertEquals(
    ["controller", "controller-2", "controllers", "node-controller", "xcontroller"].map(isController),
    [
      true,
      true,
      false,
      false,
      false,
    ],
  );
});
