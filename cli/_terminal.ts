import type { Io } from "./_io.ts";

/** How often the line is drawn anew, and how often a plain one is written where there is no terminal. */
const REDRAW_MS = 100;
const PLAIN_MS = 5000;

/**
 * One line of progress at the bottom of a terminal, and lines that stay above it. Without a terminal, progress is a plain line every
 * few seconds.
 */
export class StatusLine {
  readonly #io: Io;
  readonly #now: () => number;
  #drawnAt = -Infinity;
  #shown = "";

  /** `now` is monotonic ms. */
  constructor(io: Io, now: () => number = () => performance.now()) {
    this.#io = io;
    this.#now = now;
    // The first plain line comes after a while: a short transfer needs none.
    if (!io.errIsTerminal) this.#drawnAt = now();
  }

  /** Shows how far things are, if it is time; `always` when it is not. */
  show(text: string, always = false): void {
    const now = this.#now();
    const { errIsTerminal } = this.#io;
    if (!always && now - this.#drawnAt < (errIsTerminal ? REDRAW_MS : PLAIN_MS)) return;
    this.#drawnAt = now;
    if (errIsTerminal) this.#draw(text);
    else this.#io.err(`${text}\n`);
  }

  /** Writes a line that stays. */
  note(text: string): void {
    const shown = this.#shown;
    this.clear();
    this.#io.err(`${text}\n`);
    if (shown !== "") this.#draw(shown);
  }

  /** Takes the line of progress away. */
  clear(): void {
    if (this.#shown !== "") this.#io.err("\r\x1b[K");
    this.#shown = "";
  }

  #draw(text: string): void {
    // The last column stays empty: some terminals wrap when it is written to.
    const line = fit(text, this.#io.columns() - 1);
    this.#shown = text;
    this.#io.err(`\r${line}\x1b[K`);
  }
}

/** At most `width` characters, from the start. */
export function fit(text: string, width: number): string {
  const chars = [...text];
  return chars.length <= width ? text : `${chars.slice(0, Math.max(0, width - 1)).join("")}…`;
}
