import { formatAddress } from "../codec/address.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Exposure } from "../transport/expose.ts";
import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { Interrupt, pause } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { linkPermission } from "./_link_flag.ts";
import { giveMetrics, metricsFlags } from "./_metrics.ts";
import { demand, toRead } from "./_permissions.ts";
import { byAddress } from "./_puller_log.ts";
import { emit } from "./_report.ts";
import { prepare, Service } from "./_service.ts";
import type { Changes, PreparedService, ServiceView } from "./_service.ts";
import { statsFlags, StatsView } from "./_stats_view.ts";
import { StatusLine } from "./_terminal.ts";
import { formatBytes, formatSeconds, plural, visible } from "./_text.ts";

const flags = {
  check: { kind: "boolean", help: "look whether CONFIG is right and everything in it is there, and end" },
  "state-dir": {
    kind: "string",
    placeholder: "FOLDER",
    help: "where this machine's identity and its catalog of exposures live; goes before what CONFIG says",
    default: "$XDG_STATE_HOME/red-giant or its like",
  },
  ...statsFlags,
  ...metricsFlags,
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof flags>["flags"];

/** `rgtp serve CONFIG`. */
export const serveCommand: Command = defineCommand({
  summary: "serves several files and folders from one process, as a configuration says: for services",
  operands: { required: ["CONFIG"], optional: [] },
  flags,
  details: [
    "CONFIG is JSON with comments; docs/deploy.md shows one, and schemas/serve.schema.json says what may stand in it. Anything else is " +
    "refused, with line and column. One port may have any number of exposures; paths are counted from the folder of CONFIG.",
    "SIGHUP reads CONFIG again: new exposures come, those that it does not name any more are withdrawn, those whose settings or files " +
    "have changed are made anew, and the others are not touched, nor are those who pull them. A CONFIG that is wrong, or names what is " +
    "not there, changes nothing.",
    "SIGTERM and Ctrl-C let nobody in any more, wait until nobody pulls, at most as long as 'drain' says (30s), and end; a second one ends " +
    "at once.",
    "Tickets with secrets are not printed, since logs are read by many: a 'ticketFile' gets one, and 'rgtp ticket new ID' makes more.",
    "Exit status: 0 when it was told to stop, or the error's code without its sign: 2 CONFIG is wrong, 16 something is not there, 20 it " +
    "cannot be read, 21 the disk is full, 23 a port is taken.",
  ],
  examples: [
    "/etc/rgtp/serve.jsonc",
    "serve.jsonc --check",
    "serve.jsonc --stats",
    "serve.jsonc --json --metrics 9100",
  ],
  permissions: [
    ["--allow-net", "to answer pullers, whose addresses nobody knows before"],
    ["--allow-read=CONFIG,PATHS,STATE", "the configuration, all files and folders in it, the state folder"],
    ["--allow-write=STATE,TICKETS", "the state folder, and the folders of each 'ticketFile' and 'spill'"],
    [
      "--allow-sys=networkInterfaces",
      "to put this machine's addresses into tickets; not with 'host' or 'advertise'; 'announce' says --allow-sys=hostname too",
    ],
    [
      "--allow-env=XDG_STATE_HOME,HOME",
      "to find the state folder (LOCALAPPDATA on Windows); not with --state-dir or 'stateDir'",
    ],
    linkPermission,
  ],
  run: ({ flags, rest }, io) => runServe(rest[0], flags, io),
});

async function runServe(path: string, flags: Flags, io: Io): Promise<number> {
  const status = flags.json ? undefined : new StatusLine(io);
  const view = status ? humanView(status) : jsonView(io);
  const config = await load(path, flags, io);
  if (flags.check) {
    view.tell("checked", { exposures: config.ports.flatMap(({ exposures }) => exposures).length });
    return 0;
  }
  using interrupt = new Interrupt();
  using hangups = new Hangups();
  const service = new Service(view, interrupt.signal);
  using _metrics = await giveMetrics(flags, io, () => service.look().map(({ stats }) => stats));
  using _stats = flags.stats ? keepLooking(service, new StatsView(io, status)) : undefined;
  try {
    const { failed } = await service.apply(config);
    if (interrupt.signal.aborted) {
      view.tell("stopped", { cut: 0 });
      return 0;
    }
    // What was there a moment ago is no reason to begin in part.
    if (failed.length > 0) throw failed[0].error;
    view.tell("started", { exposures: service.count });
    const drainMs = await serveUntilStopped(service, config, () => load(path, flags, io), view, {
      hangups,
      interrupt,
    });
    const pullers = service.look().flatMap(({ stats }) => byAddress(stats.pullers)).length;
    view.tell("draining", { pullers, seconds: drainMs / 1000 });
    view.tell("stopped", { cut: await service.drain(drainMs) });
    return 0;
  } finally {
    status?.clear();
    await service.close();
  }
}

const LOOK_MS = 250;

function keepLooking(service: Service, view: StatsView): Disposable {
  const timer = setInterval(() => view.look(service.look()), LOOK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Answers with how long to drain: what the last configuration says that was taken. */
async function serveUntilStopped(
  service: Service,
  { drainMs }: PreparedService,
  reload: () => Promise<PreparedService>,
  view: View,
  { hangups, interrupt: { signal } }: { readonly hangups: Hangups; readonly interrupt: Interrupt },
): Promise<number> {
  while (!signal.aborted) {
    const ended = await Promise.race([
      pause(Infinity, signal).then(() => true),
      hangups.next(),
      service.failed,
    ]);
    if (ended) break;
    try {
      const config = await reload();
      drainMs = config.drainMs;
      view.reloaded(await service.apply(config));
    } catch (error) {
      view.tell("refused", { message: messageOf(error) });
    }
  }
  return drainMs;
}

/** SIGHUP, from the start on: unheard it would end the process. Those that come while one is worked on are one. */
class Hangups implements Disposable {
  #waiting = Promise.withResolvers<false>();
  readonly #listener = () => this.#waiting.resolve(false);

  constructor() {
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGHUP", this.#listener);
  }

  /** The next one. */
  async next(): Promise<false> {
    await this.#waiting.promise;
    this.#waiting = Promise.withResolvers();
    return false;
  }

  [Symbol.dispose](): void {
    if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGHUP", this.#listener);
  }
}

async function load(path: string, flags: Flags, io: Io): Promise<PreparedService> {
  // Its checker takes longer to load than most commands to run.
  const { parseServiceConfig } = await import("./_service_config.ts");
  const config = parseServiceConfig(await configText(path), path);
  return await prepare(config, flags["state-dir"] ?? config.stateDir ?? defaultStateDir(), io);
}

async function configText(path: string): Promise<string> {
  demand([toRead(path)]);
  let bytes: Uint8Array;
  try {
    const { size } = await Deno.stat(path);
    if (size > limits.serviceConfigBytesMax) {
      throw new RgtpError(
        "INVALID_ARG",
        `'${path}' has ${size} bytes, at most ${limits.serviceConfigBytesMax} are read: it is no configuration`,
      );
    }
    bytes = await Deno.readFile(path);
  } catch (cause) {
    if (cause instanceof RgtpError) throw cause;
    const condition = cause instanceof Deno.errors.NotFound ? "NOT_FOUND" : "IO";
    throw new RgtpError(condition, `cannot read the configuration '${path}': ${messageOf(cause)}`, { cause });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RgtpError("INVALID_ARG", `'${path}' is not UTF-8 text: save it as such`, { cause });
  }
}

/** What a service says. */
interface View extends ServiceView {
  tell(event: keyof typeof sentences, fields: Readonly<Record<string, string | number>>): void;
  reloaded(changes: Changes): void;
}

/** What happens to a service as a whole, for people. */
const sentences = {
  checked: ({ exposures }) => `the configuration is right: ${plural(Number(exposures), "exposure")}`,
  started: ({ exposures }) =>
    `serving ${plural(Number(exposures), "exposure")}; SIGHUP reloads, Ctrl-C stops`,
  refused: ({ message }) => `nothing was changed: ${visible(String(message))}`,
  draining: ({ pullers, seconds }) =>
    `stopping: nobody is let in any more; waiting at most ${formatSeconds(Number(seconds))} for ${
      plural(Number(pullers), "puller")
    }`,
  stopped: ({ cut }) => `stopped${Number(cut) > 0 ? `; ${plural(Number(cut), "pull")} cut off` : ""}`,
} satisfies Record<string, (fields: Readonly<Record<string, string | number>>) => string>;

function jsonView(io: Io): View {
  return {
    tell: (event, fields) => emit(io, event, fields),
    warning: (text) => io.err(`warning: ${visible(text)}\n`),
    ready: (name, exposure, ticketFile) =>
      emit(io, "ready", {
        ...{ name, id: exposure.id, address: formatAddress(exposure.address), access: exposure.access },
        ...{ bytes: exposure.bytes, chunks: exposure.chunks },
        ...(exposure.access !== "tickets" && { ticket: exposure.ticket }),
        ...(ticketFile !== undefined && { ticketFile }),
      }),
    reloaded: ({ failed, ...changes }) =>
      emit(io, "reloaded", {
        ...changes,
        failed: failed.map(({ name, error }) => ({ name, message: messageOf(error) })),
      }),
  };
}

function humanView(status: StatusLine): View {
  const say = (text: string) => status.note(text);
  return {
    tell: (event, fields) => say(sentences[event](fields)),
    warning: (text) => say(`warning: ${visible(text)}`),
    ready: (name, exposure, ticketFile) => say(readyLine(name, exposure, ticketFile)),
    reloaded: ({ added, removed, kept, failed }) => {
      const names = (what: string, list: readonly string[]) =>
        list.length === 0 ? [] : [`${what} ${list.map(visible).join(", ")}`];
      say(["reloaded", ...names("gone:", removed), ...names("new:", added), `${kept} as before`].join("; "));
      for (const { name, error } of failed) say(`error: ${visible(name)}: ${visible(messageOf(error))}`);
    },
  };
}

function readyLine(name: string, { id, address, bytes, access, ticket }: Exposure, file?: string): string {
  const how = access !== "tickets"
    ? ticket
    : file !== undefined
    ? `a ticket is in ${visible(file)}`
    : `'rgtp ticket new ${id}' makes tickets`;
  return `exposing ${visible(name)} on ${formatAddress(address)}: ${formatBytes(bytes)}; ${how}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
