import { initAuthority, issueNode, rotateNodes } from "../cluster/io/authority_folder.ts";
import type { IssuedNode } from "../cluster/io/authority_folder.ts";
import { isNodeId } from "../cluster/protocol/node_id.ts";
import { RgtpError } from "../core/errors.ts";
import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { Io } from "./_io.ts";
import { demand, toRead, toWrite } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { visible } from "./_text.ts";

const caFlags = {
  ca: {
    kind: "string",
    placeholder: "FOLDER",
    help: "where the authority is kept: its key, the cluster's secret, and a folder for each node",
    default: "cluster, in the state folder",
  },
  name: { kind: "string", help: "with init: what the cluster is called", default: "cluster" },
  force: { kind: "boolean", help: "with rotate: also certificates that are younger than 300 days" },
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

type Flags = Parsed<typeof caFlags>["flags"];
type Action = (folder: string, nodeIds: readonly string[], flags: Flags, io: Io) => Promise<void>;

const actions: Readonly<Record<string, Action>> = { init, issue, rotate };

/** `rgtp node ca init|issue|rotate [NODE…]`. */
export const nodeCaCommand: Command = defineCommand({
  summary: "makes the authority of a cluster, and the certificates of its nodes",
  operands: { required: ["init|issue|rotate"], optional: [], repeated: "NODE" },
  flags: caFlags,
  details: [
    "'init' makes an authority with a key of its own, and the cluster's secret. Whoever has that folder can make nodes: keep it off the " +
    "nodes, and keep a copy.",
    "'issue NODE…' makes a certificate for each node, good for 365 days, in FOLDER/nodes/NODE, with all else that the node needs. Bring " +
    "that folder to the node, and let nobody else read it.",
    "'rotate' makes new ones for nodes whose certificates are 300 days old: let it run every day. A node that runs takes over what is " +
    "put in its folder, and keeps its links.",
    "Exit status: 0, or the error's code without its sign: 2 wrong arguments, 16 there is no authority or no such node, 19 there is one " +
    "already, 20 a file cannot be read or written.",
  ],
  examples: [
    "init --name harbour",
    "issue node-1 node-2 node-3",
    "rotate",
    "rotate node-2 --force",
  ],
  permissions: [
    ["--allow-read=FOLDER --allow-write=FOLDER", "the authority's folder"],
    ["--allow-env=XDG_STATE_HOME,HOME", "to find the state folder (LOCALAPPDATA on Windows); not with --ca"],
  ],
  run: runCa,
});

async function runCa({ flags, rest }: Parsed<typeof caFlags>, io: Io): Promise<number> {
  const [name, ...nodeIds] = rest;
  if (!Object.hasOwn(actions, name)) {
    throw new RgtpError(
      "INVALID_ARG",
      `there is no 'node ca ${visible(name)}': say 'node ca init', 'node ca issue NODE' or 'node ca rotate'`,
    );
  }
  if (flags.force && name !== "rotate") throw belongsTo("--force", "rotate");
  if (flags.name !== undefined && name !== "init") throw belongsTo("--name", "init");
  const folder = flags.ca ?? `${defaultStateDir()}/cluster`;
  demand([toRead(folder), toWrite(folder)]);
  await actions[name](folder, nodeIds, flags, io);
  return 0;
}

async function init(folder: string, nodeIds: readonly string[], flags: Flags, io: Io): Promise<void> {
  if (nodeIds.length > 0) throw new RgtpError("INVALID_ARG", "'node ca init' takes no NODE: leave it out");
  await initAuthority(folder, flags.name);
  if (flags.json) emit(io, "authority", { folder });
  else io.out(`the authority is in ${visible(folder)}`);
}

async function issue(folder: string, nodeIds: readonly string[], flags: Flags, io: Io): Promise<void> {
  if (nodeIds.length === 0) throw new RgtpError("INVALID_ARG", "NODE is missing: say 'node ca issue NODE'");
  checkIds(nodeIds);
  for (const nodeId of nodeIds) tell(io, flags, "issued", await issueNode(folder, nodeId));
}

async function rotate(folder: string, nodeIds: readonly string[], flags: Flags, io: Io): Promise<void> {
  checkIds(nodeIds);
  const made = await rotateNodes(folder, { force: flags.force, ...(nodeIds.length > 0 && { nodeIds }) });
  for (const one of made) tell(io, flags, "rotated", one);
  if (made.length === 0 && !flags.json) io.out("no certificate is 300 days old");
}

function tell(io: Io, { json }: Flags, event: string, { nodeId, folder, expires }: IssuedNode): void {
  const until = new Date(expires).toISOString();
  if (json) emit(io, event, { node: nodeId, folder, expires: until });
  else io.out(`${nodeId}  until ${until.slice(0, 10)}  ${visible(folder)}`);
}

/** All of them before the first is made; and none is a path. */
function checkIds(nodeIds: readonly string[]): void {
  const wrong = nodeIds.find((nodeId) => !isNodeId(nodeId));
  if (wrong === undefined) return;
  throw new RgtpError(
    "INVALID_ARG",
    `'${
      visible(wrong)
    }' cannot be a node's ID: it has 1 to 63 lower-case letters, digits and hyphens, and no hyphen at its ends`,
  );
}

function belongsTo(flag: string, action: string): RgtpError {
  return new RgtpError("INVALID_ARG", `${flag} belongs to 'node ca ${action}': leave it out`);
}
