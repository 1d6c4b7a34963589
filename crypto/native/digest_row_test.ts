import { assertEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { defaultEngine } from "../default_engine.ts";
import { loadIpsecMb } from "./_ipsec_mb.ts";
import { digestRow, loadDigestRow, ROW_BYTES_MAX } from "./digest_row.ts";

const { sha256 } = defaultEngine();
const library = loadIpsecMb();
const row = library && digestRow(library, sha256);
const why = row
  ? ""
  : " [skipped: needs Linux on x86_64 with AVX-512, --allow-ffi and libIPSec_MB 1.3 (Debian 12: libipsec-mb1)]";

function message(random: ReturnType<typeof seededRandom>, length: number): Uint8Array<SharedArrayBuffer> {
  const bytes = new Uint8Array(new SharedArrayBuffer(length));
  for (let at = 0; at < length; at += 1 + random.integer(97)) bytes[at] = random.integer(256);
  return bytes;
}

Deno.test(`hashes side by side are those one by one${why}`, { ignore: why !== "" }, () => {
  const random = seededRandom(9);
  for (let round = 0; round < 40; round++) {
    const longest = random.chance(0.3) ? 200_000 : 300;
    const messages = Array.from(
      { length: random.integer(150) },
      () => message(random, random.integer(longest)),
    );
    const hashes = messages.map((bytes) => sha256.digest(bytes));
    assertEquals(row!.digest(messages), hashes);
    assertEquals(row!.compare(messages, hashes), messages.map(() => true));
    const isChanged = messages.map(() => random.chance(0.3));
    for (const [i, bytes] of messages.entries()) {
      if (!isChanged[i]) continue;
      const changed = bytes.length > 0 && random.chance(0.7) ? bytes : hashes[i];
      changed[random.integer(changed.length)] ^= 1 << random.integer(8);
    }
    assertEquals(row!.compare(messages, hashes), isChanged.map((changed) => !changed));
  }
});

Deno.test(`hashes side by side: the longest message that there may be${why}`, { ignore: why !== "" }, () => {
  const long = message(seededRandom(3), ROW_BYTES_MAX);
  assertEquals(row!.compare([long], [sha256.digest(long)]), [true]);
});

Deno.test("hashes side by side: where they are, they were tried out", () => {
  assertEquals(loadDigestRow(sha256) !== undefined, row !== undefined);
  assertEquals(loadDigestRow(sha256), loadDigestRow(sha256));
});
