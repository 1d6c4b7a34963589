import { RgtpError } from "../../core/errors.ts";
import { openDatagramConn } from "../../transport/link/datagram_conn.ts";
import type { Link, LinkOptions } from "../../transport/link/link.ts";
import { openLinuxUdp } from "../../transport/link/linux_udp.ts";
import { memoryNetwork } from "../../transport/link/memory.ts";
import { openNodeDgram } from "../../transport/link/node_dgram.ts";
import { type OpenForTest, type Skip, testLink } from "./link_contract.ts";

const noIpv6 = await reasonAgainstIpv6();

const network = memoryNetwork();
testLink("memory", (options) => {
  const link = network.open({ host: "192.0.2.1", port: options.port });
  return Promise.resolve({ link, address: link.local });
});

const kinds: [string, (options: LinkOptions) => Promise<Link>][] = [
  ["linux_udp", openLinuxUdp],
  ["datagram_conn", openDatagramConn],
  ["node_dgram", openNodeDgram],
];
for (const [kind, open] of kinds) {
  const noKind = await reasonAgainst(open);
  testLink(`${kind} IPv4`, at(open, "127.0.0.1"), skippedFor(noKind));
  testLink(`${kind} IPv6`, at(open, "::1"), skippedFor(noKind ?? noIpv6));
  testLink(`${kind} dual stack and IPv4`, dualStack(open, "127.0.0.1"), skippedFor(noKind ?? noIpv6));
  testLink(`${kind} dual stack and IPv6`, dualStack(open, "::1"), skippedFor(noKind ?? noIpv6));
}

function skippedFor(reason: string | undefined): { skip: Skip[] } {
  return { skip: reason === undefined ? [] : [{ name: "*", reason }] };
}

/** Why there is no such kind here. What else may go wrong is for the tests to show. */
async function reasonAgainst(open: (options: LinkOptions) => Promise<Link>): Promise<string | undefined> {
  try {
    (await open({ host: "127.0.0.1", port: 0 })).close();
  } catch (error) {
    if (error instanceof RgtpError && error.condition === "NOT_SUPPORTED") return error.message;
  }
  return undefined;
}

/** All links at one host. */
function at(open: (options: LinkOptions) => Promise<Link>, host: string): OpenForTest {
  return async ({ port }) => {
    const link = await open({ host, port });
    return { link, address: link.local };
  };
}

/** The first link at `::`, reached at `host`; the others at `host` alone. */
function dualStack(open: (options: LinkOptions) => Promise<Link>, host: string): OpenForTest {
  return async ({ role, port }) => {
    const link = await open({ host: role === "first" ? "::" : host, port });
    return { link, address: { host, port: link.local.port } };
  };
}

async function reasonAgainstIpv6(): Promise<string | undefined> {
  try {
    (await openDatagramConn({ host: "::1", port: 0 })).close();
    return undefined;
  } catch {
    return "no IPv6 loopback on this machine";
  }
}
