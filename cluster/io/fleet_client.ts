import type { Address } from "../../codec/address.ts";
import { parseAddress } from "../../codec/address.ts";
import { RgtpError } from "../../core/errors.ts";
import { checksumOf, chunkCount, fileIdOf } from "../protocol/files.ts";
import { isPresent } from "../protocol/membership/member.ts";
import type {
  ListedFile,
  ListedInstance,
  ListedNode,
  ListedService,
  MessageData,
  NodePlace,
} from "../protocol/message_data.ts";
import { askControllers } from "./controllers.ts";
import { FileKeeper } from "./file_keeper.ts";
import { FileSender, transferMs } from "./file_sender.ts";
import { allPages, ask } from "./fleet.ts";
import { messageOf } from "./handlers.ts";
import { startNode } from "./node.ts";
import type { ClusterNode, NodeOptions } from "./node.ts";
import { hashFile, Shelf } from "./shelf.ts";

/** How a fleet is spoken to. */
export interface ClientOptions extends Pick<NodeOptions, "credentials" | "secret" | "signal"> {
  /** Any nodes of the cluster: the first one that answers says where controllers are. */
  readonly at: readonly Address[];
}

/** What became of a file that was put. */
export interface PutResult {
  /** Its name in the cluster. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly checksum: string;
  /** Those that keep it. */
  readonly nodes: readonly string[];
  /** Those that should, and why they do not yet. */
  readonly missing: readonly { readonly node: string; readonly why: string }[];
}

/** A node that leaves gives all that it has to others first. */
const LEAVE_MS = 600_000;

/** Somebody who uses a fleet without being one of its nodes: with a certificate of the cluster, and a node ID of its own. */
export class FleetClient implements AsyncDisposable {
  readonly #node: ClusterNode;
  readonly #controllers: readonly string[];
  readonly #sender: FileSender;

  private constructor(node: ClusterNode, controllers: readonly string[], host: string | undefined) {
    this.#node = node;
    this.#controllers = controllers;
    this.#sender = new FileSender(node, host);
  }

  /** Finds the controllers. @throws {RgtpError} what the last of the addresses says; NOT_FOUND when none of them knows one */
  static async connect({ at, ...options }: ClientOptions): Promise<FleetClient> {
    const node = await startNode(options);
    let failure: unknown = new RgtpError("INVALID_ARG", "no node of the cluster is named");
    for (const address of at) {
      try {
        return await FleetClient.#meet(node, address);
      } catch (error) {
        failure = error;
      }
    }
    await node.close(0);
    throw failure;
  }

  static async #meet(node: ClusterNode, address: Address): Promise<FleetClient> {
    const seed = await node.meet(address);
    const members = await listNodes(node, seed);
    const controllers = members.filter((one) => one.controller && isPresent(one));
    for (const { node: id, address: where } of controllers) {
      const place = parseAddress(where);
      // Whoever answers is reached as it was named, also where it has another name for itself.
      if (place && id !== seed) node.know(id, place);
    }
    if (controllers.length === 0) {
      throw new RgtpError("NOT_FOUND", `'${seed}' knows no controller that takes part`);
    }
    const ids = controllers.map(({ node }) => node);
    // The one that has answered is asked first.
    const order = ids.includes(seed) ? [seed, ...ids.filter((id) => id !== seed)] : ids;
    return new FleetClient(node, order, await ownHost(address));
  }

  /** All nodes. @throws {RgtpError} */
  async nodes(): Promise<ListedNode[]> {
    return await askControllers(this.#controllers, (to) => listNodes(this.#node, to));
  }

  /** All instances, those that have ended in the last hour among them. @throws {RgtpError} */
  async instances(): Promise<ListedInstance[]> {
    return await this.#list("instance.list", "instance.listing", ({ instances, more }) => ({
      rows: instances,
      more,
    }), ({ instance_id }) => instance_id);
  }

  /** All files. @throws {RgtpError} */
  async files(): Promise<ListedFile[]> {
    return await this.#list(
      "fs.list",
      "fs.listing",
      ({ files, more }) => ({ rows: files, more }),
      ({ path }) => path,
    );
  }

  /** All services. @throws {RgtpError} */
  async services(): Promise<ListedService[]> {
    return await this.#list("mesh.list", "mesh.listing", ({ services, more }) => ({
      rows: services,
      more,
    }), ({ service_name, instance_id }) => `${service_name} ${instance_id}`);
  }

  /** Where a service is. @throws {RgtpError} NOT_FOUND for one that nobody offers */
  async query(data: MessageData["mesh.query"]): Promise<MessageData["mesh.response"]> {
    return await this.#ask("mesh.query", data, "mesh.response");
  }

  /** Finds room for an instance, and starts it there. @throws {RgtpError} */
  async run(
    plan: MessageData["instance.create"],
    placement?: MessageData["resource.request"]["placement"],
  ): Promise<MessageData["instance.started"] & { readonly node: string }> {
    const { instance_id, resources: { cpu_percent, ram_mb, disk_mb } } = plan;
    const demand = { instance_id, cpu_cores: cpu_percent / 100, ram_mb, disk_mb, placement };
    const { node } = await this.#ask("resource.request", demand, "resource.allocated");
    return { ...await this.#ask("instance.create", plan, "instance.started"), node };
  }

  /** Ends an instance. @throws {RgtpError} */
  async stop(instance_id: string): Promise<MessageData["instance.stopped"]> {
    return await this.#ask("instance.stop", { instance_id }, "instance.stopped");
  }

  /** Has a node give all that it does and keeps to others, and leave. @throws {RgtpError} */
  async leave(node: string, reason: string): Promise<void> {
    await this.#ask("node.leave", { node, reason }, "node.left", LEAVE_MS);
  }

  /**
   * Puts a file of this machine on nodes, so that it is there as often as is wanted.
   *
   * @throws {RgtpError} what the controller refuses it for; when no node could be given a copy, why
   */
  async put(local: string, path: string, copies: number): Promise<PutResult> {
    const { fileId, size } = await hashFile(local);
    const checksum = checksumOf(fileId);
    const about = { path, size, checksum, chunks: chunkCount(size), replication_factor: copies };
    const placed = await this.#ask("fs.write", about, "fs.placed");
    const file = { path: local, fileId, size };
    const missing: { node: string; why: string }[] = [];
    const sent = await Promise.all(placed.nodes.map(async (place) => {
      try {
        await this.#sender.send(place, file, path, copies);
        return [place.node];
      } catch (error) {
        missing.push({ node: place.node, why: messageOf(error) });
        return [];
      }
    }));
    const nodes = sent.flat();
    if (nodes.length === 0) {
      const why = missing.map(({ node, why }) => `${node}: ${why}`).join("; ");
      throw new RgtpError("IO", `nobody could be given '${path}': ${why}`);
    }
    await this.#ask("fs.commit", { path, size, checksum, replication_factor: copies, nodes }, "fs.stored");
    return { path, size, checksum, nodes, missing };
  }

  /** Brings a file from one of those that keep it. @throws {RgtpError} NOT_FOUND; what the last of them says */
  async get(path: string, local: string): Promise<{ readonly size: number; readonly checksum: string }> {
    const { size, checksum, nodes } = await this.#ask("fs.locate", { path }, "fs.located");
    const fileId = fileIdOf(checksum)!;
    // Beside its place, so that it gets there in one step.
    const folder = `${local}.${crypto.randomUUID()}`;
    try {
      const shelf = await Shelf.open(folder);
      new FileKeeper(this.#node, shelf, this.#sender);
      await this.#fetch(fileId, size, nodes);
      await Deno.rename(shelf.path(fileId), local);
      return { size, checksum };
    } finally {
      await Deno.remove(folder, { recursive: true }).catch(() => {});
    }
  }

  async #fetch(file_id: string, size: number, nodes: readonly NodePlace[]): Promise<void> {
    let failure: unknown;
    for (const { node, address } of nodes) {
      const place = parseAddress(address);
      if (place) this.#node.know(node, place);
      try {
        await ask(this.#node, node, "fs.copy", { file_id, to: this.#node.id }, "fs.stored", transferMs(size));
        return;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async #ask<Question extends keyof MessageData, Answer extends keyof MessageData>(
    question: Question,
    data: MessageData[Question],
    answer: Answer,
    timeoutMs?: number,
  ): Promise<MessageData[Answer]> {
    return await askControllers(
      this.#controllers,
      (to) => ask(this.#node, to, question, data as never, answer, timeoutMs),
    );
  }

  async #list<Answer extends keyof MessageData, T>(
    question: "instance.list" | "fs.list" | "mesh.list",
    answer: Answer,
    rowsOf: (data: MessageData[Answer]) => { readonly rows: readonly T[]; readonly more: boolean },
    nameOf: (row: T) => string,
  ): Promise<T[]> {
    return await allPages(async (after) => rowsOf(await this.#ask(question, { after }, answer)), nameOf);
  }

  /** See {@linkcode AsyncDisposable}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node.close();
  }
}

async function listNodes(node: ClusterNode, to: string): Promise<ListedNode[]> {
  return await allPages(async (after) => {
    const { nodes, more } = await ask(node, to, "node.list", { after }, "node.listing");
    return { rows: nodes, more };
  }, (one) => one.node);
}

/** Under which address a node sees this machine: there it finds what is exposed here. */
async function ownHost({ host, port }: Address): Promise<string | undefined> {
  try {
    using connection = await Deno.connect({ hostname: host, port });
    return (connection.localAddr as Deno.NetAddr).hostname;
  } catch {
    return undefined;
  }
}
