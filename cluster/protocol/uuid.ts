import type { Random } from "../../core/machine.ts";

/** So many are made at once: calls for random bytes, and for texts, cost more than all the rest. */
const AT_ONCE = 256;
const BYTES = 16;
const CHARS = 36;
const HYPHEN = 0x2d;

const digits = new TextEncoder().encode("0123456789abcdef");
const ascii = new TextDecoder();

/** A source of random UUIDs (RFC 9562 §5.4). */
export function uuidSource(random: Random): () => string {
  const chars = new Uint8Array(CHARS * AT_ONCE);
  let texts = "";
  let at = 0;
  return () => {
    if (at === texts.length) {
      const bytes = random(BYTES * AT_ONCE);
      for (let i = 0; i < AT_ONCE; i++) spell(bytes, BYTES * i, chars, CHARS * i);
      texts = ascii.decode(chars);
      at = 0;
    }
    // A piece of one text: put together of many short ones, it would be garbage twenty times.
    return texts.substring(at, at += CHARS);
  };
}

function spell(bytes: Uint8Array, from: number, chars: Uint8Array, to: number): void {
  for (let i = 0; i < BYTES; i++) {
    let byte = bytes[from + i];
    // The version, and the variant.
    if (i === 6) byte = (byte & 0x0f) | 0x40;
    else if (i === 8) byte = (byte & 0x3f) | 0x80;
    if (i === 4 || i === 6 || i === 8 || i === 10) chars[to++] = HYPHEN;
    chars[to++] = digits[byte >> 4];
    chars[to++] = digits[byte & 15];
  }
}
