import { linkKinds } from "../transport/link/open_link.ts";
import type { FlagTable } from "./_args.ts";

/** How the network is reached. */
export const linkFlags = {
  link: {
    kind: "choice",
    choices: linkKinds,
    placeholder: "KIND",
    help: `how to reach the network: ${linkKinds.join(", ")}`,
    default: "the first of these that is possible here",
  },
} as const satisfies FlagTable;

/** Whether it is reached where it need not be. */
export const sharedFlags = {
  "no-shared": {
    kind: "boolean",
    help: "go over the network even between programs on one machine, which otherwise share memory",
  },
} as const satisfies FlagTable;

/** What the fastest kind takes, and the fastest engine, for the list of permissions. */
export const linkPermission: [string, string] = [
  "--allow-ffi=/lib",
  "for speed, on Linux: sockets of the C library, the cryptography of OpenSSL, and shared memory between programs of one machine (/lib64 " +
  "where they are in there); without it --link linux_udp is not possible",
];
