import type { Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { Io } from "./_io.ts";
import { emit } from "./_report.ts";
import { stateFlags, statePermissions, withRegistry } from "./_state.ts";
import { readTicketText } from "./_ticket_input.ts";
import { ticketLine } from "./status.ts";

/** `rgtp revoke TICKET|ID|LABEL`. */
export const revokeCommand: Command = defineCommand({
  summary: "ends tickets, and the pulls under them",
  operands: { required: ["TICKET|ID|LABEL"], optional: [] },
  flags: stateFlags,
  details: [
    "Given a ticket (or @FILE, or - for standard input) or its ID, it ends that one; given a label, all tickets with it; given an " +
    "exposure's ID, or the first characters of one, all tickets to that. 'rgtp status' lists them.",
    "An exposer that runs notices within two seconds: pulls under these tickets end then with status 17, in the middle of a file as well, " +
    "and keep what they have. What was pulled before cannot be taken back. What is exposed with --open or --allow has no tickets to end.",
    "Exit status: 0, or the error's code without its sign: 2 that means more than one thing, 16 there is no such ticket.",
  ],
  examples: ["@ticket.txt", "'for Bob'", "nMoZS-2B0QLi"],
  permissions: statePermissions,
  run: ({ flags, rest }, io) => runRevoke(rest[0], flags, io),
});

async function runRevoke(
  argument: string,
  flags: Parsed<typeof stateFlags>["flags"],
  io: Io,
): Promise<number> {
  const what = await readTicketText(argument, io);
  const revoked = withRegistry(flags, (registry) => registry.revoke(what));
  for (const ticket of revoked) {
    if (flags.json) emit(io, "revoked", { ...ticket });
    else io.out(`revoked ${ticketLine(ticket, Date.now())}`);
  }
  return 0;
}
