import { parseAddress } from "../codec/address.ts";
import { errorTable } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { Check } from "./_check.ts";
import { allChecks } from "./_doctor_checks.ts";
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
    "A file is made in the state folder and removed again, to see that this is possible; the folder itself is not made.",
    "Exit status: 0 when nothing failed, warnings or not; else the code of the first failure without its sign: 3 the network, 4 no " +
    "cryptographic engine, 20 the state folder; of a ticket or HOST:PORT 7 another exposer, 12 no answer, 16 no such name.",
  ],
  examples: ["", "--port 443", "--json", "@ticket.txt", "192.0.2.1:9000"],
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
  const checks = target === undefined
    ? await allChecks(flags)
    : await targetChecks(await targetOf(target, io));
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

/** @throws {RgtpError} INVALID_ARG and what `readTicket` throws; SOCKET when Deno does not permit to go there */
async function targetOf(text: string, io: Io): Promise<Target> {
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
