import { limits } from "../../core/limits.ts";
import type { InstanceState, ListedInstance, MessageData, Placement } from "./message_data.ts";
import { demandFault } from "./resources.ts";
import type { Demand } from "./resources.ts";
import { offerFault } from "./services.ts";

/** What an instance is made of. */
export type InstancePlan = MessageData["instance.create"];

/** What controllers know of an instance. */
export type InstanceRecord = {
  readonly instance_id: string;
  /** Missing until somebody has said what shall run. */
  readonly plan?: InstancePlan | undefined;
  readonly demand: Demand;
  readonly placement: Placement;
  readonly node: string;
  readonly state: InstanceState;
  readonly pid: number;
  readonly startup_time_ms: number;
  readonly exit_code: number;
  readonly reason: string;
  /** When it was asked for: ms since 1970. */
  readonly created_at: number;
  /** When it has ended; 0 while it has not. */
  readonly ended_at: number;
};

/** An instance for which there is room on a node, and nothing more yet. */
export function placed(
  instance_id: string,
  node: string,
  demand: Demand,
  placement: Placement,
  now: number,
): InstanceRecord {
  return {
    instance_id,
    demand,
    placement,
    node,
    state: "placed",
    pid: 0,
    startup_time_ms: 0,
    exit_code: 0,
    reason: "",
    created_at: now,
    ended_at: 0,
  };
}

/** It runs. */
export function started(
  record: InstanceRecord,
  { pid, startup_time_ms }: MessageData["instance.started"],
): InstanceRecord {
  return { ...record, state: "running", pid, startup_time_ms, exit_code: 0, reason: "" };
}

/** It has ended. */
export function stopped(
  record: InstanceRecord,
  { exit_code, reason }: MessageData["instance.stopped"],
  now: number,
): InstanceRecord {
  return { ...record, state: "stopped", pid: 0, exit_code, reason, ended_at: now };
}

/** As it stands in a list. */
export function listedInstance({ plan, ...record }: InstanceRecord): ListedInstance {
  const { instance_id, node, state, pid, exit_code, reason } = record;
  return { instance_id, name: plan?.name ?? "", node, state, pid, exit_code, reason };
}

/** What has to be done about the instances of a node that has come (again). */
export interface Reconciliation {
  /** They run there, and belong elsewhere, or nowhere. */
  readonly strangers: readonly string[];
  /** They should run there, and do not. */
  readonly missing: readonly InstanceRecord[];
}

/** Holds what a node runs against what controllers know. */
export function reconcile(
  node: string,
  running: readonly string[],
  records: readonly InstanceRecord[],
): Reconciliation {
  const expected = records.filter((record) => record.node === node && record.state === "running");
  const placedThere = new Set(
    records.filter((record) => record.node === node && record.state !== "stopped").map((record) =>
      record.instance_id
    ),
  );
  const runs = new Set(running);
  return {
    strangers: running.filter((id) => !placedThere.has(id)),
    missing: expected.filter(({ instance_id }) => !runs.has(instance_id)),
  };
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What is wrong with a plan; `undefined` when nothing is. */
export function planFault(
  { script, args = [], env = {}, resources, service }: InstancePlan,
): string | undefined {
  const texts = [script, ...args, ...Object.entries(env).flat()];
  const bytes = texts.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);
  const variable = Object.keys(env).find((name) => !VARIABLE.test(name));
  if (script === "") return "no program is named";
  if (texts.some((text) => text.includes("\0"))) return "a text of the plan has a zero in it";
  if (variable !== undefined) return `'${variable}' cannot be a variable's name`;
  if (bytes > limits.fleetPlanBytesMax) {
    return `program, arguments and variables of ${bytes} bytes: ${limits.fleetPlanBytesMax} are the most`;
  }
  const { cpu_percent, ram_mb, disk_mb } = resources;
  return demandFault({ cpu_cores: cpu_percent / 100, ram_mb, disk_mb }) ?? (service && offerFault(service));
}

const INSTANCE_ID = /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})$/;

/** Whether a text can be an instance's ID: it becomes a folder's name, and a key. */
export function isInstanceId(text: string): boolean {
  return INSTANCE_ID.test(text);
}
