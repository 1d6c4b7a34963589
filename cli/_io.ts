import { hiddenLine } from "./_hidden_line.ts";

/** Where a command reads and writes. Results go to `out`, everything that is told on the way to `err`. */
export interface Io {
  /** One line of a result. */
  out(line: string): void;
  /** Text for people, as it is. */
  err(text: string): void;
  /** Whether someone looks at `err` on a terminal. */
  readonly errIsTerminal: boolean;
  /** Whether someone looks at `out` on a terminal; absent: no. */
  readonly outIsTerminal?: boolean;
  /** Characters in a line of that terminal. */
  columns(): number;
  /** Lines of that terminal; absent or `undefined`: not known. */
  rows?(): number | undefined;
  /** The first line of standard input that is not blank; empty when there is none. */
  readLine(): Promise<string>;
  /** Asks somebody at a terminal for a line, which is not shown. Absent: nobody is there. */
  readHidden?(prompt: string): Promise<string>;
}

const COLUMNS = 80;

/** The longest line that is worth reading: much more than a ticket. */
const LINE_BYTES_MAX = 65_536;

/** The streams of this process. */
export function processIo(): Io {
  outliveLimits();
  return {
    out: (line) => writeAll(Deno.stdout, `${line}\n`),
    err: (text) => writeAll(Deno.stderr, text),
    errIsTerminal: Deno.stderr.isTerminal(),
    outIsTerminal: Deno.stdout.isTerminal(),
    columns: () => consoleSize()?.columns || COLUMNS,
    rows: () => consoleSize()?.rows,
    readLine: () => firstLine(Deno.stdin),
    ...(Deno.stdin.isTerminal() && Deno.stderr.isTerminal() && { readHidden }),
  };
}

/** A write beyond `ulimit -f` ends a process that does not listen; so it fails like any other, and can be told of. */
function outliveLimits(): void {
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGXFSZ", () => {});
}

async function readHidden(prompt: string): Promise<string> {
  // First of all: what is typed before would be shown.
  Deno.stdin.setRaw(true);
  try {
    writeAll(Deno.stderr, prompt);
    return await hiddenLine(Deno.stdin);
  } finally {
    Deno.stdin.setRaw(false);
    writeAll(Deno.stderr, "\n");
  }
}

/** The first line that is not blank, without the white space around it, of at most 64 KiB. */
export async function firstLine(source: { read(into: Uint8Array): Promise<number | null> }): Promise<string> {
  const bytes = new Uint8Array(LINE_BYTES_MAX);
  let length = 0;
  while (length < bytes.length) {
    const count = await source.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
    const line = lineOf(bytes.subarray(0, length), false);
    if (line !== undefined) return line;
  }
  return lineOf(bytes.subarray(0, length), true) ?? "";
}

function lineOf(bytes: Uint8Array, ended: boolean): string | undefined {
  const lines = new TextDecoder().decode(bytes).split(/\r?\n/);
  if (!ended) lines.pop();
  return lines.map((line) => line.trim()).find((line) => line !== "");
}

/** A reader that has gone away (`| head -1`) does not end a transfer. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function consoleSize(): { columns: number; rows: number } | undefined {
  try {
    return Deno.consoleSize();
  } catch {
    return undefined;
  }
}
