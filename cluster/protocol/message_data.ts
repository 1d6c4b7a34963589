import type { PackedMap } from "../../codec/msgpack_map.ts";
import type { MemberUpdate } from "./membership/member.ts";

/*
 * What the protocol's own messages carry. These are types rather than interfaces, since every one of them is a map: it may have other
 * fields, which are kept.
 */

/** Pools of links to a peer, by what goes over them. */
export type PoolName = "control" | "peer" | "data";

/** What a node has handled of a peer's messages: the last number in each channel, in one run of the peer. */
export type Received = {
  readonly incarnation: string;
  readonly channels: { readonly [channel: string]: number };
};

/** HELLO and HELLO_ACK: what both sides say of themselves when a link begins. */
export type Greeting = {
  /** `major.minor`. */
  readonly version: string;
  readonly node_id: string;
  /** 16 random hexadecimal digits: another run of the same node has others. */
  readonly incarnation: string;
  readonly capabilities: readonly string[];
  readonly pool: PoolName;
  /** Which link of the pool, from 0. */
  readonly slot: number;
  /** Bytes that may be on their way to this node without an acknowledgement. */
  readonly window: number;
  /** What this node has handled of the other's messages; missing when it has met no run of it. */
  readonly received?: Received | undefined;
};

/** ACK: what was handled. */
export type Ack = {
  /** Of each channel, the number up to which all were. */
  readonly channels?: { readonly [channel: string]: number } | undefined;
  /** Messages without a number. */
  readonly ids?: readonly string[] | undefined;
};

/** ERROR. */
export type ErrorData = {
  /** Its name, such as `NOT_FOUND`. */
  readonly code: string;
  readonly message: string;
  /** Its number, such as 4000. */
  readonly number?: number | undefined;
  readonly details?: PackedMap | undefined;
};

/** RESOURCE.STATUS: what a node has, and has free. */
export type ResourceStatus = {
  readonly cpu: {
    readonly total_cores: number;
    readonly available_cores: number;
    readonly percent_used: number;
  };
  readonly ram: { readonly total_mb: number; readonly available_mb: number; readonly percent_used: number };
  readonly disk: { readonly total_gb: number; readonly available_gb: number; readonly percent_used: number };
  readonly network: { readonly in_mbps: number; readonly out_mbps: number };
};

/** How an instance is placed. */
export type Placement = {
  readonly strategy: "spread" | "pack";
  /** Such as `region=us-east`. */
  readonly constraints?: readonly string[] | undefined;
};

/** One of the instances of a service. */
export type ServiceInstance = {
  readonly instance_id: string;
  readonly node: string;
  readonly address: string;
  readonly healthy: boolean;
  readonly latency_ms: number;
};

/** What the messages of each type carry. */
export interface MessageData {
  /** The dialer greets. */
  "hello": Greeting;
  /** The acceptor greets back. */
  "hello_ack": Greeting;
  /** A link shall end. */
  "goodbye": { readonly reason: string };
  /** Nothing follows on this link. */
  "goodbye_ack": PackedMap;
  /** Messages were handled. */
  "ack": Ack;
  /** Is anybody there? */
  "ping": { readonly timestamp: number };
  /** Somebody is. */
  "pong": { readonly request_timestamp: number; readonly response_timestamp: number };
  /** Something went wrong. */
  "error": ErrorData;
  /** How a node fares. */
  "heartbeat": {
    readonly cpu_percent: number;
    readonly ram_used_mb: number;
    readonly instance_count: number;
  };
  /** A node tells that it is there. */
  "gossip.announce": {
    readonly address: string;
    readonly version: string;
    readonly capabilities: readonly string[];
    readonly metadata?: { readonly [key: string]: string } | undefined;
    /** A hash of what the sender knows: whoever knows the same need not answer. */
    readonly digest?: number | undefined;
    readonly updates?: readonly MemberUpdate[] | undefined;
  };
  /** A node lives. */
  "gossip.heartbeat": {
    readonly sequence: number;
    readonly cpu_percent: number;
    readonly ram_used_mb: number;
    readonly instances: number;
    readonly updates?: readonly MemberUpdate[] | undefined;
  };
  /** A node goes. */
  "gossip.leave": {
    readonly reason: string;
    readonly transfer_instances_to?: string | undefined;
    readonly updates?: readonly MemberUpdate[] | undefined;
  };
  /** A node is perhaps dead. */
  "gossip.suspect": {
    readonly suspect_node: string;
    readonly last_seen: number;
    readonly failed_pings: number;
    readonly updates?: readonly MemberUpdate[] | undefined;
  };
  /** What nodes have come to know of each other. */
  "gossip.updates": {
    readonly updates: readonly MemberUpdate[];
    /** Of one who tells all that it knows: whoever knows something else does the same. */
    readonly digest?: number | undefined;
  };
  /** Does this node live? It answers itself, or is asked by whoever gets this. */
  "gossip.probe": { readonly node: string; readonly updates?: readonly MemberUpdate[] | undefined };
  /** It does. */
  "gossip.probe_ack": { readonly node: string; readonly updates?: readonly MemberUpdate[] | undefined };
  /** What a node has, and has free. */
  "resource.status": ResourceStatus;
  /** Resources are wanted for an instance. */
  "resource.request": {
    readonly instance_id: string;
    readonly cpu_cores: number;
    readonly ram_mb: number;
    readonly disk_mb: number;
    readonly placement?: Placement | undefined;
  };
  /** They are granted, on a node, for a time. */
  "resource.allocated": {
    readonly instance_id: string;
    readonly node: string;
    readonly cpu_cores: number;
    readonly ram_mb: number;
    readonly disk_mb: number;
    readonly expires_at: number;
  };
  /** An instance shall be started. */
  "instance.create": {
    readonly instance_id: string;
    readonly name: string;
    readonly script: string;
    readonly env?: { readonly [key: string]: string } | undefined;
    readonly resources: { readonly cpu_percent: number; readonly ram_mb: number; readonly disk_mb: number };
  };
  /** It runs. */
  "instance.started": {
    readonly instance_id: string;
    readonly pid: number;
    readonly startup_time_ms: number;
    readonly listening_on?: string | undefined;
  };
  /** It has ended. */
  "instance.stopped": {
    readonly instance_id: string;
    readonly exit_code: number;
    readonly reason: string;
    readonly runtime_seconds: number;
  };
  /** A file shall be kept. */
  "fs.write": {
    readonly path: string;
    readonly size: number;
    readonly checksum: string;
    readonly chunks: number;
    readonly replication_factor: number;
  };
  /** A part of a file: bytes, or base64 from those who have no bytes. */
  "fs.replicate": {
    readonly file_id: string;
    readonly chunk_id: number;
    readonly chunk_data: Uint8Array | string;
    readonly checksum: string;
  };
  /** A service is there. */
  "mesh.register": {
    readonly service_name: string;
    readonly version: string;
    readonly instance_id: string;
    readonly protocol: string;
    readonly port: number;
    readonly health_check?: string | undefined;
    readonly tags?: readonly string[] | undefined;
  };
  /** It is no more. */
  "mesh.deregister": { readonly service_name: string; readonly instance_id: string };
  /** Where is a service? */
  "mesh.query": {
    readonly service_name: string;
    readonly filters?:
      | { readonly healthy?: boolean | undefined; readonly version?: string | undefined }
      | undefined;
  };
  /** There. */
  "mesh.response": { readonly service_name: string; readonly instances: readonly ServiceInstance[] };
}

/** Types of the protocol's own messages. */
export type MessageType = keyof MessageData;

/** What a message of a type carries: known for the protocol's own types, any map for others. */
export type DataOf<T extends string> = T extends MessageType ? MessageData[T] : PackedMap;
