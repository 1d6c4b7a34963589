/** What the commands print with `--json`: one of these a line. */
export type Line =
  | { event: "ready"; ticket: string; bytes: number; chunks: number; sealSeconds: number }
  | { event: "served"; bytes: number; pullers: number }
  | { event: "progress"; bytes: number; total: number; rate: number }
  | { event: "stalled"; reason: string }
  | { event: "resumed" }
  | { event: "done"; bytes: number; seconds: number; wireBytes: number; sha256: string; reused?: number }
  | { event: "error"; code: number; name: string; message: string };

/** A running `rgtp` command and what it has said. */
export class Program {
  readonly #child: Deno.ChildProcess;
  readonly #lines: Line[] = [];
  readonly #running: Set<Program>;
  readonly #read: Promise<void>;
  #wake: () => void = () => {};
  #ended = false;

  constructor(running: Set<Program>, args: readonly string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      // What `rgtp --help` asks for, and not more; paths are left open as they are in a folder of this run.
      args: [
        "run",
        "--no-prompt",
        ...["--allow-net", "--allow-read", "--allow-write", "--allow-sys=networkInterfaces"],
        new URL("../cli/main.ts", import.meta.url).pathname,
        ...args,
        "--json",
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#running = running;
    running.add(this);
    this.#read = this.#readLines();
  }

  /** The next line of a kind, as soon as it is there. @throws {Error} when the program says `error`, or ends before */
  async until<Event extends Line["event"]>(
    event: Event,
    fits: (line: Extract<Line, { event: Event }>) => boolean = () => true,
  ): Promise<Extract<Line, { event: Event }>> {
    for (let at = 0;;) {
      for (; at < this.#lines.length; at++) {
        const line = this.#lines[at];
        if (line.event === "error") throw new Error(`${line.name}: ${line.message}`);
        if (isEvent(line, event) && fits(line)) return line;
      }
      if (this.#ended) throw new Error(`the process ended, and never said '${event}'`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** The newest line of a kind. */
  last<Event extends Line["event"]>(event: Event): Extract<Line, { event: Event }> | undefined {
    return this.#lines.findLast((line) => isEvent(line, event));
  }

  /** Waits for the end. */
  async finished(): Promise<void> {
    await this.#read;
    await this.#child.status;
    this.#running.delete(this);
  }

  /** Sends a signal, and waits for the end. */
  async end(signal: Deno.Signal): Promise<void> {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended by itself.
    }
    await this.finished();
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.trim() !== "") this.#lines.push(JSON.parse(line));
      this.#wake();
    }
    this.#ended = true;
    this.#wake();
  }
}

function isEvent<Event extends Line["event"]>(
  line: Line,
  event: Event,
): line is Extract<Line, { event: Event }> {
  return line.event === event;
}
