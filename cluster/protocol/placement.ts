import type { Placement } from "./message_data.ts";
import { fits, free } from "./resources.ts";
import type { Demand, NodeRecord } from "./resources.ts";

/** Why a node was chosen, or none. */
export type Choice =
  | { readonly node: string }
  /** Nobody fits: how many were looked at, how many meet the constraints, and the most that any of these has free. */
  | { readonly node: undefined; readonly seen: number; readonly allowed: number; readonly most: Demand };

interface Candidate {
  readonly record: NodeRecord;
  readonly room: Demand;
  /** Reservations that it has. */
  readonly load: number;
}

/** Which of two candidates goes first. */
type Order = (a: Candidate, b: Candidate) => number;

/** `spread` looks for the node that does least, `pack` for the one whose room is filled best. */
const strategies: Readonly<Record<Placement["strategy"], Order>> = {
  spread: (a, b) => a.load - b.load || share(b) - share(a),
  pack: (a, b) => share(a) - share(b) || b.load - a.load,
};

/**
 * Chooses a node for an instance. The same nodes and the same demand give the same choice, wherever it is made.
 *
 * @param nodes those that live
 */
export function choose(
  nodes: readonly NodeRecord[],
  demand: Demand,
  { strategy, constraints = [] }: Placement,
  now: number,
): Choice {
  const staying = nodes.filter(({ leaving }) => !leaving);
  const allowed = staying
    .filter((record) => constraints.every((constraint) => meets(record, constraint)))
    .map((record) => ({ record, room: free(record, now), load: Object.keys(record.reservations).length }));
  const [best] = allowed
    .filter(({ room }) => fits(room, demand))
    .sort((a, b) => strategies[strategy](a, b) || (a.record.node < b.record.node ? -1 : 1));
  if (best) return { node: best.record.node };
  const most = (name: keyof Demand) => Math.max(0, ...allowed.map(({ room }) => room[name]));
  return {
    node: undefined,
    seen: staying.length,
    allowed: allowed.length,
    most: { cpu_cores: most("cpu_cores"), ram_mb: most("ram_mb"), disk_mb: most("disk_mb") },
  };
}

/** How much of a node is free: of processors and memory, whichever is less. */
function share({ record: { status }, room }: Candidate): number {
  return Math.min(
    room.cpu_cores / Math.max(1, status.cpu.total_cores),
    room.ram_mb / Math.max(1, status.ram.total_mb),
  );
}

const CONSTRAINT = /^([A-Za-z0-9._-]{1,64})(?:(!?=)([^\p{Cc}]{0,256}))?$/u;

/** `key=value`, `key!=value`, or `key` for one that is there at all. `node` is the node's ID, everything else one of its labels. */
function meets({ node, status }: NodeRecord, constraint: string): boolean {
  const [, key, sign, value] = CONSTRAINT.exec(constraint) ?? [];
  const labels = status.labels ?? {};
  const has = key === "node" ? node : Object.hasOwn(labels, key) ? labels[key] : undefined;
  return sign === undefined ? has !== undefined : (has === value) === (sign === "=");
}

/** The first constraint that cannot be read; `undefined` when all can. */
export function constraintFault(constraints: readonly string[] = []): string | undefined {
  const wrong = constraints.find((constraint) => !CONSTRAINT.test(constraint));
  return wrong === undefined
    ? undefined
    : `'${wrong}' is no constraint: say it like region=us-east, region!=us-east or ssd`;
}
