/*
 * What a contest is: somebody serves a load, and a program that is started, fetches it and ends is what is measured. A contestant is
 * mostly data: what it runs, and the words of its client.
 */
import type { Load, LoadKind } from "./load.ts";
import { endTree, isListening } from "./process_tree.ts";

/** Somebody who can move loads. */
export interface Contestant {
  /** What tables call it. */
  readonly name: string;
  /** What it protects the bytes with on the way. */
  readonly protects: string;
  /** Programs that it needs, and the packages of Debian that have them. */
  readonly programs: Readonly<Record<string, string>>;
  /** How many times as fast RGTP has to be, for each load that it moves (and for a file with one core for both sides); 0: nothing is asked. */
  readonly asked: Partial<Readonly<Record<LoadKind | "oneCore", number>>>;
  /** Moves bytes that nobody reads or writes: a bound, not a rival. */
  readonly isBound?: boolean;
  /** Begins to serve. */
  serve(load: Load, place: Place): Promise<Service>;
}

/** Where a contest takes place. */
export interface Place {
  /** For whatever a server needs. */
  readonly folder: string;
  /** What goes before each program, such as `taskset -c 0`. */
  readonly via: readonly string[];
}

/** A load that is being served; no more when it is disposed of. */
export interface Service extends AsyncDisposable {
  /** The process that serves. What it starts is counted with it. */
  readonly pid: number;
  /** Waits until it would answer. */
  ready(): Promise<void>;
  /** The program that moves the load to the path `out` and then ends. */
  fetch(out: string): readonly string[];
  /** From what it prints: how long it took without start and end of the program; absent: it does not say. */
  seconds?(printed: string): number;
}

const TRIES = 400;
const TRY_MS = 25;

/** Where all of them listen. */
export const HOST = "127.0.0.1";

/** A server that is a program, and listens for TCP. */
export async function tcpServer(
  { via, folder }: Place,
  port: number,
  words: readonly string[],
  fetch: Service["fetch"],
): Promise<Service> {
  const [command, ...args] = [...via, ...words];
  const log = `${folder}/said`;
  const child = new Deno.Command("sh", {
    // What it says is of interest only when it does not start.
    args: ["-c", `exec "$@" >"$0" 2>&1`, log, command, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const service: Service = {
    pid: child.pid,
    ready: async () => {
      for (let tries = 0; !await isListening(port); tries++) {
        if (tries === TRIES) {
          throw new Error(`'${words.join(" ")}' does not answer: ${await Deno.readTextFile(log)}`);
        }
        await new Promise((resolve) => setTimeout(resolve, TRY_MS));
      }
    },
    fetch,
    [Symbol.asyncDispose]: async () => {
      endTree(child.pid);
      await child.status;
    },
  };
  try {
    await service.ready();
    return service;
  } catch (error) {
    await service[Symbol.asyncDispose]();
    throw error;
  }
}

/** A port of TCP that nobody uses at this moment. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}

/** Runs a program to its end. @throws {Error} with what it says, when it fails */
export async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${[command, ...args].join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}
