import { limits } from "../../core/limits.ts";
import type { ListedFile } from "./message_data.ts";

/** What controllers know of a file: as it stands in a list. Its content is found by its checksum, whatever its path is. */
export type FileRecord = ListedFile;

/** What has to be done so that a content is where it belongs. */
export interface FilePlan {
  /** It goes from one node to another. */
  readonly copies: readonly { readonly from: string; readonly to: string }[];
  /** These keep it for nothing. */
  readonly drops: readonly string[];
}

/**
 * The nodes that shall keep a content: those for which it weighs most (rendezvous hashing, Thaler and Ravishankar 1998). When a node
 * comes or goes, nothing moves but what it gets or had.
 */
export function rendezvous(fileId: string, nodes: readonly string[], count: number): string[] {
  const weights = new Map(nodes.map((node) => [node, weight(`${fileId} ${node}`)]));
  return Array.from(weights).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .slice(0, count).map(([node]) => node);
}

/**
 * What is missing where. As long as a copy is missing none is dropped.
 *
 * @param holders those who keep it now
 * @param alive those that can send it: living nodes
 * @param staying those that may keep it: living nodes that do not want to leave
 */
export function planCopies(
  { fileId, copies: wanted }: { readonly fileId: string; readonly copies: number },
  holders: ReadonlySet<string>,
  alive: readonly string[],
  staying: readonly string[],
): FilePlan {
  const sources = alive.filter((node) => holders.has(node));
  const belong = rendezvous(fileId, staying, wanted);
  const missing = belong.filter((node) => !holders.has(node));
  if (sources.length === 0) return { copies: [], drops: [] };
  // Several copies come from several nodes.
  const copies = missing.map((to, i) => ({ from: sources[i % sources.length], to }));
  const isWhole = missing.length === 0 && belong.length >= wanted;
  return { copies, drops: isWhole ? sources.filter((node) => !belong.includes(node)) : [] };
}

/** Records of the same content, taken together: the most copies that any of them wants, and everybody who keeps it. */
export function contentsOf(
  records: readonly FileRecord[],
): { readonly fileId: string; readonly copies: number; readonly holders: ReadonlySet<string> }[] {
  return Array.from(Map.groupBy(records, ({ checksum }) => checksum), ([checksum, same]) => ({
    fileId: fileIdOf(checksum)!,
    copies: Math.max(...same.map(({ replication_factor }) => replication_factor)),
    holders: new Set(same.flatMap(({ nodes }) => nodes)),
  }));
}

const CHECKSUM = /^sha256:([0-9a-f]{64})$/;

/** What a content is called on the nodes that keep it: its SHA-256; `undefined` for what is no checksum. */
export function fileIdOf(checksum: string): string | undefined {
  return CHECKSUM.exec(checksum)?.[1];
}

/** What a checksum is, of a content of that name. */
export function checksumOf(fileId: string): string {
  return `sha256:${fileId}`;
}

/** Parts that a file is sent in. */
export function chunkCount(size: number): number {
  return Math.ceil(size / limits.fleetFileChunkBytesMax);
}

/** What is wrong with a file's path in the cluster; `undefined` when nothing is. */
export function pathFault(path: string): string | undefined {
  const parts = path.split("/");
  if (new TextEncoder().encode(path).length > limits.fleetPathBytesMax) {
    return `a path of more than ${limits.fleetPathBytesMax} bytes`;
  }
  if (parts[0] !== "" || parts.length < 2 || parts.slice(1).some((part) => /^\.{0,2}$/.test(part))) {
    return `'${path}' is no path of a file: say it like /cluster/config.json`;
  }
  return /[\p{Cc}\p{Cs}]/u.test(path) ? "a path with control characters" : undefined;
}

/** What is wrong with a file that somebody wants to keep; `undefined` when nothing is. */
export function fileFault(
  file: Pick<FileRecord, "path" | "checksum" | "replication_factor">,
): string | undefined {
  const { path, checksum, replication_factor: copies } = file;
  if (fileIdOf(checksum) === undefined) {
    return `'${checksum}' is no checksum: sha256: and 64 hexadecimal digits`;
  }
  if (copies < 1) return "a file is kept once at least";
  return pathFault(path);
}

/** 53 bits: FNV-1a twice, from two starts, each with the last step of MurmurHash3. */
function weight(text: string): number {
  return mixed(text, 0x811c9dc5) * 2 ** 21 + (mixed(text, 0x9747b28c) >>> 11);
}

function mixed(text: string, start: number): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
