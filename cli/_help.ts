import { type Flag, type FlagTable, placeholder } from "./_args.ts";
import type { CommandSpec } from "./_command.ts";

const WIDTH = 100;

/** The help of a command: every flag, an example, and the permissions that it takes. */
export function helpText<Flags extends FlagTable>(spec: CommandSpec<Flags>, program: string): string {
  const { required, optional, repeated } = spec.operands;
  const maybe = [...(repeated === undefined ? [] : [`${repeated}…`]), ...optional];
  const operands = [...required, ...maybe.map((name) => `[${name}]`)];
  const rows = Object.entries<Flag>(spec.flags).map(([name, flag]) => flagRow(name, flag));
  const sections = [
    `${program}: ${spec.summary}`,
    `Usage: ${[program, ...operands, "[flags]"].join(" ")}`,
    ...spec.details.map((paragraph) => wrap(paragraph, WIDTH).join("\n")),
    `Flags:\n${table([...rows, ["--help", "show this"]])}`,
    `${spec.examples.length > 1 ? "Examples" : "Example"}:\n${
      spec.examples.map((line) => `  ${program} ${line}`).join("\n")
    }`,
    `Deno permissions:\n${table(spec.permissions)}`,
  ];
  return sections.join("\n\n");
}

/** The help of a command that is made of several: these, and the flags of all of them. */
export function groupHelp(
  program: string,
  summary: string,
  parts: ReadonlyMap<string, { readonly summary: string }>,
  flags: FlagTable,
): string {
  const rows = Object.entries<Flag>(flags).map(([name, flag]) => flagRow(name, flag));
  return [
    `${program}: ${summary}`,
    `Usage: ${program} COMMAND [arguments]`,
    `Commands:\n${table(Array.from(parts, ([name, part]) => [name, part.summary]))}`,
    `'${program} COMMAND --help' shows which of these flags a command has, an example, and its permissions.`,
    `Flags:\n${table([...rows, ["--help", "show this"]])}`,
  ].join("\n\n");
}

/** Two columns. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows.flatMap(([name, text]) =>
    wrap(text, WIDTH - left).map((line, i) => `${(i === 0 ? `  ${name}` : "").padEnd(left)}${line}`)
  ).join("\n");
}

function flagRow(name: string, flag: Flag): readonly [string, string] {
  const value = placeholder(flag);
  const without = flag.default === undefined ? "" : ` (default: ${flag.default})`;
  return [`--${name}${value === "" ? "" : ` ${value}`}`, flag.help + without];
}

/** Lines of at most `width` characters, broken between words. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}
