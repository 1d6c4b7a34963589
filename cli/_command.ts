import type { FlagTable, Operands, Parsed } from "./_args.ts";
import { parseByTable } from "./_args.ts";
import { RgtpError } from "../core/errors.ts";
import { groupHelp, helpText } from "./_help.ts";
import type { Io } from "./_io.ts";
import { nearest } from "./_nearest.ts";
import { visible } from "./_text.ts";

/** A command as data: from this come its parsing, its checks and its help. */
export interface CommandSpec<Flags extends FlagTable> {
  /** What it does, in one line. */
  readonly summary: string;
  /** The arguments beside the flags. */
  readonly operands: Operands;
  /** The flags, without `--help`. */
  readonly flags: Flags;
  /** Paragraphs for the help. */
  readonly details: readonly string[];
  /** Lines to copy, without the program's name. */
  readonly examples: readonly string[];
  /** Deno's permissions, and what each is for. */
  readonly permissions: readonly (readonly [flag: string, why: string])[];
  /** Does it. Returns the exit status; what it throws is reported by its caller. */
  run(args: Parsed<Flags>, io: Io): Promise<number>;
}

/** A command that can be run with whatever somebody typed. */
export interface Command {
  /** What it does, in one line. */
  readonly summary: string;
  /** The arguments beside the flags. */
  readonly operands: Operands;
  /** Its flags, without `--help`. */
  readonly flags: FlagTable;
  /** Commands that it is made of, by their names: the first argument is one of them. */
  readonly parts?: ReadonlyMap<string, Command>;
  /** Its help, for a program of this name. */
  help(program: string): string;
  /** Runs it. @throws {RgtpError} INVALID_ARG for arguments that it does not know, and what went wrong */
  run(argv: readonly string[], io: Io): Promise<number>;
}

/** Makes one command of several. */
export function groupCommands(summary: string, parts: ReadonlyMap<string, Command>): Command {
  const names = [...parts.keys()];
  const flags = Object.assign({}, ...Array.from(parts.values(), (part) => part.flags)) as FlagTable;
  return {
    summary,
    operands: { required: [names.join("|")], optional: [] },
    flags,
    parts,
    help: (program) => groupHelp(program, summary, parts, flags),
    run: ([given]) => {
      const guess = given === undefined ? undefined : nearest(given.replace(/^-+/, ""), names);
      const hint = guess === undefined ? `there are ${names.join(", ")}` : `did you mean '${guess}'?`;
      const what = given === undefined ? "what to do is missing" : `there is no '${visible(given)}' here`;
      return Promise.reject(new RgtpError("INVALID_ARG", `${what}; ${hint}`));
    },
  };
}

/** Makes a command of its description. */
export function defineCommand<const Flags extends FlagTable>(spec: CommandSpec<Flags>): Command {
  return {
    summary: spec.summary,
    operands: spec.operands,
    flags: spec.flags,
    help: (program) => helpText(spec, program),
    run: async (argv, io) => await spec.run(parseByTable(argv, spec.flags, spec.operands), io),
  };
}
