import { RgtpError } from "../core/errors.ts";
import { placeholder } from "./_args.ts";
import type { Flag } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { nearest } from "./_nearest.ts";
import { visible } from "./_text.ts";

type Commands = ReadonlyMap<string, Command>;

const PROGRAM = "rgtp";

/** `rgtp completions SHELL`. The table of commands holds this one too: it is asked for when it is whole. */
export function completionsCommand(commands: () => Promise<Commands>): Command {
  return defineCommand({
    summary: "prints what makes a shell complete commands and flags",
    operands: { required: ["bash|zsh|fish"], optional: [] },
    flags: {},
    details: [
      `The script goes to standard output and is for a command called '${PROGRAM}': an alias, or what 'deno install' made. It is made ` +
      "from the commands of this version: print it again after an update. Paths are completed as the shell always does.",
      `bash: in ~/.bashrc, eval "$(${PROGRAM} completions bash)". zsh: the same in ~/.zshrc, after compinit, or a file _${PROGRAM} in a ` +
      `folder of $fpath. fish: write it to ~/.config/fish/completions/${PROGRAM}.fish.`,
      "Exit status: 0, or 2 for a shell that it does not know.",
    ],
    examples: ["bash", "zsh > ~/.zfunc/_rgtp", "fish > ~/.config/fish/completions/rgtp.fish"],
    permissions: [["none", "it reads nothing and contacts nobody"]],
    run: async ({ rest }, io) => {
      io.out(completionScript(rest[0], await commands()).trimEnd());
      return 0;
    },
  });
}

/** The script for a shell. @throws {RgtpError} INVALID_ARG for one that is not known */
export function completionScript(shell: string, commands: Commands): string {
  const make = new Map([["bash", bashScript], ["zsh", zshScript], ["fish", fishScript]]);
  const known = make.get(shell);
  if (known) return known([...commands].map(([name, command]) => shapeOf(name, command)));
  const guess = nearest(shell, [...make.keys()]);
  throw new RgtpError(
    "INVALID_ARG",
    `there are no completions for '${visible(shell)}': ${
      guess ? `did you mean ${guess}?` : `say ${[...make.keys()].join(", ")}`
    }`,
  );
}

/** A flag, as a shell needs it. */
interface FlagShape {
  readonly name: string;
  readonly help: string;
  /** What its value is called; absent: it takes none. */
  readonly value?: string;
  /** The values that it may have, where they are few. */
  readonly choices: readonly string[];
}

/** A command, as a shell needs it. */
export interface CommandShape {
  /** Its name. */
  readonly name: string;
  /** What it does. */
  readonly summary: string;
  /** What its first argument may be, where that is one of a few words. */
  readonly actions: readonly string[];
  /** Its flags, `--help` among them. */
  readonly flags: readonly FlagShape[];
}

/** What a shell needs of a command. */
export function shapeOf(name: string, { summary, operands, flags }: Command): CommandShape {
  const [first = ""] = [...operands.required, ...operands.optional];
  const shapes = Object.entries<Flag>(flags).map(([flag, facts]) => flagShape(flag, facts));
  return { name, summary, actions: wordsOf(first), flags: [...shapes, HELP] };
}

/** Which every command has. */
const HELP: FlagShape = { name: "help", help: "show this", choices: [] };

function flagShape(name: string, flag: Flag): FlagShape {
  const { help } = flag;
  if (flag.kind === "boolean") return { name, help, choices: [] };
  return { name, help, value: placeholder(flag), choices: flag.kind === "choice" ? flag.choices : [] };
}

/** Operands in capitals stand for something else; words in small letters stand for themselves. */
function wordsOf(text: string): string[] {
  const words = text.split("|");
  return words.every((word) => /^[a-z][a-z0-9_-]*$/.test(word)) ? words : [];
}

const GENERATED = `made by '${PROGRAM} completions': print it again after an update`;

function bashScript(shapes: readonly CommandShape[]): string {
  const names = shapes.map(({ name }) => name).join(" ");
  const values = shapes.flatMap(({ name, flags }) =>
    flags.flatMap((flag) => {
      if (flag.value === undefined) return [];
      // Of a value that may be anything nothing is offered, and bash falls back to paths.
      return [`    '${name} --${flag.name}') words='${flag.choices.join(" ")}' ;;`];
    })
  );
  const flags = shapes.map((shape) =>
    `        ${shape.name}) words='${shape.flags.map((flag) => `--${flag.name}`).join(" ")}' ;;`
  );
  const actions = shapes.flatMap((shape) =>
    shape.actions.length === 0 ? [] : [`        ${shape.name}) words='${shape.actions.join(" ")}' ;;`]
  );
  return `# bash completion for ${PROGRAM}; ${GENERATED}
_${PROGRAM}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${names} help --help --version' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]} $before" in
${values.join("\n")}
    *) case "$current" in
      -*) case "\${COMP_WORDS[1]}" in
${flags.join("\n")}
      esac ;;
      *) [ "$COMP_CWORD" -eq 2 ] && case "\${COMP_WORDS[1]}" in
        help) words='${names}' ;;
${actions.join("\n")}
      esac ;;
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _${PROGRAM} ${PROGRAM}
`;
}

function zshScript(shapes: readonly CommandShape[]): string {
  const commands = shapes.map(({ name, summary }) => `      ${quoted(`${name}:${summary}`)}`);
  const cases = shapes.map(({ name, actions, flags }) => {
    const specs = flags.map((flag) => {
      const action = flag.choices.length > 0 ? `(${flag.choices.join(" ")})` : "_files";
      // Any of them may stand on the line more than once as far as the shell can know.
      return flag.value === undefined
        ? `--${flag.name}[${zshText(flag.help)}]`
        : `*--${flag.name}=[${zshText(flag.help)}]:${zshText(flag.value)}:${action}`;
    });
    const first = actions.length > 0 ? [`1:what:(${actions.join(" ")})`] : [];
    const all = [...specs, ...first, "*:file:_files"].map((spec) => `        ${quoted(spec)}`);
    return `    ${name})\n      _arguments \\\n${all.join(" \\\n")}\n      ;;`;
  });
  return `#compdef ${PROGRAM}
# ${GENERATED}
_${PROGRAM}() {
  if (( CURRENT == 2 )); then
    local -a commands
    commands=(
${commands.join("\n")}
    )
    _describe 'command' commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join("\n")}
    help) _arguments '1:command:(${shapes.map(({ name }) => name).join(" ")})' ;;
  esac
}
if [ "$funcstack[1]" = "_${PROGRAM}" ]; then
  _${PROGRAM} "$@"
else
  compdef _${PROGRAM} ${PROGRAM}
fi
`;
}

/** In the description of an argument, brackets and colons are punctuation to zsh. */
function zshText(text: string): string {
  return text.replace(/[\\[\]:]/g, "\\$&");
}

/** For zsh: no character means anything between single quotes but the quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function fishScript(shapes: readonly CommandShape[]): string {
  const lines = shapes.flatMap(({ name, summary, actions, flags }) => {
    const inside = `-n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c ${PROGRAM} -n __fish_use_subcommand -f -a ${name} -d ${fishText(summary)}`,
      ...(actions.length > 0 ? [`complete -c ${PROGRAM} ${inside} -a ${fishText(actions.join(" "))}`] : []),
      ...flags.map((flag) => {
        const value = flag.choices.length > 0
          ? ` -x -a ${fishText(flag.choices.join(" "))}`
          : flag.value === undefined
          ? ""
          : " -r";
        return `complete -c ${PROGRAM} ${inside} -l ${flag.name}${value} -d ${fishText(flag.help)}`;
      }),
    ];
  });
  return `# fish completion for ${PROGRAM}; ${GENERATED}\n${lines.join("\n")}\n`;
}

function fishText(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
