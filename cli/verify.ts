import { errorTable } from "../core/errors.ts";
import { linkKinds } from "../transport/link/open_link.ts";
import { pull } from "../transport/pull.ts";
import type { VerifyResult } from "../transport/pull.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { demand, linksFollowed, netNeeds, toRead } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { identityFolder } from "./_node_identity.ts";
import { StatusLine } from "./_terminal.ts";
import { formatBytes, formatPercent, plural, visible } from "./_text.ts";
import { passphraseFlags } from "./_passphrase.ts";
import { readUnlocked } from "./_wanted.ts";

const verifyFlags = {
  timeout: {
    kind: "duration",
    help: "give up after this long without progress",
    default: "30s; 10s for the first contact",
  },
  link: {
    kind: "choice",
    choices: linkKinds,
    placeholder: "KIND",
    help: `how to reach the network: ${linkKinds.join(" or ")}`,
  },
  "state-dir": {
    kind: "string",
    placeholder: "FOLDER",
    help: "where this machine's identity lives: the key that an exposer's --allow names",
    default: "$XDG_STATE_HOME/red-giant or its like, if 'rgtp id create' has made one there",
  },
  ...passphraseFlags,
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof verifyFlags>["flags"];

/** The status that says that something differs. */
const DIFFERS = Math.abs(errorTable.MERKLE_FAIL[0]);
/** People read no more of them. */
const RUNS_SHOWN_MAX = 20;
/** More would not be read by programs either, which know from `chunksDifferent` that there is more. */
const RUNS_TOLD_MAX = 10_000;

/** `rgtp verify TICKET PATH`. */
export const verifyCommand: Command = defineCommand({
  summary: "compares a local file with what a ticket names; only hashes move",
  operands: { required: ["TICKET", "PATH"], optional: [] },
  flags: verifyFlags,
  details: [
    "TICKET is the line that 'rgtp expose' printed, @FILE for a file that holds it, or - for standard input. PATH is only read. It says " +
    "which bytes differ, in whole chunks; 'rgtp pull TICKET PATH --force' then moves these and no others.",
    "Exit status: 0 when the file is the same, 8 when it differs, 130 after Ctrl-C, or another error's code without its sign: 2 wrong " +
    "arguments, 12 no answer in time, 16 no such file, 17 the ticket is not valid any more, 18 one side changed meanwhile.",
  ],
  examples: ["@ticket.txt disk.img", "- disk.img --json < ticket.txt"],
  permissions: [
    [
      "--allow-net",
      "to reach the exposer; for a ticket with IPv4 addresses alone --allow-net=HOST:PORT,0.0.0.0:0 is enough",
    ],
    ["--allow-read=PATH", "the file, and the FILE of @FILE and of --password-file"],
  ],
  run: ({ flags, rest }, io) => runVerify(rest, flags, io),
});

async function runVerify([source, path]: readonly string[], flags: Flags, io: Io): Promise<number> {
  const { ticket } = await readUnlocked(source, flags, io);
  demand([...netNeeds(ticket), toRead(path)]);
  demand([toRead(linksFollowed(path))]);
  using interrupt = new Interrupt();
  const status = new StatusLine(io);
  const { timeout: timeoutMs, link } = flags;
  const stateDir = ticket.secret ? undefined : identityFolder(flags["state-dir"]);
  const task = pull(ticket, {
    ...(stateDir !== undefined && { stateDir }),
    signal: interrupt.signal,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(link !== undefined && { link }),
  });
  try {
    const result = await task.verify(path, {
      onProgress: ({ done, total }) => {
        if (!flags.json) status.show(`compared: ${formatBytes(done)}, ${formatPercent(done, total)}`);
      },
    });
    status.clear();
    tell(io, flags.json, path, result);
    return result.same ? 0 : DIFFERS;
  } catch (error) {
    status.clear();
    if (interrupt.status === undefined) throw error;
    return interrupt.status;
  }
}

function tell(io: Io, json: boolean, path: string, result: VerifyResult): void {
  const { same, bytes, fileBytes, chunksDifferent, differences } = result;
  if (json) {
    return emit(io, "verified", { ...result, path, differences: differences.slice(0, RUNS_TOLD_MAX) });
  }
  if (same) return io.out(`'${visible(path)}' is the same: ${formatBytes(bytes)} (${bytes} bytes)`);
  for (const { from, to } of differences.slice(0, RUNS_SHOWN_MAX)) {
    io.out(`differs: bytes ${from} to ${to - 1}`);
  }
  if (differences.length > RUNS_SHOWN_MAX) {
    io.out(`differs: ${differences.length - RUNS_SHOWN_MAX} more places`);
  }
  if (fileBytes !== bytes) io.out(`differs: it has ${fileBytes} bytes, what is exposed has ${bytes}`);
  io.err(`'${visible(path)}' differs in ${plural(chunksDifferent, "chunk")}\n`);
}
