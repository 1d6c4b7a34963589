/*
 * Files that hold something else than what was written into them.
 */
import type { SeededRandom } from "../sim/random.ts";

type Damage = (bytes: Uint8Array<ArrayBuffer>, random: SeededRandom) => Uint8Array;

const SECTOR_BYTES = 512;

const damages: readonly Damage[] = [
  // Bits that have turned over.
  (bytes, random) => {
    const flips = 1 + random.integer(8);
    for (let i = 0; i < flips; i++) bytes[random.integer(bytes.length)] ^= 1 << random.integer(8);
    return bytes;
  },
  // Sectors that were never written.
  (bytes, random) => {
    const at = random.integer(bytes.length) & -SECTOR_BYTES;
    return bytes.fill(0, at, at + SECTOR_BYTES * (1 + random.integer(20)));
  },
  // Sectors of something else.
  (bytes, random) => {
    const at = random.integer(bytes.length) & -SECTOR_BYTES;
    bytes.set(random.bytes(Math.min(SECTOR_BYTES, bytes.length - at)), at);
    return bytes;
  },
  // An end that was never written, or is of something else.
  (bytes, random) => bytes.subarray(0, random.integer(bytes.length)),
  (bytes, random) => Uint8Array.from([...bytes, ...random.bytes(random.integer(SECTOR_BYTES))]),
  // Nothing but its name.
  () => new Uint8Array(0),
];

/** Damages a file that is there, in one way or another. */
export function damageFile(path: string, random: SeededRandom): void {
  const bytes = Deno.readFileSync(path);
  if (bytes.length === 0) return;
  Deno.writeFileSync(path, damages[random.integer(damages.length)](bytes, random));
}
