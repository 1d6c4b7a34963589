import { openDatagramConn } from "../../transport/link/datagram_conn.ts";
import type { Link, LinkOptions } from "../../transport/link/link.ts";
import { memoryNetwork } from "../../transport/link/memory.ts";
import { openNodeDgram } from "../../transport/link/node_dgram.ts";
import { type OpenForTest, type Skip, testLink } from "./link_contract.ts";

const noIpv6 = await reasonAgainstIpv6();
const skip: Skip[] = noIpv6 === undefined ? [] : [{ name: "*", reason: noIpv6 }];

const network = memoryNetwork();
testLink("memory", (options) => {
  const link = network.open({ host: "192.0.2.1", port: options.port });
  return Promise.resolve({ link, address: link.local });
});

const kinds: [string, (options: LinkOptions) => Promise<Link>][] = [
  ["datagram_conn", openDatagramConn],
  ["node_dgram", openNodeDgram],
];
for (const [kind, open] of kinds) {
  testLink(`${kind} IPv4`, at(open, "127.0.0.1"));
  testLink(`${kind} IPv6`, at(open, "::1"), { skip });
  testLink(`${kind} dual stack and IPv4`, dualStack(open, "127.0.0.1"), { skip });
  testLink(`${kind} dual stack and IPv6`, dualStack(open, "::1"), { skip });
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
