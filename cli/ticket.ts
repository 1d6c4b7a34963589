import { formatTicket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { Io } from "./_io.ts";
import { showQr, ticketQr } from "./_qr.ts";
import { emit } from "./_report.ts";
import { stateFlags, statePermissions, withRegistry } from "./_state.ts";
import { visible } from "./_text.ts";
import { readTicket } from "./_ticket_input.ts";

const ticketFlags = {
  label: { kind: "string", help: "a name for it, to find and revoke it by; pullers do not see it" },
  expires: { kind: "duration", help: "how long it is good, such as 1h, 7d", default: "until it is revoked" },
  qr: { kind: "boolean", help: "with 'new': show it as a QR code too, on standard error" },
  ...stateFlags,
} as const satisfies FlagTable;

/** `rgtp ticket new PATH|ID`, and `rgtp ticket qr TICKET`. */
export const ticketCommand: Command = defineCommand({
  summary: "makes one more ticket to what was exposed from here, or shows one as a QR code",
  operands: { required: ["new|qr", "PATH|ID|TICKET"], optional: [] },
  flags: ticketFlags,
  details: [
    "'new' takes PATH, what was given to 'rgtp expose' (- for a stream that is served now), or ID, an exposure's ID or its first " +
    "characters ('rgtp status' lists them). The ticket names the addresses where it was served last. An exposer that runs takes it within " +
    "two seconds.",
    "It is printed on standard output, and kept nowhere: whoever has it may pull. Ended one by one, with 'rgtp revoke', tickets tell " +
    "people apart.",
    "'qr' takes a TICKET, @FILE for a file that holds it, or - for standard input, and prints it as a QR code for a camera: on a terminal " +
    "in black on white, else for paper. It needs some 60 columns, and more for a ticket with many addresses or a long name.",
    "Exit status: 0, or the error's code without its sign: 2 wrong arguments, 14 the terminal is too narrow, 16 nothing like that was " +
    "exposed, or under another identity, or no such file.",
  ],
  examples: [
    "new video.mkv --label 'for Bob' --expires 7d",
    "new video.mkv --qr",
    "qr @ticket.txt",
    "qr - < ticket.txt",
  ],
  permissions: [...statePermissions, [
    "--allow-read=FILE",
    "with 'qr': the FILE of @FILE, and none of the others",
  ]],
  run: ({ flags, rest }, io) => runTicket(rest, flags, io),
});

type Flags = Parsed<typeof ticketFlags>["flags"];

async function runTicket([action, what]: readonly string[], flags: Flags, io: Io): Promise<number> {
  const run = new Map([["new", runNew], ["qr", runQr]]).get(action);
  if (run) return await run(what, flags, io);
  throw new RgtpError(
    "INVALID_ARG",
    `'${visible(action)}' cannot be done with a ticket: say 'ticket new' or 'ticket qr'`,
  );
}

async function runQr(source: string, { label, expires, qr, json }: Flags, io: Io): Promise<number> {
  if (label !== undefined || expires !== undefined || qr || json) {
    throw new RgtpError(
      "INVALID_ARG",
      "'ticket qr' prints a code, and takes none of the flags of 'ticket new'",
    );
  }
  for (const line of ticketQr(formatTicket(await readTicket(source, io)), io)) io.out(line);
  return 0;
}

function runNew(what: string, flags: Flags, io: Io): Promise<number> {
  const { label, expires, qr, json } = flags;
  if (qr && json) throw new RgtpError("INVALID_ARG", "--qr is for people, and --json for programs: drop one");
  const expiresMs = expires === undefined ? undefined : Date.now() + expires;
  const ticket = withRegistry(flags, (registry) =>
    registry.newTicket(what, {
      ...(label !== undefined && { label }),
      ...(expiresMs !== undefined && { expiresMs }),
    }));
  if (json) {
    emit(io, "ticket", { ticket, label: label ?? "", ...(expiresMs !== undefined && { expiresMs }) });
  } else io.out(ticket);
  if (qr) showQr(ticket, io);
  return Promise.resolve(0);
}
