import type { Ticket } from "../codec/ticket.ts";
import { errorTable, RgtpError } from "../core/errors.ts";
import { trafficClassNames } from "../transport/protocol/traffic_class.ts";
import { pull } from "../transport/pull.ts";
import type { PullProgress, PullResult } from "../transport/pull.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { contactFlags, contactOptions } from "./_contact_flag.ts";
import { handshakeFlags, handshakeOptions } from "./_handshake_flag.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { linkFlags, linkOptions, linkPermission, sharedFlags } from "./_link_flag.ts";
import { identityFolder } from "./_node_identity.ts";
import { OutputPlace } from "./_output_place.ts";
import { demand, netNeeds, toNet } from "./_permissions.ts";
import { HumanPullView, JsonPullView } from "./_pull_views.ts";
import { emit } from "./_report.ts";
import { readSources, serveMeanwhile, sourceFlags, sourceTeller } from "./_source_flags.ts";
import type { OtherSources } from "./_source_flags.ts";
import { stallTeller } from "./_stall.ts";
import { formatBytes, visible } from "./_text.ts";
import { exposerFlags, readWanted, unlockAfter } from "./_wanted.ts";

const flags = {
  list: { kind: "boolean", help: "show what a collection holds, and pull nothing of it" },
  files: {
    kind: "strings",
    placeholder: "GLOB",
    help:
      "pull only the files and folders of a collection that are called like this, such as '**/*.jpg' or docs; may be given " +
      "several times",
  },
  force: { kind: "boolean", help: "replace OUT, or files in it, where something else is there" },
  "no-sha256": {
    kind: "boolean",
    help:
      "do not hash the finished file as a whole, which is for people: every chunk is verified all the same",
  },
  timeout: {
    kind: "duration",
    help: "give up after this long without progress",
    default: "30s; 10s for the first contact",
  },
  "limit-rate": { kind: "rate", help: "ask for at most this, such as 10MB/s, 100Mbit/s" },
  priority: {
    kind: "choice",
    choices: trafficClassNames,
    help:
      "how it behaves beside other traffic: batch yields to all, high takes more, realtime keeps queues short",
    default: "normal",
  },
  "state-dir": {
    kind: "string",
    placeholder: "FOLDER",
    help: "where this machine's identity lives: the key that an exposer's --allow names",
    default: "$XDG_STATE_HOME/red-giant or its like, if 'rgtp id create' has made one there",
  },
  ...sourceFlags,
  ...exposerFlags,
  ...contactFlags,
  ...linkFlags,
  ...handshakeFlags,
  ...sharedFlags,
  unicast: { kind: "boolean", help: "pull for yourself, also where the exposer has a multicast group" },
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof flags>["flags"];

/** So often may an exposer start anew in one pull by passphrase. */
const UNLOCKS_MAX = 10;

/** `rgtp pull TICKET [OUT]`, and `rgtp pull HOST:PORT NAME [OUT]`. */
export const pullCommand: Command = defineCommand({
  summary: "pulls what a ticket names, verifies every byte, and goes on where an earlier pull was cut off",
  operands: { required: ["TICKET|HOST:PORT"], optional: ["NAME", "OUT"] },
  flags,
  details: [
    "TICKET is the line that 'rgtp expose' printed, @FILE for a file that holds it, or - for standard input; the last two keep its " +
    "secret out of the list of processes.",
    "It is 'rgtp pull TICKET [OUT]' or 'rgtp pull HOST:PORT NAME [OUT]'. NAME is what an exposer calls something that it exposes with " +
    "--open, or with --allow for this machine, or the first 16 bytes of its ID in hexadecimal or base64url. The first contact with an " +
    "exposer prints its key's fingerprint and keeps the key in known_exposers in the state folder; another key there is refused from " +
    "then on. Without a terminal, and with --json, an exposer must be known already, or be named with --key.",
    "What was exposed with --password-file there needs the same passphrase here; a terminal asks for it. It goes over " +
    "no wire: no exposer that pretends to be the right one, and nobody who listens, can try guesses at it without you. An exposer that knows " +
    "it is believed at the first contact, also without a terminal.",
    "OUT is a file or a folder (default: the exposed name, in the current folder). It appears whole and verified, or not at all: " +
    "until then the data is in OUT.part, from where the same command goes on. An OUT that holds the same bytes already is left " +
    "as it is. The file's SHA-256 is printed on standard output.",
    "Of a collection OUT is the folder that will hold the contents; it may exist. Each file appears when it is whole; what is not " +
    "whole is in OUT/.rgtp-part. Files that are there and right are left as they are, and are not pulled.",
    "An OUT of - is standard output: verified bytes in their order, in bounded memory, with progress on standard error. What was " +
    "written is whole only if the exit status is 0; nothing is kept, so a later pull begins anew. A file of that name is ./-.",
    "With --from and --edge every source is asked for what it brings soonest. What comes is verified as ever: a source that " +
    "sends something else is named and left, one that falls silent is done without.",
    "With --serve-while-pulling this pull is an edge for others (see 'rgtp edge') until it ends: what it takes goes through a cache of at " +
    "most 1 GiB, in a file without a name in the system's folder for temporary files, and is given to others sealed.",
    "Exit status: 0, 130 after Ctrl-C, 143 after SIGTERM (what has arrived is kept; a second signal ends it at once), or the " +
    "error's code without its sign: 2 wrong arguments, 7 another exposer than the ticket's, 10 the ticket is cut off, 12 no answer " +
    "in time, 17 the ticket is not valid any more, 19 OUT holds something else, 21 the disk is full, 24 the exposer stopped.",
  ],
  examples: [
    "@ticket.txt",
    "@ticket.txt downloads/ --limit-rate 50Mbit/s",
    "- video.mkv --json < ticket.txt",
    "@ticket.txt - | tar x",
    "@ticket.txt --from 192.0.2.7:9000 --from @mirror.txt",
    "@ticket.txt --edge @edge.txt",
    "192.0.2.1:9000 photos",
    "192.0.2.1:9000 photos --password-file secret.txt",
    "@ticket.txt --list",
    "@ticket.txt photos --files '2024/**/*.jpg'",
  ],
  permissions: [
    [
      "--allow-net",
      "to reach the exposer and other sources; for IPv4 addresses alone --allow-net=HOST:PORT,0.0.0.0:0 is enough",
    ],
    [
      "--allow-read=FOLDER",
      "the folder that OUT is in (of a symbolic link: what it points to as well), and the FILE of @FILE and of --password-file",
    ],
    ["--allow-write=FOLDER", "the folder that OUT is in"],
    [
      "--allow-net --allow-read=TEMP --allow-write=TEMP --allow-sys=networkInterfaces",
      "with --serve-while-pulling: to answer others, for the system's folder for temporary files, and for this machine's addresses",
    ],
    [
      "--allow-read=STATE --allow-env=XDG_STATE_HOME,HOME",
      "for a ticket without a secret: this machine's identity, when it is to be shown (with --state-dir, --allow-write=STATE and no --allow-env)",
    ],
    [
      "--allow-read=STATE --allow-write=STATE --allow-env=XDG_STATE_HOME,HOME",
      "with HOST:PORT: known_exposers; no --allow-env with --state-dir. With --key it works without, and keeps nothing",
    ],
    ["--allow-read --allow-write", "for a collection with symbolic links, which Deno makes for nothing less"],
    [
      "--allow-net=GROUP:PORT",
      "to listen to the exposer's multicast group; without it the pull goes on by unicast, and says so. For --interface without --allow-ffi also --allow-sys=networkInterfaces",
    ],
    linkPermission,
  ],
  run: ({ flags, rest }, io) => runPull(rest, flags, io),
});

async function runPull(operands: readonly string[], flags: Flags, io: Io): Promise<number> {
  let wanted = await readWanted(operands, flags, io);
  const sources = await readSources(flags, io);
  if (flags["serve-while-pulling"] && (flags.list || wanted.out === "-")) {
    throw new RgtpError("INVALID_ARG", "--serve-while-pulling is for pulls to a file or a folder");
  }
  const run = flags.list ? runList : wanted.out === "-" ? runToStdout : runToFile;
  for (let unlocks = 0;; unlocks++) {
    try {
      return await run({ ticket: wanted.ticket, sources, flags, io, out: wanted.out });
    } catch (error) {
      // What went to standard output cannot be taken back.
      if (run === runToStdout || unlocks === UNLOCKS_MAX) throw error;
      wanted = await unlockAfter(error, wanted, flags, io);
    }
  }
}

/** What a run is made of. */
interface Run {
  readonly ticket: Ticket;
  readonly sources: OtherSources;
  readonly flags: Flags;
  readonly io: Io;
  readonly out: string | undefined;
}

async function runToFile({ ticket, sources: named, flags, io, out }: Run): Promise<number> {
  const output = new OutputPlace(out, ticket);
  const isServing = flags["serve-while-pulling"];
  demand(isServing ? [toNet()] : netNeeds({ addresses: [...ticket.addresses, ...named.addresses] }));
  output.demandFile();
  using interrupt = new Interrupt();
  const view = flags.json ? new JsonPullView(io) : new HumanPullView(io, ticket, out ?? ticket.name);
  const tell = (own: string) => {
    if (flags.json) emit(io, "serving", { ticket: own });
    else view.note(`others may take from here meanwhile: rgtp pull TICKET --edge ${own}`);
  };
  await using own = isServing
    ? await serveMeanwhile(ticket, named, { signal: interrupt.signal, ...contactOptions(flags) }, tell).catch(
      (error) => {
        // The pull below says that it was stopped.
        if (interrupt.status === undefined) throw error;
        return undefined;
      },
    )
    : undefined;
  const { sources } = own ?? { sources: named };
  const task = pull(ticket, {
    ...pullOptions(flags, ticket, sources),
    ...contactOptions(flags, own?.sources.addresses),
    signal: interrupt.signal,
    onStall: (reason) => view.stall(reason),
    onEvent: sourceTeller(io, flags.json, (text) => view.note(text)),
  });
  let result: PullResult;
  try {
    result = await task.saveTo((what) => output.choose(what), {
      force: flags.force,
      sha256: !flags["no-sha256"],
      ...(flags.files && { files: flags.files }),
      onProgress: (progress) => view.progress(progress),
      onHash: (bytes) => view.hashing(bytes),
    });
  } catch (error) {
    view.clear();
    if (interrupt.status === undefined) throw error;
    tellInterrupted(io, flags.json, output.kept, task.progress);
    return interrupt.status;
  }
  view.done(result);
  return 0;
}

async function runToStdout({ ticket, sources, flags, io }: Run): Promise<number> {
  const wrong = flags.json ? "--json prints to standard output" : flags.files ? "--files chooses files" : "";
  if (wrong !== "") {
    throw new RgtpError(
      "INVALID_ARG",
      `${wrong}, where an OUT of - wants one row of bytes: leave one of them out`,
    );
  }
  demand(netNeeds({ addresses: [...ticket.addresses, ...sources.addresses] }));
  const { pullToStdout, StdoutView } = await import("./_pull_to_stdout.ts");
  using interrupt = new Interrupt();
  const view = new StdoutView(io, ticket);
  const task = pull(ticket, {
    ...pullOptions(flags, ticket, sources),
    signal: interrupt.signal,
    onStall: (reason) => view.stall(reason),
    onEvent: sourceTeller(io, flags.json, (text) => view.note(text)),
  });
  try {
    await pullToStdout(task, view);
  } catch (error) {
    view.clear();
    if (interrupt.status === undefined) throw error;
    io.err("stopped; what was written is a part, and nothing is kept\n");
    return interrupt.status;
  }
  view.done(task);
  return 0;
}

async function runList({ ticket, sources, flags, io }: Run): Promise<number> {
  demand(netNeeds({ addresses: [...ticket.addresses, ...sources.addresses] }));
  using interrupt = new Interrupt();
  const task = pull(ticket, {
    ...pullOptions(flags, ticket, sources),
    signal: interrupt.signal,
    onStall: stallTeller(io, flags.json),
  });
  const entries = await task.list().catch((error) => {
    if (interrupt.status === undefined) throw error;
    return undefined;
  });
  if (!entries) return interrupt.status ?? 1;
  const [{ pathChooser }, { showEntries }] = await Promise.all([
    import("../transport/exposure/collection_globs.ts"),
    import("./_list_view.ts"),
  ]);
  const chooses = flags.files ? pathChooser(flags.files) : () => true;
  showEntries(io, flags.json, entries.filter(({ path }) => chooses(path)));
  return 0;
}

function tellInterrupted(io: Io, json: boolean, place: string | undefined, progress: PullProgress): void {
  const { done, total } = progress;
  const kept = place !== undefined
    ? `${formatBytes(done)} of ${formatBytes(total)} are kept in '${
      visible(place)
    }': the same command goes on from there`
    : "nothing had arrived yet";
  const message = `stopped; ${kept}`;
  if (json) emit(io, "error", { code: errorTable.CANCELLED[0], name: "CANCELLED", message });
  else io.err(`${message}\n`);
}

function pullOptions(
  flags: Flags,
  ticket: Ticket,
  { from, edges }: OtherSources,
): Parameters<typeof pull>[1] {
  const { timeout: timeoutMs, priority } = flags;
  const limitRate = flags["limit-rate"];
  // A secret says enough: who has come with it is nobody's business.
  const stateDir = ticket.secret ? undefined : identityFolder(flags["state-dir"]);
  return {
    ...(from && { from }),
    ...(edges && { edges }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(limitRate !== undefined && { limitRate }),
    ...(priority !== undefined && { priority }),
    ...linkOptions(flags, !flags.unicast),
    ...handshakeOptions(flags),
    ...contactOptions(flags),
    multicast: !flags.unicast,
    ...(flags["no-shared"] && { shared: false }),
    ...(stateDir !== undefined && { stateDir }),
  };
}
