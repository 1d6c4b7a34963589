import jsqr from "jsqr";
import { formatTicket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../tests/_assert.ts";
import type { Io } from "./_io.ts";
import { qrLines, qrModules, showQr, ticketQr } from "./_qr.ts";

const ticket = formatTicket({
  addresses: [{ host: "192.0.2.1", port: 9000 }, { host: "2001:db8::1", port: 9000 }],
  exposureId: new Uint8Array(32).map((_, i) => i * 7),
  exposerKey: new Uint8Array(32).map((_, i) => i * 11),
  secret: new Uint8Array(16).map((_, i) => i * 13),
  name: "Grüße aus dem All.mkv",
});

type Rgb = readonly [number, number, number];
const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];
const PIXELS = 3;
const BLACK_ON_WHITE = "\x1b[38;5;16;48;5;231m";
const PLAIN = "\x1b[0m";

/** What a camera sees of printed lines: half blocks, in the colours that the lines or else the terminal say. */
function photograph(lines: readonly string[], terminal: { ink: Rgb; paper: Rgb }): string | undefined {
  const rows = lines.flatMap((line) => {
    const isColoured = line.startsWith(BLACK_ON_WHITE) && line.endsWith(PLAIN);
    const { ink, paper } = isColoured ? { ink: BLACK, paper: WHITE } : terminal;
    const chars = [...(isColoured ? line.slice(BLACK_ON_WHITE.length, -PLAIN.length) : line)];
    return [["█", "▀"], ["█", "▄"]].map((inked) => chars.map((char) => inked.includes(char) ? ink : paper));
  });
  const width = rows[0].length * PIXELS;
  const pixels = new Uint8ClampedArray(width * rows.length * PIXELS * 4).fill(255);
  for (let i = 0; i < pixels.length / 4; i++) {
    const row = rows[Math.floor(i / width / PIXELS)];
    pixels.set(row[Math.floor((i % width) / PIXELS)], 4 * i);
  }
  // Its types know it as CommonJS alone.
  return jsqr.default(pixels, width, rows.length * PIXELS, { inversionAttempts: "dontInvert" })?.data;
}

/** Records what is written. */
function recorder(columns: number, isTerminal: boolean): Io & { out_: string[]; err_: string[] } {
  const [out_, err_]: string[][] = [[], []];
  return {
    out_,
    err_,
    out: (line) => out_.push(line),
    err: (text) => err_.push(text),
    errIsTerminal: isTerminal,
    outIsTerminal: isTerminal,
    columns: () => columns,
    readLine: () => Promise.resolve(""),
  };
}

Deno.test("QR: on a terminal that is too narrow, ticket and terminal are measured, and nothing is printed of it", () => {
  const modules = qrModules(ticket).length;
  const error = assertThrows(() => ticketQr(ticket, recorder(modules - 1, true)), RgtpError);
  assertEquals(error.condition, "NOT_SUPPORTED");
  assertStringIncludes(error.message, `${ticket.length} characters`);
  const io = recorder(modules - 1, true);
  showQr(ticket, io);
  assertEquals(io.err_, [`${error.message}\n`]);
  assertEquals(ticketQr(ticket, recorder(modules, true)).length, Math.ceil(modules / 2));
});

Deno.test("QR: another reader reads the ticket off a dark terminal and a light one, and off paper", () => {
  const dark = { ink: [200, 200, 200], paper: BLACK } as const;
  const light = { ink: BLACK, paper: WHITE } as const;
  const coloured = ticketQr(ticket, recorder(200, true));
  assertEquals(photograph(coloured, dark), ticket);
  assertEquals(photograph(coloured, light), ticket);
  const plain = ticketQr(ticket, recorder(10, false));
  assertEquals(photograph(plain, light), ticket);
  // The reader does read: what is inverted, or has no quiet zone, it does not take.
  assertEquals(photograph(plain, dark), undefined);
  const io = recorder(200, true);
  showQr(ticket, io);
  assertEquals(photograph(io.err_.map((text) => text.slice(0, -1)), dark), ticket);
});

Deno.test("QR: the longest ticket that there may be still has a code; all are light at the rim", () => {
  for (const text of [ticket, "r".repeat(limits.ticketCharsMax)]) {
    const modules = qrModules(text);
    const rim = modules.length - 4;
    assert(
      modules.every((row, y) =>
        row.every((isDark, x) => !isDark || Math.min(x, y) >= 4 && Math.max(x, y) < rim)
      ),
    );
    assertEquals(photograph(qrLines(modules, true), { ink: WHITE, paper: BLACK }), text);
  }
});
