import { assertEquals } from "../../tests/_assert.ts";
import type { PackedMap, PackedValue } from "../../codec/msgpack_map.ts";
import { isMessageType, MessageTypes, messageTypes } from "./message_types.ts";
import * as schema from "./schema.ts";
import type { Schema } from "./schema.ts";
import { assertThrows } from "../../tests/_assert.ts";

Deno.test("schema: what each kind takes, and what not", () => {
  const values: PackedValue[] = [
    null,
    true,
    0,
    -1,
    1.5,
    2 ** 53,
    NaN,
    Infinity,
    "",
    "a",
    new Uint8Array(1),
    [],
    {},
  ];
  const table: [Schema<PackedValue>, PackedValue[]][] = [
    [schema.text, ["", "a"]],
    [schema.integer, [0, -1]],
    [schema.count, [0]],
    [schema.number, [0, -1, 1.5, 2 ** 53]],
    [schema.boolean, [true]],
    [schema.bytes, [new Uint8Array(1)]],
    [schema.bytesOrText, ["", "a", new Uint8Array(1)]],
    [schema.anyMap, [{}]],
    [schema.anything, values],
    [schema.oneOf("a", "b"), ["a"]],
    [schema.listOf(schema.text), [[]]],
    [schema.mapOf(schema.text), [{}]],
    [schema.record({}), [{}]],
  ];
  for (const [kind, good] of table) {
    assertEquals(values.filter((value) => kind.fault(value) === undefined), good, kind.type);
    assertEquals(kind.fault(undefined), " is missing", kind.type);
    assertEquals((schema.optional(kind) as Schema<PackedValue | undefined>).fault(undefined), undefined);
  }
});

Deno.test("schema: a fault says where it is and what is not so", () => {
  const deep = schema.record({
    list: schema.listOf(schema.record({ name: schema.text, size: schema.optional(schema.count) })),
    tags: schema.mapOf(schema.integer),
  });
  const table: [PackedMap, string | undefined][] = [
    [{ list: [{ name: "a" }, { name: "b", size: 1, more: true }], tags: {}, other: 1 }, undefined],
    [{ list: [{ name: "a" }, {}], tags: {} }, ".list[1].name is missing"],
    [{ list: [{ name: "a", size: -1 }], tags: {} }, ".list[0].size is not: count"],
    [{ list: [{ name: "a", size: null }], tags: {} }, ".list[0].size is not: count"],
    [{ list: {}, tags: {} }, ".list is not: list of record"],
    [{ list: [] }, ".tags is missing"],
    [{ list: [], tags: { x: 1, y: "2" } }, ".tags.y is not: integer"],
  ];
  for (const [value, fault] of table) assertEquals(deep.fault(value), fault);
});

Deno.test("schema: the document's examples are right for their types", () => {
  const examples: Record<string, PackedMap> = {
    "gossip.announce": {
      address: "192.168.1.10:7946",
      version: "0.0.4",
      capabilities: ["instance", "filesystem", "mesh"],
      metadata: { datacenter: "us-east-1", rack: "rack-3" },
    },
    "gossip.heartbeat": { sequence: 12345, cpu_percent: 45.2, ram_used_mb: 2048, instances: 12 },
    "gossip.leave": { reason: "shutdown", transfer_instances_to: "node-2" },
    "gossip.suspect": { suspect_node: "node-3", last_seen: 1705075100000, failed_pings: 3 },
    "resource.status": {
      cpu: { total_cores: 16, available_cores: 8.5, percent_used: 46.875 },
      ram: { total_mb: 32768, available_mb: 16384, percent_used: 50.0 },
      disk: { total_gb: 1000, available_gb: 750, percent_used: 25.0 },
      network: { in_mbps: 125.5, out_mbps: 89.3 },
    },
    "resource.request": {
      instance_id: "inst-12345",
      cpu_cores: 2,
      ram_mb: 4096,
      disk_mb: 10240,
      placement: { strategy: "spread", constraints: ["region=us-east"] },
    },
    "resource.allocated": {
      instance_id: "inst-12345",
      node: "node-2",
      cpu_cores: 2,
      ram_mb: 4096,
      disk_mb: 10240,
      expires_at: 1705078800000,
    },
    "instance.create": {
      instance_id: "inst-12345",
      name: "web-worker-1",
      script: "worker.rads",
      env: { PORT: "8080", DB_URL: "postgresql://..." },
      resources: { cpu_percent: 25, ram_mb: 512, disk_mb: 1024 },
    },
    "instance.started": {
      instance_id: "inst-12345",
      pid: 54321,
      startup_time_ms: 87,
      listening_on: "0.0.0.0:8080",
    },
    "instance.stopped": {
      instance_id: "inst-12345",
      exit_code: 0,
      reason: "terminated",
      runtime_seconds: 3600,
    },
    "fs.write": {
      path: "/cluster/config.json",
      size: 1024,
      checksum: "sha256:abc123...",
      chunks: 1,
      replication_factor: 3,
    },
    "fs.replicate": {
      file_id: "file-789",
      chunk_id: 0,
      chunk_data: "<base64 encoded>",
      checksum: "sha256:def456...",
    },
    "mesh.register": {
      service_name: "user-service",
      version: "1.0.0",
      instance_id: "inst-12345",
      protocol: "http",
      port: 8080,
      health_check: "/health",
      tags: ["api", "auth"],
    },
    "mesh.deregister": { service_name: "user-service", instance_id: "inst-12345" },
    "mesh.query": { service_name: "user-service", filters: { healthy: true, version: "1.0.0" } },
    "mesh.response": {
      service_name: "user-service",
      instances: [
        {
          instance_id: "inst-12345",
          node: "node-2",
          address: "192.168.1.11:8080",
          healthy: true,
          latency_ms: 2.5,
        },
        {
          instance_id: "inst-67890",
          node: "node-3",
          address: "192.168.1.12:8080",
          healthy: true,
          latency_ms: 1.8,
        },
      ],
    },
    "ping": { timestamp: 1705075200000 },
    "pong": { request_timestamp: 1705075200000, response_timestamp: 1705075200002 },
    "error": {
      code: "RESOURCE_EXHAUSTED",
      message: "Insufficient RAM to create instance",
      details: { requested_mb: 4096, available_mb: 2048 },
    },
    "heartbeat": { cpu_percent: 45.2, ram_used_mb: 2048, instance_count: 12 },
  };
  const types = new MessageTypes();
  for (const [type, data] of Object.entries(examples)) assertEquals(types.fault(type, data), undefined, type);
  // And each of them lacks something when a field that must be there is taken away.
  for (const [type, data] of Object.entries(examples)) {
    const { fields } = messageTypes[type as keyof typeof messageTypes];
    for (const [name, { optional }] of Object.entries(fields!)) {
      const { [name]: _gone, ...rest } = data;
      assertEquals(types.fault(type, rest), optional ? undefined : `data.${name} is missing`, type);
    }
  }
});

Deno.test("message types: an application's own are checked as the protocol's are, once they are defined", () => {
  const types = new MessageTypes();
  assertEquals([types.has("app.thing"), types.fault("app.thing", {})], [false, undefined]);
  types.add("app.thing", schema.record({ n: schema.count }));
  assertEquals([types.has("app.thing"), types.fault("app.thing", {})], [true, "data.n is missing"]);
  assertThrows(() => types.add("app.thing", schema.record({})), RangeError, "already");
  assertThrows(() => types.add("ping", schema.record({})), RangeError, "already");
});

Deno.test("message types: which names can be", () => {
  const good = ["a", "ping", "gossip.heartbeat", "app.thing_done", "a1.b2_c3", "a".repeat(64)];
  const bad = ["", ".", "a.", ".a", "a..b", "A", "a-b", "1a", "_a", "a b", "ä", "a\n", "a".repeat(65)];
  assertEquals([...good, ...bad].filter(isMessageType), good);
});
