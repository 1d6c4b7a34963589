import { utf8 } from "../core/bytes.ts";
import { errorTable, RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { aeadNames } from "../crypto/engine.ts";
import { expose } from "../transport/expose.ts";
import type { Exposure } from "../transport/expose.ts";
import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import { DEFAULT_PROFILE, profiles } from "../transport/exposure/profiles.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { exposedBy } from "./_exposed_paths.ts";
import { HumanExposeView, isLoopback, JsonExposeView } from "./_expose_views.ts";
import type { ExposeView } from "./_expose_views.ts";
import { handshakeFlags, handshakeOptions } from "./_handshake_flag.ts";
import { Interrupt, pause } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { linkFlags, linkOptions, linkPermission, sharedFlags } from "./_link_flag.ts";
import { castFlags, castOptions } from "./_cast_flags.ts";
import { accessFlags, accessOptions, checkAccessFlags } from "./_access_flags.ts";
import { readPassphrase } from "./_passphrase.ts";
import { checkStoreFlags, spillNeeds, storeFlags, storeOptions } from "./_store_flags.ts";
import { logFlags, withLog } from "./_log.ts";
import type { Log } from "./_log.ts";
import { giveMetrics, metricsFlags } from "./_metrics.ts";
import { visible } from "./_text.ts";
import { demand, toNet, toRead, toWrite } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { ServingLog } from "./_serving_log.ts";
import { statsFlags } from "./_stats_view.ts";

const flags = {
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
  name: {
    kind: "string",
    placeholder: "NAME",
    help: "what pullers see",
    default: "the name of the first PATH",
  },
  profile: {
    kind: "choice",
    choices: ["lan", "wan", "mobile", "satellite"],
    help: "the kind of network, which sets the chunk size",
    default: DEFAULT_PROFILE,
  },
  "chunk-size": {
    kind: "size",
    help: "bytes of a chunk: a power of two, 4KiB to 1MiB",
    default: "the profile's",
  },
  aead: {
    kind: "choice",
    choices: aeadNames,
    help:
      "how chunks are sealed; 'rgtp doctor' says how fast either is on a machine, and it is pullers' machines that do it each time",
    default: "chacha20-poly1305",
  },
  for: { kind: "duration", help: "how long to serve, counted from the ticket on, such as 30s, 5m, 1h, 1d" },
  once: { kind: "boolean", help: "end after the first complete pull" },
  announce: {
    kind: "boolean",
    help:
      "tell the local network of it, so that 'rgtp find' lists it there: name, size, ID and whom it lets pull, readable for all",
  },
  "limit-rate": {
    kind: "rate",
    help: "send at most this to all pullers together, such as 10MB/s, 100Mbit/s",
  },
  "state-dir": {
    kind: "string",
    placeholder: "FOLDER",
    help: "where this machine's identity and its catalog of exposures live",
    default: "$XDG_STATE_HOME/red-giant or its like",
  },
  ...accessFlags,
  ...storeFlags,
  ...linkFlags,
  ...handshakeFlags,
  ...sharedFlags,
  "all-users": {
    kind: "boolean",
    help: "share memory with pullers of other users of this machine too; they need the ticket all the same",
  },
  ...castFlags,
  ...statsFlags,
  ...metricsFlags,
  ...logFlags,
  qr: { kind: "boolean", help: "show the ticket as a QR code too, on standard error" },
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof flags>["flags"];

/** `rgtp expose PATH…`. */
export const exposeCommand: Command = defineCommand({
  summary: "seals files and folders once, and serves them to whoever has the ticket",
  operands: { required: ["PATH"], optional: [], repeated: "PATH" },
  flags,
  details: [
    "PATH is a file or a folder. Of a folder its contents are exposed, with empty folders, executable bits, times and symbolic links " +
    "(as links: they must lead to something inside); several PATHs are exposed together, each under its own name. Pipes, sockets, " +
    "devices, and names that another system could not hold are refused, with the name.",
    "A PATH of - (alone) is standard input, which is read to its end into a file without a name, and sealed from there. 'rgtp status', " +
    "'ticket new' and 'revoke' know it until it is stopped, which ends its tickets. A file of that name is ./-.",
    "The ticket is printed on standard output; it holds a secret: whoever has it may pull. With --open, --allow or --password-file it holds " +
    "none, and lets pull whoever there is, the nodes with those keys alone, or those who know the passphrase. The same file for another " +
    "audience is another exposure, with another key.",
    "A passphrase has 8 characters at least; four words that nobody would put together are a good one. It is kept nowhere, so give it " +
    "again each time. Wrong guesses are answered a few times a minute, and whoever pulled once goes on without it. With another one " +
    "those who knew the one before still have the exposure's key: --rekey makes a new one.",
    "The same file exposed again with the same " +
    "state folder is the same exposure: pulls go on, and earlier tickets stay good as long as address and port are the same. A file " +
    "that is larger than --memory and unchanged since then is not even read before it is served.",
    "A file that changes while it is served in parts is given to nobody any more, from the first changed chunk on: expose it again.",
    "With --multicast everything goes to a multicast group once, for all who pull at the same time, with as much parity as the worst of " +
    "them lacks; what it holds is sealed, as always. Late comers get what they have missed. Whoever cannot keep up, or gets nothing of " +
    "the group, pulls for itself, and says so.",
    "--metrics gives figures, without names, keys and addresses, to whoever reaches that port: of this machine alone, unless HOST is given.",
    "Exit status: 0 after --once or --for, 130 after Ctrl-C, 143 after SIGTERM (pullers are told both times; a second signal ends " +
    "it at once), or the error's code without its sign: 2 wrong arguments, 14 something that cannot be carried, 16 no such file, " +
    "18 a file changed while it was read, 20 it cannot be read, 21 the disk is full, 23 the port is taken.",
  ],
  examples: [
    "video.mkv",
    "video.mkv --port 9000 --limit-rate 100Mbit/s --for 1h",
    "disk.img --memory 64MiB",
    "photos/",
    "report.pdf figures/ --name report",
    "video.mkv --once --json",
    "- --name backup.tar < backup.tar",
    "photos/ --open",
    "report.pdf --allow 5mPqY0cTjBK9cYQWyC3Zp2Tn4kQ1xk3F1q3vVqk0pQA",
    "report.pdf --password-file secret.txt",
    "report.pdf --password-file -",
    "video.mkv --qr",
    "photos/ --open --announce",
    "video.mkv --stats",
    "video.mkv --metrics 9100 --log rgtp.log",
    "image.iso --multicast 239.1.2.3:9000 --interface eth0 --receivers 30",
  ],
  permissions: [
    ["--allow-net", "to answer pullers, whose addresses nobody knows before"],
    [
      "--allow-read=PATH,STATE",
      "the files and folders (of a symbolic link: what it points to as well), the state folder, and the FILE of --password-file",
    ],
    ["--allow-write=STATE", "the state folder; PATH is never written to"],
    [
      "--allow-read=SPILL --allow-write=SPILL",
      "with --spill, and with --spool in the same way: its folder; --allow-sys=statfs to see its free space",
    ],
    ["--allow-read=FOLDER --allow-write=FOLDER", "with --log: the folder of its FILE"],
    [
      "--allow-sys=networkInterfaces",
      "to put this machine's addresses into the ticket, and for --announce; not with --host ADDRESS",
    ],
    [
      "--allow-sys=hostname",
      "to say with --announce what this machine is called; it is announced without that, too",
    ],
    [
      "--allow-env=XDG_STATE_HOME,HOME",
      "to find the state folder (LOCALAPPDATA on Windows); not with --state-dir",
    ],
    linkPermission,
  ],
  run: ({ flags, rest }, io) => withLog(flags, io, (log) => runExpose(rest, flags, io, log)),
});

async function runExpose(paths: readonly string[], flags: Flags, io: Io, log: Log): Promise<number> {
  checkFlags(flags);
  const stateDir = flags["state-dir"] ?? defaultStateDir();
  const exposed = exposedBy(paths);
  demand([toNet(), ...exposed.needs, toRead(stateDir), toWrite(stateDir), ...spillNeeds(flags)]);
  demand(exposed.linkNeeds());
  if (paths.includes("-") && flags["password-file"] === "-") {
    throw new RgtpError("INVALID_ARG", "standard input is what is exposed: give the passphrase in a file");
  }
  const passphrase = await readPassphrase(flags["password-file"], io, true);
  using interrupt = new Interrupt();
  const view = flags.json ? new JsonExposeView(io, flags) : new HumanExposeView(io, flags);
  using story = new ServingLog(log);
  const finished = Promise.withResolvers<void>();
  let exposure: Exposure | undefined;
  // Before anything is sealed: a taken port shall not show only after that.
  using _metrics = await giveMetrics(flags, io, () => exposure ? [exposure.stats()] : []);
  try {
    exposure = await expose(exposed.source, {
      ...(exposed.name !== undefined && { name: exposed.name }),
      ...exposeOptions(flags),
      ...(passphrase !== undefined && { passphrase }),
      stateDir,
      signal: interrupt.signal,
      onRead: (bytes) => view.reading(bytes),
      onSeal: (bytes, total) => view.sealing(bytes, total),
      onWarning: (text) => {
        io.err(`warning: ${visible(text)}\n`);
        story.warning(text);
      },
      onEvent: (event) => {
        view.event(event);
        story.event(event);
        if (event.kind === "completed" && flags.once) finished.resolve();
      },
    });
  } catch (error) {
    view.clear();
    if (interrupt.status === undefined) throw error;
    tellInterrupted(io, flags.json);
    return interrupt.status;
  }
  story.ready(exposure, { access: exposure.access, sealSeconds: exposure.sealSeconds });
  return await serve(exposure, view, { interrupt, finished: finished.promise, forMs: flags.for ?? Infinity });
}

function tellInterrupted(io: Io, json: boolean): void {
  const message = "stopped before the file was sealed: nothing was exposed";
  if (json) emit(io, "error", { code: errorTable.CANCELLED[0], name: "CANCELLED", message });
  else io.err(`${message}\n`);
}

/** How often a view may say something. */
const TICK_MS = 250;

/** Until one of the ends that it may have; the counts at the end are told before the exposure is closed. */
async function serve(
  exposure: Exposure,
  view: ExposeView,
  { interrupt, finished, forMs }: { interrupt: Interrupt; finished: Promise<void>; forMs: number },
): Promise<number> {
  const over = new AbortController();
  const ticker = setInterval(() => view.tick(exposure), TICK_MS);
  try {
    view.ready(exposure);
    const any = AbortSignal.any([over.signal, interrupt.signal]);
    // `closed` ends by itself only when the socket dies, and then it rejects.
    await Promise.race([pause(forMs, any), finished, exposure.closed]);
    return interrupt.status ?? 0;
  } finally {
    over.abort();
    clearInterval(ticker);
    view.end(exposure);
    await exposure.close();
  }
}

function exposeOptions(flags: Flags): Parameters<typeof expose>[1] {
  const { port, host, name, profile, aead } = flags;
  const chunkSize = flags["chunk-size"];
  const limitRate = flags["limit-rate"];
  const multicast = castOptions(flags);
  return {
    ...(multicast && { multicast }),
    ...storeOptions(flags),
    ...accessOptions(flags),
    announce: flags.announce,
    ...(port !== undefined && { port }),
    ...(host !== undefined && { host }),
    ...(name !== undefined && { name }),
    ...(profile !== undefined && { profile }),
    ...linkOptions(flags, flags.multicast !== undefined),
    ...handshakeOptions(flags),
    ...(flags["no-shared"] && { shared: "off" }),
    ...(flags["all-users"] && { shared: "all" }),
    ...(chunkSize !== undefined && { chunkSize }),
    ...(aead !== undefined && { aead }),
    ...(limitRate !== undefined && { limitRate }),
  };
}

/** What the library would call a mistake of its caller. */
function checkFlags(flags: Flags): void {
  checkStoreFlags(flags);
  checkAccessFlags(flags);
  castOptions(flags);
  if (flags["no-shared"] && flags["all-users"]) {
    throw new RgtpError(
      "INVALID_ARG",
      "--all-users shares memory, and --no-shared does not: say one of them",
    );
  }
  if (flags.qr && flags.json) {
    throw new RgtpError("INVALID_ARG", "--qr is for people, and --json for programs: drop one");
  }
  if (flags.link === "ethernet" && flags.host !== undefined) {
    throw new RgtpError("INVALID_ARG", "--host is for UDP: --interface says where --link ethernet answers");
  }
  if (flags.announce && flags.host !== undefined && isLoopback(flags.host)) {
    throw new RgtpError(
      "INVALID_ARG",
      `nobody reaches ${visible(flags.host)} but this machine: leave out --host or --announce`,
    );
  }
  const size = flags["chunk-size"];
  const { chunkBytesMin, chunkBytesMax, nameBytesMax } = limits;
  if (
    size !== undefined && (size < chunkBytesMin || size > chunkBytesMax || !Number.isInteger(Math.log2(size)))
  ) {
    throw new RgtpError(
      "INVALID_ARG",
      `--chunk-size is ${size} bytes: it must be a power of two from 4KiB to 1MiB (the profiles take ` +
        `${Object.entries(profiles).map(([name, bytes]) => `${name} ${bytes / 1024}KiB`).join(", ")})`,
    );
  }
  const bytes = utf8(flags.name ?? "").length;
  if (bytes > nameBytesMax) {
    throw new RgtpError(
      "INVALID_ARG",
      `--name has ${bytes} bytes of UTF-8: at most ${nameBytesMax} are allowed`,
    );
  }
}
