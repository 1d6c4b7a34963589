import { parseAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { readNodeFolder } from "../cluster/io/authority_folder.ts";
import type { NodeFolder } from "../cluster/io/authority_folder.ts";
import { FleetClient } from "../cluster/io/fleet_client.ts";
import { lockFolder } from "../cluster/io/folder_lock.ts";
import { RgtpError } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { demand, toNet, toRead, toWrite } from "./_permissions.ts";
import { visible } from "./_text.ts";

/** The port of a node when none is said: that of RNP's example. */
const PORT = 7946;

/** Who speaks. */
export const identityFlag = {
  as: {
    kind: "string",
    placeholder: "FOLDER",
    help:
      "who this is: a folder that 'rgtp node ca issue' has made, and that nobody else uses at the same time",
  },
} as const satisfies FlagTable;

/** Flags of all commands that speak to a fleet. */
export const clientFlags = {
  ...identityFlag,
  at: {
    kind: "strings",
    placeholder: "HOST[:PORT]",
    help: "any node of the cluster; may be given several times: the first that answers is asked",
  },
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

/** Permissions that they take. */
export const clientPermissions: readonly (readonly [flag: string, why: string])[] = [
  ["--allow-net", "to reach nodes of the cluster"],
  ["--allow-read=FOLDER --allow-write=FOLDER", "who this is, and the mark that it is in use"],
];

/** What their help says of how they end. */
export const clientStatus =
  "Exit status: 0, or the error's code without its sign: 2 wrong arguments, 12 nobody answers in time, 16 there is no such thing, 19 it " +
  "is there already. An error that a node has told carries RNP's number as well, such as 3000 when nobody has room.";

type ClientFlags = Parsed<typeof clientFlags>["flags"];

/** `HOST:PORT`, or `HOST` for the usual port. @throws {RgtpError} INVALID_ARG */
export function nodeAddress(text: string): Address {
  const address = parseAddress(text) ?? parseAddress(`${text}:${PORT}`);
  if (address) return address;
  throw new RgtpError("INVALID_ARG", `'${visible(text)}' is not HOST or HOST:PORT`);
}

/** Whose folder it is, marked as in use until the stack ends. @throws {RgtpError} */
export async function takeIdentity(
  folder: string | undefined,
  stack: AsyncDisposableStack,
): Promise<NodeFolder> {
  if (folder === undefined) {
    throw new RgtpError(
      "INVALID_ARG",
      "--as FOLDER is missing: 'rgtp node ca issue' makes one for each node, and one for you",
    );
  }
  demand([toRead(folder), toWrite(folder)]);
  const identity = await readNodeFolder(folder);
  stack.use(await lockFolder(folder));
  return identity;
}

/** Does something with a fleet. @throws {RgtpError} */
export async function withFleet<T>(flags: ClientFlags, use: (fleet: FleetClient) => Promise<T>): Promise<T> {
  if (flags.at === undefined) {
    throw new RgtpError("INVALID_ARG", "--at HOST:PORT is missing: any node of the cluster");
  }
  const at = flags.at.map(nodeAddress);
  demand([toNet()]);
  await using stack = new AsyncDisposableStack();
  const identity = await takeIdentity(flags.as, stack);
  const fleet = stack.use(await FleetClient.connect({ ...identity, at }));
  return await use(fleet);
}

/** `KEY=VALUE` texts as a map. @throws {RgtpError} INVALID_ARG */
export function pairsOf(flag: string, texts: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(texts.map((text) => {
    const at = text.indexOf("=");
    if (at < 1) throw new RgtpError("INVALID_ARG", `--${flag} '${visible(text)}' is not KEY=VALUE`);
    return [text.slice(0, at), text.slice(at + 1)];
  }));
}
