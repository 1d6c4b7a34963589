/**
 * RNP: nodes of a cluster that talk to each other over mutual TLS.
 *
 * Promised: nobody sends or gets a message whose certificate is not of the cluster's authority, and nobody under another node's name.
 * Messages of one channel arrive in the order in which they were sent, and those that go `exactly-once` arrive once, however often the
 * connection breaks, as long as both programs run. A send ends: acknowledged, or with an error that says whether the peer may have had
 * it. What a node keeps for a peer is bounded, whatever the peer sends.
 *
 * Above that, fleets: {@linkcode startController} and {@linkcode startWorker} start nodes that run programs, keep files, and make up for each
 * other; {@linkcode FleetClient} uses them.
 *
 * Not promised: that a message survives the program that sent it, or that a handler which was cut off by the end of its program has left
 * no trace: there `exactly-once` ends with an error (`data.uncertain`) rather than a second delivery. Order between channels. That a
 * member of the cluster is honest in what it says: certificates tell who speaks, not whether it is true.
 *
 * @example
 * ```ts
 * import { count, initAuthority, issueNode, readNodeFolder, record, startNode } from "@red-giant/rgtp/cluster";
 *
 * // Once, where the authority is kept; each node then gets its own folder.
 * const folder = await Deno.makeTempDir();
 * await initAuthority(folder);
 * for (const id of ["node-1", "node-2"]) await issueNode(folder, id);
 *
 * const sum = record({ a: count, b: count });
 * const listen = { host: "127.0.0.1", port: 0 };
 * await using one = await startNode({ ...await readNodeFolder(`${folder}/nodes/node-1`), listen });
 * one.define("app.sum", sum);
 * one.handle("app.sum", ({ a, b }) => ({ type: "app.sum", data: { a: Number(a) + Number(b), b: 0 } }));
 *
 * const peers = { "node-1": one.address! };
 * await using two = await startNode({ ...await readNodeFolder(`${folder}/nodes/node-2`), peers });
 * two.define("app.sum", sum);
 * const { data } = await two.request("node-1", "app.sum", { a: 1, b: 2 });
 * if (data.a !== 3) throw new Error("unexpected");
 * ```
 *
 * @module
 */
export type { Address } from "../codec/address.ts";
export type { PackedMap, PackedValue } from "../codec/msgpack_map.ts";
export { errorTable, RgtpError } from "../core/errors.ts";
export type { ErrorName } from "../core/errors.ts";
export { initAuthority, issueNode, readNodeFolder, rotateNodes } from "./io/authority_folder.ts";
export type { IssuedNode, NodeFolder, RotateOptions } from "./io/authority_folder.ts";
export { controllerTimes } from "./io/controller.ts";
export type { ControllerTimes } from "./io/controller.ts";
export { commandExecutor } from "./io/executor.ts";
export type { Confinement, Ended, Executor, Running } from "./io/executor.ts";
export { FleetClient } from "./io/fleet_client.ts";
export type { ClientOptions, PutResult } from "./io/fleet_client.ts";
export { startController, startWorker } from "./io/fleet_node.ts";
export type { ControllerOptions, FleetNode, FleetOptions, WorkerOptions } from "./io/fleet_node.ts";
export { joinCluster } from "./io/membership.ts";
export type { Membership, MembershipOptions, NodeLoad } from "./io/membership.ts";
export { startNode } from "./io/node.ts";
export type { ClusterNode, NodeOptions, PeerStatus, RequestOptions } from "./io/node.ts";
export type { Handler, HandlerOptions, Reply } from "./io/handlers.ts";
export { followNodeFolder } from "./io/renewal.ts";
export { openSqliteStore } from "./io/sqlite_store.ts";
export type { Store, StoreEntry } from "./io/store.ts";
export { cipherSuites } from "./io/tls.ts";
export type { Credentials } from "./io/tls.ts";
export { rnpError, RnpErrorCode } from "./protocol/errors.ts";
export type { RnpErrorName, RnpFault } from "./protocol/errors.ts";
export type { InstancePlan } from "./protocol/instances.ts";
export type { MemberState, MemberUpdate } from "./protocol/membership/member.ts";
export type * from "./protocol/message_data.ts";
export { messageTypes } from "./protocol/message_types.ts";
export type { Delivery } from "./protocol/outbox.ts";
export type { Message } from "./protocol/payload.ts";
export type { PeerCounters, SendOptions } from "./protocol/peer_types.ts";
export { defaultRetry } from "./protocol/retry.ts";
export type { RetryPolicy } from "./protocol/retry.ts";
export * from "./protocol/schema.ts";
