import { formatAddress } from "../codec/address.ts";
import type { Ticket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import type { Engine } from "../crypto/engine.ts";
import { fingerprint } from "../crypto/identity.ts";
import { ticketId, ticketPsk } from "../crypto/key_schedule.ts";
import { isUsableX25519Key } from "../crypto/points.ts";
import type { FlagTable } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { emit } from "./_report.ts";
import { visible } from "./_text.ts";
import { readTicket } from "./_ticket_input.ts";

const infoFlags = {
  json: { kind: "boolean", help: "print a JSON line, and nothing else" },
} as const satisfies FlagTable;

/** `rgtp info TICKET`. */
export const infoCommand: Command = defineCommand({
  summary: "says what stands in a ticket, without its secrets",
  operands: { required: ["TICKET"], optional: [] },
  flags: infoFlags,
  details: [
    "TICKET is the line that 'rgtp expose' printed, @FILE for a file that holds it, or - for standard input; the last two keep its " +
    "secret out of the list of processes. Nobody is contacted: whether the ticket is still good, or anybody answers, is not looked at.",
    "What it prints opens nothing and may be shown to others. The ticket's ID is what 'rgtp status' lists and 'rgtp revoke' takes on the " +
    "exposer's side. The name is the exposer's own choice, and nothing to trust.",
    "Exit status: 0, or the error's code without its sign: 2 it is no ticket, 10 it is cut off, 16 there is no such file, 20 the file " +
    "cannot be read.",
  ],
  examples: ["@ticket.txt", "- < ticket.txt", "@ticket.txt --json"],
  permissions: [["--allow-read=FILE", "the FILE of @FILE; else it needs none"]],
  run: async ({ flags, rest }, io) => {
    const facts = ticketFacts(defaultEngine(), await readTicket(rest[0], io));
    if (flags.json) emit(io, "info", { ...facts });
    else for (const line of linesOf(facts)) io.out(line);
    return 0;
  },
});

/** What a ticket says, for everybody to see. */
export interface TicketFacts {
  /** What the exposer calls it; as it is, so escape it for a terminal. */
  readonly name: string;
  /** `HOST:PORT`. */
  readonly addresses: readonly string[];
  /** The exposure's ID, base64url. */
  readonly id: string;
  /** The exposer's key for people. */
  readonly fingerprint: string;
  /** The exposer's X25519 key, base64url. */
  readonly exposerKey: string;
  /** Whether it holds a secret. */
  readonly hasSecret: boolean;
  /** Of a ticket with a secret: what names it, base64url. */
  readonly ticketId?: string;
  /** Whether it holds the exposure's key itself. */
  readonly hasExposureKey: boolean;
}

const b64 = { alphabet: "base64url", omitPadding: true } as const;

/** A ticket without its secrets. @throws {RgtpError} INVALID_ARG when its exposer's key is none */
export function ticketFacts(engine: Engine, ticket: Ticket): TicketFacts {
  const { addresses, exposureId, exposerKey, secret, exposureKey, name } = ticket;
  if (!isUsableX25519Key(exposerKey)) {
    throw new RgtpError(
      "INVALID_ARG",
      "the ticket is damaged: its exposer's key is not a key; copy it again from the line that 'rgtp expose' printed",
    );
  }
  return {
    name,
    addresses: addresses.map(formatAddress),
    id: exposureId.toBase64(b64),
    fingerprint: fingerprint(exposerKey),
    exposerKey: exposerKey.toBase64(b64),
    hasSecret: secret !== undefined,
    ...(secret && { ticketId: ticketId(engine, ticketPsk(engine, secret)).toBase64(b64) }),
    hasExposureKey: exposureKey !== undefined,
  };
}

/** The same for people. */
export function linesOf(facts: TicketFacts): string[] {
  const { name, addresses, id, fingerprint, exposerKey, ticketId, hasSecret, hasExposureKey } = facts;
  const rows: (readonly [string, string])[] = [
    ["name", name === "" ? "(none)" : visible(name)],
    ...addresses.map((address, i) => [i === 0 ? "addresses" : "", visible(address)] as const),
    ["exposure", id],
    ["exposer", fingerprint],
    ["its key", exposerKey],
    ["secret", hasSecret ? "yes, not shown: whoever has the ticket may pull" : "none"],
    ...(ticketId === undefined ? [] : [["ticket ID", ticketId] as const]),
    ["exposure key", hasExposureKey ? "yes, not shown: the ticket cannot be revoked" : "none"],
  ];
  return rows.map(([left, right]) => `${left.padEnd(14)}${right}`);
}
