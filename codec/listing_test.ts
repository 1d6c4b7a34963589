import fc from "fast-check";
import { limits } from "../core/limits.ts";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import {
  anyBytes,
  anyUnsigned,
  assertForeignRefused,
  assertTruncationsRefused,
  embedded,
  fakeMac,
  ramp,
} from "./_samples.ts";
import {
  decodeHave,
  decodeManifestPacket,
  encodeHave,
  encodeManifestPacket,
  haveRunsMax,
} from "./listing.ts";
import type { Have, ManifestPacket, Run } from "./listing.ts";
import { MANIFEST_BYTES } from "./manifest.ts";
import { MAC_BYTES } from "./packet.ts";

Deno.test("EXPOSE_MANIFEST: what is written is read, with and without a proof", () => {
  const anyPacket: fc.Arbitrary<ManifestPacket> = fc.record({
    tag: anyBytes(8),
    manifest: anyBytes(MANIFEST_BYTES),
    proof: fc.record({ chunk: anyUnsigned(32), path: fc.array(anyBytes(32), { maxLength: 31 }) }),
  }, { requiredKeys: ["tag", "manifest"] });
  fc.assert(fc.property(anyPacket, (value) => {
    const packet = encodeManifestPacket(value, fakeMac);
    assertEquals(decodeManifestPacket(embedded(packet)), value);
    assertEquals(packet.slice(-MAC_BYTES), fakeMac(packet.subarray(0, packet.length - MAC_BYTES)));
    assertEquals(packet.length <= limits.controlPacketBytesMax, true);
  }));
});

Deno.test("EXPOSE_MANIFEST: refuses one cut off anywhere, foreign packets, and a count that lies", () => {
  const bare = { tag: ramp(8), manifest: ramp(MANIFEST_BYTES, 8) };
  const proof = { chunk: 5, path: [ramp(32, 1), ramp(32, 2)] };
  for (const value of [bare, { ...bare, proof }, { ...bare, proof: { chunk: 0, path: [] } }]) {
    const packet = encodeManifestPacket(value, fakeMac);
    assertTruncationsRefused(decodeManifestPacket, packet);
    assertForeignRefused(decodeManifestPacket, packet);
  }
  const packet = encodeManifestPacket({ ...bare, proof }, fakeMac);
  for (let claimed = 0; claimed < 65536; claimed++) {
    packet[2] = claimed >> 8;
    packet[3] = claimed & 255;
    if ((decodeManifestPacket(packet) !== undefined) !== (claimed === 2)) {
      throw new Error(`${claimed} hashes`);
    }
  }
});

Deno.test("EXPOSE_MANIFEST: a proof of 31 hashes, and one more; reserved flags", () => {
  const path = Array.from({ length: 32 }, (_, i) => ramp(32, i));
  const value = (hashes: number): ManifestPacket => ({
    tag: ramp(8),
    manifest: ramp(MANIFEST_BYTES),
    proof: { chunk: 1, path: path.slice(0, hashes) },
  });
  const packet = encodeManifestPacket(value(31), fakeMac);
  assertEquals(decodeManifestPacket(packet)?.proof?.path.length, 31);
  assertThrows(() => encodeManifestPacket(value(32), fakeMac), RangeError);
  const forged = new Uint8Array(packet.length + 32);
  forged.set(packet);
  forged[3] = 32;
  assertEquals(decodeManifestPacket(forged), undefined);
  packet[1] |= 0xfe;
  assertEquals(decodeManifestPacket(packet), value(31));
  for (
    const change of [{ tag: ramp(7) }, { manifest: ramp(87) }, { proof: { chunk: 1, path: [ramp(31)] } }]
  ) {
    assertThrows(() => encodeManifestPacket({ ...value(1), ...change }, fakeMac), RangeError);
  }
});

/** Runs that ascend and are disjoint. */
const anyRuns: fc.Arbitrary<Run[]> = fc.array(
  fc.record({ gap: fc.nat(1000), count: fc.integer({ min: 1, max: 1_000_000 }) }),
  { maxLength: haveRunsMax },
).map((steps) => {
  let end = 0;
  return steps.map(({ gap, count }) => {
    const run = { first: end + gap, count };
    end = run.first + count;
    return run;
  });
});

function encodeRuns(runs: readonly Run[]): Uint8Array {
  return encodeHave({ tag: ramp(8, 1), label: ramp(16, 9), runs }, fakeMac);
}

Deno.test("HAVE: what is written is read", () => {
  fc.assert(fc.property(anyBytes(8), anyBytes(16), anyRuns, (tag, label, runs) => {
    const value: Have = { tag, label, runs };
    assertEquals(decodeHave(embedded(encodeHave(value, fakeMac))), value);
  }));
});

Deno.test("HAVE: refuses one cut off anywhere, foreign packets, and a count that lies", () => {
  const packet = encodeRuns([{ first: 0, count: 5 }, { first: 9, count: 1 }]);
  assertTruncationsRefused(decodeHave, packet);
  assertForeignRefused(decodeHave, packet);
  assertTruncationsRefused(decodeHave, encodeRuns([]));
  for (let claimed = 0; claimed < 65536; claimed++) {
    packet[2] = claimed >> 8;
    packet[3] = claimed & 255;
    if ((decodeHave(packet) !== undefined) !== (claimed === 2)) throw new Error(`${claimed} runs`);
  }
});

Deno.test("HAVE: runs that are empty, unsorted, overlap or leave the chunks spoil the whole", () => {
  const most = limits.chunksMax;
  const table: [string, Run[], boolean][] = [
    ["none", [], true],
    ["all", [{ first: 0, count: most }], true],
    ["the last", [{ first: most - 1, count: 1 }], true],
    ["adjacent", [{ first: 0, count: 5 }, { first: 5, count: 1 }], true],
    ["empty", [{ first: 0, count: 0 }], false],
    ["overlapping", [{ first: 0, count: 5 }, { first: 4, count: 1 }], false],
    ["unsorted", [{ first: 9, count: 1 }, { first: 0, count: 1 }], false],
    ["beyond the last", [{ first: most, count: 1 }], false],
    ["one too many", [{ first: 1, count: most }], false],
    ["far too many", [{ first: 0xffffffff, count: 0xffffffff }], false],
  ];
  for (const [what, runs, legal] of table) {
    assertEquals(decodeHave(encodeRuns(runs))?.runs, legal ? runs : undefined, what);
  }
});

Deno.test("HAVE: the most runs that fit, and one more", () => {
  const runs = Array.from({ length: haveRunsMax + 1 }, (_, i) => ({ first: 2 * i, count: 1 }));
  const largest = encodeRuns(runs.slice(0, haveRunsMax));
  assertEquals(largest.length <= limits.controlPacketBytesMax, true);
  assertEquals(decodeHave(largest)?.runs.length, haveRunsMax);
  assertThrows(() => encodeRuns(runs), RangeError, `${haveRunsMax} fit`);
  const forged = new Uint8Array(largest.length + 8);
  forged.set(largest);
  forged[3]++;
  assertEquals(decodeHave(forged), undefined);
  assertThrows(() => encodeHave({ tag: ramp(7), label: ramp(16), runs: [] }, fakeMac), RangeError);
  assertThrows(() => encodeHave({ tag: ramp(8), label: ramp(17), runs: [] }, fakeMac), RangeError);
});
