import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { clientFlags, clientPermissions, clientStatus, withFleet } from "./_fleet_flags.ts";
import { emit } from "./_report.ts";
import { visible } from "./_text.ts";

/** `rgtp node leave NODE`. */
export const nodeLeaveCommand: Command = defineCommand({
  summary: "has a node give what it does to others, and leave its cluster",
  operands: { required: ["NODE"], optional: [] },
  flags: clientFlags,
  details: [
    "Its instances are ended and started elsewhere, and its files copied, before it goes. A node that alone keeps a file which no other has " +
    "room for does not leave. A controller leaves when its process is ended.",
    clientStatus,
  ],
  examples: ["node-3 --as nodes/operator --at 192.0.2.1"],
  permissions: clientPermissions,
  run: async ({ flags, rest: [node] }, io) => {
    await withFleet(flags, (fleet) => fleet.leave(node, "told to leave"));
    if (flags.json) emit(io, "left", { node });
    else io.out(`${visible(node)} has left`);
    return 0;
  },
});
