import { formatAddress } from "../codec/address.ts";
import type { Ticket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import type { Pull } from "../transport/pull.ts";
import type { Io } from "./_io.ts";
import { progressText } from "./_pull_views.ts";
import { RateMeter } from "./_rate_meter.ts";
import { StatusLine } from "./_terminal.ts";
import { formatBytes, visible } from "./_text.ts";

const PROGRESS_MS = 100;

/** What tells people of a pull whose bytes go to standard output: all of it on standard error. */
export class StdoutView {
  readonly #status: StatusLine;
  readonly #meter = new RateMeter();

  constructor(io: Io, { addresses, name }: Ticket) {
    this.#status = new StatusLine(io);
    const from = addresses.map(formatAddress).join(" or ");
    this.#status.note(`pulling '${visible(name)}' from ${from} to standard output`);
  }

  /** How far it is. */
  progress(pull: Pull): void {
    const { progress } = pull;
    if (progress.total === 0) return this.#status.show("waiting for the first answer");
    const rate = this.#meter.update(performance.now(), progress.done, progress.rate);
    this.#status.show(progressText(progress, rate));
  }

  /** Nothing comes, and why; or it goes on. */
  stall(reason: string | undefined): void {
    this.#status.note(reason === undefined ? "it goes on" : `nothing comes: ${visible(reason)}`);
  }

  /** A line for people. */
  note(text: string): void {
    this.#status.note(text);
  }

  /** All is written. */
  done({ progress }: Pull): void {
    this.#status.clear();
    this.#status.note(`complete: ${formatBytes(progress.total)} (${progress.total} bytes), verified`);
  }

  /** Takes away what is not to stay. */
  clear(): void {
    this.#status.clear();
  }
}

/**
 * Writes what is pulled to standard output, in order: verified bytes and no others.
 *
 * @throws {RgtpError} what the pull throws; IO when nobody reads any more. What was written by then is a part, from the front
 */
export async function pullToStdout(pull: Pull, view: StdoutView): Promise<void> {
  const ticker = setInterval(() => view.progress(pull), PROGRESS_MS);
  try {
    await pull.readable.pipeTo(Deno.stdout.writable);
  } catch (cause) {
    if (cause instanceof RgtpError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RgtpError("IO", `cannot write to standard output: ${why}; the pull ended there`, { cause });
  } finally {
    clearInterval(ticker);
  }
}
