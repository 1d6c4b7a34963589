import { formatAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { certificateFacts } from "../cluster/io/credentials.ts";
import { controllerTimes } from "../cluster/io/controller.ts";
import { startController, startWorker } from "../cluster/io/fleet_node.ts";
import type { FleetNode, FleetOptions } from "../cluster/io/fleet_node.ts";
import { makeFolder } from "../cluster/io/_files.ts";
import { followNodeFolder } from "../cluster/io/renewal.ts";
import { openSqliteStore } from "../cluster/io/sqlite_store.ts";
import type { Store } from "../cluster/io/store.ts";
import { isController } from "../cluster/protocol/roles.ts";
import { RgtpError } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { identityFlag, nodeAddress, pairsOf, takeIdentity } from "./_fleet_flags.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { demand, toNet, toRead, toWrite } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { visible } from "./_text.ts";

const startFlags = {
  ...identityFlag,
  listen: {
    kind: "string",
    placeholder: "HOST[:PORT]",
    help: "where others find this node: an address of this machine; port 7946 when none is said, 0 for any",
  },
  data: {
    kind: "string",
    placeholder: "FOLDER",
    help: "where it keeps files, instances, or what a controller knows",
    default: "'data' in the folder of --as",
  },
  label: {
    kind: "strings",
    placeholder: "KEY=VALUE",
    help: "what constraints of instances ask for, such as region=us-east; may be given several times",
  },
  store: {
    kind: "strings",
    placeholder: "nats://HOST[:PORT]",
    help:
      "for controllers: what they know is kept there (JetStream), for all of them; each server of the NATS cluster once",
    default: "SQLite, in the data folder: for one controller",
  },
  pace: {
    kind: "string",
    placeholder: "NUMBER",
    help: "how many times faster than RNP's timeline deaths are found: the same for all nodes of a cluster",
    default: "1: after 36 s",
  },
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof startFlags>["flags"];

const about = {
  flags: startFlags,
  details: [
    "A node whose ID is 'controller', or begins with 'controller-', is a controller: it says what runs where, knows services and files, " +
    "and repairs. All others run instances and keep files. Every cluster needs a controller; several share one truth with --store.",
    "An instance is a process of this machine, started by 'sh', with this user's rights: whoever has a certificate of the cluster can run " +
    "programs here. Memory and processors are limited where a control group (version 2) can be written, memory alone by ulimit else; what " +
    "limits them here is said at the start.",
    "Ctrl-C and SIGTERM: the node gives what it runs and keeps to others, leaves, and ends; the second one ends it at once.",
    "Exit status: 130 after Ctrl-C, 143 after SIGTERM, 0 when it was told to leave, or the error's code without its sign: 2 wrong " +
    "arguments, 11 the address is in use, 12 nobody of the cluster is there, 19 another process is this node.",
  ],
  permissions: [
    ["--allow-net", "to listen, to reach other nodes, and to look at services"],
    [
      "--allow-read --allow-write",
      "=AS,DATA is enough: who this is, and its data; large files travel with what 'rgtp pull' takes",
    ],
    ["--allow-run=sh", "to start instances; not for a controller"],
    [
      "--allow-sys=cpus,systemMemoryInfo,statfs,networkInterfaces",
      "to tell what the node has; without it that is nothing",
    ],
  ],
} as const;

/** `rgtp node start`. */
export const nodeStartCommand: Command = defineCommand({
  ...about,
  summary: "starts the first node of a cluster, or one that others join",
  operands: { required: [], optional: [] },
  examples: [
    "--as nodes/controller --listen 192.0.2.1",
    "--as nodes/controller-2 --listen 192.0.2.2 --store nats://192.0.2.9",
  ],
  run: ({ flags }, io) => runNode(flags, undefined, io),
});

/** `rgtp node join HOST:PORT`. */
export const nodeJoinCommand: Command = defineCommand({
  ...about,
  summary: "starts a node that joins a cluster through any node of it",
  operands: { required: ["HOST[:PORT]"], optional: [] },
  examples: ["192.0.2.1 --as nodes/node-1 --listen 192.0.2.11 --label region=us-east"],
  run: ({ flags, rest }, io) => runNode(flags, nodeAddress(rest[0]), io),
});

async function runNode(flags: Flags, seed: Address | undefined, io: Io): Promise<number> {
  const listen = listenAddress(flags.listen);
  const pace = paceOf(flags.pace);
  demand([toNet()]);
  await using stack = new AsyncDisposableStack();
  const identity = await takeIdentity(flags.as, stack);
  const data = flags.data ?? `${flags.as}/data`;
  demand([toRead(data), toWrite(data)]);
  await makeFolder(data);
  using interrupt = new Interrupt();
  const onChange: FleetOptions["onChange"] = ({ node, state, address }) => {
    if (flags.json) emit(io, "member", { node, state, address });
    else io.err(`${visible(node)} is ${state}\n`);
  };
  const options = { ...identity, listen, pace, onChange, ...(seed && { seed }) };
  const id = certificateFacts(identity.credentials.cert).nodeId;
  const fleet = stack.use(
    await (isController(id) ? control(options, data, flags, stack) : work(options, data, flags)),
  );
  tell(fleet, flags, io);
  const ended = new AbortController();
  stack.defer(() => ended.abort());
  void followNodeFolder(fleet.node, flags.as!, ended.signal);
  const { promise: interrupted, resolve } = Promise.withResolvers<undefined>();
  interrupt.signal.addEventListener("abort", () => resolve(undefined));
  const reason = await Promise.race([fleet.left, interrupted]);
  if (reason === undefined) await leave(fleet, flags, io);
  if (flags.json) emit(io, "left", { node: fleet.node.id, reason: reason ?? "shutdown" });
  return reason === undefined ? interrupt.status! : 0;
}

async function control(
  options: Omit<FleetOptions, "store">,
  data: string,
  flags: Flags,
  stack: AsyncDisposableStack,
): Promise<FleetNode> {
  if (flags.label) {
    throw new RgtpError("INVALID_ARG", "--label is for nodes that run instances: leave it out");
  }
  const store = stack.use(await openStore(flags.store, data));
  const { pace = 1 } = options;
  const faster = Object.entries(controllerTimes).map(([name, ms]) => [name, ms / pace]);
  return await startController({ ...options, store, times: Object.fromEntries(faster) });
}

async function openStore(servers: readonly string[] | undefined, data: string): Promise<Store> {
  if (servers === undefined) return openSqliteStore(`${data}/controller.db`);
  // Loaded only where it is wanted: most controllers do without.
  const { openNatsStore } = await import("../cluster/io/nats_store.ts");
  return await openNatsStore({ servers, replicas: servers.length >= 3 ? 3 : 1 });
}

async function work(options: FleetOptions, folder: string, flags: Flags): Promise<FleetNode> {
  if (flags.store) throw new RgtpError("INVALID_ARG", "--store is for controllers: leave it out");
  return await startWorker({ ...options, folder, labels: pairsOf("label", flags.label) });
}

function tell({ node, confinement }: FleetNode, { json }: Flags, io: Io): void {
  const address = formatAddress(node.address!);
  if (json) {
    return emit(io, "ready", { node: node.id, address, controller: isController(node.id), confinement });
  }
  io.out(`${node.id} listens on ${address}`);
  if (!confinement) return;
  const { memory, cpu, endsWithNode } = confinement;
  io.err(`instances here: memory is limited by ${memory}, processors by ${cpu}; `);
  io.err(endsWithNode ? "they end with this node\n" : "they outlive this node when it is killed\n");
}

/** What cannot be given to others stays here, and is found again at the next start. */
async function leave(fleet: FleetNode, { json }: Flags, io: Io): Promise<void> {
  try {
    await fleet.leave("shutdown");
  } catch (error) {
    const why = (error as Error).message;
    if (json) emit(io, "abandoned", { why });
    else io.err(`ends without having left: ${visible(why)}\n`);
  }
}

function listenAddress(text: string | undefined): Address {
  if (text === undefined) {
    throw new RgtpError(
      "INVALID_ARG",
      "--listen HOST[:PORT] is missing: an address of this machine that others reach",
    );
  }
  // No address that others could send to, and one to listen on.
  const host = /^(.+):0$/.exec(text)?.[1];
  const address = host === undefined ? nodeAddress(text) : { ...nodeAddress(host), port: 0 };
  if (address.host !== "0.0.0.0" && address.host !== "::") return address;
  throw new RgtpError(
    "INVALID_ARG",
    `--listen ${text}: others cannot find a node there; name one address of this machine`,
  );
}

function paceOf(text = "1"): number {
  const pace = Number(text);
  if (pace >= 0.1 && pace <= 100) return pace;
  throw new RgtpError("INVALID_ARG", `--pace '${visible(text)}' is not a number from 0.1 to 100`);
}
