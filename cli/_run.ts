import { RgtpError } from "../core/errors.ts";
import type { Command } from "./_command.ts";
import type { Io } from "./_io.ts";
import { nearest } from "./_nearest.ts";
import { reportError, wantsJson } from "./_report.ts";
import { table } from "./_help.ts";
import { redactTicket } from "../codec/ticket.ts";
import { visible } from "./_text.ts";

/** What `rgtp` is made of. */
export interface Program {
  /** Its name. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** Its commands, by name: each is loaded when it is asked for. */
  readonly commands: ReadonlyMap<string, () => Promise<Command>>;
}

/** Exit status of a command line that was not understood: that of INVALID_ARG. */
export const USAGE_STATUS = 2;

/** Runs the command that the arguments name, and returns the exit status. */
export async function runProgram(program: Program, argv: readonly string[], io: Io): Promise<number> {
  const [first, ...others] = argv;
  if (first === undefined) {
    io.err(`${await overview(program)}\n`);
    return USAGE_STATUS;
  }
  if (first === "--version" || first === "-V") return say(io, `${program.name} ${program.version}`);
  if (first === "--help" || first === "-h") return say(io, await overview(program));
  const asksForHelp = first === "help";
  const name = asksForHelp ? others[0] : first;
  if (name === undefined) return say(io, await overview(program));
  const load = program.commands.get(name);
  if (!load) return reportError(unknownCommand(program, name), io, program.name, wantsJson(argv));
  const args = asksForHelp ? [...others.slice(1), "--help"] : others;
  return await runCommand(await load(), `${program.name} ${name}`, args, io);
}

/** Runs one command, reports what goes wrong, and returns the exit status. Never throws. */
export async function runCommand(
  command: Command,
  program: string,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const part = command.parts?.get(argv[0] ?? "");
  if (part) return await runCommand(part, `${program} ${argv[0]}`, argv.slice(1), io);
  try {
    if (asks(argv, "--help", "-h")) return say(io, command.help(program));
    return await command.run(argv, io);
  } catch (error) {
    const status = reportError(error, io, program, wantsJson(argv));
    if (status === USAGE_STATUS && !wantsJson(argv)) io.err(`'${program} --help' shows how it is used.\n`);
    return status;
  }
}

function asks(argv: readonly string[], ...flags: string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some((arg) => flags.includes(arg));
}

async function overview({ name, version, commands }: Program): Promise<string> {
  const rows = await Promise.all(
    Array.from(commands, async ([command, load]) => [command, (await load()).summary] as const),
  );
  return [
    `${name} ${version}: moves files over UDP, sealed and verified`,
    `Usage: ${name} COMMAND [arguments]`,
    `Commands:\n${table(rows)}`,
    `'${name} COMMAND --help' shows a command's flags, an example, and the Deno permissions that it takes.`,
    "Exit status: 0, or the error's code without its sign (2: wrong arguments, 12: no answer in time, …); 130 after Ctrl-C.",
  ].join("\n\n");
}

function unknownCommand({ name, commands }: Program, given: string): RgtpError {
  const names = [...commands.keys()];
  const guess = /^rgtp:\/\//i.test(given) ? "pull" : nearest(given.replace(/^-+/, ""), names);
  const hint = guess ? `did you mean '${name} ${guess}'?` : `there are ${names.join(", ")}`;
  return new RgtpError("INVALID_ARG", `there is no command '${visible(redactTicket(given))}'; ${hint}`);
}

function say(io: Io, text: string): number {
  io.out(text);
  return 0;
}
