import type { PackedMap } from "../../codec/msgpack_map.ts";
import type { FileRecord } from "../protocol/files.ts";
import type { InstanceRecord } from "../protocol/instances.ts";
import type { NodeRecord } from "../protocol/resources.ts";
import type { ServiceRecord } from "../protocol/services.ts";
import { change, keyOf, valuesOf } from "./store.ts";
import type { Store } from "./store.ts";

/** Rows of one kind in a store. */
export interface Table<T extends PackedMap> {
  /** One of them. */
  get(...names: readonly string[]): Promise<T | undefined>;
  /** All of them. */
  all(): Promise<T[]>;
  /** See {@linkcode change}. */
  change(names: readonly string[], next: (row: T | undefined) => T | undefined): Promise<T | undefined>;
}

/** What controllers know, by kind. */
export interface Tables {
  /** By node. */
  readonly nodes: Table<NodeRecord>;
  /** By instance. */
  readonly instances: Table<InstanceRecord>;
  /** By path. */
  readonly files: Table<FileRecord>;
  /** By service and instance. */
  readonly services: Table<ServiceRecord>;
}

/** The tables in a store. */
export function tablesIn(store: Store): Tables {
  return {
    nodes: table(store, "nodes"),
    instances: table(store, "instances"),
    files: table(store, "files"),
    services: table(store, "services"),
  };
}

function table<T extends PackedMap>(store: Store, token: string): Table<T> {
  return {
    get: async (...names) => (await store.get(keyOf(token, ...names)))?.value as T | undefined,
    all: async () => await valuesOf<T>(store, token),
    change: async (names, next) => await change<T>(store, keyOf(token, ...names), next),
  };
}
