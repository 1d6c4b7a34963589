/** What is moved: one large file, or a folder of small ones; and whether what came is that. */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { writeRandomFile } from "../_processes.ts";

/** `file`: one file. `files`: a folder of small files. */
export type LoadKind = "file" | "files";

/** Something to move. */
export interface Load {
  readonly kind: LoadKind;
  /** The file or folder. */
  readonly path: string;
  /** Bytes in it. */
  readonly bytes: number;
  /** SHA-256 of it, see {@linkcode digestOf}. */
  readonly sha256: string;
}

/** Small files have 0 to so many bytes. */
export const FILE_BYTES_MAX = 100_000;
const FILES_EACH = 100;

/** Writes one file. */
export async function makeFile(path: string, bytes: number): Promise<Load> {
  await writeRandomFile(path, bytes);
  return { kind: "file", path, bytes, sha256: await digestOf(path) };
}

/** Writes a folder of files of all sizes up to {@linkcode FILE_BYTES_MAX}, in folders of a hundred. */
export async function makeFiles(path: string, files: number): Promise<Load> {
  const block = new Uint8Array(FILE_BYTES_MAX);
  let bytes = 0;
  for (let i = 0; i < files; i++) {
    const folder = `${path}/${Math.floor(i / FILES_EACH)}`;
    if (i % FILES_EACH === 0) await Deno.mkdir(folder, { recursive: true });
    for (let at = 0; at < block.length; at += 50_000) crypto.getRandomValues(block.subarray(at, at + 50_000));
    const size = (i * 7919) % (FILE_BYTES_MAX + 1);
    Deno.writeFileSync(`${folder}/${i}.bin`, block.subarray(0, size));
    bytes += size;
  }
  return { kind: "files", path, bytes, sha256: await digestOf(path) };
}

/** SHA-256 of a file; of a folder that of its files' names and bytes, in order. Hex. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  const { isDirectory } = await Deno.stat(path);
  for (const file of isDirectory ? filesIn(path) : [path]) {
    if (isDirectory) hash.update(`${file.slice(path.length)}\n`);
    for await (const block of (await Deno.open(file)).readable) hash.update(block);
  }
  return hash.digest("hex");
}

/** Free bytes where a path lies, in memory or on a disk. */
export async function freeBytes(path: string): Promise<number> {
  const { statfs } = await import("node:fs/promises");
  const { bavail, bsize } = await statfs(dirname(path));
  return bavail * bsize;
}

function filesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder)).sort((a, b) => a.name < b.name ? -1 : 1)
    .flatMap(({ name, isDirectory }) => isDirectory ? filesIn(`${folder}/${name}`) : [`${folder}/${name}`]);
}
