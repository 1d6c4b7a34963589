import fc from "fast-check";
import { limits } from "../core/limits.ts";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import {
  anyBytes,
  anyName,
  anyUnsigned,
  assertForeignRefused,
  assertTruncationsRefused,
  embedded,
  fakeMac,
  ramp,
} from "./_samples.ts";
import {
  decodeAnnouncement,
  decodeHave,
  decodeManifestPacket,
  encodeAnnouncement,
  encodeHave,
  encodeManifestPacket,
  haveRunsMax,
} from "./listing.ts";
import type { Announcement, Have, ManifestPacket, Run } from "./listing.ts";
import { MANIFEST_BYTES } from "./manifest.ts";
import { MAC_BYTES } from "./packet.ts";

const announcement: Announcement = {
  time: 1_800_000_000,
  exposureId: ramp(32, 1),
  signingKey: ramp(32, 40),
  port: 9000,
  name: "disk image.iso",
  signature: ramp(64, 80),
};

Deno.test("EXPOSE_REQUEST: what is written is read", () => {
  const anyAnnouncement: fc.Arbitrary<Announcement> = fc.record({
    time: fc.maxSafeNat(),
    exposureId: anyBytes(32),
    signingKey: anyBytes(32),
    port: anyUnsigned(16),
    name: anyName(),
    signature: anyBytes(64),
  });
  fc.assert(fc.property(anyAnnouncement, (value) => {
    assertEquals(decodeAnnouncement(embedded(encodeAnnouncement(value))), value);
  }));
});

Deno.test("EXPOSE_REQUEST: refuses one cut off anywhere, foreign packets, and a length that lies", () => {
  const packet = encodeAnnouncement(announcement);
  assertEquals(packet.length, 4 + 75 + announcement.name.length + 64);
  assertTruncationsRefused(decodeAnnouncement, packet);
  assertForeignRefused(decodeAnnouncement, packet);
  for (let claimed = 0; claimed < 256; claimed++) {
    packet[78] = claimed;
    assertEquals(decodeAnnouncement(packet) !== undefined, claimed === announcement.name.length);
  }
});

Deno.test("EXPOSE_REQUEST: a name keeps a byte order mark at its front", () => {
  const value = { ...announcement, name: "\ufeffx" };
  assertEquals(decodeAnnouncement(encodeAnnouncement(value)), value);
});

Deno.test("EXPOSE_REQUEST: its limits, and one more", () => {
  const longest = { ...announcement, name: "n".repeat(limits.nameBytesMax) };
  assertEquals(decodeAnnouncement(encodeAnnouncement(longest)), longest);
  assertThrows(() => encodeAnnouncement({ ...announcement, name: longest.name + "n" }), RangeError);
  for (const length of [0, 63, 65]) {
    assertThrows(() => encodeAnnouncement({ ...announcement, signature: ramp(length) }), RangeError);
  }
  assertThrows(() => encodeAnnouncement({ ...announcement, port: 65536 }), RangeError);
});

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
