import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { anyBytes, anyUnsigned } from "./_samples.ts";
import {
  ADDRESS_BYTES,
  addressBytes,
  canonicalHost,
  formatAddress,
  hostKind,
  isIpAddress,
  isIpv6,
  isLoopback,
  macBytes,
  macHost,
  parseAddress,
} from "./address.ts";

/** 8 groups of 16 bits, with many zeros, so that there is something to compress. */
const anyGroups = fc.array(fc.oneof(fc.constant(0), anyUnsigned(16)), { minLength: 8, maxLength: 8 });

/** Spells all 8 groups out. */
function spelled(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(":");
}

Deno.test("canonicalHost: the examples of RFC 5952", () => {
  const table: [string, string][] = [
    // §2.1, §4.1: leading zeros
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"],
    // §4.2.1: as short as possible
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    // §4.2.2: never for one group
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    // §4.2.3: the longest run, the first of equals
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    // §4.3: lower case
    ["2001:DB8::AAAA", "2001:db8::aaaa"],
    // §2.2
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::1.2.3.4", "::102:304"],
  ];
  for (const [text, canonical] of table) {
    assertEquals(canonicalHost(text), canonical);
    assertEquals(canonicalHost(canonical), canonical);
  }
});

Deno.test("isLoopback: 127.0.0.0/8 and ::1, and no name", () => {
  for (const host of ["127.0.0.1", "127.255.255.254", "::1"]) assert(isLoopback(host), host);
  const others = [
    "128.0.0.1",
    "12.7.0.1",
    "::",
    "::2",
    "localhost",
    "127.example",
    "02-00-00-00-00-01",
    "192.0.2.1",
  ];
  for (const host of others) assert(!isLoopback(host), host);
});

Deno.test("canonicalHost: an IPv4 address in IPv6 clothes is the IPv4 address", () => {
  for (const text of ["::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"]) {
    assertEquals(canonicalHost(text), "192.0.2.1");
    assertEquals([isIpAddress(text), isIpv6(text)], [true, false]);
  }
  // Not mapped: another prefix.
  assertEquals(isIpv6("::fffe:192.0.2.1"), true);
  assertEquals(isIpv6("::1:ffff:192.0.2.1"), true);
});

Deno.test("canonicalHost: drops a zone, lowers a name", () => {
  assertEquals(canonicalHost("fe80::1%eth0"), "fe80::1");
  assertEquals(canonicalHost("::ffff:10.0.0.1%3"), "10.0.0.1");
  assertEquals(canonicalHost("Example.ORG"), "example.org");
});

Deno.test("canonicalHost: every spelling of 8 groups comes to one, which is short and reads back", () => {
  fc.assert(fc.property(anyGroups, (groups) => {
    const text = spelled(groups);
    const canonical = canonicalHost(text);
    assertEquals(canonicalHost(canonical), canonical);
    assertEquals(canonicalHost(text.toUpperCase()), canonical);
    assertEquals(
      canonicalHost(groups.map((group) => group.toString(16).padStart(4, "0")).join(":")),
      canonical,
    );
    assertEquals(canonical.length <= text.length || !canonical.includes(":"), true);
    assertEquals(addressBytes({ host: canonical, port: 0 }), addressBytes({ host: text, port: 0 }));
  }));
});

Deno.test("isIpAddress: texts that are none", () => {
  const none = [
    ..."|:|:::|1|1.2.3|1.2.3.4.5|256.1.1.1|1.1.1.999|-1.1.1.1|1.2.3.4 | 1.2.3.4|1.2.3.4\n".split("|"),
    // Octal to some, decimal to others.
    ..."010.0.0.1|127.0.0.01|00.0.0.0|::ffff:010.0.0.1|0x7f.0.0.1".split("|"),
    ..."1:2:3:4:5:6:7|1:2:3:4:5:6:7:8:9|1:2:3:4:5:6:7:8::|::1::|1:::2|:1:2:3:4:5:6:7|1:2:3:4:5:6:7:".split(
      "|",
    ),
    ..."12345::|g::|::1.2.3|::1.2.3.4.5|1.2.3.4::|::1.2.3.4:5|::256.1.1.1|1:2:3:4:5:6:7:1.2.3.4".split("|"),
    ..."1.2.3.4%eth0|::1\n|[::1]|::1]|::%\n|%|::1%a\nb|example.org|localhost".split("|"),
    "::" + "0".repeat(60),
    "0:".repeat(10_000) + "0",
  ];
  for (const text of none) assertEquals(isIpAddress(text), false, JSON.stringify(text));
});

Deno.test("addressBytes: 16 bytes of address, 2 of port", () => {
  const table: [string, number, string][] = [
    ["192.0.2.1", 9000, "00000000000000000000ffffc00002012328"],
    ["::ffff:192.0.2.1", 9000, "00000000000000000000ffffc00002012328"],
    ["255.255.255.255", 65535, "00000000000000000000ffffffffffffffff"],
    ["2001:db8::1", 1, "20010db80000000000000000000000010001"],
    ["::", 0, "000000000000000000000000000000000000"],
    ["eth:02:00:5e:10:00:01", 9000, "6574683a00000000000002005e1000012328"],
  ];
  for (const [host, port, hex] of table) {
    const encoded = addressBytes({ host, port });
    assertEquals(encoded.toHex(), hex);
    assertEquals(encoded.length, ADDRESS_BYTES);
  }
  for (const host of ["example.org", "", "1.2.3"]) {
    assertThrows(() => addressBytes({ host, port: 1 }), TypeError, "not an IP address");
  }
});

Deno.test("parseAddress: reads what formatAddress writes", () => {
  const anyPort = fc.integer({ min: 1, max: 65535 });
  const anyCard = anyBytes(6).map(macHost);
  const anyHost = fc.oneof(fc.ipV4(), fc.ipV6(), anyGroups.map(spelled), fc.domain(), anyCard);
  fc.assert(fc.property(anyHost, anyPort, (host, port) => {
    const address = { host: canonicalHost(host), port };
    assertEquals(parseAddress(formatAddress(address)), address);
    // Brackets belong to the form of the text: one that was IPv4 in IPv6 clothes reads back too.
    assertEquals(parseAddress(formatAddress({ host, port })), address);
  }));
});

Deno.test("parseAddress: what it takes", () => {
  const table: [string, string, number][] = [
    ["192.0.2.1:9000", "192.0.2.1", 9000],
    ["[2001:DB8::1]:1", "2001:db8::1", 1],
    ["[::ffff:192.0.2.1]:65535", "192.0.2.1", 65535],
    ["Example.org:80", "example.org", 80],
    ["example.org.:80", "example.org.", 80],
    ["a:1", "a", 1],
    ["3com.com:1", "3com.com", 1],
    ["xn--bcher-kva.example:1", "xn--bcher-kva.example", 1],
    [`${"a".repeat(63)}.b:1`, `${"a".repeat(63)}.b`, 1],
    ["0xcafe.example:1", "0xcafe.example", 1],
    ["eth:02:00:5E:10:00:01:9000", "eth:02:00:5e:10:00:01", 9000],
  ];
  for (const [text, host, port] of table) assertEquals(parseAddress(text), { host, port });
});

Deno.test("parseAddress: what it refuses", () => {
  const refused = [
    // No port, or none that can be sent to.
    ..."|:|:1|a|a:|a:0|a:00|a:080|a:65536|a:99999|a:100000|a:-1|a:1e3|a: 1|a:1 |a:1\n|a:0x1".split("|"),
    // Brackets where none belong, none where some do.
    ..."[]:1|[::1]|[::1]:0|[::1:1|::1]:1|::1:1|[[::1]]:1|[1.2.3.4]:1|[a]:1|[fe80::1%eth0]:1|[::1]x:1".split(
      "|",
    ),
    // Numbers that a resolver takes for an address.
    ..."1.2.3.999:1|1.2.3:1|127.1:1|2130706433:1|010.0.0.1:1|1.2.3.4.:1|0x7f.1:1|0x7f000001:1|0X7F.0.0.1:1"
      .split("|"),
    ..."a.1:1|a.0x1f:1|0x.:1|...:1".split("|"),
    // Names that no resolver has, and what a shell or another program would make something of.
    ..."-a:1|a-:1|-oProxyCommand=x:1|a..b:1|.a:1|a_b:1|a b:1|a/b:1|a@b:1|a,b:1|$(id):1|ä.example:1|a%2e:1"
      .split("|"),
    ..."a:1:1|user@host:1|http://a:1".split("|"),
    // Network cards: six pairs, no brackets, and a port.
    ..."eth:02:00:5e:10:00:1|eth:02:00:5e:10:00:1:1|eth:2:0:5e:10:0:1:1|eth:02:00:5e:10:00:01"
      .split("|"),
    ..."eth:02:00:5e:10:00:01:02:1|eth:02-00-5e-10-00-01:1|[eth:02:00:5e:10:00:01]:1|02:00:5e:10:00:01:1"
      .split("|"),
    `${"a".repeat(64)}.b:1`,
    `${"a.".repeat(127)}a:1`,
    `[${"0".repeat(100_000)}]:1`,
    `${"a-".repeat(100_000)}:1`,
  ];
  for (const text of refused) assertEquals(parseAddress(text), undefined, JSON.stringify(text.slice(0, 80)));
});

Deno.test("hostKind: what it takes to reach a host", () => {
  const table: [string, string][] = [
    ["192.0.2.1", "ipv4"],
    ["::ffff:192.0.2.1", "ipv4"],
    ["2001:db8::1", "ipv6"],
    ["eth:02:00:5E:10:00:01", "ethernet"],
    ["eth:02:00:5e:10:00", "name"],
    ["eth", "name"],
    ["example.org", "name"],
  ];
  for (const [host, kind] of table) assertEquals(hostKind(host), kind, host);
});

Deno.test("macBytes: six bytes of a network card, and of nothing else", () => {
  assertEquals(macBytes("eth:02:00:5E:10:00:ff")?.toHex(), "02005e1000ff");
  assertEquals(macHost(Uint8Array.of(2, 0, 0x5e, 0x10, 0, 255)), "eth:02:00:5e:10:00:ff");
  for (const host of ["192.0.2.1", "::1", "example.org", "02:00:5e:10:00:ff", ""]) {
    assertEquals(macBytes(host), undefined);
  }
});
