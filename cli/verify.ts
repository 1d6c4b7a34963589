import { errorTable } from "../core/errors.ts";
import { pull } from "../transport/pull.ts";
import type { FileVerifyResult, FolderVerifyResult, VerifyResult } from "../transport/pull.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { contactFlags, contactOptions } from "./_contact_flag.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { linkFlags, linkOptions, linkPermission } from "./_link_flag.ts";
import { demand, linksFollowed, netNeeds, toRead } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { identityFolder } from "./_node_identity.ts";
import { stallTeller } from "./_stall.ts";
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
  ...contactFlags,
  ...linkFlags,
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
  summary: "compares a local file or folder with what a ticket names; only hashes move",
  operands: { required: ["TICKET", "PATH"], optional: [] },
  flags: verifyFlags,
  details: [
    "TICKET is the line that 'rgtp expose' printed, @FILE for a file that holds it, or - for standard input. PATH is only read. It says " +
    "which bytes differ, in whole chunks; 'rgtp pull TICKET PATH --force' then moves these and no others.",
    "Of a collection PATH is a folder, and each file, folder and link in it is told that is wrong (other bytes, another kind, can or " +
    "cannot be run, leads elsewhere), missing or extra. Times do not count. Of an extra folder the contents are not told.",
    "Exit status: 0 when it is the same, 8 when it differs, 130 after Ctrl-C, or another error's code without its sign: 2 wrong " +
    "arguments, 12 no answer in time, 16 no such file, 17 the ticket is not valid any more, 18 one side changed meanwhile.",
  ],
  examples: ["@ticket.txt disk.img", "- disk.img --json < ticket.txt", "@ticket.txt photos"],
  permissions: [
    [
      "--allow-net",
      "to reach the exposer; for a ticket with IPv4 addresses alone --allow-net=HOST:PORT,0.0.0.0:0 is enough",
    ],
    ["--allow-read=PATH", "the file or folder, and the FILE of @FILE and of --password-file"],
    linkPermission,
  ],
  run: ({ flags, rest }, io) => runVerify(rest, flags, io),
});

async function runVerify([source, path]: readonly string[], flags: Flags, io: Io): Promise<number> {
  const { ticket } = await readUnlocked(source, flags, io);
  demand([...netNeeds(ticket), toRead(path)]);
  demand([toRead(linksFollowed(path))]);
  using interrupt = new Interrupt();
  const status = new StatusLine(io);
  const { timeout: timeoutMs } = flags;
  const stateDir = ticket.secret ? undefined : identityFolder(flags["state-dir"]);
  const task = pull(ticket, {
    ...(stateDir !== undefined && { stateDir }),
    signal: interrupt.signal,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...linkOptions(flags),
    ...contactOptions(flags),
    onStall: stallTeller(io, flags.json),
  });
  try {
    const result = await task.verify(path, {
      onProgress: ({ done, total }) => {
        if (!flags.json) status.show(`compared: ${formatBytes(done)}, ${formatPercent(done, total)}`);
      },
      onHash: (bytes) => {
        if (!flags.json) status.show(`compared: ${formatBytes(bytes)}`);
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
  if (result.kind === "folder") tellFolder(io, json, path, result);
  else tellFile(io, json, path, result);
}

function tellFile(io: Io, json: boolean, path: string, result: FileVerifyResult): void {
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

function tellFolder(io: Io, json: boolean, path: string, result: FolderVerifyResult): void {
  const { same, bytes, files, right, wrong, missing, extra, entries } = result;
  if (json) return emit(io, "verified", { ...result, path });
  if (same) {
    return io.out(
      `'${visible(path)}' is the same: ${plural(files, "file")}, ${formatBytes(bytes)} (${bytes} bytes)`,
    );
  }
  for (const { path: place, kind, why } of entries) {
    io.out(`${kind.padEnd(7)}  ${visible(place)}${why === undefined ? "" : `: ${visible(why)}`}`);
  }
  const more = wrong + missing + extra - entries.length;
  if (more > 0) io.out(`and ${more} more`);
  io.err(
    `'${
      visible(path)
    }' differs: ${wrong} wrong, ${missing} missing, ${extra} extra; ${right} of what is exposed is right\n`,
  );
}
