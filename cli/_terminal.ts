import type { Io } from "./_io.ts";

/** How often the line is drawn anew, and how often a plain one is written where there is no terminal. */
const REDRAW_MS = 100;
const PLAIN_MS = 5000;

/**
 * Lines of progress at the bottom of a terminal, one or several, and lines that stay above them. Without a terminal, progress is plain
 * lines every few seconds.
 */
export class StatusLine {
  readonly #io: Io;
  readonly #now: () => number;
  #drawnAt = -Infinity;
  #shown = "";
  /** Lines that stand on the terminal. */
  #drawn = 0;

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

  /** Takes the lines of progress away. */
  clear(): void {
    if (this.#shown !== "") this.#io.err(`${this.#toTop()}\r${this.#drawn > 1 ? CLEAR_BELOW : CLEAR_LINE}`);
    this.#shown = "";
    this.#drawn = 0;
  }

  #draw(text: string): void {
    // The last column stays empty: some terminals wrap when it is written to. What is above the top cannot be drawn anew.
    const lines = text.split("\n").slice(0, Math.max(1, rowsOf(this.#io) - 1))
      .map((line) => fit(line, this.#io.columns() - 1));
    const rest = this.#drawn > lines.length ? CLEAR_BELOW : "";
    this.#io.err(`${this.#toTop()}\r${lines.join(`${CLEAR_LINE}\n`)}${CLEAR_LINE}${rest}`);
    this.#shown = text;
    this.#drawn = lines.length;
  }

  /** From the last line that is drawn to the first. */
  #toTop(): string {
    return this.#drawn > 1 ? `\x1b[${this.#drawn - 1}A` : "";
  }
}

// ECMA-48: from here to the end of the line, and of the screen.
const [CLEAR_LINE, CLEAR_BELOW] = ["\x1b[K", "\x1b[J"];

const ROWS = 24;

/** Lines of the terminal. */
export function rowsOf(io: Io): number {
  return io.rows?.() || ROWS;
}

/** At most `width` characters, from the start. */
export function fit(text: string, width: number): string {
  const chars = [...text];
  return chars.length <= width ? text : `${chars.slice(0, Math.max(0, width - 1)).join("")}…`;
}
