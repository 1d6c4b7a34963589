/*
 * `rgtp` as people run it: a process of its own, with the Deno permissions that its help names, known by its lines of JSON alone.
 */
import { join } from "node:path";
import { parseTicket } from "../../codec/ticket.ts";

/** The exposer serves. */
export interface ReadyEvent {
  readonly event: "ready";
  readonly ticket: string;
  readonly id: string;
  readonly bytes: number;
  readonly chunks: number;
  readonly sealSeconds: number;
  readonly access: string;
}
/** A pull serves others meanwhile. */
export interface ServingEvent {
  readonly event: "serving";
  readonly ticket: string;
}
/** What an exposer has sent so far. */
export interface ServedEvent {
  readonly event: "served";
  readonly bytes: number;
  readonly shared: number;
}
/** How far a pull is. */
export interface ProgressEvent {
  readonly event: "progress";
  readonly bytes: number;
  readonly total: number;
  readonly rate: number;
}
/** A pull has ended well. */
export interface DoneEvent {
  readonly event: "done";
  readonly bytes: number;
  readonly seconds: number;
  readonly handshakeSeconds: number;
  readonly wireBytes: number;
  readonly shared: number;
  readonly id: string;
  readonly path: string;
  readonly sha256: string;
  readonly reused: number;
  readonly alreadyComplete: boolean;
  /** Of a collection. */
  readonly files?: number;
}
/** Something in a collection. */
export interface EntryEvent {
  readonly event: "entry";
  readonly path: string;
  readonly kind: "file" | "folder" | "link";
  readonly size?: number;
  readonly sha256?: string;
}
/** A list has ended. */
export interface ListedEvent {
  readonly event: "listed";
  readonly entries: number;
}
/** It went wrong. */
export interface ErrorEvent {
  readonly event: "error";
  readonly code: number;
  readonly name: string;
  readonly message: string;
}
/** Nothing comes, and why. */
export interface StalledEvent {
  readonly event: "stalled";
  readonly reason: string;
}
/** What `rgtp doctor` found. */
export interface CheckEvent {
  readonly event: "check";
  readonly name: string;
  readonly state: "ok" | "warn" | "fail";
  readonly what: string;
}
/** A line that `rgtp` printed. */
export type RgtpEvent =
  | ServingEvent
  | ReadyEvent
  | ServedEvent
  | ProgressEvent
  | DoneEvent
  | EntryEvent
  | ListedEvent
  | StalledEvent
  | CheckEvent
  | ErrorEvent;
type EventOf<Kind extends RgtpEvent["event"]> = Extract<RgtpEvent, { event: Kind }>;

/** How a process is started. */
export interface StartOptions {
  /** What goes before the program, e.g. `ip netns exec NAME`. */
  readonly via?: readonly string[];
  /** Deno's permissions; those of the task `rgtp` when absent. */
  readonly permissions?: readonly string[];
  /** The folder to run in. */
  readonly cwd?: string;
  /** A module that Deno runs before the program. */
  readonly preload?: string;
  /** What it finds in its environment beside what this process does. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How an exposer is started. */
export interface ExposerOptions extends StartOptions {
  /** Where it keeps identity and catalog. */
  readonly stateDir: string;
  /** The address to listen on; all when absent. */
  readonly host?: string;
  /** The port; any free one when absent. */
  readonly port?: number;
  /** Whether pullers may get shared memory; not when absent: it is the network that most tests are about. */
  readonly isShared?: boolean;
  /** More flags. */
  readonly flags?: readonly string[];
}

/** The root of the project. */
export const projectRoot: string = join(import.meta.dirname ?? ".", "..", "..");

/** What the task `rgtp` in `deno.json` grants. */
const PERMISSIONS = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys=networkInterfaces,hostname",
  "--allow-ffi=/lib,/lib64",
];

/** Long enough for a machine that is busy with other things; a process that hangs still ends the test, with what it said. */
const READY_MS = 60_000;
const DONE_MS = 240_000;
const END_MS = 30_000;
const TAIL_CHARS = 4000;

/** A running `rgtp`. Left behind by a test that failed, it is killed. */
export class RgtpProcess implements AsyncDisposable {
  /** Everything that it has said, oldest first. */
  readonly events: RgtpEvent[] = [];
  /** Its number. */
  readonly pid: number;
  /** How it ended. */
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #pumps: Promise<unknown>;
  readonly #name: string;
  readonly #wakers = new Set<() => void>();
  #rest = "";
  #stderr = "";
  #isOver = false;

  /** Starts `rgtp` with these arguments. */
  constructor(args: readonly string[], options: StartOptions = {}) {
    const { via = [], permissions = PERMISSIONS, cwd, preload, env = {} } = options;
    const [command, ...before] = [...via, Deno.execPath()];
    this.#name = `rgtp ${args[0]}`;
    this.#child = new Deno.Command(command, {
      args: [
        ...before,
        "run",
        "--quiet",
        "--no-prompt",
        `--config=${join(projectRoot, "deno.json")}`,
        ...permissions,
        ...(preload === undefined ? [] : [`--preload=${preload}`]),
        join(projectRoot, "cli", "main.ts"),
        ...args,
      ],
      env: { ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...(cwd !== undefined && { cwd }),
    }).spawn();
    this.pid = this.#child.pid;
    this.#pumps = Promise.all([
      pump(this.#child.stdout, (text) => this.#take(text)),
      pump(this.#child.stderr, (text) => this.#stderr = (this.#stderr + text).slice(-TAIL_CHARS)),
    ]);
    this.status = this.#pumps.then(() => this.#child.status).finally(() => {
      this.#isOver = true;
      this.#wake();
    });
    // Whoever waits for this process learns of it; before that, it shall not end the whole run of tests.
    this.status.catch(() => {});
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What it wrote for people, the last of it. */
  get stderr(): string {
    return this.#stderr;
  }

  /** The first event of a kind, waited for. */
  async next<Kind extends RgtpEvent["event"]>(kind: Kind, ms = DONE_MS): Promise<EventOf<Kind>> {
    const isIt = (event: RgtpEvent): event is EventOf<Kind> => event.event === kind;
    await this.until(() => this.events.some(isIt), `'${kind}'`, ms);
    return this.events.find(isIt)!;
  }

  /** The last event of a kind so far. */
  last<Kind extends RgtpEvent["event"]>(kind: Kind): EventOf<Kind> | undefined {
    return this.events.findLast((event): event is EventOf<Kind> => event.event === kind);
  }

  /** Bytes that a pull has verified so far. */
  get progress(): number {
    return this.last("progress")?.bytes ?? 0;
  }

  /** Waits until `isSo`, looked at after each event; fails when the process ends or the time is over before that. */
  async until(isSo: () => boolean, what: string, ms = DONE_MS): Promise<void> {
    const end = performance.now() + ms;
    while (!isSo()) {
      const left = end - performance.now();
      if (this.#isOver) throw this.failure(`ended before ${what}`);
      if (left <= 0) throw this.failure(`has not come to ${what} in ${ms} ms`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, left);
      this.#wakers.add(resolve);
      await promise;
      this.#wakers.delete(resolve);
      clearTimeout(timer);
    }
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    this.send(signal);
    return await this.ended();
  }

  /** Sends a signal, unless it has ended. */
  send(signal: Deno.Signal): void {
    if (this.#isOver) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It has just ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** Waits for the end. */
  async ended(ms = END_MS): Promise<Deno.CommandStatus> {
    await this.until(() => this.#isOver, "its end", ms);
    return await this.status;
  }

  /** Its `done`, and that it ended well. */
  async done(ms = DONE_MS): Promise<DoneEvent> {
    const done = await this.next("done", ms);
    const { code } = await this.ended();
    if (code !== 0) throw this.failure(`ended with status ${code} after 'done'`);
    return done;
  }

  /** Its `error`, and that its exit status is that of the error. */
  async failed(ms = DONE_MS): Promise<ErrorEvent> {
    const error = await this.next("error", ms);
    const { code } = await this.ended();
    if (code !== -error.code) throw this.failure(`ended with status ${code}, not ${-error.code}`);
    return error;
  }

  /** See {@linkcode AsyncDisposable}. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.send("SIGKILL");
    await this.status;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      // With --json nothing else may stand on standard output: what is not JSON fails here, and with it the test.
      if (line !== "") this.events.push(JSON.parse(line) as RgtpEvent);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }

  /** An error that says what this process has said. */
  failure(what: string): Error {
    const events = this.events.slice(-5).map((event) => JSON.stringify(event)).join("\n");
    return new Error(
      `${this.#name} ${what}; its last events:\n${events}\nits standard error:\n${this.#stderr}`,
    );
  }
}

/** Starts an exposer of a file, and waits until it serves. */
export async function startExposer(
  path: string,
  options: ExposerOptions,
): Promise<{ exposer: RgtpProcess; ready: ReadyEvent }> {
  const { host, port = 0, stateDir, flags = [], isShared = false } = options;
  const where = [...host === undefined ? [] : ["--host", host], "--port", `${port}`, "--state-dir", stateDir];
  const road = isShared ? [] : ["--no-shared"];
  const exposer = new RgtpProcess(["expose", path, ...where, ...road, "--json", ...flags], options);
  try {
    return { exposer, ready: await exposer.next("ready", READY_MS) };
  } catch (error) {
    await exposer[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts a pull. */
export function startPuller(
  ticket: string,
  out: string,
  flags: readonly string[] = [],
  options: StartOptions = {},
): RgtpProcess {
  return new RgtpProcess(["pull", ticket, out, "--json", ...flags], options);
}

/** Ends an exposer as Ctrl-C does; answers with how many bytes it has sent, by its own count. */
export async function stopExposer(exposer: RgtpProcess): Promise<number> {
  await exposer.kill("SIGINT");
  return exposer.last("served")?.bytes ?? 0;
}

/** The port that a ticket names. */
export function portOf(ticket: string): number {
  return parseTicket(ticket).addresses[0].port;
}

async function pump(from: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let failure: unknown;
  for await (const bytes of from) {
    try {
      // Read on after a failure: a full pipe would hold the process up.
      if (failure === undefined) take(decoder.decode(bytes, { stream: true }));
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
}
