import { assert, assertEquals, assertThrows } from "../../tests/_assert.ts";
import { decodeSockaddr, encodeSockaddr, familyOf, Sockaddrs } from "./_sockaddr.ts";

const AF_INET = 2;
const AF_INET6 = 10;

Deno.test("sockaddr: the bytes that Linux takes, for either family of socket", () => {
  const table: [string, number, string][] = [
    ["192.0.2.1", AF_INET, "02002328" + "c0000201" + "00".repeat(8)],
    ["::ffff:192.0.2.1", AF_INET, "02002328" + "c0000201" + "00".repeat(8)],
    ["192.0.2.1", AF_INET6, "0a002328" + "00000000" + "00000000000000000000ffffc0000201" + "00000000"],
    ["2001:db8::1", AF_INET6, "0a002328" + "00000000" + "20010db8000000000000000000000001" + "00000000"],
    // Not for this socket: the system says so, better than we could.
    ["2001:db8::1", AF_INET, "0a002328" + "00000000" + "20010db8000000000000000000000001" + "00000000"],
  ];
  for (const [host, family, hex] of table) {
    assertEquals(encodeSockaddr({ host, port: 9000 }, family).toHex(), hex, host);
  }
  assertThrows(() => encodeSockaddr({ host: "example", port: 1 }, AF_INET), TypeError);
});

Deno.test("sockaddr: what is decoded is canonical, and encodes to the same", () => {
  for (
    const host of ["0.0.0.0", "255.255.255.255", "127.0.0.1", "::", "::1", "fd77::2", "2001:db8:0:1::ffff"]
  ) {
    for (const port of [0, 1, 255, 256, 65535]) {
      for (const family of [AF_INET, AF_INET6]) {
        assertEquals(decodeSockaddr(encodeSockaddr({ host, port }, family)), { host, port });
      }
    }
  }
  assertEquals([familyOf("::"), familyOf("::1"), familyOf("0.0.0.0")], [AF_INET6, AF_INET6, AF_INET]);
});

Deno.test("sockaddrs: the same peer is the same object, and floods are forgotten", () => {
  const addresses = new Sockaddrs(AF_INET);
  const of = (i: number) =>
    encodeSockaddr({ host: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, port: 7 }, AF_INET);
  const first = addresses.peer(of(1));
  assert(first === addresses.peer(of(1)));
  for (let i = 2; i < 5000; i++) assertEquals(addresses.peer(of(i)).host.split(".")[3], `${i & 255}`);
  assertEquals(addresses.peer(of(1)), first);
});

Deno.test("sockaddrs: a host is one destination for all its ports, and a name is none", () => {
  const addresses = new Sockaddrs(AF_INET6);
  const one = addresses.destination({ host: "192.0.2.1", port: 1 });
  assert(one === addresses.destination({ host: "192.0.2.1", port: 2 }));
  assertEquals(one.offloadBelow, Infinity);
  assertThrows(() => addresses.destination({ host: "peer.example", port: 1 }), TypeError, "peer.example");
});

Deno.test("sockaddrs: a link-local peer is answered through the interface that it came from", () => {
  const addresses = new Sockaddrs(AF_INET6);
  const from = encodeSockaddr({ host: "fe80::1", port: 9 }, AF_INET6);
  from[24] = 3;
  const peer = addresses.peer(from);
  assertEquals(peer, { host: "fe80::1", port: 9 });
  assertEquals(addresses.destination(peer).sockaddr, from);
});
