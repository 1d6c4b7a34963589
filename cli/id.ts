import { equalBytes, utf8 } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import type { Engine } from "../crypto/engine.ts";
import { createIdentity, fingerprint } from "../crypto/identity.ts";
import { formatStaticKey } from "../transport/exposure/access.ts";
import { defaultStateDir, loadIdentitySeed } from "../transport/exposure/identity_file.ts";
import type { LoadedIdentity } from "../transport/exposure/identity_file.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { Io } from "./_io.ts";
import { demand, toRead, toWrite } from "./_permissions.ts";
import { emit } from "./_report.ts";
import { stateFlags } from "./_state.ts";
import { visible } from "./_text.ts";

const idFlags = {
  force: {
    kind: "boolean",
    help: "with restore: replace another identity, which is gone then unless it was backed up",
  },
  ...stateFlags,
} as const satisfies FlagTable;

type Flags = Parsed<typeof idFlags>["flags"];

/** `rgtp id [create|backup|restore FILE]`. */
export const idCommand: Command = defineCommand({
  summary: "shows who this machine is to others, and backs that up or restores it",
  operands: { required: [], optional: ["create|backup|restore", "FILE"] },
  flags: idFlags,
  details: [
    "Without an argument it shows the fingerprint, which people compare, the static key, which stands in every ticket, and where the " +
    "secret behind both is kept. The key is no secret: give it to whoever exposes something with --allow for you.",
    "'create' makes an identity when there is none, as 'rgtp expose' does, and shows it.",
    "'backup FILE' writes the secret to a new file that only you may read. Whoever has that file can be this machine, and open what it " +
    "has exposed: keep it offline.",
    "'restore FILE' takes such a file, or a copy of the identity file itself. Without its identity a machine is another one to everybody: " +
    "earlier tickets fail at the check of the exposer, and files exposed again are new exposures. So another identity that is there is " +
    "replaced with --force alone; its tickets are good again only if it comes back from a backup. Exposers that run keep the identity " +
    "that they started with: start them anew.",
    "Exit status: 0, or the error's code without its sign: 2 wrong arguments or no backup, 10 the backup is cut off, 16 there is no " +
    "identity or no such file, 19 FILE, or another identity, is there already, 20 it cannot be read or written.",
  ],
  examples: ["", "create", "backup identity.backup", "restore identity.backup"],
  permissions: [
    ["--allow-read=STATE", "the state folder"],
    ["--allow-write=STATE", "for create"],
    ["--allow-write=FILE", "for backup"],
    ["--allow-read=STATE,FILE --allow-write=STATE", "for restore"],
    [
      "--allow-env=XDG_STATE_HOME,HOME",
      "to find the state folder (LOCALAPPDATA on Windows); not with --state-dir",
    ],
  ],
  run: ({ flags, rest }, io) => Promise.resolve(runId(rest, flags, io)),
});

function runId([action, file]: readonly string[], flags: Flags, io: Io): number {
  if (action !== undefined && !["create", "backup", "restore"].includes(action)) {
    throw new RgtpError(
      "INVALID_ARG",
      `'${
        visible(action)
      }' cannot be done with an identity: say 'id', 'id create', 'id backup FILE' or 'id restore FILE'`,
    );
  }
  if (flags.force && action !== "restore") {
    throw new RgtpError("INVALID_ARG", "--force belongs to 'id restore': leave it out");
  }
  if (action === "create" && file !== undefined) {
    throw new RgtpError("INVALID_ARG", "'id create' takes no FILE: leave it out");
  }
  if (action !== undefined && action !== "create" && file === undefined) {
    throw new RgtpError("INVALID_ARG", `FILE is missing: say 'id ${action} FILE'`);
  }
  const stateDir = flags["state-dir"] ?? defaultStateDir();
  const engine = defaultEngine();
  if (action === undefined || action === "create") {
    return show(engine, stateDir, action === "create", flags.json, io);
  }
  if (action === "backup") return backUp(engine, stateDir, file, flags.json, io);
  return restore(engine, stateDir, file, flags, io);
}

function show(engine: Engine, stateDir: string, make: boolean, json: boolean, io: Io): number {
  demand(make ? [toRead(stateDir), toWrite(stateDir)] : [toRead(stateDir)]);
  const loaded = make ? loadIdentitySeed(stateDir, systemRandom) : present(stateDir);
  const { seed, path, isNew, isReadableByOthers } = loaded;
  const { staticKey, name } = facts(engine, seed);
  if (json) {
    emit(io, "identity", {
      fingerprint: name,
      key: staticKey,
      path,
      isNew,
      readableByOthers: isReadableByOthers,
    });
  } else {
    io.out(`fingerprint  ${name}`);
    io.out(`static key   ${staticKey}`);
    io.out(`kept in      ${visible(path)}`);
  }
  if (isReadableByOthers) {
    io.err(`warning: others on this machine may read '${visible(path)}' and be this node: chmod 600 it\n`);
  }
  return 0;
}

function backUp(engine: Engine, stateDir: string, file: string, json: boolean, io: Io): number {
  demand([toRead(stateDir), toWrite(file)]);
  const { seed } = present(stateDir);
  const { name } = facts(engine, seed);
  writeSecret(file, utf8(formatBackup(engine, seed)));
  if (json) emit(io, "backup", { fingerprint: name, path: file });
  else {
    io.out(`${name} is backed up in ${visible(file)}`);
    io.err(
      "Whoever has this file can be this machine: keep it where nobody else reads it. Lost together with the state folder, the " +
        "identity is gone, and with it all tickets.\n",
    );
  }
  return 0;
}

function restore(engine: Engine, stateDir: string, file: string, flags: Flags, io: Io): number {
  demand([toRead(stateDir), toWrite(stateDir), toRead(file)]);
  const seed = parseBackup(engine, readSmall(file));
  const { name } = facts(engine, seed);
  const outcome = putBack(engine, stateDir, seed, flags.force);
  const path = identityPath(stateDir);
  if (flags.json) emit(io, "restored", { fingerprint: name, path, ...outcome });
  else {
    io.out(outcome.already ? `this machine is ${name} already` : `this machine is ${name} now`);
    if (outcome.replaced !== undefined) io.err(toldOfReplacing(outcome.replaced));
  }
  return 0;
}

function toldOfReplacing(replaced: string): string {
  const what = replaced === ""
    ? "A damaged identity was replaced."
    : `${replaced} was replaced: tickets that it gave out fail from now on, and what it exposed gets new ones when it is exposed again.`;
  return `${what} Exposers that run go on as they were started: start them anew.\n`;
}

/** What restoring has done. */
export interface Restored {
  /** Whether the same identity had been there. */
  readonly already: boolean;
  /** Fingerprint of the identity that was replaced; empty when its file was damaged. */
  readonly replaced?: string;
}

/**
 * Makes `seed` the identity of a state folder.
 *
 * @throws {RgtpError} EXISTS when another one is there and `force` is not set; IO, NO_SPACE
 */
export function putBack(engine: Engine, stateDir: string, seed: Uint8Array, force: boolean): Restored {
  const found = look(stateDir);
  if (found === "damaged") {
    if (!force) {
      throw new RgtpError(
        "EXISTS",
        `'${identityPath(stateDir)}' is there but damaged: look at it, and say --force to replace it`,
      );
    }
    replace(stateDir, seed);
    return { already: false, replaced: "" };
  }
  // The state folder's own way of making an identity never replaces one, also when an exposer starts at this moment.
  const now = found ??
    loadIdentitySeed(stateDir, (length) => length === seed.length ? seed.slice() : systemRandom(length));
  if (equalBytes(now.seed, seed)) return { already: found !== undefined };
  const other = facts(engine, now.seed).name;
  if (!force) {
    throw new RgtpError(
      "EXISTS",
      `this machine is ${other}: with another identity all tickets that it gave out fail, and it cannot be had back without a backup; ` +
        `make one with 'rgtp id backup FILE', then say --force`,
      { data: { fingerprint: other } },
    );
  }
  // The catalog stays: its rows are told from those of another identity by the key check in their IDs, and serve again if the one that
  // goes now comes back.
  replace(stateDir, seed);
  return { already: false, replaced: other };
}

function replace(stateDir: string, seed: Uint8Array): void {
  const path = identityPath(stateDir);
  const temporary = `${path}.${systemRandom(8).toHex()}`;
  writeSecret(temporary, seed);
  try {
    Deno.renameSync(temporary, path);
  } catch (cause) {
    Deno.removeSync(temporary);
    throw ioFailure(cause, "replace", path);
  }
}

function present(stateDir: string): LoadedIdentity {
  // Loading would make one where there is none.
  if (isThere(identityPath(stateDir))) return loadIdentitySeed(stateDir, systemRandom);
  throw new RgtpError(
    "NOT_FOUND",
    `there is no identity in '${stateDir}' yet: 'rgtp id create' makes one, 'rgtp id restore FILE' brings one back`,
    { data: { path: identityPath(stateDir) } },
  );
}

function look(stateDir: string): LoadedIdentity | "damaged" | undefined {
  if (!isThere(identityPath(stateDir))) return undefined;
  try {
    return loadIdentitySeed(stateDir, systemRandom);
  } catch (error) {
    // It says how many bytes it found when these are no seed; everything else is a file that cannot be read.
    if (error instanceof RgtpError && error.data.bytes !== undefined) return "damaged";
    throw error;
  }
}

function facts(engine: Engine, seed: Uint8Array): { name: string; staticKey: string } {
  const { staticKey } = createIdentity(engine, seed);
  return { name: fingerprint(staticKey), staticKey: formatStaticKey(staticKey) };
}

const b64 = { alphabet: "base64url", omitPadding: true } as const;

const SEED_BYTES = 32;

/** The largest backup that is looked at. */
const BACKUP_BYTES_MAX = 4096;

const HEADING =
  "# An identity of Red Giant (RGTP). Whoever has this file can be this machine: keep it secret.\n" +
  "# 'rgtp id restore FILE' brings it back.\n";

/** A backup: text, so that it survives a mail or a sheet of paper, with the fingerprint as its checksum. */
export function formatBackup(engine: Engine, seed: Uint8Array): string {
  return `${HEADING}fingerprint ${facts(engine, seed).name}\nseed ${seed.toBase64(b64)}\n`;
}

/**
 * The seed in a backup, or in a copy of the identity file.
 *
 * @throws {RgtpError} TRUNCATED or INVALID_ARG; the message holds nothing of the seed
 */
export function parseBackup(engine: Engine, bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  const text = new TextDecoder().decode(bytes);
  const isCutOff = HEADING.startsWith(text);
  if (bytes.length === SEED_BYTES && !isCutOff) {
    // What a power cut leaves of a file; a seed that everybody could guess.
    if (bytes.every((byte) => byte === bytes[0])) throw noBackup("all its bytes are the same");
    return bytes;
  }
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"));
  const fields = new Map(lines.map((line) => [line.split(" ")[0], line.split(" ")[1]?.trim() ?? ""]));
  const [name, encoded] = [fields.get("fingerprint"), fields.get("seed")];
  if (isCutOff || (text.startsWith("#") && (name === undefined || encoded === undefined))) {
    throw new RgtpError("TRUNCATED", "the backup is cut off: take another copy of it");
  }
  if (name === undefined || encoded === undefined) throw noBackup("it has no fingerprint and seed");
  const seed = decoded(encoded);
  if (seed?.length !== SEED_BYTES || facts(engine, seed).name !== name) {
    throw noBackup("its seed does not belong to its fingerprint, so one of them is damaged");
  }
  return seed;
}

function decoded(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(text, { alphabet: "base64url" });
  } catch {
    return undefined;
  }
}

function noBackup(why: string): RgtpError {
  return new RgtpError("INVALID_ARG", `that is no backup of an identity: ${why}; take another copy of it`);
}

function identityPath(stateDir: string): string {
  return `${stateDir}/identity`;
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw ioFailure(cause, "look at", path);
  }
}

/** A new file that its owner alone may read, whole or not at all. */
function writeSecret(path: string, bytes: Uint8Array): void {
  let file: Deno.FsFile;
  try {
    // `createNew` follows no link either: nobody can lead the secret elsewhere.
    file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) {
      throw new RgtpError("EXISTS", `'${path}' is there already and is left as it is: name another file`, {
        cause,
        data: { path },
      });
    }
    throw ioFailure(cause, "make", path);
  }
  try {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
  } catch (cause) {
    Deno.removeSync(path);
    throw ioFailure(cause, "write", path);
  } finally {
    file.close();
  }
}

function readSmall(path: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(BACKUP_BYTES_MAX + 1);
  let length = 0;
  try {
    using file = Deno.openSync(path);
    for (;;) {
      const count = file.readSync(bytes.subarray(length));
      if (count === null || count === 0) break;
      length += count;
    }
  } catch (cause) {
    throw ioFailure(cause, "read", path);
  }
  if (length > BACKUP_BYTES_MAX) throw noBackup(`it has more than ${BACKUP_BYTES_MAX} bytes`);
  return bytes.slice(0, length);
}

function ioFailure(cause: unknown, doing: string, path: string): RgtpError {
  const isAbsent = cause instanceof Deno.errors.NotFound;
  const why = isAbsent ? "it, or its folder, is not there" : cause instanceof Error ? cause.message : cause;
  return new RgtpError(isAbsent ? "NOT_FOUND" : "IO", `cannot ${doing} '${path}': ${why}; check the path`, {
    cause,
    data: { path },
  });
}
