import { formatAddress, isIpAddress, isIpv6 } from "../codec/address.ts";
import type { Ticket } from "../codec/ticket.ts";
import { errorTable } from "../core/errors.ts";
import { linkKinds } from "../transport/link/open_link.ts";
import { bindHostFor } from "../transport/addresses.ts";
import { pull } from "../transport/pull.ts";
import type { PullProgress, PullResult } from "../transport/pull.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { outputPath } from "./_out_path.ts";
import type { Need } from "./_permissions.ts";
import { demand, linksFollowed, toNet, toRead, toWrite } from "./_permissions.ts";
import { HumanPullView, JsonPullView } from "./_pull_views.ts";
import { emit } from "./_report.ts";
import { formatBytes, visible } from "./_text.ts";
import { readTicket } from "./_ticket_input.ts";

const flags = {
  force: { kind: "boolean", help: "replace OUT when it holds something else" },
  timeout: {
    kind: "duration",
    help: "give up after this long without progress",
    default: "30s; 10s for the first contact",
  },
  "limit-rate": { kind: "rate", help: "ask for at most this, such as 10MB/s, 100Mbit/s" },
  "state-dir": {
    kind: "string",
    placeholder: "FOLDER",
    help: "where this machine's identity lives; a pull needs none yet and makes no file there",
  },
  link: {
    kind: "choice",
    choices: linkKinds,
    placeholder: "KIND",
    help: `how to reach the network: ${linkKinds.join(" or ")}`,
  },
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof flags>["flags"];

/** `rgtp pull TICKET [OUT]`. */
export const pullCommand: Command = defineCommand({
  summary: "pulls what a ticket names, verifies every byte, and goes on where an earlier pull was cut off",
  operands: { required: ["TICKET"], optional: ["OUT"] },
  flags,
  details: [
    "TICKET is the line that 'rgtp expose' printed, @FILE for a file that holds it, or - for standard input; the last two keep its " +
    "secret out of the list of processes.",
    "OUT is a file or a folder (default: the exposed name, in the current folder). It appears whole and verified, or not at all: " +
    "until then the data is in OUT.part, from where the same command goes on. An OUT that holds the same bytes already is left " +
    "as it is. The file's SHA-256 is printed on standard output.",
    "Exit status: 0, 130 after Ctrl-C, 143 after SIGTERM (what has arrived is kept; a second signal ends it at once), or the " +
    "error's code without its sign: 2 wrong arguments, 7 another exposer than the ticket's, 10 the ticket is cut off, 12 no answer " +
    "in time, 17 the ticket is not valid any more, 19 OUT holds something else, 21 the disk is full, 24 the exposer stopped.",
  ],
  examples: [
    "@ticket.txt",
    "@ticket.txt downloads/ --limit-rate 50Mbit/s",
    "- video.mkv --json < ticket.txt",
  ],
  permissions: [
    [
      "--allow-net",
      "to reach the exposer; for a ticket with IPv4 addresses alone --allow-net=HOST:PORT,0.0.0.0:0 is enough",
    ],
    [
      "--allow-read=FOLDER",
      "the folder that OUT is in (of a symbolic link: what it points to as well), and the FILE of @FILE",
    ],
    ["--allow-write=FOLDER", "the folder that OUT is in"],
  ],
  run: ({ flags, rest }, io) => runPull(rest, flags, io),
});

async function runPull([source, out]: readonly string[], flags: Flags, io: Io): Promise<number> {
  const ticket = await readTicket(source, io);
  const id = ticket.exposureId.toBase64({ alphabet: "base64url", omitPadding: true });
  if (out !== undefined) demand([toRead(out)]);
  const path = outputPath(out, ticket.name, id);
  demand([...netNeeds(ticket), ...fileNeeds(path)]);
  demand(fileNeeds(linksFollowed(path)));
  using interrupt = new Interrupt();
  const view = flags.json ? new JsonPullView(io) : new HumanPullView(io, ticket, path);
  const task = pull(ticket, {
    ...pullOptions(flags),
    signal: interrupt.signal,
    onStall: (reason) => view.stall(reason),
  });
  let result: PullResult;
  try {
    result = await task.saveTo(path, {
      force: flags.force,
      onProgress: (progress) => view.progress(progress),
      onHash: (bytes) => view.hashing(bytes),
    });
  } catch (error) {
    view.clear();
    if (interrupt.status === undefined) throw error;
    tellInterrupted(io, flags.json, path, task.progress);
    return interrupt.status;
  }
  view.done(result);
  return 0;
}

function tellInterrupted(io: Io, json: boolean, path: string, { done, total }: PullProgress): void {
  const kept = isThere(`${path}.part`)
    ? `${formatBytes(done)} of ${formatBytes(total)} are kept in '${
      visible(path)
    }.part': the same command goes on from there`
    : "nothing had arrived yet";
  const message = `stopped; ${kept}`;
  if (json) emit(io, "error", { code: errorTable.CANCELLED[0], name: "CANCELLED", message });
  else io.err(`${message}\n`);
}

/**
 * A socket that can reach the ticket's addresses, and these themselves. Names become addresses that nobody has permitted, and beside
 * IPv6 ones the socket spells IPv4 ones differently: then it takes the whole network.
 */
function netNeeds({ addresses }: Ticket): Need[] {
  const hosts = addresses.map(({ host }) => host);
  const isOneFamily = new Set(hosts.map(isIpv6)).size === 1;
  if (!hosts.every(isIpAddress) || !isOneFamily) return [toNet()];
  const socket = { host: bindHostFor(addresses), port: 0 };
  return [socket, ...addresses].map((address) => toNet(formatAddress(address)));
}

/** The output, and what lies beside it while it grows. */
function fileNeeds(path: string): Need[] {
  return [path, `${path}.part`].flatMap((one) => [toRead(one), toWrite(one)]);
}

function pullOptions(flags: Flags): Parameters<typeof pull>[1] {
  const { timeout: timeoutMs, link } = flags;
  const limitRate = flags["limit-rate"];
  return {
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(limitRate !== undefined && { limitRate }),
    ...(link !== undefined && { link }),
  };
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
