import { basename } from "node:path";
import { collectionPathFault, linkTargetFault } from "../../codec/collection_path.ts";
import { EntryKind } from "../../codec/collection_index.ts";
import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { sortedByPath } from "./collection_names.ts";
import { ioError } from "./_io_errors.ts";
import { Turns } from "./_turns.ts";
import { stateOf } from "./source.ts";
import type { FileState } from "./source.ts";

/** Something that a walk found. */
export interface WalkedEntry {
  /** Its place in the collection. */
  readonly path: string;
  /** Where it is on this machine. */
  readonly diskPath: string;
  /** One of `EntryKind`. */
  readonly kind: number;
  /** What it was like when the walk came by. */
  readonly state: FileState;
  /** Whether a file can be run. */
  readonly isExecutable: boolean;
  /** Where a link points to. */
  readonly target?: string;
}

/** What a walk came to. */
export interface Walked {
  /** In the order of their paths' bytes. */
  readonly entries: readonly WalkedEntry[];
  /** The folder whose contents these are, when there is one: it has no entry itself. */
  readonly top?: Pick<WalkedEntry, "diskPath" | "state">;
}

/** Owner's right to run it. */
const EXECUTE = 0o100;

/**
 * All that one folder holds; or several files and folders, each under its own name. In the order of their paths' bytes. Links inside are
 * recorded, not followed; links among `paths` are followed.
 *
 * @throws {RgtpError} NOT_FOUND; IO for what cannot be looked at; NOT_SUPPORTED for pipes, sockets and devices, for names that no
 * collection has, and for too many entries; INVALID_ARG for two paths of one name; CANCELLED
 */
export async function walkCollection(
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<Walked> {
  const walk = new Walk(signal);
  const [diskPath] = paths;
  const info = paths.length === 1 ? walk.info(diskPath, true) : undefined;
  if (!info?.isDirectory) {
    for (const path of paths) await walk.named(path);
    return { entries: sortedByPath(walk.found) };
  }
  await walk.folder("", diskPath);
  return { entries: sortedByPath(walk.found), top: { diskPath, state: stateOf(info) } };
}

class Walk {
  readonly found: WalkedEntry[] = [];
  readonly #names = new Map<string, string>();
  readonly #turns = new Turns();
  readonly #signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** One of several paths. */
  async named(diskPath: string): Promise<void> {
    const name = basename(/(^|[/\\])\.{0,2}$/.test(diskPath) ? Deno.realPathSync(diskPath) : diskPath);
    const other = this.#names.get(name);
    if (other !== undefined) {
      throw new RgtpError(
        "INVALID_ARG",
        `'${other}' and '${diskPath}' would both be called '${name}': expose them one by one, or the folder that they are in`,
      );
    }
    this.#names.set(name, diskPath);
    await this.#entry(name, diskPath, this.info(diskPath, true));
  }

  /** What is in a folder. */
  async folder(path: string, diskPath: string): Promise<void> {
    let names: string[];
    try {
      names = Array.from(Deno.readDirSync(diskPath), ({ name }) => name);
    } catch (cause) {
      throw ioError(cause, "look into", diskPath, "read");
    }
    for (const name of names) {
      const below = `${diskPath.replace(/\/$/, "")}/${name}`;
      await this.#entry(path === "" ? name : `${path}/${name}`, below, this.info(below, false));
    }
  }

  info(path: string, followsLink: boolean): Deno.FileInfo {
    try {
      return followsLink ? Deno.statSync(path) : Deno.lstatSync(path);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw ioError(cause, "look at", path, "read");
      // Names that are no UTF-8 are shown with this character in their place, under which nothing is found.
      const what = path.includes("\ufffd")
        ? `the name of '${path}' is not UTF-8: rename it`
        : `there is no file '${path}'; check the path`;
      throw new RgtpError("NOT_FOUND", what, { cause, data: { path } });
    }
  }

  async #entry(path: string, diskPath: string, info: Deno.FileInfo): Promise<void> {
    if (this.#turns.isOver()) {
      await this.#turns.yield();
      if (this.#signal?.aborted) throw cancelled(this.#signal.reason);
    }
    const fault = collectionPathFault(path);
    if (fault) throw refused(diskPath, `its path ${fault}: rename it`);
    if (this.found.length === limits.collectionEntriesMax) {
      throw refused(
        diskPath,
        `a collection has at most ${limits.collectionEntriesMax} files and folders: expose an archive of it`,
      );
    }
    const common = { path, diskPath, state: stateOf(info), isExecutable: false };
    if (info.isSymlink) {
      this.found.push({ ...common, kind: EntryKind.LINK, target: targetOf(diskPath) });
    } else if (info.isDirectory) {
      this.found.push({ ...common, kind: EntryKind.FOLDER });
      await this.folder(path, diskPath);
    } else if (info.isFile) {
      const isExecutable = info.mode !== null && (info.mode & EXECUTE) !== 0;
      this.found.push({ ...common, kind: EntryKind.FILE, isExecutable });
    } else {
      throw refused(diskPath, "it is a pipe, socket or device, which has no content to carry: take it away");
    }
  }
}

function targetOf(path: string): string {
  let target: string;
  try {
    target = Deno.readLinkSync(path);
  } catch (cause) {
    throw ioError(cause, "read the link", path, "read");
  }
  // Windows writes targets with backslashes, and takes both.
  if (Deno.build.os === "windows") target = target.replaceAll("\\", "/");
  const fault = linkTargetFault(target);
  if (fault) {
    throw refused(path, `the link's target '${target}' ${fault}: make it relative, or take the link away`);
  }
  return target;
}

function refused(path: string, why: string): RgtpError {
  return new RgtpError("NOT_SUPPORTED", `'${path}' cannot be carried: ${why}`, { data: { path } });
}

function cancelled(cause: unknown): RgtpError {
  return new RgtpError("CANCELLED", "looking through the folders was cancelled", { cause });
}
