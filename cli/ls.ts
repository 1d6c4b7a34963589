import { formatAddress, parseAddress } from "../codec/address.ts";
import { RgtpError } from "../core/errors.ts";
import type { ListedExposure } from "../transport/exposure/listing.ts";
import { listExposures } from "../transport/find.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { linkFlags, linkPermission } from "./_link_flag.ts";
import { readPassphrase } from "./_passphrase.ts";
import { demand, netNeeds } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { formatBytes, visible } from "./_text.ts";
import { exposerFlags, findOptions } from "./_wanted.ts";

const lsFlags = {
  ...exposerFlags,
  timeout: { kind: "duration", help: "give up after this long without an answer", default: "10s" },
  "state-dir": {
    kind: "string",
    placeholder: "FOLDER",
    help: "where known_exposers and this machine's identity live",
    default: "$XDG_STATE_HOME/red-giant or its like",
  },
  ...linkFlags,
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

/** `rgtp ls HOST:PORT`. */
export const lsCommand: Command = defineCommand({
  summary: "lists what an exposer lets this machine pull by name",
  operands: { required: ["HOST:PORT"], optional: [] },
  flags: lsFlags,
  details: [
    "Listed is what is exposed there with --open, or with --allow for this machine; with --password-file, what that passphrase opens. What " +
    "needs a ticket is on no list. Whom to believe is as with 'rgtp pull HOST:PORT NAME': the first contact keeps the exposer's key, and another key is refused from then on.",
    "Exit status: 0, 130 after Ctrl-C, or the error's code without its sign: 2 wrong arguments, 7 another exposer than the known one, 12 " +
    "no answer in time, 17 there is nothing for this machine.",
  ],
  examples: ["192.0.2.1:9000", "192.0.2.1:9000 --json --key 5mPqY0cTjBK9cYQWyC3Zp2Tn4kQ1xk3F1q3vVqk0pQA"],
  permissions: [
    ["--allow-net", "to reach the exposer; for an IPv4 address --allow-net=HOST:PORT,0.0.0.0:0 is enough"],
    [
      "--allow-read=STATE --allow-write=STATE --allow-env=XDG_STATE_HOME,HOME",
      "known_exposers; no --allow-env with --state-dir. With --key it works without, and keeps nothing",
    ],
    linkPermission,
  ],
  run: ({ flags, rest }, io) => runLs(rest[0], flags, io),
});

async function runLs(where: string, flags: Parsed<typeof lsFlags>["flags"], io: Io): Promise<number> {
  const address = parseAddress(where);
  if (!address) throw new RgtpError("INVALID_ARG", `'${visible(where)}' is not HOST:PORT`);
  demand(netNeeds({ addresses: [address] }));
  using interrupt = new Interrupt();
  const passphrase = await readPassphrase(flags["password-file"], io);
  const options = {
    ...findOptions(flags, io),
    ...(passphrase !== undefined && { passphrase }),
    signal: interrupt.signal,
  };
  let listed: readonly ListedExposure[];
  try {
    listed = await listExposures(formatAddress(address), options);
  } catch (error) {
    if (interrupt.status === undefined) throw error;
    return interrupt.status;
  }
  for (const one of listed) {
    if (flags.json) emit(io, "exposed", { ...one });
    else io.out(lineOf(one));
  }
  return 0;
}

function lineOf({ name, bytes, id, isCollection }: ListedExposure): string {
  return `${visible(name)}${isCollection ? "/" : ""}  ${formatBytes(bytes)}  ${id}`;
}
