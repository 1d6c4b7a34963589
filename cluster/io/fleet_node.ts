import type { Address } from "../../codec/address.ts";
import { RgtpError } from "../../core/errors.ts";
import type { MemberUpdate } from "../protocol/membership/member.ts";
import { isController } from "../protocol/roles.ts";
import { pause } from "./_pause.ts";
import { askControllers, controllersAmong, FLEET } from "./controllers.ts";
import { Controller, nodesKnown } from "./controller.ts";
import type { ControllerTimes } from "./controller.ts";
import { commandExecutor } from "./executor.ts";
import type { Confinement, Executor } from "./executor.ts";
import { FileKeeper } from "./file_keeper.ts";
import { exposureHost, FileSender } from "./file_sender.ts";
import { messageOf } from "./handlers.ts";
import { Meter } from "./measure.ts";
import { joinCluster } from "./membership.ts";
import type { Membership } from "./membership.ts";
import { startNode } from "./node.ts";
import type { ClusterNode, NodeOptions } from "./node.ts";
import { Shelf } from "./shelf.ts";
import type { Store } from "./store.ts";
import { unauthorized, Worker } from "./worker.ts";
import type { Tell } from "./worker.ts";

/** What every node of a fleet is started with. */
export interface FleetOptions extends NodeOptions {
  /** Where it takes connections: others have to find it there. */
  readonly listen: Address;
  /** Any node that belongs to the cluster; none for its first one. */
  readonly seed?: Address;
  /** See {@linkcode MembershipOptions.pace}. */
  readonly pace?: number;
  /** Called with each change of what is known of a node. */
  readonly onChange?: (update: MemberUpdate) => void;
}

/** A worker's own. */
export interface WorkerOptions extends FleetOptions {
  /** Where it keeps files, and runs instances. */
  readonly folder: string;
  /** What constraints of placements ask for. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What starts instances: `sh`, as processes of this machine, when nothing is said. */
  readonly executor?: Executor;
  /** From one report of what the node has to the next, in ms; RNP's 30 s when nothing is said. */
  readonly reportMs?: number;
}

/** A controller's own. */
export interface ControllerOptions extends FleetOptions {
  /** What it knows: shared by all controllers. */
  readonly store: Store;
  /** When it does what it does by itself. */
  readonly times?: Partial<ControllerTimes>;
}

/** A node that takes part in a fleet. */
export interface FleetNode extends AsyncDisposable {
  /** Its connections and messages. */
  readonly node: ClusterNode;
  /** Whom it knows. */
  readonly membership: Membership;
  /** What holds its instances to what they may use; of a controller there are none. */
  readonly confinement?: Confinement;
  /** Resolves when somebody has told the node to leave, and it may. */
  readonly left: Promise<string>;
  /** Gives what it does and keeps to others, and leaves. @throws {RgtpError} when it cannot: it stays then */
  leave(reason: string): Promise<void>;
}

const REPORT_MS = 30_000;
/** What was told last has so long to get there: others may be gone as well. */
const CLOSE_MS = 1000;
/** All that a node does may have to be moved before it leaves. */
const DRAIN_MS = 600_000;

/**
 * Starts a controller. Its ID has to be `controller`, or begin with `controller-`: so its certificate says that it is one.
 *
 * @throws {RgtpError} INVALID_ARG for another ID, and what {@linkcode startNode} and {@linkcode joinCluster} throw
 */
export async function startController(options: ControllerOptions): Promise<FleetNode> {
  const { store, times } = options;
  await using stack = new AsyncDisposableStack();
  const node = await startNode(options);
  stack.defer(() => node.close(CLOSE_MS));
  if (!isController(node.id)) throw wrongId(node.id, "a controller's begins with 'controller'");
  let changed = () => {};
  const membership = await joinCluster(node, {
    ...options,
    capabilities: ["controller"],
    onChange: (update) => {
      changed();
      options.onChange?.(update);
    },
  });
  stack.defer(() => membership.end());
  const controller = stack.use(new Controller({ node, store, members: () => membership.members, times }));
  changed = () => controller.changed();
  const all = stack.move();
  return {
    node,
    membership,
    left: new Promise(() => {}),
    leave: (reason) => Promise.try(() => membership.leave(reason)),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/**
 * Starts a node that runs instances and keeps files.
 *
 * @throws {RgtpError} ACCESS_DENIED when instances cannot be started, and what {@linkcode startNode} and {@linkcode joinCluster} throw
 */
export async function startWorker(options: WorkerOptions): Promise<FleetNode> {
  const { folder, labels, reportMs = REPORT_MS } = options;
  await using stack = new AsyncDisposableStack();
  const node = await startNode(options);
  stack.defer(() => node.close(CLOSE_MS));
  if (isController(node.id)) throw wrongId(node.id, "that is a controller's");
  const executor = options.executor ?? await commandExecutor(`${folder}/instances`, node.id);
  const shelf = await Shelf.open(`${folder}/files`);
  const meter = new Meter(folder, labels);
  const tell: Tell = async (type, data) =>
    await askControllers(
      controllersAmong(membership.members),
      (to) => node.send(to, type, data as never, FLEET),
    );
  let stir = () => {};
  const { host } = options.listen;
  const worker = new Worker({ node, executor, shelf, host, tell, onChange: () => stir() });
  stack.defer(() => worker.stopAll());
  new FileKeeper(node, shelf, new FileSender(node, exposureHost(node)));
  const membership = await joinCluster(node, {
    ...options,
    capabilities: ["instance", "filesystem", "mesh"],
    load: () => meter.load(worker.running),
    onChange: (update) => {
      if (isController(update.node)) stir();
      options.onChange?.(update);
    },
  });
  stack.defer(() => membership.end());
  node.handle("node.list", ({ after }) => nodesKnown(membership.members, after));

  const leave = async (reason: string) => {
    const drain = (to: string) =>
      node.request(to, "node.drain", { node: node.id }, { ...FLEET, timeoutMs: DRAIN_MS });
    await askControllers(controllersAmong(membership.members), drain);
    membership.leave(reason);
  };
  const { promise: left, resolve: haveLeft } = Promise.withResolvers<string>();
  node.handle("node.leave", async ({ reason }, { sender }) => {
    if (!isController(sender)) throw unauthorized(sender, "node.leave");
    await leave(reason);
    haveLeft(reason);
    return { type: "node.left", data: { node: node.id } };
  }, { concurrent: true });

  // What the node has it tells from time to time, when that changes, and when a controller comes.
  const ended = new AbortController();
  stack.defer(() => ended.abort());
  void (async () => {
    while (!ended.signal.aborted) {
      const next = new AbortController();
      stir = () => next.abort();
      try {
        await tell("resource.status", await meter.status());
      } catch (error) {
        node.note(`what this node has is not told yet: ${messageOf(error)}`);
      }
      await pause(reportMs, AbortSignal.any([next.signal, ended.signal]));
    }
  })();
  const all = stack.move();
  return {
    node,
    membership,
    confinement: executor.confinement,
    left,
    leave,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function wrongId(id: string, why: string): RgtpError {
  return new RgtpError("INVALID_ARG", `'${id}' cannot be this node's ID: ${why}`);
}
