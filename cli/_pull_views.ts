import { formatAddress } from "../codec/address.ts";
import type { Ticket } from "../codec/ticket.ts";
import type { PullProgress, PullResult } from "../transport/pull.ts";
import type { Io } from "./_io.ts";
import { RateMeter } from "./_rate_meter.ts";
import { emit } from "./_report.ts";
import { stallEvent, stallText } from "./_stall.ts";
import { StatusLine } from "./_terminal.ts";
import { formatBytes, formatPercent, formatRate, formatSeconds, plural, visible } from "./_text.ts";

const JSON_PROGRESS_MS = 500;

/** Who is told how a pull goes. */
export interface PullView {
  /** How far it is; about ten times a second. */
  progress(progress: PullProgress): void;
  /** Nothing comes, and why; `undefined`: it goes on. */
  stall(reason: string | undefined): void;
  /** A line for people. */
  note(text: string): void;
  /** All is here and is read again: so many bytes are hashed. */
  hashing(bytes: number): void;
  /** It ended well. */
  done(result: PullResult): void;
  /** Takes away what is not to stay. */
  clear(): void;
}

/** For programs: JSON lines. */
export class JsonPullView implements PullView {
  readonly #io: Io;
  readonly #meter = new RateMeter();
  readonly #now: () => number;
  #saidAt = -Infinity;
  #said = -1;

  /** `now` is monotonic ms. */
  constructor(io: Io, now: () => number = () => performance.now()) {
    this.#io = io;
    this.#now = now;
  }

  progress({ done, reused, total, rate: average }: PullProgress): void {
    // Before the grant the total is not known.
    if (total === 0) return;
    const now = this.#now();
    const rate = Math.round(this.#meter.update(now, done - reused, average));
    const isEnd = done === total && this.#said !== done;
    if (!isEnd && now - this.#saidAt < JSON_PROGRESS_MS) return;
    this.#saidAt = now;
    this.#said = done;
    emit(this.#io, "progress", { bytes: done, total, rate });
  }

  stall(reason: string | undefined): void {
    emit(this.#io, ...stallEvent(reason));
  }

  note(): void {}

  hashing(): void {}

  done({ reusedBytes: reused, ...result }: PullResult): void {
    const { bytes, seconds, handshakeSeconds, wireBytes, sharedBytes: shared, id, path, sha256, ...rest } =
      result;
    const { alreadyComplete, files, handshake } = rest;
    const fields = {
      bytes,
      seconds,
      handshakeSeconds,
      handshake,
      wireBytes,
      shared,
      id,
      path,
      ...(sha256 !== undefined && { sha256 }),
      reused,
      alreadyComplete,
    };
    emit(this.#io, "done", files === undefined ? fields : { ...fields, files });
  }

  clear(): void {}
}

/** For people: a line that lives, and a few that stay. */
export class HumanPullView implements PullView {
  readonly #io: Io;
  readonly #status: StatusLine;
  readonly #meter = new RateMeter();
  readonly #from: string;
  #last: PullProgress | undefined;
  #stalled: string | undefined;

  constructor(io: Io, { addresses }: Ticket, path: string) {
    this.#io = io;
    this.#status = new StatusLine(io);
    this.#from = addresses.map(formatAddress).join(" or ");
    this.#status.note(`pulling '${visible(path)}' from ${this.#from}`);
  }

  progress(progress: PullProgress): void {
    this.#last = progress;
    const { done, reused, total, rate: average } = progress;
    if (total === 0) return this.#status.show("waiting for the first answer");
    const rate = this.#meter.update(performance.now(), done - reused, average);
    const text = this.#stalled === undefined ? progressText(progress, rate) : this.#stallText(progress);
    this.#status.show(text);
  }

  stall(reason: string | undefined): void {
    if (reason === this.#stalled) return;
    this.#stalled = reason;
    this.#status.note(stallText(reason));
  }

  note(text: string): void {
    this.#status.note(text);
  }

  hashing(bytes: number): void {
    const total = this.#last?.total ?? 0;
    // Of a collection, files that are there already are compared before it is known what is to be pulled.
    const of = total < bytes ? "" : ` of ${formatBytes(total)}`;
    this.#status.show(`reading what is on the disk for its SHA-256: ${formatBytes(bytes)}${of}`);
  }

  done(result: PullResult): void {
    const { bytes, seconds, reusedBytes, sharedBytes, sha256, alreadyComplete, files, path: place } = result;
    this.#status.clear();
    const path = visible(place);
    const count = files === undefined ? "" : `, ${plural(files, "file")}`;
    const { symbolsLost = 0, symbolsReceived = 0 } = this.#last ?? {};
    if (alreadyComplete) {
      this.#status.note(`'${path}' is already complete: ${formatBytes(bytes)}${count}, verified`);
    } else {
      const rate = seconds > 0 ? `, ${formatRate(Math.max(0, bytes - reusedBytes) / seconds)}` : "";
      const loss = symbolsLost > 0 ? `, ${lossText(symbolsLost, symbolsReceived)}` : "";
      const reused = reusedBytes > 0 ? `; ${formatBytes(reusedBytes)} of it were here already` : "";
      this.#status.note(
        `'${path}' is complete: ${formatBytes(bytes)} (${bytes} bytes)${count} in ${
          formatSeconds(seconds)
        }${rate}${sharedBytes > 0 ? ", from shared memory" : ""}${loss}${reused}`,
      );
    }
    // As sha256sum writes it; a folder has no such sum.
    this.#io.out(files === undefined && sha256 !== undefined ? `${sha256}  ${path}` : path);
  }

  clear(): void {
    this.#status.clear();
  }

  #stallText({ done, total }: PullProgress): string {
    return `waiting at ${formatPercent(done, total)} (${formatBytes(done)} of ${formatBytes(total)}): ${
      visible(this.#stalled ?? "")
    }`;
  }
}

/** `12.3 MB of 1.00 GB, 1.2 %, 45.6 MB/s, 21 s left, loss 0.4 %, resumed at 1.23 MB`. */
export function progressText(progress: PullProgress, rate: number): string {
  const { done, total, reused, symbolsLost, symbolsReceived } = progress;
  const parts = [
    `${formatBytes(done)} of ${formatBytes(total)}`,
    formatPercent(done, total),
    formatRate(rate),
  ];
  if (rate > 0 && done < total) parts.push(`${formatSeconds((total - done) / rate)} left`);
  if (symbolsReceived + symbolsLost > 0) parts.push(lossText(symbolsLost, symbolsReceived));
  if (reused > 0) parts.push(`resumed at ${formatBytes(reused)}`);
  return parts.join(", ");
}

function lossText(lost: number, received: number): string {
  return `loss ${((100 * lost) / Math.max(1, lost + received)).toFixed(1)} %`;
}
