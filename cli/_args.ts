/**
 * Command line arguments, from a table that says which flags there are. `deno-std` on npm carries no types, so this is the one place
 * that imports its parser.
 *
 * @module
 */
import { redactTicket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
// @ts-types="./_args.d.ts"
import { parseArgs } from "@std/cli/parse_args.js";
import { nearest } from "./_nearest.ts";
import { visible } from "./_text.ts";
import { type ValueKind, valueKinds } from "./_values.ts";

/** One flag. */
export type Flag =
  & {
    /** What it does: a phrase. */
    readonly help: string;
    /** What its value is called in the help, such as `PATH`; absent: the kind's own. */
    readonly placeholder?: string;
    /** What holds without it, in words, for the help. */
    readonly default?: string;
    /** Its values are keys, of which one in 64 begins with `-`. */
    readonly isKey?: boolean;
    /** Its value may be `-`, for standard input. */
    readonly isFile?: boolean;
  }
  & (
    | { readonly kind: "boolean" | "string" | "strings" | ValueKind }
    | { readonly kind: "choice"; readonly choices: readonly string[] }
  );

/** 32 bytes as base64url. */
const KEY_WITH_DASH = /^-[A-Za-z0-9_-]{42}$/;

/** Flags by their long names. */
export type FlagTable = Readonly<Record<string, Flag>>;

/** What a flag's value becomes: bytes for a size, bytes a second for a rate, ms for a duration; `strings` may be given several times. */
export type FlagValue<F extends Flag> = F["kind"] extends "boolean" ? boolean
  : F["kind"] extends "strings" ? readonly string[] | undefined
  : F extends { readonly choices: readonly (infer Choice)[] } ? Choice | undefined
  : F["kind"] extends "string" ? string | undefined
  : number | undefined;

/** Arguments that were understood. */
export interface Parsed<Flags extends FlagTable> {
  /** A value for each flag of the table; `undefined`, or `false`, for those that were not given. */
  readonly flags: { readonly [Name in keyof Flags]: FlagValue<Flags[Name]> };
  /** The arguments that are no flags. */
  readonly rest: readonly string[];
}

/** How many arguments that are no flags a command takes, and what they are called. */
export interface Operands {
  /** Those that must be there. */
  readonly required: readonly string[];
  /** Those that may follow. */
  readonly optional: readonly string[];
  /** What the last of the required ones is called when it may stand there several times. */
  readonly repeated?: string;
}

/**
 * Reads arguments by a table of flags.
 *
 * @throws {RgtpError} INVALID_ARG, with the flag, what was given and what is allowed
 */
export function parseByTable<const Flags extends FlagTable>(
  argv: readonly string[],
  table: Flags,
  operands: Operands,
): Parsed<Flags> {
  const names = Object.keys(table);
  const booleans = names.filter((name) => table[name].kind === "boolean");
  const joined = joinDashes(argv, table);
  checkSpelling(joined, names, booleans);
  const raw = parseArgs(joined, {
    string: ["_", ...names.filter((name) => table[name].kind !== "boolean")],
    boolean: booleans,
    collect: names,
    unknown(arg, key) {
      if (key !== undefined) throw unknownFlag(arg, names);
      return true;
    },
  });
  const entries = names.map((name) => [name, valueOf(name, table[name], raw[name])]);
  checkOperands(raw._, operands);
  // The table is the type: each entry was made by its flag's kind.
  const flags = Object.fromEntries(entries) as Parsed<Flags>["flags"];
  return { flags, rest: raw._ };
}

/** A key that begins with `-`, and a `-` alone, stand behind their flags as others do: the parser would take them for flags. */
function joinDashes(argv: readonly string[], table: FlagTable): string[] {
  const joined: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === "--") return [...joined, ...argv.slice(i)];
    const flag = /^--(.+)$/.exec(argv[i])?.[1];
    const { isKey, isFile } = flag !== undefined && Object.hasOwn(table, flag) ? table[flag] : {};
    const next = argv[i + 1] ?? "";
    const isItsValue = (isKey === true && KEY_WITH_DASH.test(next)) || (isFile === true && next === "-");
    joined.push(isItsValue ? `${argv[i]}=${argv[++i]}` : argv[i]);
  }
  return joined;
}

/** What the parser would let pass: `--json=perhaps`, and a flag named like its own field. */
function checkSpelling(argv: readonly string[], names: readonly string[], booleans: readonly string[]): void {
  const end = argv.indexOf("--");
  for (const arg of end < 0 ? argv : argv.slice(0, end)) {
    if (!/^-+[^-]/.test(arg)) continue;
    const [, dashes, name, value] = /^(-+)([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === "_" || dashes.length > 2) throw unknownFlag(arg, names);
    if (value !== undefined && booleans.includes(name)) {
      throw invalid(
        `--${name} takes no value, but '${shown(value)}' was given: say --${name} or leave it out`,
      );
    }
  }
}

function valueOf(name: string, flag: Flag, raw: unknown): unknown {
  const given: readonly unknown[] = Array.isArray(raw) ? raw : [];
  if (flag.kind === "boolean") return given.at(-1) === true;
  if (flag.kind === "strings") {
    return given.length === 0 ? undefined : given.map((text) => oneText(name, flag, text));
  }
  if (given.length > 1) throw invalid(`--${name} was given ${given.length} times: give it once`);
  if (given.length === 0) return undefined;
  const text = oneText(name, flag, given[0]);
  if (flag.kind === "string") return text;
  if (flag.kind === "choice") return choiceOf(name, flag.choices, text);
  const kind = valueKinds[flag.kind];
  const value = kind.parse(text);
  if (value === undefined) throw invalid(`--${name} '${shown(text)}' is not ${kind.allowed}`);
  return value;
}

function oneText(name: string, flag: Flag, given: unknown): string {
  const text = String(given);
  if (text !== "") return text;
  throw invalid(
    `--${name} lacks its value: say --${name} ${
      placeholder(flag)
    }, or --${name}=… for one that starts with '-'`,
  );
}

function choiceOf(name: string, choices: readonly string[], text: string): string {
  if (choices.includes(text)) return text;
  const guess = nearest(text, choices);
  throw invalid(
    `--${name} '${shown(text)}' is not known: it is one of ${choices.join(", ")}${
      guess ? `; did you mean ${guess}?` : ""
    }`,
  );
}

function checkOperands(rest: readonly string[], { required, optional, repeated }: Operands): void {
  const empty = rest.indexOf("");
  const missing = required[rest.length] ?? (empty < 0 ? undefined : required[empty] ?? repeated);
  if (missing !== undefined) throw invalid(`${missing} is missing`);
  const most = required.length + optional.length;
  if (rest.length > most && repeated === undefined) {
    const all = [...required, ...optional].join(" and ");
    throw invalid(
      `'${shown(rest[most])}' is one argument too many: only ${all} can be given (quote a path with spaces)`,
    );
  }
}

/** What a flag's value is called in the help; empty when it takes none. */
export function placeholder(flag: Flag): string {
  if (flag.kind === "boolean") return "";
  if (flag.placeholder !== undefined) return flag.placeholder;
  if (flag.kind === "choice") return flag.choices.join("|");
  return flag.kind === "string" || flag.kind === "strings" ? "TEXT" : flag.kind.toUpperCase();
}

function unknownFlag(arg: string, names: readonly string[]): RgtpError {
  const name = arg.replace(/^-+/, "").replace(/=.*$/s, "");
  const guess = nearest(name, names);
  const flag = shown(arg.replace(/=.*$/s, ""));
  return invalid(
    `there is no flag ${flag}${guess ? `; did you mean --${guess}?` : ": --help lists those that there are"}`,
  );
}

function invalid(message: string): RgtpError {
  return new RgtpError("INVALID_ARG", message);
}

/** A user's own words in a message: a ticket that stands in the wrong place keeps its secret. */
function shown(text: string): string {
  return visible(redactTicket(text));
}
