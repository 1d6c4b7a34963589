import { RgtpError } from "../../core/errors.ts";
import type { MemberUpdate } from "../protocol/membership/member.ts";
import type { MessageData, MessageType } from "../protocol/message_data.ts";
import type { Message } from "../protocol/payload.ts";
import { pause } from "./_pause.ts";
import {
  commitFile,
  inspectFiles,
  locateFile,
  moveFiles,
  placeFile,
  repairFiles,
} from "./controller_files.ts";
import {
  allocate,
  create,
  end,
  inspectInstances,
  listInstances,
  moveInstances,
  repairInstances,
  stop,
} from "./controller_instances.ts";
import { forgetLeft, listedNode, listNodes, noteStatus, sendAway, setLeaving } from "./controller_nodes.ts";
import {
  checkServices,
  deregister,
  listServices,
  query,
  register,
  serviceKey,
} from "./controller_services.ts";
import { isHere, page } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import { messageOf } from "./handlers.ts";
import type { Reply } from "./handlers.ts";
import { inParallel } from "./in_parallel.ts";
import { Lease } from "./lease.ts";
import type { ClusterNode } from "./node.ts";
import type { Store } from "./store.ts";
import { tablesIn } from "./tables.ts";

/** When a controller does what it does by itself, in ms. */
export interface ControllerTimes {
  /** Between two looks at what there is to repair; a death is looked at at once. */
  readonly sweepMs: number;
  /** Between two looks at services. */
  readonly healthMs: number;
  /** Between two looks at what a node has, beside those when it comes. */
  readonly inspectMs: number;
  /** Until a node that was never heard of is taken for gone: a controller that was just started has heard of nobody. */
  readonly settleMs: number;
}

/** How long each of them is when nothing is said. */
export const controllerTimes: ControllerTimes = {
  sweepMs: 10_000,
  healthMs: 5000,
  inspectMs: 300_000,
  settleMs: 60_000,
};

/** How often it looks whether it still leads. */
const LEASE_LOOK_MS = 1000;
/** How long a node that is said to be dead has for an answer, and how many are asked at once. */
const PING_MS = 1000;
const PINGS_MAX = 64;
/** Nodes whose possessions are looked at at once. */
const INSPECTIONS_MAX = 8;

/** What a controller works with. */
export interface ControllerParts {
  readonly node: ClusterNode;
  readonly store: Store;
  /** What membership knows now. */
  readonly members: () => readonly MemberUpdate[];
  readonly times?: Partial<ControllerTimes> | undefined;
}

type Answers = {
  readonly [T in MessageType]?: (data: MessageData[T], message: Message) => Promise<Reply | void>;
};

/**
 * A controller: it knows what nodes have, says what runs where, knows services and files, and repairs what is broken. Any number of them
 * share one store; all answer, and one at a time looks after things of its own accord.
 */
export class Controller implements AsyncDisposable {
  readonly #node: ClusterNode;
  readonly #times: ControllerTimes;
  readonly #lease: Lease;
  readonly #fleet: Fleet;
  readonly #members: () => readonly MemberUpdate[];
  readonly #ended = new AbortController();
  readonly #loops: Promise<void>[];
  /** Nodes whose possessions were looked at: in which life, and when. */
  readonly #inspected = new Map<string, { readonly incarnation: number; readonly at: number }>();
  /** Nodes that are dead and did not answer: in which life. */
  readonly #buried = new Map<string, number>();
  readonly #settledAt: number;
  #byId = new Map<string, MemberUpdate>();
  /** What has the next look at once, by what looks. */
  readonly #wakers = new Map<() => Promise<void>, () => void>();

  constructor({ node, store, members, times }: ControllerParts) {
    this.#node = node;
    this.#times = { ...controllerTimes, ...times };
    this.#lease = new Lease(store, node.id);
    this.#members = members;
    this.#settledAt = performance.now() + this.#times.settleMs;
    this.#fleet = {
      node,
      tables: tablesIn(store),
      member: (id) => this.#byId.get(id),
      isGone: (id) => this.#isGone(id),
      stir: () => this.#wake(),
    };
    this.changed();
    for (const [type, answer] of Object.entries(this.#answers())) {
      // A status that comes later is not overtaken by one that came before.
      node.handle(type, answer as never, { concurrent: type !== "resource.status" });
    }
    const fleet = this.#fleet;
    const { sweepMs, healthMs } = this.#times;
    this.#loops = [
      this.#repeat(LEASE_LOOK_MS, () => Promise.resolve()),
      this.#repeat(healthMs, () => checkServices(fleet)),
      this.#repeat(sweepMs, () => this.#repair(), true),
      // Large files take their time: instances do not wait for them.
      this.#repeat(sweepMs, () => this.#repairFiles(), true),
    ];
  }

  /** What is known of nodes has changed. */
  changed(): void {
    this.#byId = new Map(this.#members().map((update) => [update.node, update]));
    this.#wake();
  }

  /** Ends it; another one may lead. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    this.#wake();
    await Promise.all(this.#loops);
    await this.#lease.release().catch(() => {});
  }

  #answers(): Answers {
    const fleet = this.#fleet;
    const of = (type: MessageType, data: Reply["data"]): Reply => ({ type, data });
    return {
      "resource.status": (data, { sender }) => noteStatus(fleet, sender, data),
      "resource.request": async (data) => of("resource.allocated", await allocate(fleet, data)),
      "instance.create": async (data) => of("instance.started", await create(fleet, data)),
      "instance.stop": async (data) => of("instance.stopped", await stop(fleet, data)),
      "instance.stopped": (data, { sender }) => end(fleet, sender, data),
      "instance.list": async ({ after }) => {
        const { rows, more } = page(await listInstances(fleet), (one) => one.instance_id, after);
        return of("instance.listing", { instances: rows, more });
      },
      "node.list": async ({ after }) => {
        const { rows, more } = page(await listNodes(fleet, this.#members()), ({ node }) => node, after);
        return of("node.listing", { nodes: rows, more });
      },
      "node.leave": async (data) => of("node.left", await sendAway(fleet, data)),
      "node.drain": async (_data, { sender }) => of("node.left", await this.#drain(sender)),
      "fs.write": async (data) => of("fs.placed", await placeFile(fleet, data)),
      "fs.commit": async (data) => of("fs.stored", await commitFile(fleet, data)),
      "fs.locate": async (data) => of("fs.located", await locateFile(fleet, data)),
      "fs.list": async ({ after }) => {
        const { rows, more } = page(await fleet.tables.files.all(), ({ path }) => path, after);
        return of("fs.listing", { files: rows, more });
      },
      "mesh.register": (data, { sender }) => register(fleet, sender, data),
      "mesh.deregister": (data, { sender }) => deregister(fleet, sender, data),
      "mesh.query": async (data) => of("mesh.response", await query(fleet, data)),
      "mesh.list": async ({ after }) => {
        const { rows, more } = page(await listServices(fleet), serviceKey, after);
        return of("mesh.listing", { services: rows, more });
      },
    };
  }

  /** A node wants to leave: what it runs and keeps goes to others first. */
  async #drain(node: string): Promise<MessageData["node.left"]> {
    await setLeaving(this.#fleet, node, true);
    try {
      await moveFiles(this.#fleet, node);
    } catch (error) {
      await setLeaving(this.#fleet, node, false);
      throw error;
    }
    await moveInstances(this.#fleet, node);
    return { node };
  }

  #wake(): void {
    for (const wake of this.#wakers.values()) wake();
  }

  async #repair(): Promise<void> {
    await forgetLeft(this.#fleet);
    await this.#bury();
    await this.#inspect();
    await repairInstances(this.#fleet);
  }

  async #repairFiles(): Promise<void> {
    await this.#bury();
    await repairFiles(this.#fleet);
  }

  #isGone(id: string): boolean {
    const update = this.#byId.get(id);
    if (update === undefined) return performance.now() >= this.#settledAt;
    return update.state === "left" ||
      (update.state === "dead" && this.#buried.get(id) === update.incarnation);
  }

  /**
   * Asks those who are said to be dead, once. When a cluster that was cut in two finds itself again, each half says of the other that it is
   * dead, until it contradicts: nothing must be moved for that.
   */
  async #bury(): Promise<void> {
    const dead = Array.from(this.#byId.values()).filter(({ node, state, incarnation }) =>
      state === "dead" && this.#buried.get(node) !== incarnation
    );
    await inParallel(dead, PINGS_MAX, async ({ node, incarnation }) => {
      const isThere = await this.#node.ping(node, PING_MS).then(() => true, () => false);
      if (!isThere) this.#buried.set(node, incarnation);
    });
  }

  /** Looks at what those nodes have that have come, or come again, or were looked at long ago. */
  async #inspect(): Promise<void> {
    const now = performance.now();
    const due = (await this.#fleet.tables.nodes.all()).flatMap(({ node }) => {
      const incarnation = this.#byId.get(node)?.incarnation;
      if (incarnation === undefined || !isHere(this.#fleet, node)) return [];
      const known = this.#inspected.get(node);
      const isDue = known?.incarnation !== incarnation || now - known.at >= this.#times.inspectMs;
      return isDue ? [{ node, incarnation }] : [];
    });
    await inParallel(due, INSPECTIONS_MAX, async ({ node, incarnation }) => {
      try {
        await inspectInstances(this.#fleet, node);
        await inspectFiles(this.#fleet, node);
        this.#inspected.set(node, { incarnation, at: now });
      } catch (error) {
        this.#node.note(`looking at what '${node}' has: ${messageOf(error)}`);
      }
    });
  }

  /** Does something again and again, as long as this controller leads. */
  async #repeat(everyMs: number, work: () => Promise<void>, isStirred = false): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const next = new AbortController();
      // Whatever stirs while the work is done has it done again.
      if (isStirred) this.#wakers.set(work, () => next.abort());
      try {
        if (await this.#lease.hold(performance.now())) await work();
      } catch (error) {
        this.#node.note(error instanceof RgtpError ? error.message : String((error as Error).stack));
      }
      await pause(everyMs, AbortSignal.any([next.signal, this.#ended.signal]));
    }
  }
}

/** A node's answer to `node.list`: it knows no more than membership does. */
export function nodesKnown(members: readonly MemberUpdate[], after: string | undefined): Reply {
  const rows = members.map((update) => listedNode(update.node, update, undefined));
  const { rows: nodes, more } = page(rows, ({ node }) => node, after);
  return { type: "node.listing", data: { nodes, more } };
}
