import { join } from "node:path";
import { endChildren } from "./_compare/process_tree.ts";

const FINISH_MS = 30_000;

/** A child process of a benchmark whose standard output is read line by line. */
export class BenchProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncGenerator<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  /** Runs a file of this project, or of another checkout at `root`, with this Deno and all permissions; `via` goes before it, `flags` are Deno's own. */
  constructor(
    file: string,
    args: readonly string[],
    { via = [], flags = [], root }: {
      readonly via?: readonly string[];
      readonly flags?: readonly string[];
      readonly root?: string;
    } = {},
  ) {
    const [command, ...rest] = [...via, ...denoWords(file, args, flags, root)];
    this.#child = new Deno.Command(command, {
      args: rest,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = lines(this.#child.stdout);
    this.#input = this.#child.stdin.getWriter();
  }

  /** Its number; with `via` that of what was started, which has become this program if it is such as `taskset`. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Says a line to it, and waits for one from it: JSON. */
  async ask(line: string): Promise<Record<string, unknown>> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
    return JSON.parse(await this.line());
  }

  /** The most memory that it has had so far, in bytes: Linux alone tells. 0 when it has ended. */
  async memoryPeak(): Promise<number> {
    try {
      const status = await Deno.readTextFile(`/proc/${this.#child.pid}/status`);
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return 0;
      throw error;
    }
  }

  /** Processor time that it has taken so far, in seconds; see {@linkcode cpuSeconds}. */
  cpuSeconds(): Promise<number> {
    return cpuSeconds(this.#child.pid);
  }

  /** The next line. @throws {Error} when the process has ended */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`a benchmark process ended early, status ${(await this.#child.status).code}`);
    return value;
  }

  /** The next JSON line whose `event` is `name`; others are passed over. */
  async event(name: string): Promise<Record<string, unknown>> {
    while (true) {
      const event = JSON.parse(await this.line());
      if (event.event === name) return event;
      if (event.event === "error") throw new Error(`a benchmark process failed: ${event.message}`);
    }
  }

  /** Waits for its end. */
  async ended(): Promise<void> {
    const { code } = await this.#child.status;
    if (code !== 0) throw new Error(`a benchmark process ended with status ${code}`);
  }

  /** Says no more to it, and waits for its end: whether it came to one by itself, in half a minute. */
  async finish(): Promise<boolean> {
    await this.#input.close();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), FINISH_MS);
    this.#child.status.then(({ code }) => resolve(code === 0));
    const isOver = await promise;
    clearTimeout(timer);
    return isOver;
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#lines.return(undefined);
    await this.#child.status;
    await this.#input.abort().catch(() => {});
  }
}

/** The words that run a file of this project, or of another checkout at `root`, with this Deno and all permissions. */
export function denoWords(
  file: string,
  args: readonly string[],
  flags: readonly string[] = [],
  root = new URL("..", import.meta.url).pathname,
): string[] {
  const at = (path: string) => join(root, path);
  return [
    ...[Deno.execPath(), "run", "-A", "--quiet", ...flags, "--config", at("deno.json"), at(file)],
    ...args,
  ];
}

/** What a process holds resident, in bytes: Linux alone tells. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Processor time of a process and all its threads, in seconds: Linux alone tells, others and processes that have ended are `NaN`. */
export async function cpuSeconds(pid: number): Promise<number> {
  try {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    // proc(5): the name may hold anything, but behind its bracket utime and stime are the 12th and 13th, in ticks of 1/100 s.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return NaN;
    throw error;
  }
}

export async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
  if (rest !== "") yield rest;
}

/** The middle of some figures, and their range. */
export function spread(figures: readonly number[]): { median: number; min: number; max: number } {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

/** A folder for large files: in memory where the system has such a place, so that no disk is measured. */
export async function fastTempDir(): Promise<string> {
  try {
    return await tempDir("/dev/shm");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) {
      throw error;
    }
    return await tempDir();
  }
}

/** A folder of a benchmark's own. The caller removes it. When he is interrupted, it goes with all that he has started. */
export async function tempDir(dir?: string): Promise<string> {
  const folder = await Deno.makeTempDir({ ...(dir !== undefined && { dir }), prefix: "rgtp-bench-" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      if (Deno.build.os === "linux") endChildren();
      Deno.removeSync(folder, { recursive: true });
      Deno.exit(130);
    });
  }
  return folder;
}

/** Writes `bytes` pseudo-random bytes to `path`. */
export async function writeRandomFile(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const block = new Uint8Array(1 << 20);
  for (let at = 0; at < block.length; at += 65536) crypto.getRandomValues(block.subarray(at, at + 65536));
  const view = new DataView(block.buffer);
  for (let at = 0, n = 0; at < bytes; at += block.length, n++) {
    // Every block differs, and nothing of it can be guessed from the others cheaply enough to matter here.
    for (let i = 0; i < block.length; i += 4096) view.setUint32(i, n + i);
    let slice = block.subarray(0, Math.min(block.length, bytes - at));
    while (slice.length > 0) slice = slice.subarray(await file.write(slice));
  }
}
