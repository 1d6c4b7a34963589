import { RgtpError } from "../../core/errors.ts";
import type { VlanTag } from "../../codec/ethernet_frame.ts";
import type { Link, LinkOptions } from "./link.ts";

/** The kinds of link over UDP, the preferred one first. */
export const udpLinkKinds: readonly ["linux_udp", "datagram_conn", "node_dgram"] = Object.freeze(
  [
    "linux_udp",
    "datagram_conn",
    "node_dgram",
  ] as const,
);

/** The kinds of link that {@linkcode openLink} knows: those over UDP, of which it takes one by itself, and the one that must be asked for. */
export const linkKinds: readonly [...typeof udpLinkKinds, "ethernet"] = Object.freeze(
  [...udpLinkKinds, "ethernet"] as const,
);

/** The name of a kind of link. */
export type LinkKind = (typeof linkKinds)[number];

/** Each is loaded when it is first tried: a program uses one or two of them. */
const openers: Readonly<Record<LinkKind, (options: OpenLinkOptions) => Promise<Link>>> = {
  linux_udp: async (options) => (await import("./linux_udp.ts")).openLinuxUdp(options),
  datagram_conn: async (options) => (await import("./datagram_conn.ts")).openDatagramConn(options),
  node_dgram: async (options) => (await import("./node_dgram.ts")).openNodeDgram(options),
  ethernet: openOnInterface,
};

/** How the network is reached. */
export interface LinkChoice {
  /** Which link; absent: the best over UDP that there is. */
  readonly link?: LinkKind;
  /** With `ethernet`, and for multicast groups: the interface, as `ip link` shows it. */
  readonly interface?: string;
  /** With `ethernet`: the VLAN and the priority that frames carry. */
  readonly vlan?: VlanTag;
}

/** Where a link is to be bound, and of which kind it is to be. `ethernet` has no `host`: its interface has one address. */
export interface OpenLinkOptions extends LinkOptions, Omit<LinkChoice, "link"> {
  /** The kind to use; without it, the first over UDP that this runtime has. */
  readonly kind?: LinkKind;
}

/** A choice, as {@linkcode openLink} takes it. */
export function chosen(
  { link: kind, interface: name, vlan }: LinkChoice,
): Pick<OpenLinkOptions, "kind" | "interface" | "vlan"> {
  return { ...(kind && { kind }), ...(name !== undefined && { interface: name }), ...(vlan && { vlan }) };
}

async function openOnInterface({ interface: name, port, vlan }: OpenLinkOptions): Promise<Link> {
  if (name !== undefined) {
    return (await import("./ethernet.ts")).openEthernet({ interface: name, port, vlan });
  }
  throw new RgtpError(
    "INVALID_ARG",
    "the link kind ethernet needs an interface: say which, with --interface on a command line ('ip link' lists them)",
  );
}

/**
 * Binds a link of the best kind that this runtime has, or of the one that is named.
 *
 * @throws {RgtpError} `NOT_SUPPORTED` when the runtime lacks the named kind, `INVALID_ARG` when there is no such kind,
 * and what the kinds throw: `ADDRESS_IN_USE`, `INVALID_ARG`, `SOCKET`
 * @throws {TypeError} when the host is empty
 * @throws {RangeError} when the port is not one
 * @example
 * ```ts
 * import { openLink } from "./open_link.ts";
 * using link = await openLink({ host: "127.0.0.1", port: 0 });
 * if (link.local.port === 0) throw new Error("unexpected");
 * ```
 */
export async function openLink(options: OpenLinkOptions): Promise<Link> {
  const { kind } = options;
  if (kind !== undefined) {
    // Kinds also come from command lines.
    if (Object.hasOwn(openers, kind)) return await openers[kind](options);
    throw new RgtpError(
      "INVALID_ARG",
      `there is no link kind "${kind}": choose one of ${linkKinds.join(", ")}`,
    );
  }
  for (const one of udpLinkKinds) {
    try {
      return await openers[one](options);
    } catch (error) {
      if (!(error instanceof RgtpError && error.condition === "NOT_SUPPORTED")) throw error;
    }
  }
  throw new RgtpError("NOT_SUPPORTED", "this runtime has no UDP sockets: run it with Deno or Node");
}
