import { basename } from "node:path";
import { openCollectionSource } from "./collection_source.ts";
import type { CollectionSourceOptions } from "./collection_source.ts";
import { bytesSource, openFileSource } from "./source.ts";
import type { ByteSource } from "./source.ts";
import { spoolStream } from "./spooled_source.ts";
import type { SpoolOptions } from "./spooled_source.ts";

/** What can be exposed: the path of a file or folder, several of them, bytes, or a stream of them. */
export type ExposeSource = string | readonly string[] | Uint8Array | ReadableStream<Uint8Array>;

/**
 * Opens what is to be exposed: one file is a byte string; a folder, or several paths, are a collection; a stream is read to its end.
 *
 * @throws {RgtpError} NOT_FOUND, NOT_SUPPORTED, IO, NO_SPACE, INVALID_ARG, CANCELLED
 * @throws {TypeError} for an empty list of paths
 */
export async function openSource(
  source: ExposeSource,
  options: CollectionSourceOptions & SpoolOptions,
): Promise<ByteSource> {
  if (source instanceof Uint8Array) return bytesSource(source);
  if (source instanceof ReadableStream) return await spoolStream(source, options);
  const paths = typeof source === "string" ? [source] : source;
  if (paths.length === 0) throw new TypeError("no path was given to expose");
  // What is wrong with a path shows, with a better message, when it is opened.
  if (paths.length === 1 && !isFolder(paths[0])) return openFileSource(paths[0]);
  return await openCollectionSource(paths, options);
}

/** What a source is called when nobody says it: after its first path. */
export function sourceName(source: ExposeSource): string {
  if (source instanceof Uint8Array || source instanceof ReadableStream) return "";
  const [first = "", ...others] = typeof source === "string" ? [source] : source;
  const name = basename(/(^|[/\\])\.{1,2}[/\\]?$/.test(first) ? realPath(first) : first);
  return others.length === 0 ? name : `${name}-and-${others.length}-more`;
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}
