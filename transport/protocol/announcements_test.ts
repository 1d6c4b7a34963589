import { limits } from "../../core/limits.ts";
import { createIdentity } from "../../crypto/identity.ts";
import { portableEngine } from "../../crypto/portable_engine.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { assertEquals } from "../../tests/_assert.ts";
import { announcementPacket, Announcements } from "./announcements.ts";
import type { AnnouncedFacts } from "./announcements.ts";

const engine = nativeEngine;
const identity = createIdentity(engine, new Uint8Array(32).fill(1));
const facts: AnnouncedFacts = {
  time: 1000,
  exposureId: new Uint8Array(32).fill(7),
  totalSize: 5,
  kind: 1,
  access: 1,
  name: "photos",
  host: "attic",
};
const where = { host: "192.0.2.1", port: 9000 };
const packet = (more: Partial<AnnouncedFacts> = {}, address = where) =>
  announcementPacket(engine, identity, { ...facts, ...more }, address);

function heard(...packets: readonly Uint8Array[]): Announcements {
  const announcements = new Announcements(engine);
  for (const one of packets) announcements.hear(one);
  return announcements;
}

Deno.test("announcements: what is said is listed once, with the key that the handshake will show", () => {
  const { all, drops } = heard(packet(), packet());
  assertEquals(all, [{
    name: "photos",
    host: "attic",
    addresses: [where],
    bytes: 5,
    isCollection: true,
    access: "open",
    exposureId: facts.exposureId,
    exposerKey: identity.staticKey,
  }]);
  assertEquals(drops.all(), {});
  // Both engines hear the same.
  const other = new Announcements(portableEngine);
  other.hear(packet());
  assertEquals(other.all, all);
});

Deno.test("announcements: an exposure has all its addresses, up to what a ticket holds", () => {
  const addresses = Array.from({ length: 10 }, (_, i) => ({ host: `192.0.2.${i + 1}`, port: 9000 }));
  const { all } = heard(...addresses.map((address) => packet({}, address)));
  assertEquals(all.map((one) => one.addresses), [addresses.slice(0, limits.ticketAddressesMax)]);
});

Deno.test("announcements: of two of one exposure the later counts, in whatever order they come", () => {
  const later = packet({ time: 1001, name: "album", access: 2 });
  for (const packets of [[packet(), later], [later, packet()]]) {
    const [{ name, access, addresses }] = heard(...packets).all;
    assertEquals([name, access, addresses.length], ["album", "passphrase", packets[0] === later ? 1 : 2]);
  }
});

Deno.test("announcements: another key's exposure of the same ID and name is another one", () => {
  const other = createIdentity(engine, new Uint8Array(32).fill(2));
  const { all } = heard(packet(), announcementPacket(engine, other, facts, where));
  assertEquals(all.map(({ exposerKey }) => exposerKey.toHex()), [
    identity.staticKey.toHex(),
    other.staticKey.toHex(),
  ]);
});

Deno.test("announcements: no byte of one can be changed", () => {
  const good = packet();
  for (let at = 0; at < good.length; at++) {
    const bad = good.slice();
    bad[at] ^= 1;
    // Flags and the field of the first word mean nothing, but are signed.
    assertEquals(heard(bad).all, [], `byte ${at}`);
  }
});

Deno.test("announcements: addresses that are nobody's in the neighbourhood are not listed", () => {
  const hosts = ["127.0.0.1", "0.0.0.0", "224.0.0.1", "239.1.2.3", "255.255.255.255", "::", "::1", "ff02::1"];
  for (const host of [...hosts, "eth:ff:ff:ff:ff:ff:ff", "eth:01:00:5e:00:00:01"]) {
    const { all, drops } = heard(packet({}, { host, port: 9000 }));
    assertEquals([all, drops.all()], [[], { "address of nobody": 1 }], host);
  }
  assertEquals(heard(packet({}, { ...where, port: 0 })).all, []);
  for (const host of ["10.0.0.1", "fd77::1", "fe80::1", "2001:db8::1", "eth:02:00:5e:00:00:01"]) {
    assertEquals(heard(packet({}, { host, port: 1 })).all.length, 1, host);
  }
});

Deno.test("announcements: a crowd is listed up to the limit, and those who are listed already still are heard", () => {
  const announcements = new Announcements(engine);
  const count = limits.announcedExposuresMax + 5;
  for (let i = 0; i < count; i++) {
    const exposureId = new Uint8Array(32);
    new DataView(exposureId.buffer).setUint32(0, i);
    announcements.hear(packet({ exposureId }));
  }
  assertEquals(announcements.all.length, limits.announcedExposuresMax);
  assertEquals(announcements.drops.all(), { "over the limit": 5 });
  announcements.hear(packet({ exposureId: new Uint8Array(32), time: 2000, name: "new" }));
  assertEquals(announcements.all.filter(({ name }) => name === "new").length, 1);
});
