import type { PackedMap } from "../../codec/msgpack_map.ts";
import { limits } from "../../core/limits.ts";
import {
  anyMap,
  boolean,
  bytesOrText,
  count,
  integer,
  listOf,
  mapOf,
  number,
  oneOf,
  optional,
  record,
  text,
} from "./schema.ts";
import type { MessageData, MessageType } from "./message_data.ts";
import type { Schema } from "./schema.ts";

/** What a node has handled of a peer's messages: the last number in each channel, under one incarnation of the peer. */
const received = record({ incarnation: text, channels: mapOf(count) });

/** What nodes tell each other of one of them. */
const updates = listOf(
  record({ node: text, state: oneOf("alive", "suspect", "dead", "left"), incarnation: count, address: text }),
);

/** A service, as an instance offers it. */
const service = record({
  service_name: text,
  version: text,
  protocol: text,
  port: count,
  health_check: optional(text),
  tags: optional(listOf(text)),
});

/** Nodes, and where they are found. */
const places = listOf(record({ node: text, address: text }));

/** What either side says of itself when a link begins. */
const greeting = record({
  version: text,
  node_id: text,
  incarnation: text,
  capabilities: listOf(text),
  pool: oneOf("control", "peer", "data"),
  slot: count,
  window: count,
  received: optional(received),
});

/**
 * What the protocol's own messages carry, by type. Whatever is not optional must be there; fields that are not named are kept.
 */
export const messageTypes: { readonly [T in MessageType]: Schema<MessageData[T]> } = {
  "hello": greeting,
  "hello_ack": greeting,
  "goodbye": record({ reason: text }),
  "goodbye_ack": record({}),
  "ack": record({ channels: optional(mapOf(count)), ids: optional(listOf(text)) }),
  "ping": record({ timestamp: integer }),
  "pong": record({ request_timestamp: integer, response_timestamp: integer }),
  "error": record({
    code: text,
    message: text,
    number: optional(integer),
    details: optional(anyMap),
  }),
  "heartbeat": record({ cpu_percent: number, ram_used_mb: number, instance_count: count }),
  "gossip.announce": record({
    address: text,
    version: text,
    capabilities: listOf(text),
    metadata: optional(mapOf(text)),
    digest: optional(count),
    updates: optional(updates),
  }),
  "gossip.heartbeat": record({
    sequence: count,
    cpu_percent: number,
    ram_used_mb: number,
    instances: count,
    updates: optional(updates),
  }),
  "gossip.leave": record({
    reason: text,
    transfer_instances_to: optional(text),
    updates: optional(updates),
  }),
  "gossip.suspect": record({
    suspect_node: text,
    last_seen: integer,
    failed_pings: count,
    updates: optional(updates),
  }),
  "gossip.updates": record({ updates, digest: optional(count) }),
  "gossip.probe": record({ node: text, updates: optional(updates) }),
  "gossip.probe_ack": record({ node: text, updates: optional(updates) }),
  "resource.status": record({
    cpu: record({ total_cores: number, available_cores: number, percent_used: number }),
    ram: record({ total_mb: number, available_mb: number, percent_used: number }),
    disk: record({ total_gb: number, available_gb: number, percent_used: number }),
    network: record({ in_mbps: number, out_mbps: number }),
    labels: optional(mapOf(text)),
  }),
  "resource.request": record({
    instance_id: text,
    cpu_cores: number,
    ram_mb: number,
    disk_mb: number,
    placement: optional(record({ strategy: oneOf("spread", "pack"), constraints: optional(listOf(text)) })),
  }),
  "resource.allocated": record({
    instance_id: text,
    node: text,
    cpu_cores: number,
    ram_mb: number,
    disk_mb: number,
    expires_at: integer,
  }),
  "instance.create": record({
    instance_id: text,
    name: text,
    script: text,
    args: optional(listOf(text)),
    env: optional(mapOf(text)),
    resources: record({ cpu_percent: number, ram_mb: number, disk_mb: number }),
    service: optional(service),
  }),
  "instance.started": record({
    instance_id: text,
    pid: count,
    startup_time_ms: number,
    listening_on: optional(text),
  }),
  "instance.stopped": record({
    instance_id: text,
    exit_code: integer,
    reason: text,
    runtime_seconds: number,
  }),
  "instance.stop": record({ instance_id: text }),
  "instance.list": record({ after: optional(text) }),
  "instance.listing": record({
    instances: listOf(
      record({
        instance_id: text,
        name: text,
        node: text,
        state: oneOf("placed", "running", "stopped", "lost"),
        pid: count,
        exit_code: integer,
        reason: text,
      }),
    ),
    more: boolean,
  }),
  "node.list": record({ after: optional(text) }),
  "node.listing": record({
    nodes: listOf(
      record({
        node: text,
        state: oneOf("alive", "suspect", "dead", "left"),
        address: text,
        controller: boolean,
        cpu_percent: number,
        ram_percent: number,
        cores_free: number,
        ram_free_mb: number,
        disk_free_mb: number,
        instances: count,
        labels: mapOf(text),
      }),
    ),
    more: boolean,
  }),
  "node.leave": record({ node: text, reason: text }),
  "node.drain": record({ node: text }),
  "node.left": record({ node: text }),
  "fs.write": record({
    path: text,
    size: count,
    checksum: text,
    chunks: count,
    replication_factor: count,
    ticket: optional(text),
  }),
  "fs.replicate": record({ file_id: text, chunk_id: count, chunk_data: bytesOrText, checksum: text }),
  "fs.stored": record({ file_id: text, complete: boolean }),
  "fs.placed": record({ file_id: text, nodes: places }),
  "fs.commit": record({
    path: text,
    size: count,
    checksum: text,
    replication_factor: count,
    nodes: listOf(text),
  }),
  "fs.locate": record({ path: text }),
  "fs.located": record({ path: text, size: count, checksum: text, nodes: places }),
  "fs.copy": record({ file_id: text, to: text, address: optional(text) }),
  "fs.drop": record({ file_id: text, known: optional(boolean) }),
  "fs.list": record({ after: optional(text) }),
  "fs.listing": record({
    files: listOf(
      record({ path: text, size: count, checksum: text, replication_factor: count, nodes: listOf(text) }),
    ),
    more: boolean,
  }),
  "mesh.register": record({
    service_name: text,
    version: text,
    instance_id: text,
    protocol: text,
    port: count,
    health_check: optional(text),
    tags: optional(listOf(text)),
  }),
  "mesh.deregister": record({ service_name: text, instance_id: text }),
  "mesh.query": record({
    service_name: text,
    filters: optional(record({ healthy: optional(boolean), version: optional(text) })),
  }),
  "mesh.response": record({
    service_name: text,
    instances: listOf(
      record({ instance_id: text, node: text, address: text, healthy: boolean, latency_ms: number }),
    ),
  }),
  "mesh.list": record({ after: optional(text) }),
  "mesh.listing": record({
    services: listOf(
      record({
        service_name: text,
        version: text,
        protocol: text,
        instance_id: text,
        node: text,
        address: text,
        healthy: boolean,
        latency_ms: number,
      }),
    ),
    more: boolean,
  }),
};

/** Types that a link keeps to itself: no application sends or gets them. */
export const linkTypes: ReadonlySet<string> = new Set<MessageType>([
  "hello",
  "hello_ack",
  "goodbye",
  "goodbye_ack",
  "ack",
]);

/** Which types a node knows: the protocol's own, and those of its application. */
export class MessageTypes {
  readonly #schemas = new Map<string, Schema<PackedMap>>(Object.entries(messageTypes));

  /**
   * Adds a type of the application. Messages of it are checked on arrival and on sending.
   *
   * @throws {RangeError} when the name is taken, or is not made like `app.thing_done`
   */
  add(type: string, schema: Schema<PackedMap>): void {
    if (!isMessageType(type)) {
      throw new RangeError(`'${type}' is no name for a type: say it like 'app.thing_done'`);
    }
    if (this.#schemas.has(type)) {
      throw new RangeError(`there is a type '${type}' already: choose another name`);
    }
    this.#schemas.set(type, schema);
  }

  /** Whether messages of this type can be sent and taken. */
  has(type: string): boolean {
    return this.#schemas.has(type);
  }

  /** What is wrong with a message's data; `undefined` when nothing is, or nobody knows the type. */
  fault(type: string, data: PackedMap): string | undefined {
    const fault = this.#schemas.get(type)?.fault(data);
    return fault === undefined ? undefined : `data${fault}`;
  }
}

const TYPE = /^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*$/;

/** Whether a text is made like a message's type: words of lower-case letters, digits and `_`, with dots between them. */
export function isMessageType(type: string): boolean {
  return type.length <= limits.rnpTypeCharsMax && TYPE.test(type);
}
