import { tagBits } from "../codec/ethernet_frame.ts";
import type { VlanTag } from "../codec/ethernet_frame.ts";
import { RgtpError } from "../core/errors.ts";
import { linkKinds, udpLinkKinds } from "../transport/link/open_link.ts";
import type { LinkChoice } from "../transport/link/open_link.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { visible } from "./_text.ts";

/** How the network is reached. */
export const linkFlags = {
  link: {
    kind: "choice",
    choices: linkKinds,
    placeholder: "KIND",
    help: `how to reach the network: ${linkKinds.join(", ")}`,
    default: `the first of ${udpLinkKinds.join(", ")} that is possible here`,
  },
  interface: {
    kind: "string",
    placeholder: "IF",
    help: "with --link ethernet, and for multicast: the network card, as 'ip link' shows it",
  },
  vlan: {
    kind: "string",
    placeholder: "ID[:PRIORITY]",
    help: "with --link ethernet: the VLAN (0: none) and the priority, 0 to 7, that frames are tagged with",
    default: "no tag",
  },
} as const satisfies FlagTable;

/** Whether it is reached where it need not be. */
export const sharedFlags = {
  "no-shared": {
    kind: "boolean",
    help: "go over the network even between programs on one machine, which otherwise share memory",
  },
} as const satisfies FlagTable;

/** What {@linkcode linkFlags} are understood as. */
export type LinkFlags = Parsed<typeof linkFlags>["flags"];

/** What the fastest kind takes, and the fastest engine, for the list of permissions. */
export const linkPermission: [string, string] = [
  "--allow-ffi=/lib",
  "for speed, on Linux: sockets of the C library, the cryptography of OpenSSL, and shared memory between programs of one machine (/lib64 " +
  "where they are in there); without it --link linux_udp and --link ethernet are not possible. The latter takes a bare --allow-net too, and " +
  "of the system the capability CAP_NET_RAW",
];

/** The choice that the flags make; `hasGroups`: an interface may be meant for multicast. @throws {RgtpError} INVALID_ARG for flags that do not go together, and for what is no VLAN */
export function linkOptions({ link, interface: name, vlan }: LinkFlags, hasGroups = false): LinkChoice {
  const isRaw = link === "ethernet";
  if (isRaw && name === undefined) {
    throw new RgtpError(
      "INVALID_ARG",
      "--link ethernet needs --interface: 'ip link' lists those that there are",
    );
  }
  const stray = isRaw
    ? undefined
    : name !== undefined && !hasGroups
    ? "--interface"
    : vlan !== undefined
    ? "--vlan"
    : undefined;
  if (stray !== undefined) throw new RgtpError("INVALID_ARG", `${stray} belongs to --link ethernet`);
  return {
    ...(link !== undefined && { link }),
    ...(name !== undefined && { interface: name }),
    ...(vlan !== undefined && { vlan: parseVlan(vlan) }),
  };
}

function parseVlan(text: string): VlanTag {
  const [, id, priority = "0"] = /^(\d{1,4})(?::(\d))?$/.exec(text) ?? [];
  try {
    const tag = { id: Number(id), priority: Number(priority) };
    tagBits(tag);
    return tag;
  } catch (cause) {
    throw new RgtpError(
      "INVALID_ARG",
      `--vlan is '${visible(text)}': say ID or ID:PRIORITY, an ID from 0 to 4094 and a priority from 0 to 7`,
      { cause },
    );
  }
}
