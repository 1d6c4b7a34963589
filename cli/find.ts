import { formatAddress } from "../codec/address.ts";
import { RgtpError } from "../core/errors.ts";
import { discover } from "../transport/discover.ts";
import type { FoundExposure } from "../transport/discover.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { linkFlags, linkOptions, linkPermission } from "./_link_flag.ts";
import { demand, toNet } from "./_permissions.ts";
import type { Need } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { formatBytes, visible } from "./_text.ts";

const findFlags = {
  wait: {
    kind: "duration",
    help: "listen for so long",
    default: "3s, in which each exposer speaks three times",
  },
  ...linkFlags,
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof findFlags>["flags"];

/** `rgtp find [NAME]`. */
export const findCommand: Command = defineCommand({
  summary: "lists what exposers of the local network announce",
  operands: { required: [], optional: ["NAME"] },
  flags: findFlags,
  details: [
    "Listed is what runs there with 'rgtp expose --announce': name, size, whom it lets pull (open: everybody; passphrase; chosen: nodes that " +
    "the exposer knows; tickets: holders of a ticket), where it is, what that machine calls itself, and the exposure's label. With NAME " +
    "only what is called so.",
    "Nobody is contacted: it listens to a group that no router passes on. What is listed is what somebody there says. It is signed, but " +
    "everybody may sign with a key of his own: whether an exposer is the one that you mean shows when you pull, as with 'rgtp pull " +
    "HOST:PORT NAME' anywhere. With --json its key is printed, for --key, as its owner's 'rgtp id' shows it.",
    "With --link ethernet it lists what is announced on that interface by frames without IP.",
    "Exit status: 0, 130 after Ctrl-C, or the error's code without its sign: 2 wrong arguments, 3 no network to listen on, 16 nothing is " +
    "called NAME.",
  ],
  examples: ["", "photos", "--wait 10s --json", "--link ethernet --interface eth0"],
  permissions: [
    ["--allow-net", "to listen to the group"],
    [
      "--allow-sys=networkInterfaces",
      "to listen on each of this machine's networks; not with --link ethernet",
    ],
    linkPermission,
  ],
  run: ({ flags, rest }, io) => runFind(rest[0], flags, io),
});

const toSeeNetworks: Need = {
  descriptor: { name: "sys", kind: "networkInterfaces" },
  flag: "--allow-sys=networkInterfaces",
};

async function runFind(name: string | undefined, flags: Flags, io: Io): Promise<number> {
  const options = linkOptions(flags);
  demand(flags.link === "ethernet" ? [toNet()] : [toNet(), toSeeNetworks]);
  using interrupt = new Interrupt();
  const all = await discover({
    ...options,
    ...(flags.wait !== undefined && { waitMs: flags.wait }),
    signal: interrupt.signal,
  });
  const found = all.filter((one) => name === undefined || one.name === name);
  for (const one of found) {
    if (flags.json) emit(io, "found", fieldsOf(one));
    else io.out(lineOf(one));
  }
  if (interrupt.status !== undefined) return interrupt.status;
  if (found.length > 0) {
    if (!flags.json) {
      io.err("to pull one: rgtp pull HOST:PORT NAME, or with its ticket if it says 'tickets'\n");
    }
    return 0;
  }
  const advice =
    "'rgtp expose PATH --announce' there announces, and a firewall must let UDP port 21063 in here";
  if (name !== undefined) {
    throw new RgtpError(
      "NOT_FOUND",
      `nothing called '${visible(name)}' is announced on this network: ${advice}`,
    );
  }
  if (!flags.json) io.err(`nothing is announced on this network: ${advice}\n`);
  return 0;
}

const LABEL_BYTES = 16;

function labelOf({ id }: Pick<FoundExposure, "id">): string {
  const bytes = Uint8Array.fromBase64(id, { alphabet: "base64url" }).subarray(0, LABEL_BYTES);
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function fieldsOf({ addresses, ...one }: FoundExposure): Readonly<Record<string, unknown>> {
  return { ...one, label: labelOf(one), addresses: addresses.map(formatAddress) };
}

/** `photos/  1.2 GB  open  192.0.2.1:9000  attic  GxTV4qkB2rM9yXkzq0T0Gw` */
function lineOf(one: FoundExposure): string {
  const { name, isCollection, bytes, access, addresses, host } = one;
  const words = [
    `${visible(name)}${isCollection ? "/" : ""}`,
    formatBytes(bytes),
    access,
    addresses.map(formatAddress).join(","),
    visible(host),
    labelOf(one),
  ];
  return words.filter((word) => word !== "").join("  ");
}
