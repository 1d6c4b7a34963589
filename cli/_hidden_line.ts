import { RgtpError } from "../core/errors.ts";

const ENTER = [10, 13];
const END = 4;
const INTERRUPT = 3;
const ERASE = [8, 127];
const ERASE_ALL = 21;
const FIRST_PRINTABLE = 32;
/** More than anybody types. */
const BYTES_MAX = 4096;

/**
 * A line that is typed on a terminal in raw mode, where nothing of it is shown: Backspace takes a character back, Ctrl-U all of them.
 *
 * @throws {RgtpError} CANCELLED after Ctrl-C
 */
export async function hiddenLine(
  source: { read(into: Uint8Array): Promise<number | null> },
): Promise<string> {
  let typed: number[] = [];
  const chunk = new Uint8Array(256);
  while (typed.length < BYTES_MAX) {
    const count = await source.read(chunk);
    if (count === null) break;
    for (const byte of chunk.subarray(0, count)) {
      if (ENTER.includes(byte) || byte === END) return textOf(typed);
      if (byte === INTERRUPT) throw new RgtpError("CANCELLED", "no passphrase was given: nothing was done");
      if (ERASE.includes(byte)) typed = withoutLast(typed);
      else if (byte === ERASE_ALL) typed = [];
      else if (byte >= FIRST_PRINTABLE) typed.push(byte);
    }
  }
  return textOf(typed);
}

/** Without the last character, which may be several bytes of UTF-8. */
function withoutLast(typed: readonly number[]): number[] {
  const start = typed.findLastIndex((byte) => (byte & 0b1100_0000) !== 0b1000_0000);
  return typed.slice(0, Math.max(0, start));
}

function textOf(typed: readonly number[]): string {
  return new TextDecoder().decode(Uint8Array.from(typed));
}
