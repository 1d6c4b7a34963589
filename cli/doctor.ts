import { errorTable } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { allChecks } from "./_doctor_checks.ts";
import type { Check } from "./_doctor_checks.ts";
import type { Io } from "./_io.ts";
import { linkPermission } from "./_link_flag.ts";
import { emit } from "./_report.ts";
import { stateFlags } from "./_state.ts";
import { plural, visible } from "./_text.ts";

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
  operands: { required: [], optional: [] },
  flags: doctorFlags,
  details: [
    "A line for each check: ok; warn, for what costs speed or reach, or could not be looked at; fail, for what stops transfers. Nobody " +
    "else is contacted: packets go to this machine's own loopback addresses alone. What it cannot tell from here is whether a " +
    "firewall or a router on the way lets UDP in.",
    "A file is made in the state folder and removed again, to see that this is possible; the folder itself is not made.",
    "Exit status: 0 when nothing failed, warnings or not; else the code of the first failure without its sign: 3 the network, 4 no " +
    "cryptographic engine, 20 the state folder.",
  ],
  examples: ["", "--port 443", "--json"],
  permissions: [
    ["none", "is needed to run it; but what it may not look at, it cannot check"],
    ["--allow-net", "sockets; an exposer needs it too"],
    ["--allow-read=STATE --allow-write=STATE", "the state folder"],
    ["--allow-read=.", "the free space of the current folder"],
    ["--allow-sys=networkInterfaces,statfs", "this machine's addresses, and free space"],
    [
      "--allow-env=XDG_STATE_HOME,HOME",
      "to find the state folder (LOCALAPPDATA on Windows); not with --state-dir",
    ],
    linkPermission,
  ],
  run: ({ flags }, io) => runDoctor(flags, io),
});

async function runDoctor(flags: Flags, io: Io): Promise<number> {
  const checks = await allChecks(flags.port, flags["state-dir"]);
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
