/*
 * What controllers and workers refuse, with the document's codes, and what they make up for; in one process, over real connections.
 */
import { FLEET } from "../../cluster/io/controllers.ts";
import type { Executor } from "../../cluster/io/executor.ts";
import { startController, startWorker } from "../../cluster/io/fleet_node.ts";
import type { FleetNode } from "../../cluster/io/fleet_node.ts";
import { startNode } from "../../cluster/io/node.ts";
import type { ClusterNode } from "../../cluster/io/node.ts";
import { openSqliteStore } from "../../cluster/io/sqlite_store.ts";
import { RnpErrorCode } from "../../cluster/protocol/errors.ts";
import type { RnpErrorName } from "../../cluster/protocol/errors.ts";
import type { MessageData, MessageType } from "../../cluster/protocol/message_data.ts";
import { RgtpError } from "../../core/errors.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../_assert.ts";
import { credentialsOf, until } from "./_cluster.ts";

const listen = { host: "127.0.0.1", port: 0 } as const;

/** Instances that are no processes, and end when they are told to. */
function pretender(): Executor {
  let pid = 0;
  return {
    confinement: { memory: "none", cpu: "none", endsWithNode: true },
    start: ({ script }) => {
      if (script === "broken") return Promise.reject(new Error("it is broken"));
      const { promise: ended, resolve } = Promise.withResolvers<
        { exitCode: number; reason: string; runtimeSeconds: number }
      >();
      const stop = () => {
        resolve({ exitCode: 143, reason: "terminated", runtimeSeconds: 1 });
        return ended;
      };
      if (script === "brief") void stop();
      return Promise.resolve({ pid: ++pid, startupMs: 1, ended, stop });
    },
  };
}

/** A controller, two workers, and somebody else of the cluster. */
class SmallFleet implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #workers = new Map<string, FleetNode>();
  /** Where workers keep things, each in a folder of its own. */
  readonly folder: string;
  readonly controller: FleetNode;
  readonly operator: ClusterNode;

  private constructor(
    stack: AsyncDisposableStack,
    folder: string,
    controller: FleetNode,
    operator: ClusterNode,
  ) {
    this.#stack = stack;
    this.folder = folder;
    this.controller = controller;
    this.operator = operator;
  }

  static async start(): Promise<SmallFleet> {
    await using stack = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "rnp-small-" });
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const store = stack.use(openSqliteStore(":memory:"));
    const times = { sweepMs: 200, healthMs: 200, settleMs: 1000 };
    const controller = stack.use(
      await startController({
        credentials: await credentialsOf("controller"),
        listen,
        store,
        pace: 10,
        times,
      }),
    );
    const seed = controller.node.address!;
    const operator = stack.use(await startNode({ credentials: await credentialsOf("operator") }));
    operator.know("controller", seed);
    const small = new SmallFleet(stack.move(), folder, controller, operator);
    for (const id of ["node-1", "node-2"]) await small.work(id);
    let known = 0;
    void (async () => {
      while (known < 2) {
        const { nodes } = await small.ask("controller", "node.list", {}) as MessageData["node.listing"];
        known = nodes.filter(({ ram_free_mb }) => ram_free_mb > 0).length;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    await until(() => known === 2, "both workers have told what they have", 30_000);
    return small;
  }

  /** Starts a worker. */
  async work(id: string): Promise<void> {
    const folder = `${this.folder}/${id}`;
    await Deno.mkdir(folder, { recursive: true });
    const worker = await startWorker({
      credentials: await credentialsOf(id),
      listen,
      seed: this.controller.node.address!,
      folder,
      executor: pretender(),
      pace: 10,
    });
    this.operator.know(id, worker.node.address!);
    this.#workers.set(id, worker);
  }

  /** Ends a worker without a word. */
  async end(id: string): Promise<void> {
    await this.#workers.get(id)![Symbol.asyncDispose]();
    this.#workers.delete(id);
  }

  async ask<T extends MessageType>(to: string, type: T, data: MessageData[T]): Promise<unknown> {
    return (await this.operator.request(to, type, data as never, FLEET)).data;
  }

  async refused<T extends MessageType>(
    to: string,
    type: T,
    data: MessageData[T],
    code: RnpErrorName,
    text: string,
  ): Promise<void> {
    const error = await assertRejects(() => this.ask(to, type, data), RgtpError);
    assertEquals(error.data.rnp, RnpErrorCode[code], `${type}: ${error.message}`);
    assertStringIncludes(error.message, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // As long as those are there to whom it says goodbye.
    await this.operator.close();
    for (const id of this.#workers.keys()) await this.end(id);
    await this.#stack.disposeAsync();
  }
}

const nothing = { cpu_cores: 0, ram_mb: 0, disk_mb: 0 };
const resources = { cpu_percent: 0, ram_mb: 0, disk_mb: 0 };

Deno.test("fleet: what a controller is asked for and cannot do is refused, with code and reason", async () => {
  await using fleet = await SmallFleet.start();
  const refuse = <T extends MessageType>(type: T, data: MessageData[T], code: RnpErrorName, text: string) =>
    fleet.refused("controller", type, data, code, text);
  const request = { instance_id: "one", ...nothing };

  await refuse(
    "resource.request",
    { ...request, instance_id: "../x" },
    "PROTOCOL_ERROR",
    "cannot be an instance's ID",
  );
  await refuse("resource.request", { ...request, ram_mb: -1 }, "PROTOCOL_ERROR", "ram_mb is -1");
  await refuse(
    "resource.request",
    { ...request, ram_mb: 1e9 },
    "RESOURCE_EXHAUSTED",
    "of 2, the most that any has free",
  );
  const elsewhere = { strategy: "spread", constraints: ["region=moon"] } as const;
  await refuse(
    "resource.request",
    { ...request, placement: elsewhere },
    "RESOURCE_EXHAUSTED",
    "none of 2 nodes meets",
  );
  const odd = { strategy: "pack", constraints: ["="] } as const;
  await refuse("resource.request", { ...request, placement: odd }, "PROTOCOL_ERROR", "'=' is no constraint");

  const plan = { instance_id: "one", name: "one", script: "anything", resources };
  await refuse("instance.create", plan, "NOT_FOUND", "begin with resource.request");
  await fleet.ask("controller", "resource.request", request);
  await refuse("resource.request", request, "ALREADY_EXISTS", "there is an instance 'one'");
  await refuse("instance.create", { ...plan, script: "" }, "PROTOCOL_ERROR", "no program is named");
  const more = { ...resources, ram_mb: 1 };
  await refuse("instance.create", { ...plan, resources: more }, "QUOTA_EXCEEDED", "more than was kept");
  await fleet.ask("controller", "instance.create", plan);
  await refuse("instance.create", plan, "ALREADY_EXISTS", "was started already");
  await refuse("instance.stop", { instance_id: "two" }, "NOT_FOUND", "no instance 'two' runs");
  await fleet.ask("controller", "resource.request", { ...request, instance_id: "two" });
  const broken = { ...plan, instance_id: "two", script: "broken" };
  await refuse("instance.create", broken, "INTERNAL_ERROR", "it is broken");

  const checksum = `sha256:${"0".repeat(64)}`;
  const file = { path: "/a", size: 1, checksum, chunks: 1, replication_factor: 1 };
  await refuse("fs.write", { ...file, path: "a" }, "PROTOCOL_ERROR", "is no path of a file");
  await refuse("fs.write", { ...file, path: "/../a" }, "PROTOCOL_ERROR", "is no path of a file");
  await refuse("fs.write", { ...file, checksum: "md5:0" }, "PROTOCOL_ERROR", "is no checksum");
  await refuse("fs.write", { ...file, replication_factor: 17 }, "QUOTA_EXCEEDED", "16 are the most");
  await refuse("fs.write", { ...file, size: 2 ** 52 }, "RESOURCE_EXHAUSTED", "no node has room");
  const kept = { path: "/a", size: 1, checksum, replication_factor: 1 };
  await refuse("fs.commit", { ...kept, nodes: [] }, "NOT_FOUND", "nobody keeps");
  await refuse("fs.commit", { ...kept, nodes: ["node-9"] }, "NOT_FOUND", "'node-9' is to keep");
  await refuse("fs.locate", { path: "/a" }, "NOT_FOUND", "there is no file '/a'");

  const offer = { service_name: "web", version: "1", instance_id: "one", protocol: "http", port: 80 };
  await refuse("mesh.register", { ...offer, port: 0 }, "PROTOCOL_ERROR", "0 is no port");
  await refuse("mesh.register", offer, "NOT_FOUND", "nobody knows where 'operator' is");
  await refuse("mesh.query", { service_name: "web" }, "NOT_FOUND", "there is no service 'web'");
  await refuse("node.leave", { node: "node-9", reason: "" }, "NOT_FOUND", "'node-9' does not take part");
  await refuse("node.leave", { node: "controller", reason: "" }, "UNAUTHORIZED", "is a controller");
  assertEquals(fleet.controller.node.troubles.filter((one) => one.includes("at ")), []);
});

Deno.test("fleet: a worker does nothing for those who are no controllers", async () => {
  await using fleet = await SmallFleet.start();
  const refuse = <T extends MessageType>(type: T, data: MessageData[T]) =>
    fleet.refused("node-1", type, data, "UNAUTHORIZED", "'operator' ");
  await refuse("instance.create", { instance_id: "one", name: "one", script: "sh", resources });
  await refuse("instance.stop", { instance_id: "one" });
  await refuse("instance.list", {});
  await refuse("fs.list", {});
  await refuse("fs.drop", { file_id: "0".repeat(64), known: true });
  await refuse("fs.copy", { file_id: "0".repeat(64), to: "node-2" });
  await refuse("node.leave", { node: "node-1", reason: "" });
});

Deno.test("fleet: a content that is not what it was said to be never gets onto a shelf", async () => {
  await using fleet = await SmallFleet.start();
  const bytes = new TextEncoder().encode("hello");
  const checksumOf = async (data: Uint8Array<ArrayBuffer>) =>
    `sha256:${new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex()}`;
  const checksum = await checksumOf(bytes);
  const file_id = checksum.slice(7);
  const write = { path: "/a", size: 5, checksum, chunks: 1, replication_factor: 1 };
  const part = { file_id, chunk_id: 0, chunk_data: bytes, checksum };
  const refuse = <T extends MessageType>(type: T, data: MessageData[T], code: RnpErrorName, text: string) =>
    fleet.refused("node-1", type, data, code, text);

  await refuse("fs.replicate", part, "NOT_FOUND", "begin with fs.write");
  await refuse("fs.write", { ...write, chunks: 2 }, "PROTOCOL_ERROR", "5 bytes in 2 parts");
  await refuse("fs.write", { ...write, size: 8_388_609, chunks: 9 }, "PROTOCOL_ERROR", "come as an exposure");
  await refuse("fs.write", { ...write, ticket: "rgtp://nonsense" }, "INTERNAL_ERROR", "ticket");
  await refuse("fs.copy", { file_id, to: "operator" }, "NOT_FOUND", "does not keep");
  const begin = () => fleet.ask("node-1", "fs.write", write);
  const wrong: [Partial<MessageData["fs.replicate"]>, string][] = [
    [{ chunk_id: 1 }, "where 0 comes next"],
    [{ checksum: `sha256:${"0".repeat(64)}` }, "is damaged"],
    [{ chunk_data: "no base64!", checksum }, "is a text, and no base64"],
    [
      { chunk_data: new Uint8Array(6), checksum: await checksumOf(new Uint8Array(6)) },
      "longer than was said",
    ],
    [
      { chunk_data: new Uint8Array(5), checksum: await checksumOf(new Uint8Array(5)) },
      "its SHA-256 is another one",
    ],
  ];
  for (const [change, text] of wrong) {
    assertEquals(await begin(), { file_id, complete: false });
    await refuse("fs.replicate", { ...part, ...change }, "PROTOCOL_ERROR", text);
    // A broken one is given up: it begins anew.
    await refuse("fs.replicate", part, "NOT_FOUND", "begin with fs.write");
  }
  await begin();
  const base64 = { ...part, chunk_data: bytes.toBase64() };
  assertEquals(await fleet.ask("node-1", "fs.replicate", base64), { file_id, complete: true });
  assertEquals(await begin(), { file_id, complete: true });
});

Deno.test("fleet: room that nobody uses is free again, and what ends gives its room back", async () => {
  await using fleet = await SmallFleet.start();
  const cores = async () => {
    const { nodes } = await fleet.ask("controller", "node.list", {}) as MessageData["node.listing"];
    return nodes.reduce((sum, { cores_free }) => sum + cores_free, 0);
  };
  const all = await cores();
  await fleet.ask("controller", "resource.request", { instance_id: "one", ...nothing, cpu_cores: 1 });
  assertEquals(await cores(), all - 1);
  const half = { cpu_percent: 100, ram_mb: 0, disk_mb: 0 };
  await fleet.ask("controller", "instance.create", {
    instance_id: "one",
    name: "one",
    script: "anything",
    resources: half,
  });
  assertEquals(await cores(), all - 1);
  await fleet.ask("controller", "instance.stop", { instance_id: "one" });
  assertEquals(await cores(), all);
  const states = async () => {
    const { instances } = await fleet.ask(
      "controller",
      "instance.list",
      {},
    ) as MessageData["instance.listing"];
    return instances.map(({ state }) => state);
  };
  assertEquals(await states(), ["stopped"]);
  // One whose end is told while its start is: its room is not kept for ever.
  for (let n = 0; n < 5; n++) {
    const plan = { instance_id: `brief-${n}`, name: "brief", script: "brief", resources: half };
    await fleet.ask("controller", "resource.request", {
      ...nothing,
      instance_id: plan.instance_id,
      cpu_cores: 1,
    });
    await fleet.ask("controller", "instance.create", plan);
  }
  for (
    let looks = 0;
    looks < 500 && !((await cores()) === all && !(await states()).includes("running"));
    looks++
  ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals(await states(), Array(6).fill("stopped"));
  assertEquals(await cores(), all);
  assert(all > 0);
});

Deno.test("fleet: a node that comes back without what it had gets it again", async () => {
  await using fleet = await SmallFleet.start();
  const lists = async () => {
    const { instances } = await fleet.ask(
      "controller",
      "instance.list",
      {},
    ) as MessageData["instance.listing"];
    const { files } = await fleet.ask("controller", "fs.list", {}) as MessageData["fs.listing"];
    return { one: instances[0], file: files[0] };
  };
  const placement = { strategy: "spread", constraints: ["node=node-1"] } as const;
  await fleet.ask("controller", "resource.request", { instance_id: "one", ...nothing, placement });
  const plan = { instance_id: "one", name: "one", script: "anything", resources };
  await fleet.ask("controller", "instance.create", plan);

  const bytes = new TextEncoder().encode("kept twice");
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  const about = { path: "/a", size: bytes.length, checksum: `sha256:${hash}`, replication_factor: 2 };
  for (const node of ["node-1", "node-2"]) {
    await fleet.ask(node, "fs.write", { ...about, chunks: 1 });
    await fleet.ask(node, "fs.replicate", {
      file_id: hash,
      chunk_id: 0,
      chunk_data: bytes,
      checksum: about.checksum,
    });
  }
  await fleet.ask("controller", "fs.commit", { ...about, nodes: ["node-1", "node-2"] });

  await fleet.end("node-1");
  await Deno.remove(`${fleet.folder}/node-1`, { recursive: true });
  await fleet.work("node-1");
  let isWhole = false;
  for (let looks = 0; !isWhole && looks < 400; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { one, file } = await lists();
    const content = await Deno.readTextFile(`${fleet.folder}/node-1/files/${hash}`).catch(() => "");
    isWhole = one.state === "running" && file.nodes.length === 2 && content === "kept twice";
  }
  assert(isWhole, JSON.stringify(await lists()));
  // The node itself says so, and not the controller alone: of what it does not run it says "gone".
  const ended = await fleet.ask("controller", "instance.stop", { instance_id: "one" });
  assertEquals((ended as MessageData["instance.stopped"]).reason, "terminated");
});
