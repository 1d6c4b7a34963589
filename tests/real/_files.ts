/*
 * Files for tests over real sockets: large ones are made and compared in slices, so that a test's memory does not grow with them.
 */
import { createCipheriv, createHash } from "node:crypto";

const SLICE_BYTES = 1_048_576;

/** A file that a test made. */
export interface MadeFile {
  /** Where it is. */
  readonly path: string;
  /** Its size. */
  readonly bytes: number;
  /** Its SHA-256, hex. */
  readonly sha256: string;
}

/** A folder of its own for a test, removed with everything in it. */
export class TestFolder implements AsyncDisposable {
  /** Absolute. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes it where the system keeps temporary files. */
  static async make(): Promise<TestFolder> {
    return new TestFolder(await Deno.makeTempDir({ prefix: "rgtp-real-" }));
  }

  /** The path of a file in it. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  /** See {@linkcode AsyncDisposable}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/**
 * Writes a file of bytes that look random, the same ones for the same seed: the key stream of ChaCha20, since it comes at more than
 * a gigabyte a second and does not repeat, so that a chunk in a wrong place shows.
 */
export async function makeFile(path: string, bytes: number, seed: number): Promise<MadeFile> {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, seed);
  const stream = createCipheriv("chacha20", key, new Uint8Array(16));
  const zeros = new Uint8Array(SLICE_BYTES);
  const hash = createHash("sha256");
  using file = await Deno.open(path, { write: true, createNew: true });
  for (let at = 0; at < bytes; at += SLICE_BYTES) {
    const slice = stream.update(zeros.subarray(0, bytes - at));
    hash.update(slice);
    for (let done = 0; done < slice.length;) done += await file.write(slice.subarray(done));
  }
  return { path, bytes, sha256: hash.digest("hex") };
}

/** SHA-256 of a file, hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  const slice = new Uint8Array(SLICE_BYTES);
  using file = await Deno.open(path);
  for (let count = await file.read(slice); count !== null; count = await file.read(slice)) {
    hash.update(slice.subarray(0, count));
  }
  return hash.digest("hex");
}

/** Whether anything stands at a path, a dangling link included. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Bytes of a file that the file system has given it, 0 when it is not there: how far a sparse part file is, seen from outside and at
 * any moment, where the lines of a pull come twice a second.
 */
export async function allocatedBytes(path: string): Promise<number> {
  try {
    return ((await Deno.stat(path)).blocks ?? 0) * 512;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
