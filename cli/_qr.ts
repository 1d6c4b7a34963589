import encodeQR from "qr";
import { RgtpError } from "../core/errors.ts";
import type { Io } from "./_io.ts";

/** Light modules around a code (ISO/IEC 18004 §5.3.8). */
const QUIET_ZONE = 4;
/** Black on white whatever the terminal's own colours are, from the part of the palette that no theme changes. */
const BLACK_ON_WHITE = "\x1b[38;5;16;48;5;231m";
const PLAIN = "\x1b[0m";
/** Two rows of modules in one line: `upper` dark, `lower` dark. */
const HALVES = [" ", "▄", "▀", "█"];

/** A code as rows of modules, `true` for a dark one, with the quiet zone around it. Least correction: nothing stains a screen. */
export function qrModules(text: string): boolean[][] {
  return encodeQR(text, "raw", { ecc: "low", border: QUIET_ZONE });
}

/** A code for a terminal, which shows it right whether it is dark or light; or, without colours, for paper: dark modules are printed. */
export function qrLines(modules: readonly (readonly boolean[])[], colours: boolean): string[] {
  const lines: string[] = [];
  for (let y = 0; y < modules.length; y += 2) {
    const lower = modules[y + 1] ?? [];
    const line = modules[y].map((upper, x) => HALVES[(upper ? 2 : 0) + (lower[x] ? 1 : 0)]).join("");
    lines.push(colours ? `${BLACK_ON_WHITE}${line}${PLAIN}` : line);
  }
  return lines;
}

/**
 * The code of a ticket, for `out`.
 *
 * @throws {RgtpError} NOT_SUPPORTED when the terminal is too narrow for so long a ticket
 */
export function ticketQr(ticket: string, io: Io): string[] {
  return linesFor(ticket, io, io.outIsTerminal === true);
}

/** The same for people, beside a ticket; where it does not fit, it says so, and nothing ends. */
export function showQr(ticket: string, io: Io): void {
  try {
    for (const line of linesFor(ticket, io, io.errIsTerminal)) io.err(`${line}\n`);
  } catch (error) {
    if (!(error instanceof RgtpError)) throw error;
    io.err(`${error.message}\n`);
  }
}

function linesFor(ticket: string, io: Io, isTerminal: boolean): string[] {
  const modules = qrModules(ticket);
  const columns = io.columns();
  if (isTerminal && modules.length > columns) {
    throw new RgtpError(
      "NOT_SUPPORTED",
      `the ticket is too long for this terminal: with ${ticket.length} characters its QR code is ${modules.length} columns wide, and ` +
        `there are ${columns}; make the window wider or the letters smaller, or give it fewer addresses (--host)`,
    );
  }
  return qrLines(modules, isTerminal);
}
