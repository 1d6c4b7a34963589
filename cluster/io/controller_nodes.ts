import { rnpError } from "../protocol/errors.ts";
import type { ListedNode, MessageData } from "../protocol/message_data.ts";
import type { MemberUpdate } from "../protocol/membership/member.ts";
import { free, reported } from "../protocol/resources.ts";
import type { NodeRecord } from "../protocol/resources.ts";
import { isController } from "../protocol/roles.ts";
import { ask, isHere } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";

/** A node tells what it has. */
export async function noteStatus(
  { tables }: Fleet,
  sender: string,
  status: MessageData["resource.status"],
): Promise<void> {
  await tables.nodes.change([sender], (known) => reported(known, sender, status, Date.now()));
}

/** Every node that membership or the store knows. */
export async function listNodes(
  { tables, member }: Fleet,
  members: readonly MemberUpdate[],
): Promise<ListedNode[]> {
  const records = new Map((await tables.nodes.all()).map((record) => [record.node, record]));
  const ids = new Set([...members.map(({ node }) => node), ...records.keys()]);
  return Array.from(ids, (id) => listedNode(id, member(id), records.get(id)));
}

/** A node as it stands in a list; of one that has reported nothing there are no figures. */
export function listedNode(
  node: string,
  update: MemberUpdate | undefined,
  record: NodeRecord | undefined,
): ListedNode {
  const room = record && free(record, Date.now());
  return {
    node,
    // The store knows it, and nobody has heard of it since this controller was started.
    state: update?.state ?? "suspect",
    address: update?.address ?? "",
    controller: isController(node),
    cpu_percent: record?.status.cpu.percent_used ?? 0,
    ram_percent: record?.status.ram.percent_used ?? 0,
    cores_free: room?.cpu_cores ?? 0,
    ram_free_mb: room?.ram_mb ?? 0,
    disk_free_mb: room?.disk_mb ?? 0,
    instances: Object.keys(record?.reservations ?? {}).length,
    labels: record?.status.labels ?? {},
  };
}

/** Somebody wants a node to leave: it is told, and asks to be relieved of what it does. */
export async function sendAway(
  fleet: Fleet,
  { node, reason }: MessageData["node.leave"],
): Promise<MessageData["node.left"]> {
  if (!isHere(fleet, node)) throw notHere(node);
  if (isController(node)) {
    throw rnpError({ code: "UNAUTHORIZED", message: `'${node}' is a controller: end its process` });
  }
  return await ask(fleet.node, node, "node.leave", { node, reason }, "node.left");
}

/** Whether something may be placed on a node from now on. */
export async function setLeaving({ tables }: Fleet, node: string, leaving: boolean): Promise<void> {
  await tables.nodes.change([node], (record) => record && { ...record, leaving });
}

/** Forgets nodes that have left. */
export async function forgetLeft({ tables, member }: Fleet): Promise<void> {
  for (const { node } of await tables.nodes.all()) {
    if (member(node)?.state === "left") await tables.nodes.change([node], () => undefined);
  }
}

/** What is said of a node that does not take part. */
export function notHere(node: string): Error {
  return rnpError({
    code: "NOT_FOUND",
    message: `'${node}' does not take part: 'rgtp node ls' shows those that do`,
  });
}
