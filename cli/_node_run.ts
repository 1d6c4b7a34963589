import { RgtpError } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { InstancePlan } from "../cluster/protocol/instances.ts";
import { clientFlags, clientPermissions, clientStatus, pairsOf, withFleet } from "./_fleet_flags.ts";
import type { Io } from "./_io.ts";
import { emit } from "./_report.ts";
import { visible } from "./_text.ts";

const MIB = 1_048_576;

const runFlags = {
  ...clientFlags,
  name: { kind: "string", help: "what the instance is called", default: "the program's name" },
  id: { kind: "string", help: "its ID", default: "its name and eight random digits" },
  cpu: {
    kind: "string",
    placeholder: "CORES",
    help: "processors that are kept for it, and that it is held to, such as 0.5",
    default: "none, and no limit",
  },
  ram: {
    kind: "size",
    help: "memory that is kept for it, and that it is held to",
    default: "none, and no limit",
  },
  disk: { kind: "size", help: "disk that is kept for it; nothing holds it to that", default: "none" },
  strategy: {
    kind: "choice",
    choices: ["spread", "pack"],
    help: "to the node that runs least, or to the one that is filled best by it",
    default: "spread",
  },
  constraint: {
    kind: "strings",
    placeholder: "KEY=VALUE",
    help: "nodes with this label alone; also KEY!=VALUE, KEY, and node=ID; may be given several times",
  },
  env: { kind: "strings", placeholder: "NAME=VALUE", help: "a variable for it; may be given several times" },
  service: {
    kind: "string",
    placeholder: "NAME:PORT",
    help: "it offers this service: it has started when somebody listens on that port",
  },
  protocol: {
    kind: "choice",
    choices: ["http", "https", "tcp"],
    help: "of the service",
    default: "http with --health, tcp else",
  },
  health: {
    kind: "string",
    placeholder: "PATH",
    help: "where the service is asked for its health, such as /health",
  },
  version: { kind: "string", help: "of the service", default: "1.0.0" },
  tag: { kind: "strings", help: "of the service; may be given several times" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof runFlags>["flags"];

/** `rgtp node run PROGRAM [ARG…]`. */
export const nodeRunCommand: Command = defineCommand({
  summary: "starts a program on a node of a cluster",
  operands: { required: ["PROGRAM"], optional: [], repeated: "ARG" },
  flags: runFlags,
  details: [
    "A controller finds a node with room and has it start the program. It runs until it ends by itself or is stopped: when its node dies or " +
    "leaves, it is started on another one. It starts in a folder of its own, with output.log in it for what it prints, and with RNP_HOST, " +
    "RNP_NODE, RNP_INSTANCE and, for a service, PORT in its environment: a service has to listen on RNP_HOST, or on all addresses.",
    "Arguments that begin with '-' stand behind '--'.",
    clientStatus,
  ],
  examples: [
    "--as nodes/operator --at 192.0.2.1 -- sleep 1000",
    "--as nodes/operator --at 192.0.2.1 --ram 512M --cpu 0.5 --service users:8080 --health /health -- /srv/users --quiet",
  ],
  permissions: clientPermissions,
  run: ({ flags, rest }, io) => runInstance(flags, rest, io),
});

async function runInstance(flags: Flags, [script, ...args]: readonly string[], io: Io): Promise<number> {
  const plan = planOf(flags, script, args);
  const placement = {
    strategy: flags.strategy ?? "spread",
    ...(flags.constraint && { constraints: flags.constraint }),
  };
  const made = await withFleet(flags, (fleet) => fleet.run(plan, placement));
  const { instance_id, node, pid, startup_time_ms, listening_on } = made;
  if (flags.json) emit(io, "started", { instance_id, node, pid, startup_time_ms, listening_on });
  else {
    const where = listening_on === undefined ? "" : `, listens on ${visible(listening_on)}`;
    io.out(
      `${instance_id} runs on ${node} as process ${pid}, started in ${
        Math.round(startup_time_ms)
      } ms${where}`,
    );
  }
  return 0;
}

function planOf(flags: Flags, script: string, args: readonly string[]): InstancePlan {
  const name = flags.name ?? script.split("/").at(-1)!;
  const stem = name.replaceAll(/[^A-Za-z0-9_-]/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 40) ||
    "instance";
  const service = serviceOf(flags);
  return {
    instance_id: flags.id ?? `${stem}-${crypto.randomUUID().slice(0, 8)}`,
    name,
    script,
    ...(args.length > 0 && { args }),
    ...(flags.env && { env: pairsOf("env", flags.env) }),
    resources: {
      cpu_percent: coresOf(flags.cpu) * 100,
      ram_mb: (flags.ram ?? 0) / MIB,
      disk_mb: (flags.disk ?? 0) / MIB,
    },
    ...(service && { service }),
  };
}

function coresOf(text = "0"): number {
  const cores = Number(text);
  if (text.trim() !== "" && cores >= 0 && cores <= 1024) return cores;
  throw new RgtpError("INVALID_ARG", `--cpu '${visible(text)}' is not a number of processors, such as 0.5`);
}

function serviceOf({ service, protocol, health, version, tag }: Flags): InstancePlan["service"] {
  if (service === undefined) {
    const stray = Object.entries({ protocol, health, version, tag }).find(([, value]) => value !== undefined);
    if (stray) {
      throw new RgtpError("INVALID_ARG", `--${stray[0]} belongs to --service: say that too, or leave it out`);
    }
    return undefined;
  }
  const [, name, port] = /^(.+):(\d{1,5})$/.exec(service) ?? [];
  if (name === undefined) {
    throw new RgtpError("INVALID_ARG", `--service '${visible(service)}' is not NAME:PORT`);
  }
  return {
    service_name: name,
    version: version ?? "1.0.0",
    protocol: protocol ?? (health === undefined ? "tcp" : "http"),
    port: Number(port),
    ...(health !== undefined && { health_check: health }),
    ...(tag && { tags: tag }),
  };
}

/** `rgtp node stop INSTANCE`. */
export const nodeStopCommand: Command = defineCommand({
  summary: "ends an instance",
  operands: { required: ["INSTANCE"], optional: [] },
  flags: clientFlags,
  details: ["It is told to end (SIGTERM), and ended when it has not after 5 s.", clientStatus],
  examples: ["sleep-1f2e3d4c --as nodes/operator --at 192.0.2.1"],
  permissions: clientPermissions,
  run: async ({ flags, rest: [id] }, io) => {
    const { instance_id, exit_code, reason } = await withFleet(flags, (fleet) => fleet.stop(id));
    if (flags.json) emit(io, "stopped", { instance_id, exit_code, reason });
    else io.out(`${visible(instance_id)} has ended: ${visible(reason)}, status ${exit_code}`);
    return 0;
  },
});
