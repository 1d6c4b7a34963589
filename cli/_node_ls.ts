import type { FleetClient } from "../cluster/io/fleet_client.ts";
import type { ListedFile, ListedInstance, ListedNode } from "../cluster/protocol/message_data.ts";
import { RgtpError } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { clientFlags, clientPermissions, clientStatus, withFleet } from "./_fleet_flags.ts";
import { Interrupt, pause } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { emit } from "./_report.ts";
import { tableLines } from "./_table.ts";
import type { Column } from "./_table.ts";
import { formatBytes, visible } from "./_text.ts";

/** Something that can be listed: how it is asked for, and shown. */
interface Listing<Row> {
  readonly event: string;
  readonly rows: (fleet: FleetClient) => Promise<readonly Row[]>;
  readonly columns: readonly Column<Row>[];
}

const MIB = 1_048_576;
const tenth = (value: number) => Math.round(value * 10) / 10;

const nodes: Listing<ListedNode> = {
  event: "node",
  rows: (fleet) => fleet.nodes(),
  columns: [
    ["NODE", ({ node }) => node],
    ["STATE", ({ state }) => state],
    ["ADDRESS", ({ address }) => address],
    ["DOES", ({ controller }) => controller ? "controls" : "works"],
    ["CPU %", ({ cpu_percent }) => cpu_percent],
    ["RAM %", ({ ram_percent }) => ram_percent],
    ["CORES FREE", ({ cores_free }) => tenth(cores_free)],
    ["RAM FREE", ({ ram_free_mb }) => formatBytes(Math.round(ram_free_mb) * MIB)],
    ["DISK FREE", ({ disk_free_mb }) => formatBytes(Math.round(disk_free_mb) * MIB)],
    ["INSTANCES", ({ instances }) => instances],
    ["LABELS", ({ labels }) => Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(" ")],
  ],
};

const instances: Listing<ListedInstance> = {
  event: "instance",
  rows: (fleet) => fleet.instances(),
  columns: [
    ["INSTANCE", ({ instance_id }) => instance_id],
    ["NAME", ({ name }) => name],
    ["NODE", ({ node }) => node],
    ["STATE", ({ state }) => state],
    ["PID", ({ pid }) => pid === 0 ? "" : `${pid}`],
    ["EXIT", ({ state, exit_code }) => state === "stopped" ? `${exit_code}` : ""],
    ["WHY", ({ reason }) => reason],
  ],
};

const files: Listing<ListedFile> = {
  event: "file",
  rows: (fleet) => fleet.files(),
  columns: [
    ["PATH", ({ path }) => path],
    ["SIZE", ({ size }) => formatBytes(size)],
    ["COPIES", ({ nodes, replication_factor }) => `${nodes.length}/${replication_factor}`],
    ["NODES", ({ nodes }) => nodes.join(" ")],
    ["SHA-256", ({ checksum }) => checksum.slice(7, 23)],
  ],
};

const listings = new Map<string, (fleet: FleetClient, io: Io, json: boolean) => Promise<void>>([
  ["nodes", shower(nodes)],
  ["instances", shower(instances)],
  ["files", shower(files)],
]);

function shower<Row extends Readonly<Record<string, unknown>>>({ event, rows, columns }: Listing<Row>) {
  return async (fleet: FleetClient, io: Io, json: boolean) => {
    const found = await rows(fleet);
    if (json) { for (const row of found) emit(io, event, { ...row }); }
    else if (found.length === 0) io.err(`there is no ${event}\n`);
    else for (const line of tableLines(columns, found)) io.out(line);
  };
}

/** `rgtp node ls [WHAT]`. */
export const nodeLsCommand: Command = defineCommand({
  summary: "lists nodes, instances or files of a cluster",
  operands: { required: [], optional: [[...listings.keys()].join("|")] },
  flags: clientFlags,
  details: [
    "Nodes when nothing is said. Free is what can still be reserved: of processors what no instance has reserved, of memory and disk what " +
    "nobody has taken either. Instances are listed for an hour after their end. Beside a file stands how many of its copies are there.",
    clientStatus,
  ],
  examples: ["--as nodes/operator --at 192.0.2.1", "files --as nodes/operator --at 192.0.2.1 --json"],
  permissions: clientPermissions,
  run: async ({ flags, rest: [what = "nodes"] }, io) => {
    const show = listings.get(what);
    if (!show) {
      const known = [...listings.keys()].join(", ");
      throw new RgtpError("INVALID_ARG", `'${visible(what)}' cannot be listed: say one of ${known}`);
    }
    await withFleet(flags, (fleet) => show(fleet, io, flags.json));
    return 0;
  },
});

const topFlags = {
  ...clientFlags,
  every: { kind: "duration", help: "how often to look", default: "2s" },
  once: { kind: "boolean", help: "look once, and end" },
} as const satisfies FlagTable;

const EVERY_MS = 2000;
/** To the corner of the screen, and away with what is below. */
const CLEAR = "\x1b[H\x1b[J";

/** `rgtp node top`. */
export const nodeTopCommand: Command = defineCommand({
  summary: "shows what nodes do and what they have free, again and again",
  operands: { required: [], optional: [] },
  flags: topFlags,
  details: [
    "On a terminal until Ctrl-C; else once. With --json it prints lines for nodes and instances each time, and 'looked' after them. " +
    "Processors and memory are what nodes have told last: every 30 s.",
    clientStatus,
  ],
  examples: ["--as nodes/operator --at 192.0.2.1"],
  permissions: clientPermissions,
  run: ({ flags }, io) => withFleet(flags, (fleet) => runTop(fleet, flags, io)),
});

async function runTop(fleet: FleetClient, flags: Parsed<typeof topFlags>["flags"], io: Io): Promise<number> {
  using interrupt = new Interrupt();
  const isOnce = flags.once || !(flags.json || io.outIsTerminal);
  while (!interrupt.signal.aborted) {
    const [allNodes, allInstances] = await Promise.all([nodes.rows(fleet), instances.rows(fleet)]);
    const running = allInstances.filter(({ state }) => state !== "stopped");
    if (flags.json) {
      for (const row of allNodes) emit(io, "node", { ...row });
      for (const row of running) emit(io, "instance", { ...row });
      emit(io, "looked", { nodes: allNodes.length, instances: running.length });
    } else {
      const text = [
        ...tableLines(nodes.columns, allNodes),
        "",
        ...tableLines(instances.columns, running),
      ].join("\n");
      io.out(`${isOnce ? "" : CLEAR}${text}`);
    }
    if (isOnce) return 0;
    await pause(flags.every ?? EVERY_MS, interrupt.signal);
  }
  return interrupt.status ?? 0;
}
