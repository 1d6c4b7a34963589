import type { Random } from "../../core/machine.ts";

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
/** Random bytes are fetched for so many at once: a call each would cost more than all the rest. */
const AT_ONCE = 256;

/** A source of random UUIDs (RFC 9562 §5.4). */
export function uuidSource(random: Random): () => string {
  let bytes = random(16 * AT_ONCE);
  let at = 0;
  return () => {
    if (at === bytes.length) {
      bytes = random(16 * AT_ONCE);
      at = 0;
    }
    const b = bytes;
    const i = at;
    at += 16;
    return hex[b[i]] + hex[b[i + 1]] + hex[b[i + 2]] + hex[b[i + 3]] + "-" + hex[b[i + 4]] + hex[b[i + 5]] +
      "-" + hex[(b[i + 6] & 0x0f) | 0x40] + hex[b[i + 7]] + "-" + hex[(b[i + 8] & 0x3f) | 0x80] +
      hex[b[i + 9]] + "-" + hex[b[i + 10]] + hex[b[i + 11]] + hex[b[i + 12]] + hex[b[i + 13]] +
      hex[b[i + 14]] + hex[b[i + 15]];
  };
}
