import { limits } from "../../core/limits.ts";
import { rnpError } from "../protocol/errors.ts";
import { checksumOf } from "../protocol/files.ts";
import { isInstanceId, planFault } from "../protocol/instances.ts";
import type { ListedInstance, MessageData } from "../protocol/message_data.ts";
import type { Message } from "../protocol/payload.ts";
import { isController } from "../protocol/roles.ts";
import type { Executor, Running } from "./executor.ts";
import { page } from "./fleet.ts";
import type { Reply } from "./handlers.ts";
import { messageOf } from "./handlers.ts";
import type { ClusterNode } from "./node.ts";
import type { Shelf } from "./shelf.ts";

/** What somebody has just brought belongs to a file that is not known yet: it is not dropped before this age. */
const YOUNG_MS = 3_600_000;

/** How a worker tells controllers what has happened; rejects when none of them can be told. */
export type Tell = <T extends keyof MessageData>(type: T, data: MessageData[T]) => Promise<unknown>;

/** What a worker works with. */
export interface WorkerParts {
  readonly node: ClusterNode;
  readonly executor: Executor;
  readonly shelf: Shelf;
  /** Where services of its instances are expected to listen. */
  readonly host: string;
  readonly tell: Tell;
  /** Called when an instance has started or ended. */
  readonly onChange: () => void;
}

interface Instance {
  readonly name: string;
  /** Settled when it runs, or cannot. */
  readonly starting: Promise<Running>;
  running?: Running;
  /** How it has ended, as long as no controller knows. */
  ended?: MessageData["instance.stopped"];
}

/** What a node does for its controllers: it runs instances and keeps files. Nobody else may tell it to. */
export class Worker {
  readonly #parts: WorkerParts;
  readonly #instances = new Map<string, Instance>();
  #isEnding = false;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    const { node } = parts;
    const concurrent = { concurrent: true };
    node.handle("instance.create", guarded((plan) => this.#create(plan)), concurrent);
    node.handle("instance.stop", guarded((data) => this.#stop(data)), concurrent);
    node.handle("instance.list", guarded((data) => this.#list(data)), concurrent);
    node.handle("fs.list", guarded((data) => this.#listFiles(data)), concurrent);
    node.handle("fs.drop", guarded((data) => this.#drop(data)), concurrent);
  }

  /** Instances that run. */
  get running(): number {
    return Array.from(this.#instances.values()).filter(({ ended }) => !ended).length;
  }

  /** Ends all of them, since their node ends: controllers are not told, and will start them elsewhere. */
  async stopAll(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(Array.from(this.#instances.values(), async ({ starting }) => {
      const running = await starting.catch(() => undefined);
      await running?.stop();
    }));
  }

  async #create(plan: MessageData["instance.create"]): Promise<Reply> {
    const { instance_id, service } = plan;
    const fault = isInstanceId(instance_id) ? planFault(plan) : `'${instance_id}' cannot be an instance's ID`;
    if (fault !== undefined) throw rnpError({ code: "PROTOCOL_ERROR", message: fault });
    const known = this.#instances.get(instance_id);
    if (known && !known.ended) {
      throw rnpError({ code: "ALREADY_EXISTS", message: `'${instance_id}' runs here already` });
    }
    if (this.#instances.size >= limits.fleetInstancesMax) {
      const message = `'${this.#parts.node.id}' has ${this.#instances.size} instances already`;
      throw rnpError({ code: "QUOTA_EXCEEDED", message });
    }
    const instance: Instance = {
      name: plan.name,
      starting: this.#parts.executor.start(plan, this.#parts.host),
    };
    this.#instances.set(instance_id, instance);
    let running: Running;
    try {
      running = instance.running = await instance.starting;
    } catch (error) {
      this.#instances.delete(instance_id);
      throw error;
    }
    void this.#follow(instance_id, instance, running);
    this.#parts.onChange();
    if (service) await this.#register(instance_id, service);
    const { pid, startupMs } = running;
    const listening_on = service && `${this.#parts.host}:${service.port}`;
    return { type: "instance.started", data: { instance_id, pid, startup_time_ms: startupMs, listening_on } };
  }

  async #register(
    instance_id: string,
    service: NonNullable<MessageData["instance.create"]["service"]>,
  ): Promise<void> {
    try {
      await this.#parts.tell("mesh.register", { ...service, instance_id });
    } catch (error) {
      this.#parts.node.note(`'${service.service_name}' is not registered: ${messageOf(error)}`);
    }
  }

  /** Tells how it ends. Whoever could not be told finds it in the list. */
  async #follow(instance_id: string, instance: Instance, running: Running): Promise<void> {
    const { exitCode, reason, runtimeSeconds } = await running.ended;
    if (this.#isEnding) return;
    instance.ended = { instance_id, exit_code: exitCode, reason, runtime_seconds: runtimeSeconds };
    this.#parts.onChange();
    try {
      await this.#parts.tell("instance.stopped", instance.ended);
      this.#forget(instance_id, instance);
    } catch (error) {
      this.#parts.node.note(`that '${instance_id}' has ended is not told yet: ${messageOf(error)}`);
    }
  }

  #forget(id: string, instance: Instance): void {
    if (this.#instances.get(id) === instance) this.#instances.delete(id);
  }

  async #stop({ instance_id }: MessageData["instance.stop"]): Promise<Reply> {
    const instance = this.#instances.get(instance_id);
    // Whoever wants it ended has what he wants.
    if (!instance) return stoppedReply({ instance_id, exit_code: 0, reason: "gone", runtime_seconds: 0 });
    const { exitCode, reason, runtimeSeconds } = await (await instance.starting).stop();
    return stoppedReply({ instance_id, exit_code: exitCode, reason, runtime_seconds: runtimeSeconds });
  }

  #list({ after }: MessageData["instance.list"]): Reply {
    const all = Array.from(this.#instances, ([instance_id, { name, running, ended }]): ListedInstance => ({
      instance_id,
      name,
      node: this.#parts.node.id,
      state: ended ? "stopped" : "running",
      pid: ended ? 0 : running?.pid ?? 0,
      exit_code: ended?.exit_code ?? 0,
      reason: ended?.reason ?? "",
    }));
    const { rows, more } = page(all, ({ instance_id }) => instance_id, after);
    // A controller that is told in this way knows.
    for (const { instance_id, state } of rows) {
      if (state === "stopped") this.#instances.delete(instance_id);
    }
    return { type: "instance.listing", data: { instances: rows, more } };
  }

  /** What it keeps, by name: its paths are matters of controllers. */
  async #listFiles({ after }: MessageData["fs.list"]): Promise<Reply> {
    const { shelf, node } = this.#parts;
    const { rows, more } = page(
      (await shelf.list(after)).map((file_id) => ({ file_id })),
      ({ file_id }) => file_id,
    );
    const files = await Promise.all(rows.map(async ({ file_id }) => ({
      path: file_id,
      size: await shelf.size(file_id) ?? 0,
      checksum: checksumOf(file_id),
      replication_factor: 1,
      nodes: [node.id],
    })));
    return { type: "fs.listing", data: { files, more } };
  }

  /** Of its own accord a controller drops what it knows to be too much, or what belongs to nothing: that may yet come to belong. */
  async #drop({ file_id, known = false }: MessageData["fs.drop"]): Promise<Reply> {
    const { shelf } = this.#parts;
    const isYoung = (await shelf.age(file_id) ?? Infinity) < YOUNG_MS;
    if (known || !isYoung) await shelf.drop(file_id);
    return { type: "fs.stored", data: { file_id, complete: !known && isYoung } };
  }
}

function stoppedReply(data: MessageData["instance.stopped"]): Reply {
  return { type: "instance.stopped", data };
}

/** A handler for what controllers alone may ask for. */
function guarded<T>(
  handle: (data: T) => Reply | Promise<Reply>,
): (data: T, message: Message) => Reply | Promise<Reply> {
  return (data, { type, sender }) => {
    if (isController(sender)) return handle(data);
    throw unauthorized(sender, type);
  };
}

/** What is said to those who are no controllers and act like one. */
export function unauthorized(sender: string, type: string): Error {
  return rnpError({
    code: "UNAUTHORIZED",
    message: `'${sender}' is no controller: a '${type}' is for those`,
  });
}
