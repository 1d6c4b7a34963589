import { RgtpError } from "../../core/errors.ts";
import { datagramConnAvailable, openDatagramConn } from "./datagram_conn.ts";
import type { Link, LinkOptions } from "./link.ts";
import { openNodeDgram } from "./node_dgram.ts";

/** The kinds of link that {@linkcode openLink} knows, the preferred one first. */
export const linkKinds: readonly ["datagram_conn", "node_dgram"] = Object.freeze(
  [
    "datagram_conn",
    "node_dgram",
  ] as const,
);

/** The name of a kind of link. */
export type LinkKind = (typeof linkKinds)[number];

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
export function openLink(options: OpenLinkOptions): Promise<Link> {
  const kind = options.kind ?? (datagramConnAvailable() ? "datagram_conn" : "node_dgram");
  switch (kind) {
    case "datagram_conn":
      return openDatagramConn(options);
    case "node_dgram":
      return openNodeDgram(options);
    default:
      // Kinds also come from command lines.
      return Promise.reject(
        new RgtpError(
          "INVALID_ARG",
          `there is no link kind "${kind}": choose one of ${linkKinds.join(", ")}`,
        ),
      );
  }
}
