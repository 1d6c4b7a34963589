import { parseAddress } from "../codec/address.ts";
import type { Ticket } from "../codec/ticket.ts";
import { errorTable, RgtpError } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { Check } from "./_check.ts";
import { allChecks } from "./_doctor_checks.ts";
import { pathChecks } from "./_doctor_path.ts";
import { targetChecks } from "./_doctor_target.ts";
import type { Target } from "./_doctor_target.ts";
import type { Io } from "./_io.ts";
import { linkPermission } from "./_link_flag.ts";
import { demand, netNeeds } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { stateFlags } from "./_state.ts";
import { plural, visible } from "./_text.ts";
import { readTicket } from "./_ticket_input.ts";

const doctorFlags = {
  port: {
    kind: "port",
    help: "the port that is to be exposed on",
    default: "9000, which 'rgtp expose' tries first",
  },
  path: {
    kind: "boolean",
    help:
      "with TICKET or HOST:PORT: try the way out too. Ten small packets, then a pull of at most five seconds that keeps nothing",
  },
  ...stateFlags,
} as const satisfies FlagTable;

type Flags = Parsed<typeof doctorFlags>["flags"];

/** `rgtp doctor`. */
export const doctorCommand: Command = defineCommand({
  summary: "says why transfers would fail or be slow on this machine, and what to do about it",
  operands: { required: [], optional: ["TICKET|HOST:PORT"] },
  flags: doctorFlags,
  details: [
    "A line for each check: ok; warn, for what costs speed or reach, or could not be looked at; fail, for what stops transfers. Nobody " +
    "else is contacted: packets go to this machine's own addresses, and one to a group on each interface, which no router passes on. " +
    "What it cannot tell from here is whether a firewall or a router on the way lets UDP in.",
    "Given a ticket (or @FILE, or - for standard input) or HOST:PORT, it asks there instead, over each of the addresses, whether an " +
    "exposer answers. Where none does it says within five seconds what is wrong, as far as that can be told: the name, this machine's " +
    "network, the other machine, its port (which takes --allow-ffi=/lib), or what is between. Nothing is pulled.",
    "With --path it is: for five seconds, at the full rate, and thrown away. It says round trip, loss and rate, and in words what keeps " +
    "the rate from being higher: the slowest link on the way, a limit of the exposer, this machine's processor or receive buffer, loss. With " +
    "HOST:PORT the largest of what is exposed there with --open is pulled; an exposer that wants tickets shows its round trip alone.",
    "A file is made in the state folder and removed again, to see that this is possible; the folder itself is not made.",
    "Exit status: 0 when nothing failed, warnings or not; else the code of the first failure without its sign: 3 the network, 4 no " +
    "cryptographic engine, 20 the state folder; of a ticket or HOST:PORT 7 another exposer, 12 no answer, 16 no such name.",
  ],
  examples: ["", "--port 443", "--json", "@ticket.txt", "192.0.2.1:9000", "@ticket.txt --path"],
  permissions: [
    ["none", "is needed to run it; but what it may not look at, it cannot check"],
    ["--allow-net", "sockets; an exposer needs it too"],
    ["--allow-ffi=/lib,/lib64", "what Linux tells of buffers, MTUs and closed ports"],
    ["--allow-run=nft", "the rules of the firewall, which Linux shows to root"],
    ["--allow-read=STATE --allow-write=STATE", "the state folder"],
    ["--allow-read=.", "the free space of the current folder"],
    ["--allow-sys=networkInterfaces,statfs", "this machine's addresses, and free space"],
    [
      "--allow-env=XDG_STATE_HOME,HOME",
      "to find the state folder (LOCALAPPDATA on Windows); not with --state-dir",
    ],
    linkPermission,
  ],
  run: ({ flags, rest }, io) => runDoctor(rest[0], flags, io),
});

async function runDoctor(target: string | undefined, flags: Flags, io: Io): Promise<number> {
  if (flags.path && target === undefined) {
    throw new RgtpError("INVALID_ARG", "--path wants to know the way to whom: give a TICKET or HOST:PORT");
  }
  const checks = target === undefined ? await allChecks(flags) : await checksOf(target, flags, io);
  const count = (state: Check["state"]) => checks.filter((check) => check.state === state).length;
  const [ok, warn, fail] = [count("ok"), count("warn"), count("fail")];
  if (flags.json) {
    for (const check of checks) emit(io, "check", { ...check });
    emit(io, "checked", { ok, warn, fail });
  } else {
    for (const line of linesOf(checks)) io.out(line);
    io.err(`${ok} ok, ${plural(warn, "warning")}, ${plural(fail, "failure")}\n`);
  }
  return statusOf(checks);
}

async function checksOf(text: string, { path }: Flags, io: Io): Promise<Check[]> {
  const target = await targetOf(text, io);
  const checks = await targetChecks(target);
  // Where nobody answers, there is no way to be tried.
  if (!path || checks.some(({ state }) => state === "fail")) return checks;
  return [...checks, ...await pathChecks(target, checks)];
}

/** @throws {RgtpError} INVALID_ARG and what `readTicket` throws; SOCKET when Deno does not permit to go there */
async function targetOf(text: string, io: Io): Promise<Target | Ticket> {
  const address = text === "-" || /^@|^rgtp:/i.test(text) ? undefined : parseAddress(text);
  const target = address ? { addresses: [address] } : await readTicket(text, io);
  demand(netNeeds(target));
  return target;
}

/** The exit status: that of the first failure. */
export function statusOf(checks: readonly Check[]): number {
  const failed = checks.find(({ state }) => state === "fail");
  return failed ? Math.abs(errorTable[failed.condition ?? "INTERNAL"][0]) : 0;
}

/** The checks for people: a line for each, and one for what to do. */
export function linesOf(checks: readonly Check[]): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks.flatMap(({ name, state, what, todo }) => [
    `${state.padEnd(4)}  ${name.padEnd(width)}  ${visible(what)}`,
    ...(todo === undefined ? [] : [`${" ".repeat(8 + width)}to do: ${visible(todo)}`]),
  ]);
}
