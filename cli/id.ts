import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { createIdentity, fingerprint } from "../crypto/identity.ts";
import { formatStaticKey } from "../transport/exposure/access.ts";
import { defaultStateDir, loadIdentitySeed } from "../transport/exposure/identity_file.ts";
import type { Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { Io } from "./_io.ts";
import { demand, toRead, toWrite } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { stateFlags, statePermissions } from "./_state.ts";
import { visible } from "./_text.ts";

/** `rgtp id`. */
export const idCommand: Command = defineCommand({
  summary: "shows by which key other nodes know this one",
  operands: { required: [], optional: [] },
  flags: stateFlags,
  details: [
    "The key is printed on standard output, and is no secret: give it to whoever exposes something with --allow for you. Its fingerprint " +
    "is for reading out. An identity is made if there is none; it is the file 'identity' in the state folder, and whoever has a copy of " +
    "that file is this node.",
  ],
  examples: ["", "--json"],
  permissions: statePermissions,
  run: ({ flags }, io) => Promise.resolve(runId(flags, io)),
});

function runId(flags: Parsed<typeof stateFlags>["flags"], io: Io): number {
  const stateDir = flags["state-dir"] ?? defaultStateDir();
  demand([toRead(stateDir), toWrite(stateDir)]);
  const { seed, path, isNew, isReadableByOthers } = loadIdentitySeed(stateDir, systemRandom);
  const { staticKey } = createIdentity(defaultEngine(), seed);
  const facts = { key: formatStaticKey(staticKey), fingerprint: fingerprint(staticKey) };
  if (isReadableByOthers) {
    io.err(`warning: others on this machine may read '${visible(path)}': chmod 600 it\n`);
  }
  if (flags.json) {
    emit(io, "id", { ...facts, path, isNew });
    return 0;
  }
  io.err(
    `${isNew ? "made" : "this node's identity is"} '${visible(path)}'; fingerprint ${facts.fingerprint}\n`,
  );
  io.out(facts.key);
  return 0;
}
