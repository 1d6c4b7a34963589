import { limits } from "../../core/limits.ts";
import { rnpError } from "../protocol/errors.ts";
import {
  isInstanceId,
  listedInstance,
  placed,
  planFault,
  reconcile,
  started,
  stopped,
} from "../protocol/instances.ts";
import type { InstanceRecord } from "../protocol/instances.ts";
import type { ListedInstance, MessageData, Placement } from "../protocol/message_data.ts";
import { choose, constraintFault } from "../protocol/placement.ts";
import { demandFault, fits, free, release, reserve } from "../protocol/resources.ts";
import type { Demand } from "../protocol/resources.ts";
import { dropServicesOf } from "./controller_services.ts";
import { allPages, ask, isHere, nodesHere } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import { messageOf } from "./handlers.ts";

/** Others may take the room that was just found: then another is looked for, so often. */
const TRIES_MAX = 16;
/** An instance that has ended stands in lists for so long. */
const FORGET_MS = 3_600_000;

const SPREAD: Placement = { strategy: "spread" };

/** Finds room for an instance, and keeps it for a minute. @throws {RgtpError} */
export async function allocate(
  fleet: Fleet,
  { instance_id, cpu_cores, ram_mb, disk_mb, placement = SPREAD }: MessageData["resource.request"],
): Promise<MessageData["resource.allocated"]> {
  const demand = { cpu_cores, ram_mb, disk_mb };
  const fault = isInstanceId(instance_id)
    ? demandFault(demand) ?? constraintFault(placement.constraints)
    : `'${instance_id}' cannot be an instance's ID: up to 63 letters, digits, '_' and '-'`;
  if (fault !== undefined) throw rnpError({ code: "PROTOCOL_ERROR", message: fault });
  const now = Date.now();
  const expires_at = now + limits.fleetReservationMs;
  refuseKnown(await fleet.tables.instances.get(instance_id), instance_id, now);
  const node = await place(fleet, instance_id, demand, placement, expires_at);
  try {
    await fleet.tables.instances.change([instance_id], (known) => {
      // Somebody else may have asked for the same at the same time.
      refuseKnown(known, instance_id, now);
      return placed(instance_id, node, demand, placement, now);
    });
  } catch (error) {
    await giveBack(fleet, node, instance_id);
    throw error;
  }
  return { instance_id, node, ...demand, expires_at };
}

function refuseKnown(known: InstanceRecord | undefined, id: string, now: number): void {
  const isOver = known === undefined || known.state === "stopped" || isExpired(known, now);
  if (!isOver) {
    throw rnpError({ code: "ALREADY_EXISTS", message: `there is an instance '${id}', on '${known.node}'` });
  }
}

/** Room that was asked for, and in which nothing was started. */
function isExpired({ state, plan, created_at }: InstanceRecord, now: number): boolean {
  return state === "placed" && plan === undefined && now - created_at > limits.fleetReservationMs;
}

async function place(
  fleet: Fleet,
  id: string,
  demand: Demand,
  placement: Placement,
  expires_at: number,
): Promise<string> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const now = Date.now();
    const choice = choose(await nodesHere(fleet), demand, placement, now);
    if (choice.node === undefined) throw noRoom(demand, choice);
    let isKept = false;
    await fleet.tables.nodes.change([choice.node], (record) => {
      isKept = record !== undefined && !record.leaving && fits(free(record, now), demand);
      return record && isKept ? reserve(record, id, { ...demand, expires_at }, now) : record;
    });
    if (isKept) return choice.node;
  }
  throw rnpError({ code: "TIMEOUT", message: `others were faster ${TRIES_MAX} times: try again` });
}

function noRoom(
  { cpu_cores, ram_mb, disk_mb }: Demand,
  { seen, allowed, most }: { readonly seen: number; readonly allowed: number; readonly most: Demand },
): Error {
  const wanted = `${cpu_cores} cores, ${ram_mb} MB of memory and ${disk_mb} MB of disk`;
  const message = allowed === 0
    ? `none of ${seen} nodes meets the constraints`
    : `no node has ${wanted}: of ${allowed}, the most that any has free is ${most.cpu_cores} cores, ${
      Math.floor(most.ram_mb)
    } MB and ${Math.floor(most.disk_mb)} MB`;
  return rnpError({
    code: "RESOURCE_EXHAUSTED",
    message,
    details: { requested_mb: ram_mb, available_mb: Math.floor(most.ram_mb) },
  });
}

async function giveBack({ tables }: Fleet, node: string, id: string): Promise<void> {
  await tables.nodes.change([node], (record) => record && release(record, id));
}

/** Starts an instance where there is room for it. @throws {RgtpError} */
export async function create(
  fleet: Fleet,
  plan: MessageData["instance.create"],
): Promise<MessageData["instance.started"]> {
  const { instance_id } = plan;
  const known = await fleet.tables.instances.get(instance_id);
  if (!known || isExpired(known, Date.now())) {
    throw rnpError({
      code: "NOT_FOUND",
      message: `no room is kept for '${instance_id}': begin with resource.request`,
    });
  }
  const fault = planFault(plan);
  if (fault !== undefined) throw rnpError({ code: "PROTOCOL_ERROR", message: fault });
  const { cpu_percent, ram_mb, disk_mb } = plan.resources;
  if (!fits(known.demand, { cpu_cores: cpu_percent / 100, ram_mb, disk_mb })) {
    throw rnpError({ code: "QUOTA_EXCEEDED", message: `'${instance_id}' wants more than was kept for it` });
  }
  await fleet.tables.instances.change([instance_id], (record) => {
    if (record?.state !== "placed" || record.plan) {
      throw rnpError({
        code: "ALREADY_EXISTS",
        message: `'${instance_id}' was started already: ask for room again`,
      });
    }
    return { ...record, plan };
  });
  try {
    return await start(fleet, { ...known, plan });
  } catch (error) {
    await end(fleet, known.node, {
      instance_id,
      exit_code: -1,
      reason: messageOf(error),
      runtime_seconds: 0,
    });
    throw error;
  }
}

/** Has its node start an instance whose plan is known. */
async function start(
  fleet: Fleet,
  { node, plan, demand }: InstanceRecord,
): Promise<MessageData["instance.started"]> {
  const answer = await ask(fleet.node, node, "instance.create", plan!, "instance.started");
  const id = plan!.instance_id;
  // Its room is kept from now on, also when it was just about to be given away.
  await fleet.tables.nodes.change(
    [node],
    (record) => record && reserve(record, id, { ...demand, expires_at: 0 }, Date.now()),
  );
  const row = await fleet.tables.instances.change([id], (record) =>
    // It may have ended, and said so, before it was known that it has begun.
    record?.node === node && record.state === "placed" ? started(record, answer) : record);
  if (row?.node !== node || row.state !== "running") await giveBack(fleet, node, id);
  return answer;
}

/**
 * An instance has ended on a node. What another node says of it is of an earlier life; and one that was lost shall live on elsewhere, unless
 * somebody wants it to end (`isWanted`).
 */
export async function end(
  fleet: Fleet,
  node: string,
  data: MessageData["instance.stopped"],
  isWanted = false,
): Promise<void> {
  const { instance_id } = data;
  await fleet.tables.instances.change(
    [instance_id],
    (record) =>
      record?.node === node && record.state !== "stopped" && (isWanted || record.state !== "lost")
        ? stopped(record, data, Date.now())
        : record,
  );
  await giveBack(fleet, node, instance_id);
  await dropServicesOf(fleet, instance_id, node);
}

/** Ends an instance. @throws {RgtpError} NOT_FOUND, or what its node says */
export async function stop(
  fleet: Fleet,
  { instance_id }: MessageData["instance.stop"],
): Promise<MessageData["instance.stopped"]> {
  const record = await fleet.tables.instances.get(instance_id);
  if (!record || record.state === "stopped") {
    throw rnpError({ code: "NOT_FOUND", message: `no instance '${instance_id}' runs` });
  }
  const answer = record.state === "running"
    ? await ask(fleet.node, record.node, "instance.stop", { instance_id }, "instance.stopped")
    : { instance_id, exit_code: -1, reason: "cancelled", runtime_seconds: 0 };
  await end(fleet, record.node, answer, true);
  return answer;
}

/** All of them. */
export async function listInstances({ tables }: Fleet): Promise<ListedInstance[]> {
  return (await tables.instances.all()).map(listedInstance);
}

/** Holds what a node runs against what is known: says what has ended, ends what does not belong there, and finds what is missing. */
export async function inspectInstances(fleet: Fleet, node: string): Promise<void> {
  const before = await fleet.tables.instances.all();
  const listed = await allPages(
    async (after) => {
      const { instances, more } = await ask(fleet.node, node, "instance.list", { after }, "instance.listing");
      return { rows: instances, more };
    },
    (one) => one.instance_id,
  );
  for (const { instance_id, state, exit_code, reason } of listed) {
    if (state === "stopped") {
      await end(fleet, node, { instance_id, exit_code, reason, runtime_seconds: 0 });
    }
  }
  const running = listed.filter(({ state }) => state === "running").map(({ instance_id }) => instance_id);
  // Whatever was listed was known before: what came or went meanwhile is in one of the two.
  const after = await fleet.tables.instances.all();
  for (const instance_id of reconcile(node, running, after).strangers) {
    await ask(fleet.node, node, "instance.stop", { instance_id }, "instance.stopped");
  }
  const gone = new Set(reconcile(node, running, before).missing.map(({ instance_id }) => instance_id));
  for (const { instance_id } of reconcile(node, running, after).missing) {
    if (gone.has(instance_id)) await lose(fleet, instance_id, node, "its node does not run it");
  }
}

async function lose(fleet: Fleet, id: string, node: string, reason: string): Promise<void> {
  await fleet.tables.instances.change(
    [id],
    (record) =>
      record?.node === node && record.state !== "stopped"
        ? { ...record, state: "lost", pid: 0, reason }
        : record,
  );
  await giveBack(fleet, node, id);
  await dropServicesOf(fleet, id, node);
}

/** Starts what was lost with its node somewhere else, and forgets what is long over. */
export async function repairInstances(fleet: Fleet): Promise<void> {
  const now = Date.now();
  for (const record of await fleet.tables.instances.all()) {
    const { instance_id: id, node, state, plan } = record;
    const isOld = state === "stopped" && now - record.ended_at > FORGET_MS;
    if (isOld || isExpired(record, now)) {
      await fleet.tables.instances.change([id], (row) => row?.state === state ? undefined : row);
    } else if (state === "running" && fleet.isGone(node)) {
      await lose(fleet, id, node, `'${node}' is gone`);
    } else if (state === "placed" && plan && fleet.isGone(node)) {
      await lose(fleet, id, node, `'${node}' is gone`);
    }
  }
  for (const record of await fleet.tables.instances.all()) {
    if (record.state === "lost") await revive(fleet, record);
  }
}

/** Starts a lost instance where there is room; where there is none, it stays lost until there is. */
async function revive(
  fleet: Fleet,
  { instance_id: id, plan, demand, placement }: InstanceRecord,
): Promise<void> {
  try {
    const node = await place(fleet, id, demand, placement, Date.now() + limits.fleetReservationMs);
    const row = await fleet.tables.instances.change(
      [id],
      (record) => record?.state === "lost" ? { ...record, node, state: "placed", reason: "" } : record,
    );
    if (row?.state !== "placed" || row.node !== node) return await giveBack(fleet, node, id);
    try {
      await start(fleet, { ...row, plan });
    } catch (error) {
      await lose(fleet, id, node, messageOf(error));
      throw error;
    }
  } catch (error) {
    fleet.node.note(`'${id}' cannot be started again yet: ${messageOf(error)}`);
  }
}

/** Moves what a node runs to others. */
export async function moveInstances(fleet: Fleet, node: string): Promise<void> {
  for (const record of await fleet.tables.instances.all()) {
    if (record.node !== node || record.state !== "running") continue;
    const { instance_id } = record;
    // First: else it would be said to have ended by itself.
    await lose(fleet, instance_id, node, `'${node}' leaves`);
    if (isHere(fleet, node)) {
      await ask(fleet.node, node, "instance.stop", { instance_id }, "instance.stopped");
    }
    const row = await fleet.tables.instances.get(instance_id);
    if (row?.state === "lost") await revive(fleet, row);
  }
}
