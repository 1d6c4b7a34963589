import { basename } from "node:path";
import { isThere } from "../cluster/io/_files.ts";
import { RgtpError } from "../core/errors.ts";
import type { FlagTable } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import { clientFlags, clientPermissions, clientStatus, withFleet } from "./_fleet_flags.ts";
import { demand, toRead, toWrite } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { formatBytes, plural, visible } from "./_text.ts";

const COPIES = 3;

const putFlags = {
  ...clientFlags,
  copies: {
    kind: "string",
    placeholder: "NUMBER",
    help: "on how many nodes it is kept: 1 to 16",
    default: `${COPIES}`,
  },
} as const satisfies FlagTable;

/** `rgtp node put FILE [PATH]`. */
export const nodePutCommand: Command = defineCommand({
  summary: "puts a file on nodes of a cluster",
  operands: { required: ["FILE"], optional: ["PATH"] },
  flags: putFlags,
  details: [
    "PATH is its name in the cluster, such as /cluster/config.json; '/' and the file's name when none is said. A file of that name is " +
    "replaced when the new one is there. Up to 8 MiB it travels in messages; larger ones are exposed, as with 'rgtp expose', and all " +
    "nodes pull them at once. Nodes compare its SHA-256. When a node that keeps it dies, others make up for it.",
    clientStatus,
  ],
  examples: [
    "config.json /cluster/config.json --as nodes/operator --at 192.0.2.1",
    "image.iso --copies 2 --as nodes/operator --at 192.0.2.1",
  ],
  permissions: [
    ...clientPermissions,
    ["--allow-read=FILE", "the file"],
    ["--allow-sys=networkInterfaces", "for files of more than 8 MiB"],
  ],
  run: async ({ flags, rest: [file, path = `/${basename(file)}`] }, io) => {
    demand([toRead(file)]);
    const copies = copiesOf(flags.copies);
    await refuseOdd(file);
    const { size, checksum, nodes, missing } = await withFleet(
      flags,
      (fleet) => fleet.put(file, path, copies),
    );
    if (flags.json) emit(io, "stored", { path, size, checksum, nodes, missing });
    else {
      io.out(`${visible(path)}: ${formatBytes(size)} on ${nodes.join(", ")}`);
      for (const { node, why } of missing) io.err(`not on ${node}: ${visible(why)}\n`);
      if (nodes.length < copies) {
        io.err(
          `${plural(nodes.length, "copy")} of ${copies}: the others follow when there are nodes for them\n`,
        );
      }
    }
    return 0;
  },
});

function copiesOf(text = `${COPIES}`): number {
  if (/^\d{1,2}$/.test(text) && Number(text) >= 1) return Number(text);
  throw new RgtpError("INVALID_ARG", `--copies '${visible(text)}' is not a number from 1 to 16`);
}

async function refuseOdd(file: string): Promise<void> {
  if (!await isThere(file)) throw new RgtpError("NOT_FOUND", `'${visible(file)}' is not there`);
  if (!(await Deno.stat(file)).isFile) throw new RgtpError("INVALID_ARG", `'${visible(file)}' is no file`);
}

const getFlags = {
  ...clientFlags,
  force: { kind: "boolean", help: "put it in place of a file that is there" },
} as const satisfies FlagTable;

/** `rgtp node get PATH [OUT]`. */
export const nodeGetCommand: Command = defineCommand({
  summary: "brings a file from a cluster",
  operands: { required: ["PATH"], optional: ["OUT"] },
  flags: getFlags,
  details: [
    "OUT is the file's own name, in this folder, when none is said. It is there only when its SHA-256 is the right one. Of the nodes that " +
    "keep it one after the other is asked.",
    clientStatus,
  ],
  examples: ["/cluster/config.json --as nodes/operator --at 192.0.2.1"],
  permissions: [
    ...clientPermissions,
    ["--allow-read=FOLDER --allow-write=FOLDER", "the folder that OUT is in"],
  ],
  run: async ({ flags, rest: [path, out = basename(path)] }, io) => {
    demand([toRead(out), toWrite(out)]);
    if (!flags.force && await isThere(out)) {
      throw new RgtpError("EXISTS", `'${visible(out)}' is there already: --force puts the file in its place`);
    }
    const { size, checksum } = await withFleet(flags, (fleet) => fleet.get(path, out));
    if (flags.json) emit(io, "got", { path, out, size, checksum });
    else io.out(`${visible(out)}: ${formatBytes(size)}, ${checksum}`);
    return 0;
  },
});
