import { assert, assertEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { defaultEngine } from "../default_engine.ts";
import { leafHash } from "../merkle.ts";
import { loadIpsecMb } from "./_ipsec_mb.ts";
import { leafRow, loadLeafRow, WAYS } from "./leaf_row.ts";

const { sha256 } = defaultEngine();
const library = loadIpsecMb();
const why = library
  ? ""
  : " [skipped: needs Linux on x86_64, --allow-ffi and the library (Debian 12: libipsec-mb1)]";
const features = library?.imb_get_feature_flags() ?? 0n;

for (const [name, way] of Object.entries(WAYS)) {
  const lacks = library && (features & way.needs) !== way.needs;
  const reason = lacks ? " [skipped: this processor has no such instructions]" : why;
  Deno.test(
    `leaf hashes side by side are those one by one: ${name}${reason}`,
    { ignore: reason !== "" },
    () => {
      const row = leafRow(library!, sha256, [[way, 1]])!;
      assertEquals(row.atOnce, way.atOnce);
      const random = seededRandom(7);
      for (let round = 0; round < 60; round++) {
        const count = random.integer(40);
        const sealed = Array.from({ length: count }, () => sealedChunk(random));
        const leaves = sealed.map((bytes) => leafHash(sha256, bytes));
        assertEquals(row.compare(sealed, leaves), sealed.map(() => true));
        const isChanged = sealed.map(() => random.chance(0.3));
        for (const [i, bytes] of sealed.entries()) {
          if (!isChanged[i]) continue;
          // Either of them makes it another's.
          const changed = bytes.length > 0 && random.chance(0.7) ? bytes : leaves[i];
          changed[random.integer(changed.length)] ^= 1 << random.integer(8);
        }
        assertEquals(row.compare(sealed, leaves), isChanged.map((changed) => !changed));
      }
    },
  );
}

Deno.test(`no leaf is right that has another length${why}`, { ignore: library === undefined }, () => {
  const row = loadLeafRow(sha256);
  if (!row) {
    return assert(
      (features & (WAYS.avx2.needs | WAYS.pairs.needs)) === 0n,
      "there is a way, and it was not taken",
    );
  }
  const sealed = [1, 2, 3].map((fill) => new Uint8Array(65_552).fill(fill));
  const leaves = sealed.map((bytes) => leafHash(sha256, bytes));
  const wrong = [leaves[0].subarray(1), new Uint8Array(0), new Uint8Array(33)];
  assertEquals(row.compare(sealed, wrong), [false, false, false]);
  assertEquals(row.compare(sealed, leaves), [true, true, true]);
});

/** Of any length about the least and the most that goes side by side, and of the usual one; in memory that threads share, too. */
function sealedChunk(random: ReturnType<typeof seededRandom>): Uint8Array {
  const length = random.chance(0.3)
    ? 65_552
    : random.chance(0.5)
    ? 32 + random.integer(100)
    : 65_560 + random.integer(80);
  const offset = random.integer(70);
  const memory = random.chance(0.5)
    ? new SharedArrayBuffer(offset + length)
    : new ArrayBuffer(offset + length);
  const bytes = new Uint8Array(memory, offset, length);
  bytes.set(random.bytes(Math.min(length, 300)));
  bytes.fill(random.integer(256), Math.min(length, 300));
  return bytes;
}
