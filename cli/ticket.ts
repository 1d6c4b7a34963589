import { RgtpError } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { Io } from "./_io.ts";
import { emit } from "./_report.ts";
import { stateFlags, statePermissions, withRegistry } from "./_state.ts";
import { visible } from "./_text.ts";

const ticketFlags = {
  label: { kind: "string", help: "a name for it, to find and revoke it by; pullers do not see it" },
  expires: { kind: "duration", help: "how long it is good, such as 1h, 7d", default: "until it is revoked" },
  ...stateFlags,
} as const satisfies FlagTable;

/** `rgtp ticket new PATH|ID`. */
export const ticketCommand: Command = defineCommand({
  summary: "makes one more ticket to what was exposed from here",
  operands: { required: ["new", "PATH|ID"], optional: [] },
  flags: ticketFlags,
  details: [
    "PATH is what was given to 'rgtp expose' (- for a stream that is served now), ID an exposure's ID or its first characters ('rgtp " +
    "status' lists them). The ticket names the addresses where it was served last. An exposer that runs takes it within two seconds.",
    "It is printed on standard output, and kept nowhere: whoever has it may pull. Ended one by one, with 'rgtp revoke', tickets tell " +
    "people apart.",
    "Exit status: 0, or the error's code without its sign: 2 wrong arguments, 16 nothing like that was exposed, or under another identity.",
  ],
  examples: ["new video.mkv --label 'for Bob' --expires 7d"],
  permissions: statePermissions,
  run: ({ flags, rest }, io) => Promise.resolve(runTicket(rest, flags, io)),
});

function runTicket(
  [action, what]: readonly string[],
  flags: Parsed<typeof ticketFlags>["flags"],
  io: Io,
): number {
  if (action !== "new") {
    throw new RgtpError("INVALID_ARG", `'${visible(action)}' cannot be done with a ticket: say 'ticket new'`);
  }
  const { label, expires } = flags;
  const expiresMs = expires === undefined ? undefined : Date.now() + expires;
  const ticket = withRegistry(flags, (registry) =>
    registry.newTicket(what, {
      ...(label !== undefined && { label }),
      ...(expiresMs !== undefined && { expiresMs }),
    }));
  if (flags.json) {
    emit(io, "ticket", { ticket, label: label ?? "", ...(expiresMs !== undefined && { expiresMs }) });
  } else io.out(ticket);
  return 0;
}
