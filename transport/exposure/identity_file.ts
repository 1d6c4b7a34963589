import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Random } from "../../core/machine.ts";
import { ioError } from "./_io_errors.ts";

/** Bytes of an identity's seed. */
const SEED_BYTES = 32;

/** A node's identity, from its file. */
export interface LoadedIdentity {
  /** 32 secret bytes. Whoever has them is this node. */
  readonly seed: Uint8Array<ArrayBuffer>;
  /** Where they are kept. */
  readonly path: string;
  /** Whether this call made them. */
  readonly isNew: boolean;
  /** Whether other users of the machine may read the file: to be warned of (`chmod 600`). Never on Windows, where modes say nothing. */
  readonly isReadableByOthers: boolean;
}

/**
 * The identity kept in `stateDir/identity`, made of `random` when there is none. Of several processes that start at once, all end with
 * the same one. The file appears whole, with mode 0600, in a folder that is made with mode 0700.
 *
 * @throws {RgtpError} IO when the file is damaged or cannot be read or made; NO_SPACE
 */
export function loadIdentitySeed(stateDir: string, random: Random): LoadedIdentity {
  const path = `${stateDir}/identity`;
  const found = read(path);
  if (found) return found;
  makeStateDir(stateDir);
  const seed = random(SEED_BYTES);
  make(path, seed, random);
  // Read again, also by the process that made it: it may have come second.
  const made = read(path);
  if (!made) {
    throw new RgtpError("IO", `'${path}' vanished while it was made; look what removes files there`, {
      data: { path },
    });
  }
  return { ...made, isNew: equalBytes(made.seed, seed) };
}

/** Makes the state folder with mode 0700 if need be. @throws {RgtpError} IO, NO_SPACE */
export function makeStateDir(stateDir: string): void {
  try {
    Deno.mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw ioError(cause, "make", stateDir, "write");
  }
}

/**
 * Where a user's state lives: `$XDG_STATE_HOME/red-giant` or `~/.local/state/red-giant`, `~/Library/Application Support/red-giant` on
 * macOS, `%LOCALAPPDATA%\red-giant` on Windows.
 *
 * @throws {RgtpError} IO when Deno may not read the variable, or none is set; the message says which
 */
export function defaultStateDir(): string {
  return stateDirOf(Deno.build.os, variable);
}

/** {@linkcode defaultStateDir} for a system, and with variables from `read`. @throws {RgtpError} IO when none is set */
export function stateDirOf(os: typeof Deno.build.os, read: (name: string) => string | undefined): string {
  if (os === "windows") return `${needed(read, "LOCALAPPDATA")}\\red-giant`;
  if (os === "darwin") return `${needed(read, "HOME")}/Library/Application Support/red-giant`;
  // XDG Base Directory Specification: "If an implementation encounters a relative path … it should consider the path invalid".
  const state = read("XDG_STATE_HOME");
  return state?.startsWith("/") ? `${state}/red-giant` : `${needed(read, "HOME")}/.local/state/red-giant`;
}

function needed(read: (name: string) => string | undefined, name: string): string {
  const value = read(name);
  if (value) return value;
  throw new RgtpError(
    "IO",
    `there is no place for identity and catalog: ${name} is not set; set it, or use --state-dir`,
    { data: { variable: name } },
  );
}

function variable(name: string): string | undefined {
  // Asked first: on a terminal Deno would stop and ask the user.
  if (Deno.permissions.querySync({ name: "env", variable: name }).state === "granted") {
    return Deno.env.get(name);
  }
  throw new RgtpError(
    "IO",
    `Deno may not read ${name}, which says where identity and catalog live; ` +
      `run again with --allow-env=HOME,XDG_STATE_HOME,LOCALAPPDATA, or use --state-dir`,
    { data: { variable: name } },
  );
}

function read(path: string): LoadedIdentity | undefined {
  try {
    const seed = Deno.readFileSync(path);
    const mode = Deno.statSync(path).mode ?? 0;
    if (seed.length !== SEED_BYTES) {
      throw new RgtpError(
        "IO",
        `'${path}' holds ${seed.length} bytes where an identity has ${SEED_BYTES}; restore it from a backup, or move it away to ` +
          `become a new node, which old tickets and pins do not know`,
        { data: { path, bytes: seed.length } },
      );
    }
    const isReadableByOthers = Deno.build.os !== "windows" && (mode & 0o077) !== 0;
    return { seed, path, isNew: false, isReadableByOthers };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw ioError(cause, "read", path, "read");
  }
}

/** Leaves an identity at `path`: the given one, or that of a process that was faster. */
function make(path: string, seed: Uint8Array, random: Random): void {
  const temporary = `${path}.${random(8).toHex()}`;
  try {
    const file = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
    try {
      for (let at = 0; at < seed.length;) at += file.writeSync(seed.subarray(at));
      file.syncSync();
    } finally {
      file.close();
    }
    claim(temporary, path);
  } catch (cause) {
    throw ioError(cause, "make", path, "write");
  } finally {
    removeIfThere(temporary);
  }
}

/** Gives a whole file its name, unless the name is taken. */
function claim(temporary: string, path: string): void {
  try {
    // A link, unlike a rename, never replaces.
    Deno.linkSync(temporary, path);
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) return;
    // Some file systems (FAT, some network ones) have no hard links: there two first starts at the same instant are not told apart.
    Deno.renameSync(temporary, path);
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
}
