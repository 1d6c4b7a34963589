import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { limits } from "../../core/limits.ts";
import { rnpError } from "../protocol/errors.ts";
import { makeFolder } from "./_files.ts";

const FILE_ID = /^[0-9a-f]{64}$/;

/**
 * The contents that a node keeps, each in a file that is called as its SHA-256. What is there is whole; what is not whole yet is in a
 * folder of its own, and gone after a restart.
 */
export class Shelf {
  readonly #folder: string;
  readonly #arriving: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#arriving = `${folder}/arriving`;
  }

  /** Opens a folder, made if it is not there. @throws {RgtpError} IO */
  static async open(folder: string): Promise<Shelf> {
    const shelf = new Shelf(folder);
    await Deno.remove(shelf.#arriving, { recursive: true }).catch(() => {});
    await makeFolder(shelf.#arriving);
    return shelf;
  }

  /** Where a content is, if it is there. */
  path(fileId: string): string {
    return `${this.#folder}/${fileId}`;
  }

  /** Its size; `undefined` when it is not there. */
  async size(fileId: string): Promise<number | undefined> {
    if (!FILE_ID.test(fileId)) return undefined;
    try {
      return (await Deno.stat(this.path(fileId))).size;
    } catch {
      return undefined;
    }
  }

  /** How long it has been there, in ms; `undefined` when it is not there. */
  async age(fileId: string): Promise<number | undefined> {
    if (!FILE_ID.test(fileId)) return undefined;
    try {
      const { mtime } = await Deno.stat(this.path(fileId));
      return Date.now() - (mtime?.getTime() ?? 0);
    } catch {
      return undefined;
    }
  }

  /** What is there, in order, after a name. */
  async list(after = ""): Promise<string[]> {
    const found: string[] = [];
    for await (const { name } of Deno.readDir(this.#folder)) {
      if (FILE_ID.test(name) && name > after) found.push(name);
    }
    return found.sort();
  }

  /** Removes a content. */
  async drop(fileId: string): Promise<void> {
    if (FILE_ID.test(fileId)) await Deno.remove(this.path(fileId)).catch(() => {});
  }

  /** Reads a content again; one that is damaged is removed. Whether it is whole. */
  async verify(fileId: string): Promise<boolean> {
    if (await this.size(fileId) === undefined) return false;
    const isWhole = (await hashFile(this.path(fileId))).fileId === fileId;
    if (!isWhole) await this.drop(fileId);
    return isWhole;
  }

  /** A place for a content that is on its way. */
  draft(): string {
    return `${this.#arriving}/${crypto.randomUUID()}`;
  }

  /** Puts what is at a draft's place on the shelf. Its hash must have been looked at. @throws {Error} of the file system */
  async adopt(draft: string, fileId: string): Promise<void> {
    await Deno.rename(draft, this.path(fileId));
  }

  /** Begins a content that comes in parts. @throws {Error} of the file system */
  async begin(fileId: string, size: number): Promise<Arrival> {
    const draft = this.draft();
    const file = await Deno.open(draft, { createNew: true, write: true, mode: 0o600 });
    return new Arrival(this, { fileId, size, draft, file });
  }
}

interface ArrivalParts {
  readonly fileId: string;
  readonly size: number;
  readonly draft: string;
  readonly file: Deno.FsFile;
}

/** A content that comes in parts, one after the other. */
export class Arrival {
  readonly #shelf: Shelf;
  readonly #parts: ArrivalParts;
  readonly #hash: Hash = createHash("sha256");
  #bytes = 0;
  /** The part that is to come next. */
  next = 0;
  /** When the last one came. */
  touchedAt: number = performance.now();

  /** Use {@linkcode Shelf.begin}. */
  constructor(shelf: Shelf, parts: ArrivalParts) {
    this.#shelf = shelf;
    this.#parts = parts;
  }

  /** One more part. Whether that was all. @throws {RgtpError} PROTOCOL for more than was said, or other bytes */
  async write(bytes: Uint8Array): Promise<boolean> {
    const { fileId, size, draft, file } = this.#parts;
    if (bytes.length > limits.fleetFileChunkBytesMax || this.#bytes + bytes.length > size) {
      throw rnpError({
        code: "PROTOCOL_ERROR",
        message: `part ${this.next} of '${fileId}' is longer than was said`,
      });
    }
    this.#hash.update(bytes);
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await file.write(rest));
    this.#bytes += bytes.length;
    this.next++;
    this.touchedAt = performance.now();
    if (this.#bytes < size) return false;
    if (this.#hash.digest("hex") !== fileId) throw wrongContent(fileId);
    await file.syncData();
    file.close();
    await this.#shelf.adopt(draft, fileId);
    return true;
  }

  /** It will not come. */
  async abandon(): Promise<void> {
    try {
      this.#parts.file.close();
    } catch {
      // It was closed with its last part.
    }
    await Deno.remove(this.#parts.draft).catch(() => {});
  }
}

/** What is said of bytes that are not those that were announced. */
export function wrongContent(fileId: string): Error {
  return rnpError({
    code: "PROTOCOL_ERROR",
    message: `what came is not '${fileId}': its SHA-256 is another one`,
  });
}

/** SHA-256 and size of a file, read once. @throws {Error} of the file system */
export async function hashFile(path: string): Promise<{ fileId: string; size: number }> {
  using file = await Deno.open(path);
  const hash = createHash("sha256");
  const buffer = new Uint8Array(limits.fleetFileChunkBytesMax);
  let size = 0;
  for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
    hash.update(buffer.subarray(0, count));
    size += count;
  }
  return { fileId: hash.digest("hex"), size };
}
