import type { PackedMap } from "../../codec/msgpack_map.ts";
import { limits } from "../../core/limits.ts";
import { rnpError } from "../protocol/errors.ts";
import type { MemberUpdate } from "../protocol/membership/member.ts";
import { isPresent } from "../protocol/membership/member.ts";
import type { DataOf, MessageData, NodePlace } from "../protocol/message_data.ts";
import type { NodeRecord } from "../protocol/resources.ts";
import { FLEET } from "./controllers.ts";
import type { ClusterNode } from "./node.ts";
import type { Tables } from "./tables.ts";

/** What all parts of a controller work with. */
export interface Fleet {
  /** The controller's own node. */
  readonly node: ClusterNode;
  /** What controllers know. */
  readonly tables: Tables;
  /** What is known of a node, by membership; `undefined` of one that was never heard of. */
  member(id: string): MemberUpdate | undefined;
  /** Whether a node is surely not coming back with what it had: it has left, is dead and does not answer, or nobody has heard of it for long. */
  isGone(id: string): boolean;
  /** There is something to repair: look at once. */
  stir(): void;
}

/** Whether a node takes part. */
export function isHere({ member }: Pick<Fleet, "member">, id: string): boolean {
  const update = member(id);
  return update !== undefined && isPresent(update);
}

/** Nodes that take part and have reported what they have. */
export async function nodesHere(fleet: Fleet): Promise<NodeRecord[]> {
  return (await fleet.tables.nodes.all()).filter(({ node }) => isHere(fleet, node));
}

/** Where nodes are found; those that nobody finds are left out. */
export function placesOf({ member }: Fleet, ids: readonly string[]): NodePlace[] {
  return ids.flatMap((node) => {
    const address = member(node)?.address ?? "";
    return address === "" ? [] : [{ node, address }];
  });
}

/** Asks a node for something. @throws {RgtpError} what it answers, TIMEOUT */
export async function ask<Question extends keyof MessageData, Answer extends keyof MessageData>(
  node: ClusterNode,
  to: string,
  question: Question,
  data: DataOf<Question>,
  answer: Answer,
  timeoutMs: number = limits.fleetAnswerMsMax,
): Promise<MessageData[Answer]> {
  const reply = await node.request(to, question, data, { ...FLEET, timeoutMs });
  if (reply.type !== answer) {
    throw rnpError({
      code: "PROTOCOL_ERROR",
      message: `'${to}' answers a '${question}' with a '${reply.type}'`,
    });
  }
  // The schema of the type has let it pass.
  return reply.data as MessageData[Answer];
}

/** Rows of a list, from a place on: as many as one message takes. */
export function page<T extends PackedMap>(
  rows: readonly T[],
  nameOf: (row: T) => string,
  after = "",
): { readonly rows: readonly T[]; readonly more: boolean } {
  const rest = rows.map((row) => ({ row, name: nameOf(row) })).filter(({ name }) => name > after)
    .sort((a, b) => a.name < b.name ? -1 : 1).map(({ row }) => row);
  return { rows: rest.slice(0, limits.fleetRowsMax), more: rest.length > limits.fleetRowsMax };
}

/** All rows of a list that comes in pages. */
export async function allPages<T>(
  ask: (after: string) => Promise<{ readonly rows: readonly T[]; readonly more: boolean }>,
  nameOf: (row: T) => string,
): Promise<T[]> {
  const all: T[] = [];
  for (let after = "", more = true; more;) {
    const next = await ask(after);
    all.push(...next.rows);
    // A list that does not go on would never end.
    const last = next.rows.length === 0 ? after : nameOf(next.rows.at(-1)!);
    more = next.more && last > after;
    after = last;
  }
  return all;
}
