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
  /** What constraints of placements ask for, such as `region`. */
  readonly labels?: { readonly [key: string]: string } | undefined;
};

/** A service, as an instance offers it. */
export type ServiceOffer = {
  readonly service_name: string;
  readonly version: string;
  /** `http` and `https` are asked for their health, `tcp` is connected to. */
  readonly protocol: string;
  readonly port: number;
  /** A path such as `/health`. */
  readonly health_check?: string | undefined;
  readonly tags?: readonly string[] | undefined;
};

/** How an instance fares; `placed` has not been started yet, `lost` has gone with its node. */
export type InstanceState = "placed" | "running" | "stopped" | "lost";

/** An instance, in a list. */
export type ListedInstance = {
  readonly instance_id: string;
  readonly name: string;
  readonly node: string;
  readonly state: InstanceState;
  /** 0: none. */
  readonly pid: number;
  readonly exit_code: number;
  /** Why it has ended; empty while it has not. */
  readonly reason: string;
};

/** A node, in a list. */
export type ListedNode = {
  readonly node: string;
  readonly state: MemberUpdate["state"];
  readonly address: string;
  readonly controller: boolean;
  readonly cpu_percent: number;
  readonly ram_percent: number;
  /** What can still be reserved. */
  readonly cores_free: number;
  readonly ram_free_mb: number;
  readonly disk_free_mb: number;
  /** Reservations, those of running instances among them. */
  readonly instances: number;
  readonly labels: { readonly [key: string]: string };
};

/** A node, and where it is found. */
export type NodePlace = { readonly node: string; readonly address: string };

/** A file, in a list. */
export type ListedFile = {
  readonly path: string;
  readonly size: number;
  readonly checksum: string;
  readonly replication_factor: number;
  /** Those that hold it. */
  readonly nodes: readonly string[];
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

/** One of the instances of any service, in a list. */
export type ListedService = ServiceInstance & {
  readonly service_name: string;
  readonly version: string;
  readonly protocol: string;
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
    /** A program. */
    readonly script: string;
    readonly args?: readonly string[] | undefined;
    readonly env?: { readonly [key: string]: string } | undefined;
    readonly resources: { readonly cpu_percent: number; readonly ram_mb: number; readonly disk_mb: number };
    /** Registered when it runs. */
    readonly service?: ServiceOffer | undefined;
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
  /** An instance shall end. */
  "instance.stop": { readonly instance_id: string };
  /** Which instances are there? */
  "instance.list": { readonly after?: string | undefined };
  /** These, in order of their IDs. */
  "instance.listing": { readonly instances: readonly ListedInstance[]; readonly more: boolean };
  /** Which nodes are there? */
  "node.list": { readonly after?: string | undefined };
  /** These, in order of their IDs. */
  "node.listing": { readonly nodes: readonly ListedNode[]; readonly more: boolean };
  /** A node shall leave. */
  "node.leave": { readonly node: string; readonly reason: string };
  /** A node wants to leave: what it runs and holds shall be elsewhere first. */
  "node.drain": { readonly node: string };
  /** It may go. */
  "node.left": { readonly node: string };
  /** A file shall be kept. */
  "fs.write": {
    readonly path: string;
    readonly size: number;
    readonly checksum: string;
    readonly chunks: number;
    readonly replication_factor: number;
    /** Of an RGTP exposure of it; without one it comes in parts. */
    readonly ticket?: string | undefined;
  };
  /** A part of a file: bytes, or base64 from those who have no bytes. */
  "fs.replicate": {
    readonly file_id: string;
    readonly chunk_id: number;
    readonly chunk_data: Uint8Array | string;
    readonly checksum: string;
  };
  /** What a node has of a file: all of it, or not yet. */
  "fs.stored": { readonly file_id: string; readonly complete: boolean };
  /** Who shall keep a file. */
  "fs.placed": { readonly file_id: string; readonly nodes: readonly NodePlace[] };
  /** These nodes keep it. */
  "fs.commit": ListedFile;
  /** Who keeps a file? */
  "fs.locate": { readonly path: string };
  /** These. */
  "fs.located": {
    readonly path: string;
    readonly size: number;
    readonly checksum: string;
    readonly nodes: readonly NodePlace[];
  };
  /** A node shall send a file that it keeps to another one. */
  "fs.copy": { readonly file_id: string; readonly to: string; readonly address?: string | undefined };
  /** A node shall keep a content no longer: one of which there are copies enough (`known`), or one that belongs to no file. */
  "fs.drop": { readonly file_id: string; readonly known?: boolean | undefined };
  /** Which files are there? Of a controller: by their paths; of a node that keeps files: by their IDs. */
  "fs.list": { readonly after?: string | undefined };
  /** These, in order. */
  "fs.listing": { readonly files: readonly ListedFile[]; readonly more: boolean };
  /** A service is there. */
  "mesh.register": ServiceOffer & { readonly instance_id: string };
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
  /** Which services are there? */
  "mesh.list": { readonly after?: string | undefined };
  /** These, in order of their names. */
  "mesh.listing": { readonly services: readonly ListedService[]; readonly more: boolean };
}

/** Types of the protocol's own messages. */
export type MessageType = keyof MessageData;

/** What a message of a type carries: known for the protocol's own types, any map for others. */
export type DataOf<T extends string> = T extends MessageType ? MessageData[T] : PackedMap;
