import { RgtpError } from "../../core/errors.ts";
import { openDatagramConn } from "./datagram_conn.ts";
import type { Link, LinkOptions } from "./link.ts";
import { openLinuxUdp } from "./linux_udp.ts";
import { openNodeDgram } from "./node_dgram.ts";

/** The kinds of link that {@linkcode openLink} knows, the preferred one first. */
export const linkKinds: readonly ["linux_udp", "datagram_conn", "node_dgram"] = Object.freeze(
  [
    "linux_udp",
    "datagram_conn",
    "node_dgram",
  ] as const,
);

/** The name of a kind of link. */
export type LinkKind = (typeof linkKinds)[number];

const openers: Readonly<Record<LinkKind, (options: LinkOptions) => Promise<Link>>> = {
  linux_udp: openLinuxUdp,
  datagram_conn: openDatagramConn,
  node_dgram: openNodeDgram,
};

/** Where a link is to be bound, and of which kind it is to be. */
export interface OpenLinkOptions extends LinkOptions {
  /** The kind to use; without it, the first that this runtime has. */
  readonly kind?: LinkKind;
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
  for (const one of linkKinds) {
    try {
      return await openers[one](options);
    } catch (error) {
      if (!(error instanceof RgtpError && error.condition === "NOT_SUPPORTED")) throw error;
    }
  }
  throw new RgtpError("NOT_SUPPORTED", "this runtime has no UDP sockets: run it with Deno or Node");
}
