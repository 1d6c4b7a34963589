import { assertEquals } from "../tests/_assert.ts";
import { isPublicAddress } from "./public_address.ts";

const answers = (hosts: readonly string[]) => hosts.map((host) => [host, isPublicAddress({ host })]);

Deno.test("public addresses: the first and last of each block that is not, and its neighbours", () => {
  const blocks: readonly (readonly [before: string, first: string, last: string, after: string])[] = [
    ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
    ["100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"],
    ["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"],
    ["169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"],
    ["172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"],
    ["192.0.1.0", "192.0.2.0", "192.0.2.255", "192.0.3.0"],
    ["192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"],
    ["198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"],
    ["198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"],
    ["203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"],
    ["2001:db7::1", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"],
    ["2001:ffff::", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"],
  ];
  for (const [before, first, last, after] of blocks) {
    assertEquals(answers([before, first, last, after]), [
      [before, true],
      [first, false],
      [last, false],
      [after, true],
    ]);
  }
});

Deno.test("public addresses: nowhere, groups, everybody, links, sites and what is not assigned are none", () => {
  const none = [
    ...["0.0.0.0", "0.1.2.3", "192.0.0.1", "192.88.99.1", "224.0.0.1", "239.255.0.1", "240.0.0.1"],
    ...["255.255.255.255", "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1"],
    ...["2001::1", "100::1", "3fff::1", "4000::1", "5f00::1", "1fff::1"],
  ];
  assertEquals(answers(none), none.map((host) => [host, false]));
  const some = ["1.1.1.1", "8.8.8.8", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "3ffe::1"];
  assertEquals(answers(some), some.map((host) => [host, true]));
});

Deno.test("public addresses: an IPv4 address in IPv6 clothes is what it is without", () => {
  assertEquals(
    answers(["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"]).map(([, is]) => is),
    [false, false, true],
  );
  assertEquals(
    answers(["64:ff9b::127.0.0.1", "64:ff9b::192.168.1.1", "64:ff9b::8.8.8.8"]).map(([, is]) => is),
    [false, false, true],
  );
  // Others lead anywhere: those that are translated within one network, and the old form that was mapped.
  assertEquals(answers(["64:ff9b:1::8.8.8.8", "::8.8.8.8"]).map(([, is]) => is), [false, false]);
});

Deno.test("public addresses: a network card and a name are none", () => {
  assertEquals(
    answers(["eth:02:00:5e:10:00:01", "example.org", "localhost", ""]).map(([, is]) => is),
    [false, false, false, false],
  );
});
