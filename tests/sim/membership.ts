/*
 * Membership in virtual time, and what comes of it in figures: who is taken for dead that is not, how soon the dead are found and known
 * to all, and what each node sends.
 *
 *   deno task sim:membership [--nodes 200] [--minutes 60] [--loss 5] [--crashes 100] [--seed 1]
 */
import { parseByTable } from "../../cli/_args.ts";
import { SimCluster } from "../../cluster/protocol/membership/_cluster.ts";
import type { ClusterOptions, SimNode } from "../../cluster/protocol/membership/_cluster.ts";

/** How often nodes that are well were taken for something else. */
export interface Mistakes {
  /** Times that one heard that it was suspected, and contradicted. */
  readonly contradicted: number;
  /** Times that one took another for dead. */
  readonly deaths: number;
}

/** Nothing happens for a time, but that `starved` nodes get to work for half a second in every thirteen. */
export function allWell(nodes: number, minutes: number, starved: number, options: ClusterOptions): Mistakes {
  const cluster = SimCluster.of(nodes, options);
  const slow = cluster.up.slice(0, starved);
  const well = cluster.up.slice(starved);
  const before = incarnations(well);
  cluster.changes.length = 0;
  for (const end = cluster.now + minutes * 60_000; cluster.now < end;) {
    for (const node of slow) node.frozenUntil = cluster.now + 12_500;
    cluster.run(13_000);
  }
  const ids = new Set(well.map(({ id }) => id));
  const deaths = cluster.changes.filter(({ update: { state, node } }) => state === "dead" && ids.has(node));
  return { contradicted: incarnations(well) - before, deaths: deaths.length };
}

/** Each grows by one when its node contradicts. */
function incarnations(nodes: readonly SimNode[]): number {
  return nodes.reduce((sum, { machine }) => sum + machine.members[0].incarnation, 0);
}

/** From a crash on, in ms: until a watcher suspects, until one is sure, until all others know; for each crash. */
export interface Detections {
  readonly suspected: readonly number[];
  readonly dead: readonly number[];
  readonly knownToAll: readonly number[];
  /** Of these, from the first who knew. */
  readonly spreading: readonly number[];
}

/** One node after the other crashes, at any time of its heartbeat, and is started again. */
export function crashes(nodes: number, count: number, options: ClusterOptions): Detections {
  const cluster = SimCluster.of(nodes, options);
  const found = { suspected: [], dead: [], knownToAll: [], spreading: [] } as Record<
    keyof Detections,
    number[]
  >;
  for (let i = 0; i < count; i++) {
    const victim = cluster.up[1 + cluster.random.integer(nodes - 1)];
    cluster.run(cluster.random.integer(10_000));
    victim.isUp = false;
    cluster.changes.length = 0;
    const at = cluster.now;
    cluster.run(60_000);
    const times = (state: string) =>
      cluster.changes.filter(({ update }) => update.node === victim.id && update.state === state)
        .map((change) => change.at - at);
    const dead = times("dead");
    if (dead.length !== nodes - 1) throw new Error(`${victim.id}: ${dead.length} of ${nodes - 1} know`);
    found.suspected.push(Math.min(...times("suspect")));
    found.dead.push(Math.min(...dead));
    found.knownToAll.push(Math.max(...dead));
    found.spreading.push(Math.max(...dead) - Math.min(...dead));
    cluster.start(victim.id, "n0");
    cluster.run(30_000);
  }
  return found;
}

/** Messages a second that each node sends while nothing happens: the mean, and the most. */
export function load(nodes: number, options: ClusterOptions): { mean: number; most: number } {
  const cluster = SimCluster.of(nodes, options);
  // What there was to tell of so many who joined at once has gone round: each tells of each some twenty times, a hundred a second.
  cluster.run(60_000 + 300 * nodes);
  const before = new Map(cluster.up.map(({ id, sent }) => [id, sent]));
  const seconds = 120;
  cluster.run(seconds * 1000);
  const each = cluster.up.map(({ id, sent }) => (sent - before.get(id)!) / seconds);
  return { mean: each.reduce((a, b) => a + b) / nodes, most: Math.max(...each) };
}

function distribution(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.ceil(part * (sorted.length - 1))] / 1000).toFixed(1).padStart(5);
  return `${at(0)} ${at(0.1)} ${at(0.5)} ${at(0.9)} ${at(0.99)} ${at(1)}`;
}

if (import.meta.main) {
  const flagTable = {
    nodes: { kind: "string", placeholder: "COUNT", help: "how many", default: "200" },
    minutes: { kind: "string", placeholder: "COUNT", help: "how long nothing happens", default: "60" },
    loss: { kind: "string", placeholder: "PERCENT", help: "of all messages", default: "5" },
    crashes: { kind: "string", placeholder: "COUNT", help: "how many", default: "100" },
    seed: { kind: "string", placeholder: "SEED", help: "which run", default: "1" },
  } as const;
  const { flags } = parseByTable(Deno.args, flagTable, { required: [], optional: [] });
  const nodes = Number(flags.nodes ?? 200);
  const minutes = Number(flags.minutes ?? 60);
  const count = Number(flags.crashes ?? 100);
  const seed = Number(flags.seed ?? 1);
  const losses = [0, Number(flags.loss ?? 5) / 100];

  console.log(`${nodes} nodes, ${minutes} minutes in which nothing happens (seed ${seed})`);
  for (const lossRate of losses) {
    for (const starved of [0, 1]) {
      const { contradicted, deaths } = allWell(nodes, minutes, starved, { lossRate, seed });
      const who = `${lossRate * 100} % lost${starved ? ", a node starved" : ""}`;
      console.log(`  ${who.padEnd(24)} suspected and contradicted ${contradicted}, taken for dead ${deaths}`);
    }
  }
  console.log(`${count} crashes, seconds from there on: least, 10 %, median, 90 %, 99 %, most`);
  for (const lossRate of losses) {
    const { suspected, dead, knownToAll, spreading } = crashes(nodes, count, { lossRate, seed });
    console.log(`  ${lossRate * 100} % lost`);
    console.log(`    first suspected        ${distribution(suspected)}`);
    console.log(`    first taken for dead   ${distribution(dead)}`);
    console.log(`    known to all           ${distribution(knownToAll)}`);
    console.log(`    from one to all        ${distribution(spreading)}`);
  }
  console.log("messages a second that a node sends while nothing happens: mean, most");
  for (const size of [10, 30, 100, 300, 1000]) {
    const { mean, most } = load(size, { seed });
    console.log(`  ${String(size).padStart(5)} nodes  ${mean.toFixed(3)}  ${most.toFixed(3)}`);
  }
}
