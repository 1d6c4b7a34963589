import { ManifestKind } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import { RgtpError } from "../core/errors.ts";
import { loadEngine } from "../crypto/load_engine.ts";
import { openPart } from "./exposure/part_file.ts";
import { freeBytesOf } from "./link/free_space.ts";

import type { PullProgress, PullResult, SaveOptions } from "./pull.ts";
import type { ChunkSink } from "./puller_shell.ts";

/** Where a pull goes on the disk. */
export interface Output {
  /** The file, or the folder. */
  readonly path: string;
  /** Takes the chunks. */
  readonly sink: ChunkSink & { close(): void };
  /** All chunks are there: makes it whole, and says what came of it. */
  finish(
    progress: PullProgress,
  ): Promise<Pick<PullResult, "bytes" | "reusedBytes" | "sha256" | "alreadyComplete" | "files">>;
}

/**
 * Opens a file for one byte string, a folder for a collection.
 *
 * @throws {RgtpError} EXISTS, BUSY, NO_SPACE, IO
 */
export async function openOutput(
  path: string | ((what: "file" | "folder") => string),
  manifest: Manifest,
  id: Uint8Array,
  options: SaveOptions,
): Promise<Output> {
  const isFolder = manifest.kind === ManifestKind.COLLECTION;
  if (!isFolder && options.files) {
    throw new RgtpError(
      "NOT_SUPPORTED",
      "this is one file, of which no files can be chosen: leave --files out",
    );
  }
  const place = typeof path === "string" ? path : path(isFolder ? "folder" : "file");
  return await (isFolder ? folderOutput : fileOutput)(place, manifest, id, options);
}

async function fileOutput(
  path: string,
  manifest: Manifest,
  id: Uint8Array,
  options: SaveOptions,
): Promise<Output> {
  const { force = false, sha256: isHashed = true, onHash } = options;
  const { sha256: hash } = await loadEngine();
  const sink = openPart({ path, manifest, id, hash, force, isHashed, freeBytes: freeBytesOf });
  const finish: Output["finish"] = async ({ total, reused }) => {
    const alreadyComplete = await sink.finish() === "already-complete";
    const result = { bytes: total, reusedBytes: reused, alreadyComplete };
    return isHashed ? { ...result, sha256: (await sink.sha256(onHash)).toHex() } : result;
  };
  return { path, sink, finish };
}

async function folderOutput(
  out: string,
  manifest: Manifest,
  id: Uint8Array,
  options: SaveOptions,
): Promise<Output> {
  // Most pulls are of one file, and do without.
  const [{ FolderSink }, { QuickFiles }] = await Promise.all([
    import("./exposure/folder_sink.ts"),
    import("./link/quick_files.ts"),
  ]);
  const { force = false, files, onHash } = options;
  const sink = new FolderSink({
    out,
    manifest,
    id,
    hash: (await loadEngine()).sha256,
    force,
    quickFiles: (folder) => QuickFiles.of(folder),
    ...(files && { files }),
    ...(onHash && { onHash }),
  });
  const finish: Output["finish"] = async ({ reused }) => {
    const { sha256, reusedBytes, ...result } = await sink.finish();
    return { ...result, reusedBytes: reusedBytes + reused, sha256: sha256.toHex() };
  };
  return { path: out, sink, finish };
}
