import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../../../tests/_assert.ts";
import { load } from "../../../tests/sim/membership.ts";
import { SimCluster } from "./_cluster.ts";
import type { Change } from "./_cluster.ts";
import { FAN_OUT, HEARTBEAT_MS } from "./timeline.ts";

/** Whether all nodes that are up take all of each other for alive, and know no other that is. */
function isAgreed(cluster: SimCluster): boolean {
  const ids = cluster.up.map(({ id }) => id).sort().join();
  return cluster.up.every(({ machine }) =>
    machine.members.filter(({ state }) => state === "alive").map(({ node }) => node).sort().join() === ids
  );
}

function seen(cluster: SimCluster, state: string): Change[] {
  return cluster.changes.filter(({ update }) => update.state === state);
}

/** First, middle and last of some times, in seconds. */
function spreadOf(times: readonly number[]): { first: number; median: number; last: number } {
  const sorted = times.map((ms) => ms / 1000).sort((a, b) => a - b);
  return { first: sorted[0], median: sorted[sorted.length >> 1], last: sorted[sorted.length - 1] };
}

Deno.test("membership: nodes that join through any other one all know each other, also when messages get lost", () => {
  for (const [count, lossRate] of [[2, 0], [5, 0], [40, 0], [40, 0.1]] as const) {
    const cluster = SimCluster.of(count, { lossRate });
    assert(isAgreed(cluster), `${count} nodes, ${lossRate} lost`);
    const address = cluster.nodes.get("n1")!.machine.members.find(({ node }) => node === "n0")!.address;
    assertEquals(address, "n0:7946");
  }
});

Deno.test("membership: a node that ends is suspected at 11 s after its last heartbeat and dead at 16 s, everywhere within seconds", () => {
  const cluster = SimCluster.of(60);
  for (const [i, id] of ["n7", "n23", "n42"].entries()) {
    cluster.changes.length = 0;
    const victim = cluster.nodes.get(id)!;
    // Its last heartbeat is somewhere in the ten seconds before.
    cluster.run(3000 * i);
    victim.isUp = false;
    const end = cluster.now;
    cluster.run(40_000);
    const suspected = seen(cluster, "suspect").filter(({ update }) => update.node === id);
    const dead = seen(cluster, "dead").filter(({ update }) => update.node === id);
    const first = dead[0].at - suspected[0].at;
    assert(first >= 5000 && first <= 6500, `${first} ms from suspicion to death`);
    const { first: earliest, last } = spreadOf(dead.map(({ at }) => at - end));
    assert(earliest >= 6 && last <= 16 + 10, `dead from ${earliest} s to ${last} s`);
    assertEquals(new Set(dead.map(({ by }) => by)).size, cluster.up.length);
  }
  assert(isAgreed(cluster));
  assertEquals(new Set(seen(cluster, "dead").map(({ update }) => update.node)), new Set(["n42"]));
});

Deno.test("membership: 200 nodes, an hour, one message in twenty lost: nobody is taken for dead", () => {
  const cluster = SimCluster.of(200, { lossRate: 0.05 });
  cluster.changes.length = 0;
  cluster.run(3_600_000);
  // Heartbeats get lost and are missed, or nothing was tried.
  assertGreater(seen(cluster, "suspect").length, 5000);
  assertEquals(seen(cluster, "dead"), []);
  assert(isAgreed(cluster));
});

Deno.test("membership: with losses, the dead are found as soon, by all", () => {
  const cluster = SimCluster.of(100, { lossRate: 0.05, seed: 3 });
  const detected: number[] = [];
  const known: number[] = [];
  for (let i = 10; i < 30; i++) {
    cluster.changes.length = 0;
    cluster.nodes.get(`n${i}`)!.isUp = false;
    const end = cluster.now;
    cluster.run(45_000);
    const dead = seen(cluster, "dead").filter(({ update }) => update.node === `n${i}`).map(({ at }) =>
      at - end
    );
    assertEquals(dead.length >= cluster.up.length, true, `n${i}: ${dead.length} of ${cluster.up.length}`);
    detected.push(Math.min(...dead));
    known.push(Math.max(...dead));
  }
  const [first, all] = [spreadOf(detected), spreadOf(known)];
  assert(first.last <= 17.5, JSON.stringify(first));
  assert(all.last <= 17.5 + 12, JSON.stringify(all));
});

Deno.test("membership: a node that is starved makes nobody else flap, and doubts itself", () => {
  const cluster = SimCluster.of(50);
  cluster.changes.length = 0;
  const starved = cluster.nodes.get("n9")!;
  let doubt = 1;
  for (let i = 0; i < 60; i++) {
    // Twelve seconds of nothing, then a moment in which it does all at once.
    starved.frozenUntil = cluster.now + 12_000;
    cluster.run(12_500);
    doubt = Math.max(doubt, starved.machine.healthMultiplier);
  }
  const others = cluster.changes.filter(({ update }) => update.node !== "n9");
  assertEquals(others.filter(({ update }) => update.state === "dead"), []);
  assertEquals(others.filter(({ by, update }) => by !== "n9" && update.state === "suspect"), []);
  assertGreater(doubt, 2);
  cluster.run(120_000);
  assert(isAgreed(cluster));
  assertEquals(starved.machine.healthMultiplier, 1);
});

Deno.test("membership: what is parted takes each other for dead, and finds itself again; the dead stay dead", () => {
  const cluster = SimCluster.of(40);
  const gone = cluster.nodes.get("n5")!;
  gone.isUp = false;
  cluster.run(60_000);
  for (const [i, node] of cluster.up.entries()) node.side = i % 2;
  cluster.run(180_000);
  const [left, right] = cluster.up;
  assertEquals([left.sees(right.id), right.sees(left.id)], ["dead", "dead"]);
  for (const node of cluster.up) node.side = 0;
  cluster.changes.length = 0;
  cluster.run(180_000);
  assert(isAgreed(cluster));
  for (const node of cluster.up) assertEquals(node.sees("n5"), "dead");
  assertEquals(cluster.changes.filter(({ update }) => update.node === "n5"), []);
  // And it stays so.
  cluster.changes.length = 0;
  cluster.run(300_000);
  assertEquals(cluster.changes, []);
});

Deno.test("membership: a node that leaves is known to have left, within seconds, and is suspected by nobody", () => {
  const cluster = SimCluster.of(50, { lossRate: 0.05 });
  const node = cluster.nodes.get("n11")!;
  cluster.changes.length = 0;
  cluster.do(node, (machine) => machine.leave("shutdown", "n12"));
  const end = cluster.now;
  assertEquals(node.machine.deadline, Infinity);
  node.isUp = false;
  cluster.run(60_000);
  const left = seen(cluster, "left").map(({ at, by }) => [by, at - end] as const);
  assertEquals(new Set(left.map(([by]) => by)).size, cluster.up.length);
  assertLessOrEqual(Math.max(...left.map(([, ms]) => ms)), 12_000);
  assertEquals(cluster.changes.filter(({ update }) => update.node === "n11" && update.state === "dead"), []);
});

Deno.test("membership: a node that was started again is alive under its new incarnation", () => {
  const cluster = SimCluster.of(20);
  cluster.nodes.get("n4")!.isUp = false;
  cluster.run(60_000);
  assertEquals(cluster.nodes.get("n1")!.sees("n4"), "dead");
  cluster.start("n4", "n13");
  cluster.run(30_000);
  assert(isAgreed(cluster));
});

Deno.test("membership: a node that is said to be dead contradicts, and is believed", () => {
  const cluster = SimCluster.of(20);
  const slandered = cluster.nodes.get("n3")!.machine.members[0];
  const liar = { updates: [{ ...slandered, state: "dead" }] } as const;
  cluster.do(
    cluster.nodes.get("n8")!,
    (machine) => machine.handleMessage(cluster.now, "n9", "gossip.updates", liar),
  );
  assertEquals(cluster.nodes.get("n8")!.sees("n3"), "dead");
  cluster.run(60_000);
  assert(isAgreed(cluster));
  assertEquals(cluster.nodes.get("n3")!.machine.members[0].incarnation, slandered.incarnation + 1);
});

Deno.test("membership: a timeout before its time changes nothing, one at its time is not due again", () => {
  const cluster = SimCluster.of(5);
  const { machine } = cluster.nodes.get("n2")!;
  for (let i = 0; i < 100; i++) {
    const { deadline } = machine;
    machine.handleTimeout(deadline - 0.001);
    assertEquals([machine.poll(), machine.deadline], [undefined, deadline]);
    machine.handleTimeout(deadline);
    while (machine.poll()) { /* The others hear nothing, and are found dead one by one. */ }
    assertGreater(machine.deadline, deadline);
  }
  assertEquals(machine.members.filter(({ state }) => state === "dead").length, 4);
});

Deno.test("membership: a probe for a node that nobody knows is passed on to nobody, and news of strange names is none", () => {
  const cluster = SimCluster.of(3);
  const node = cluster.nodes.get("n1")!;
  const sent = node.sent;
  cluster.do(node, (machine) => {
    machine.handleMessage(cluster.now, "n2", "gossip.probe", { node: "nobody" });
    const update = { node: "../n9", state: "alive", incarnation: 1, address: "" } as const;
    machine.handleMessage(cluster.now, "n2", "gossip.updates", { updates: [update] });
  });
  assertEquals([node.sent, node.machine.members.length], [sent, 3]);
});

Deno.test("membership: what a node sends does not grow with the cluster", () => {
  const rates = [10, 100, 250].map((nodes) => load(nodes, {}));
  for (const { mean, most } of rates) {
    // Three heartbeats in ten seconds, an announcement in thirty.
    assertLessOrEqual(Math.abs(mean - (FAN_OUT * 1000 / HEARTBEAT_MS + 1 / 30)), 0.01, JSON.stringify(rates));
    assertLessOrEqual(most, 0.4, JSON.stringify(rates));
  }
});

Deno.test("membership: the same seed gives the same history", () => {
  const history = (seed: number) => {
    const cluster = SimCluster.of(15, { seed, lossRate: 0.1 });
    cluster.run(100_000);
    return cluster.changes.map(({ at, by, update }) => `${at} ${by} ${update.node} ${update.state}`);
  };
  assertEquals(history(5), history(5));
  assert(history(5).join() !== history(6).join());
});
