/**
 * Links to a multicast group: one that sends to it, or one that listens to it. Both are datagrams as any others; what they mean, and that
 * they get lost, is the protocol's matter.
 *
 * @module
 */
import { isIpv6 } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import { groupHost } from "./_multicast.ts";
import type { Link } from "./link.ts";
import { openLink } from "./open_link.ts";
import type { LinkKind } from "./open_link.ts";

/** Which group, and how it is reached. */
export interface GroupLinkOptions {
  /** A multicast address, and the port. */
  readonly group: Address;
  /** The interface, by its name; absent: the one that the system's routes say. */
  readonly interfaceName?: string;
  /** How many networks what is sent may pass: absent, 1, this one alone. */
  readonly hops?: number;
  /** The kind to use; absent: the first that can. */
  readonly kind?: LinkKind;
}

/**
 * A link that sends to a group; it may have any address of this machine, and hears nothing of the group.
 *
 * @throws {RgtpError} INVALID_ARG when there is no such interface; SOCKET when the group cannot be reached, or not without a permission;
 * NOT_SUPPORTED
 */
export function openGroupSender({ group, interfaceName, hops, kind }: GroupLinkOptions): Promise<Link> {
  return openLink({
    host: isIpv6(group.host) ? "::" : "0.0.0.0",
    port: 0,
    multicast: { ...(interfaceName !== undefined && { interfaceName }), hops: hops ?? 1 },
    ...(kind && { kind }),
  });
}

/** A link that gets what is sent to a group. Others of this machine may listen too. @throws {RgtpError} as {@linkcode openGroupSender} */
export function openGroupListener({ group, interfaceName, kind }: GroupLinkOptions): Promise<Link> {
  return openLink({
    host: groupHost(group),
    port: group.port,
    multicast: { join: group.host, ...(interfaceName !== undefined && { interfaceName }) },
    ...(kind && { kind }),
  });
}
