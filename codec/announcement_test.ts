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
  ramp,
} from "./_samples.ts";
import { announcementHeadLayout, decodeAnnouncement, encodeAnnouncement } from "./announcement.ts";
import type { Announcement } from "./announcement.ts";

const announcement: Announcement = {
  time: 1_800_000_000,
  exposureId: ramp(32, 1),
  signingKey: ramp(32, 40),
  address: { host: "192.0.2.1", port: 9000 },
  totalSize: 5_000_000_000,
  kind: 1,
  access: 2,
  name: "disk image.iso",
  host: "attic",
};
const signature = ramp(64, 80);
const sign = () => signature;

Deno.test("EXPOSE_REQUEST: what is written is read, and all but the signature is signed", () => {
  const anyAnnouncement: fc.Arbitrary<Announcement> = fc.record({
    time: fc.maxSafeNat(),
    exposureId: anyBytes(32),
    signingKey: anyBytes(32),
    address: fc.record({
      host: fc.constantFrom("192.0.2.1", "2001:db8::7", "eth:02:00:5e:10:00:01", "::"),
      port: anyUnsigned(16),
    }),
    totalSize: fc.maxSafeNat(),
    kind: fc.nat(1),
    access: fc.nat(3),
    name: anyName(),
    host: anyName(),
  });
  fc.assert(fc.property(anyAnnouncement, (value) => {
    let signed: Uint8Array = new Uint8Array();
    const packet = encodeAnnouncement(value, (bytes) => {
      signed = bytes;
      return signature;
    });
    assertEquals(decodeAnnouncement(embedded(packet)), { announcement: value, signed, signature });
    assertEquals(packet.length <= limits.controlPacketBytesMax, true);
  }));
});

Deno.test("EXPOSE_REQUEST: refuses one cut off anywhere, foreign packets, and lengths that lie", () => {
  const packet = encodeAnnouncement(announcement, sign);
  assertTruncationsRefused(decodeAnnouncement, packet);
  assertForeignRefused(decodeAnnouncement, packet);
  const namesAt = 4 + announcementHeadLayout.size - 2;
  for (let claimed = 0; claimed < 256; claimed++) {
    const lying = packet.slice();
    lying[namesAt] = claimed;
    assertEquals(decodeAnnouncement(lying) !== undefined, claimed === announcement.name.length);
  }
  // Kinds and accesses that nobody knows yet.
  for (const [back, known] of [[2, 1], [1, 3]]) {
    for (let value = 0; value < 256; value++) {
      const other = packet.slice();
      other[namesAt - back] = value;
      assertEquals(decodeAnnouncement(other) !== undefined, value <= known);
    }
  }
});

Deno.test("EXPOSE_REQUEST: names that are no UTF-8 are refused, since they would grow when they are read", () => {
  const packet = encodeAnnouncement(announcement, sign);
  for (const back of [1, announcement.host.length + 1]) {
    const bad = packet.slice();
    bad[packet.length - signature.length - back] = 0xff;
    assertEquals(decodeAnnouncement(bad), undefined);
  }
});

Deno.test("EXPOSE_REQUEST: a name keeps a byte order mark at its front", () => {
  const value = { ...announcement, name: "\ufeffx" };
  assertEquals(decodeAnnouncement(encodeAnnouncement(value, sign))?.announcement, value);
});

Deno.test("EXPOSE_REQUEST: its limits, and one more", () => {
  const longest = { ...announcement, name: "n".repeat(255), host: "h".repeat(255) };
  assertEquals(decodeAnnouncement(encodeAnnouncement(longest, sign))?.announcement, longest);
  for (const wrong of [{ name: longest.name + "n" }, { host: longest.host + "h" }]) {
    assertThrows(() => encodeAnnouncement({ ...announcement, ...wrong }, sign), RangeError);
  }
  for (const length of [0, 63, 65]) {
    assertThrows(() => encodeAnnouncement(announcement, () => ramp(length)), RangeError);
  }
});
