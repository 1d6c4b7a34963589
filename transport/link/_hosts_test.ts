import { assertEquals, assertStrictEquals, assertThrows } from "../../tests/_assert.ts";
import { HostNames } from "./_hosts.ts";

Deno.test("hosts: an IPv6 socket's IPv4 peers get their own address back", () => {
  const hosts = new HostNames(true);
  assertEquals(hosts.peer("::ffff:192.0.2.1", 9), { host: "192.0.2.1", port: 9 });
  assertEquals(hosts.peer("2001:DB8:0::1", 9), { host: "2001:db8::1", port: 9 });
  assertEquals(hosts.wire("192.0.2.1"), "::ffff:192.0.2.1");
  assertEquals(hosts.wire("2001:db8::1"), "2001:db8::1");
});

Deno.test("hosts: an IPv4 socket sends to IPv4 in either spelling", () => {
  const hosts = new HostNames(false);
  assertEquals(hosts.wire("192.0.2.1"), "192.0.2.1");
  assertEquals(hosts.wire("::ffff:192.0.2.1"), "192.0.2.1");
});

Deno.test("hosts: the same peer is the same object", () => {
  const hosts = new HostNames(true);
  assertStrictEquals(hosts.peer("::1", 9), hosts.peer("::1", 9));
});

Deno.test("hosts: answers stay right when the table overflows", () => {
  const hosts = new HostNames(true);
  for (let i = 0; i < 5000; i++) {
    const host = `10.0.${i >> 8}.${i & 255}`;
    assertEquals(hosts.peer(`::ffff:${host}`, i + 1), { host, port: i + 1 });
    assertEquals(hosts.wire(host), `::ffff:${host}`);
  }
});

Deno.test("hosts: a name is refused", () => {
  assertThrows(() => new HostNames(true).wire("example.org"), TypeError, "look the name up");
});
