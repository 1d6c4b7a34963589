import { assert, assertEquals } from "../../tests/_assert.ts";
import type { ResourceStatus } from "./message_data.ts";
import { choose, constraintFault } from "./placement.ts";
import { current, demandFault, fits, free, release, reported, reserve } from "./resources.ts";
import type { Demand, NodeRecord } from "./resources.ts";

const NOW = 1_000_000;

function status(cores: number, ramMb: number, labels: Record<string, string> = {}): ResourceStatus {
  return {
    cpu: { total_cores: cores, available_cores: cores, percent_used: 0 },
    ram: { total_mb: ramMb, available_mb: ramMb, percent_used: 0 },
    disk: { total_gb: 100, available_gb: 100, percent_used: 0 },
    network: { in_mbps: 0, out_mbps: 0 },
    labels,
  };
}

function node(id: string, cores = 4, ramMb = 4096, labels: Record<string, string> = {}): NodeRecord {
  return reported(undefined, id, status(cores, ramMb, labels), NOW);
}

const demand = (cpu_cores: number, ram_mb: number, disk_mb = 0): Demand => ({ cpu_cores, ram_mb, disk_mb });
const held = (cpu_cores: number, ram_mb: number, expires_at = 0) => ({
  ...demand(cpu_cores, ram_mb),
  expires_at,
});

Deno.test("resources: what is reserved is not free, until it expires or is given back", () => {
  const one = reserve(node("a"), "i-1", held(1, 1024), NOW);
  const two = reserve(one, "i-2", held(2, 1024, NOW + 10), NOW);
  assertEquals(free(two, NOW), { cpu_cores: 1, ram_mb: 2048, disk_mb: 102_400 });
  assertEquals(free(two, NOW + 10), { cpu_cores: 3, ram_mb: 3072, disk_mb: 102_400 });
  assertEquals(free(release(two, "i-1"), NOW).cpu_cores, 2);
  // The same instance again takes the place of its earlier reservation.
  assertEquals(free(reserve(two, "i-1", held(0, 0), NOW), NOW).cpu_cores, 2);
});

Deno.test("resources: a new report keeps what is reserved, and forgets what has expired", () => {
  const before = reserve(reserve(node("a"), "i-1", held(1, 1), NOW), "i-2", held(1, 1, NOW + 5), NOW);
  const after = reported({ ...before, leaving: true }, "a", status(8, 1), NOW + 6);
  assertEquals([Object.keys(after.reservations), after.leaving], [["i-1"], true]);
  assertEquals(current(before.reservations, NOW + 6), { "i-1": held(1, 1) });
});

Deno.test("resources: memory that others have taken is not free, though nobody has reserved it", () => {
  const busy = node("a");
  const { ram } = busy.status;
  const full = { ...busy, status: { ...busy.status, ram: { ...ram, available_mb: 100 } } };
  assertEquals(free(full, NOW).ram_mb, 100);
  assertEquals(fits(free(full, NOW), demand(0, 101)), false);
  assert(fits(free(full, NOW), demand(4, 100)));
});

Deno.test("resources: a demand that is negative or no number is refused by name", () => {
  assertEquals(demandFault(demand(0, 0)), undefined);
  assertEquals(demandFault(demand(1, -1)), "ram_mb is -1: it must not be less than 0");
  assertEquals(demandFault(demand(NaN, 1)), "cpu_cores is NaN: it must not be less than 0");
});

Deno.test("placement: spread fills all alike, pack fills one after the other", () => {
  for (const [strategy, expected] of [["spread", [2, 2, 2]], ["pack", [4, 2, 0]]] as const) {
    let nodes = ["a", "b", "c"].map((id) => node(id));
    for (let i = 0; i < 6; i++) {
      const choice = choose(nodes, demand(1, 100), { strategy }, NOW);
      assert(choice.node !== undefined);
      nodes = nodes.map((one) => one.node === choice.node ? reserve(one, `i-${i}`, held(1, 100), NOW) : one);
    }
    assertEquals(nodes.map(({ reservations }) => Object.keys(reservations).length), [...expected]);
  }
});

Deno.test("placement: constraints are on labels and the node's ID; nobody is placed on one that leaves", () => {
  const nodes = [
    node("a", 4, 4096, { region: "east", ssd: "" }),
    node("b", 4, 4096, { region: "west" }),
    node("c"),
  ];
  const chosen = (...constraints: string[]) =>
    choose(nodes, demand(1, 1), { strategy: "spread", constraints }, NOW).node;
  assertEquals(chosen("region=west"), "b");
  assertEquals(chosen("region!=west", "ssd"), "a");
  assertEquals(chosen("node=c"), "c");
  assertEquals(chosen("node!=a", "node!=b"), "c");
  assertEquals(chosen("region=north"), undefined);
  const leaving = nodes.map((one) => ({ ...one, leaving: one.node !== "b" }));
  assertEquals(choose(leaving, demand(1, 1), { strategy: "spread" }, NOW).node, "b");
});

Deno.test("placement: where nobody fits it says what the most is", () => {
  const nodes = [node("a", 2, 8000), node("b", 8, 1000)];
  const choice = choose(nodes, demand(4, 4000), { strategy: "pack" }, NOW);
  assertEquals(choice, {
    node: undefined,
    seen: 2,
    allowed: 2,
    most: { cpu_cores: 8, ram_mb: 8000, disk_mb: 102_400 },
  });
});

Deno.test("placement: a constraint that cannot be read is named", () => {
  assertEquals(constraintFault(["a=b", "c"]), undefined);
  assertEquals(
    constraintFault(["a=b", "=c"]),
    "'=c' is no constraint: say it like region=us-east, region!=us-east or ssd",
  );
});
