import type { ListedService, ServiceInstance } from "../cluster/protocol/message_data.ts";
import type { FlagTable } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { clientFlags, clientPermissions, clientStatus, withFleet } from "./_fleet_flags.ts";
import { emit } from "./_report.ts";
import { tableLines } from "./_table.ts";
import type { Column } from "./_table.ts";

const servicesFlags = {
  ...clientFlags,
  healthy: { kind: "boolean", help: "with NAME: those alone that are healthy" },
  version: { kind: "string", help: "with NAME: those alone of this version" },
} as const satisfies FlagTable;

const columns: readonly Column<ServiceInstance>[] = [
  ["INSTANCE", ({ instance_id }) => instance_id],
  ["NODE", ({ node }) => node],
  ["ADDRESS", ({ address }) => address],
  ["HEALTHY", ({ healthy }) => healthy ? "yes" : "no"],
  ["LATENCY ms", ({ latency_ms }) => latency_ms],
];

const listColumns: readonly Column<ListedService>[] = [
  ["SERVICE", ({ service_name }) => service_name],
  ["VERSION", ({ version }) => version],
  ["PROTOCOL", ({ protocol }) => protocol],
  ...columns,
];

/** `rgtp node services [NAME]`. */
export const nodeServicesCommand: Command = defineCommand({
  summary: "lists the services of a cluster, or where one of them is",
  operands: { required: [], optional: ["NAME"] },
  flags: servicesFlags,
  details: [
    "Of one service the healthy instances stand first, and the quickest of them first. A controller looks at each every 5 s: healthy is " +
    "one that answers with 200 to 299, or takes a connection when no path was given; two failures in a row end that. The latency is what " +
    "the controller has measured, smoothed.",
    clientStatus,
  ],
  examples: [
    "--as nodes/operator --at 192.0.2.1",
    "users --healthy --as nodes/operator --at 192.0.2.1 --json",
  ],
  permissions: clientPermissions,
  run: async ({ flags, rest: [service_name] }, io) => {
    const { healthy, version } = flags;
    await withFleet(flags, async (fleet) => {
      const show = <Row extends Readonly<Record<string, unknown>>>(
        rows: readonly Row[],
        shown: readonly Column<Row>[],
      ) => {
        if (flags.json) { for (const row of rows) emit(io, "service", { ...row }); }
        else if (rows.length === 0) io.err("there is none\n");
        else for (const line of tableLines(shown, rows)) io.out(line);
      };
      if (service_name === undefined) return show(await fleet.services(), listColumns);
      const filters = { ...(healthy && { healthy }), ...(version !== undefined && { version }) };
      show((await fleet.query({ service_name, filters })).instances, columns);
    });
    return 0;
  },
});
