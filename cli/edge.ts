import { formatAddress } from "../codec/address.ts";
import { parseTicket } from "../codec/ticket.ts";
import type { Ticket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { edge } from "../transport/edge.ts";
import type { Edge, EdgeOptions } from "../transport/edge.ts";
import { accessPolicy } from "../transport/exposure/access.ts";
import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { accessFlags } from "./_access_flags.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { contactFlags, contactOptions } from "./_contact_flag.ts";
import { EdgeView } from "./_edge_view.ts";
import { Interrupt, pause } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { linkFlags, linkOptions, linkPermission } from "./_link_flag.ts";
import { logFlags, withLog } from "./_log.ts";
import type { Log } from "./_log.ts";
import { giveMetrics, metricsFlags } from "./_metrics.ts";
import { demand, toNet, toRead, toWrite } from "./_permissions.ts";
import { ServingLog } from "./_serving_log.ts";
import { statsFlags } from "./_stats_view.ts";
import { readTicket } from "./_ticket_input.ts";

const flags = {
  disk: { kind: "size", help: "bytes of disk for sealed chunks", default: "1GiB" },
  folder: {
    kind: "string",
    placeholder: "FOLDER",
    help: "where the file is that holds them; it has no name, and ends with this process",
    default: "the system's for temporary files",
  },
  port: {
    kind: "port",
    help: "the UDP port to answer on; 0: any free one",
    default: "9000, or the next free one",
  },
  host: {
    kind: "string",
    placeholder: "ADDRESS",
    help: "the address to answer on",
    default: "all of this machine",
  },
  open: accessFlags.open,
  allow: accessFlags.allow,
  for: { kind: "duration", help: "how long to serve, counted from the ticket on, such as 30s, 5m, 1h, 1d" },
  "limit-rate": {
    kind: "rate",
    help: "send at most this to all pullers together, such as 10MB/s, 100Mbit/s",
  },
  timeout: {
    kind: "duration",
    help: "an upstream that does not answer for this long counts as lost",
    default: "30s; 10s for the first contact",
  },
  "state-dir": {
    kind: "string",
    placeholder: "FOLDER",
    help: "where this machine's identity lives",
    default: "$XDG_STATE_HOME/red-giant or its like",
  },
  ...contactFlags,
  ...linkFlags,
  ...statsFlags,
  ...metricsFlags,
  ...logFlags,
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof flags>["flags"];

/** How often a view may say something. */
const TICK_MS = 250;

/** `rgtp edge UPSTREAM`. */
export const edgeCommand: Command = defineCommand({
  summary: "serves what a ticket names from a cache of sealed chunks, which it cannot read",
  operands: { required: ["UPSTREAM"], optional: [] },
  flags,
  details: [
    "UPSTREAM is the ticket of an exposer or of another edge, @FILE for a file that holds it, or - for standard input.",
    "An edge asks for no key and takes none. What it keeps is sealed, and compared with the exposure's hashes before it is given to anybody: " +
    "an edge can fail to serve, but read nothing and change nothing.",
    "The ticket that it prints opens nothing by itself. Pullers get the key from the exposer, and data from the edge: " +
    "rgtp pull TICKET --edge EDGE-TICKET. The exposer then sends each chunk to the edge once, however many pull; when the edge is gone, it " +
    "serves them itself.",
    "Chunks are pulled as they are asked for, some ahead; what was used longest ago goes first when --disk is full. While the upstream is " +
    "away what is here is served. When it withdraws the exposure, or ends the edge's ticket, the edge ends too.",
    "Exit status: 0 after --for, 130 after Ctrl-C, 143 after SIGTERM, or the error's code without its sign: 2 wrong arguments, " +
    "12 the upstream does not answer, 17 its ticket is not valid any more, 21 the disk is full, 23 the port is taken, 24 the upstream stopped.",
  ],
  examples: [
    "@ticket.txt",
    "@ticket.txt --disk 20GiB --folder /var/cache/rgtp --port 9100",
    "@edge.txt --open",
  ],
  permissions: [
    ["--allow-net", "to reach the upstream, and to answer pullers, whose addresses nobody knows before"],
    ["--allow-read=STATE --allow-write=STATE", "the state folder, for this machine's identity"],
    [
      "--allow-read=FOLDER --allow-write=FOLDER",
      "the folder of the cache; without --folder that for temporary files",
    ],
    ["--allow-read=FOLDER --allow-write=FOLDER", "with --log: the folder of its FILE"],
    [
      "--allow-sys=networkInterfaces",
      "to put this machine's addresses into the ticket; not with --host ADDRESS",
    ],
    [
      "--allow-env=XDG_STATE_HOME,HOME",
      "to find the state folder (LOCALAPPDATA on Windows); not with --state-dir",
    ],
    linkPermission,
  ],
  run: ({ flags, rest }, io) => withLog(flags, io, (log) => runEdge(rest[0], flags, io, log)),
});

async function runEdge(source: string, flags: Flags, io: Io, log: Log): Promise<number> {
  checkFlags(flags);
  const upstream = await readTicket(source, io);
  const stateDir = flags["state-dir"] ?? defaultStateDir();
  const { folder } = flags;
  const folderNeeds = folder === undefined ? [] : [toRead(folder), toWrite(folder)];
  demand([toNet(), toRead(stateDir), toWrite(stateDir), ...folderNeeds]);
  using interrupt = new Interrupt();
  const view = new EdgeView(io, flags);
  using story = new ServingLog(log);
  let running: Edge | undefined;
  using _metrics = await giveMetrics(flags, io, () => running ? [running.stats()] : []);
  try {
    running = await edge(upstream, {
      ...edgeOptions(flags),
      stateDir,
      signal: interrupt.signal,
      onEvent: (event) => {
        view.event(event);
        story.event(event);
      },
      onUpstream: (reason) => {
        view.upstream(reason);
        story.upstream(reason);
      },
    });
  } catch (error) {
    if (interrupt.status === undefined) throw error;
    return interrupt.status;
  }
  story.ready(running);
  return await serve(running, view, upstream, interrupt, flags.for ?? Infinity);
}

async function serve(
  running: Edge,
  view: EdgeView,
  upstream: Ticket,
  interrupt: Interrupt,
  forMs: number,
): Promise<number> {
  const over = new AbortController();
  const ticker = setInterval(() => view.tick(running), TICK_MS);
  try {
    view.ready(running, upstream.addresses.map(formatAddress), parseTicket(running.ticket));
    await Promise.race([pause(forMs, AbortSignal.any([over.signal, interrupt.signal])), running.closed]);
    return interrupt.status ?? 0;
  } finally {
    over.abort();
    clearInterval(ticker);
    view.end(running);
    await running.close();
  }
}

function edgeOptions(flags: Flags): EdgeOptions {
  const { disk: diskBytesMax, folder, port, host, open, allow, timeout: timeoutMs } = flags;
  const limitRate = flags["limit-rate"];
  return {
    ...(diskBytesMax !== undefined && { diskBytesMax }),
    ...(folder !== undefined && { folder }),
    ...(port !== undefined && { port }),
    ...(host !== undefined && { host }),
    ...(open && { open }),
    ...(allow && { allow }),
    ...(limitRate !== undefined && { limitRate }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...linkOptions(flags),
    ...contactOptions(flags),
  };
}

/** What the library would call a mistake of its caller. */
function checkFlags({ open, allow }: Flags): void {
  if (open && allow) {
    throw new RgtpError(
      "INVALID_ARG",
      "--open lets everybody pull, and --allow only some nodes: say one of them",
    );
  }
  accessPolicy({ ...(allow && { allow }) });
}
