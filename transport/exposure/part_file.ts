import { RgtpError } from "../../core/errors.ts";
import type { Hash } from "../../crypto/engine.ts";
import { existing } from "./_disk.ts";
import type { SpaceLook } from "./_disk.ts";
import { exists, OutputPart } from "./_output_part.ts";
import { PartDisk } from "./_part_disk.ts";
import type { PieceFacts } from "./pieces.ts";
import { openFileSource } from "./source.ts";

/**
 * Local bytes that may be those of the exposure. `journal`: a part whose journal says which chunks are worth trying; `part`: a part of
 * which nothing is known; `same-size`: the output exists and may be complete already; `older`: the output exists, with another size.
 */
export type CandidateKind = "journal" | "part" | "same-size" | "older";

/** How a pull ended: it made the output, or the output had every byte before. */
export type FinishState = "complete" | "already-complete";

/** What to pull into which file. */
export interface OpenPartOptions {
  /** The output: it appears whole, or not at all. */
  readonly path: string;
  /** How the exposure is cut. */
  readonly manifest: PieceFacts;
  /** Its ID, 32 bytes. */
  readonly id: Uint8Array;
  /** For {@linkcode PartFile.sha256}, and to compare what is copied from an older output. */
  readonly hash: Hash;
  /** Whether an output that exists may be replaced. */
  readonly force?: boolean;
  /** Whether {@linkcode PartFile.sha256} will be asked for: then it is worth hashing while the part grows. Absent: yes. */
  readonly isHashed?: boolean;
  /** How to see what room there is; absent, or where it cannot tell: as the runtime does. */
  readonly freeBytes?: SpaceLook;
}

/**
 * The puller's side of an exposure: one output file, from the first candidate to the last byte. Only chunks that the caller has verified
 * are written or kept, and the output is made of nothing else.
 */
export interface PartFile {
  /** The output path. */
  readonly path: string;
  /** Where candidates may be found. */
  readonly candidateKinds: readonly CandidateKind[];
  /** How many chunks were written or kept. */
  readonly chunksHeld: number;

  /**
   * Which chunks of a leaf page are worth trying: 1024 flags, 1 for those; `undefined` when none is. Chunks that were written or kept
   * are not among them.
   */
  candidates(page: number): Uint8Array | undefined;

  /**
   * Reads the candidate for a chunk into `into`, which has the size of the chunk's plaintext. Whether it could. What it read is to be
   * verified, and then kept or rejected.
   */
  read(chunk: number, into: Uint8Array): boolean;

  /** A candidate was verified: `plaintext` is what {@linkcode read} gave. @throws {RgtpError} NO_SPACE, IO */
  keep(chunk: number, plaintext: Uint8Array): void;

  /** A candidate was not what it should be. Whether there is another one for this chunk to {@linkcode read}. */
  reject(chunk: number): boolean;

  /**
   * Writes a verified chunk in its place. `isLent`: its bytes stay as they are while {@linkcode PartFile.reads} says that they are read.
   *
   * @throws {RgtpError} NO_SPACE or IO (what was written before is kept for a later pull); EXISTS when the output turns out to differ
   * and `force` is not set; BUSY
   * @throws {RangeError} when there is no such chunk, or it has another size
   */
  write(chunk: number, plaintext: Uint8Array, isLent?: boolean): void;

  /** Whether the bytes of a chunk that were lent are still hashed where they lie. */
  reads(chunk: number): boolean;

  /** Before the first chunk: what is to be done beside writing is done by the thread that writes. */
  spareThreads(): void;

  /** What may be a leaf page, from an earlier pull: to be verified. */
  page(page: number): Uint8Array | undefined;

  /** Keeps a verified leaf page for a later pull. @throws {RangeError} when it is none of this exposure */
  savePage(page: number, bytes: Uint8Array): void;

  /**
   * All chunks were written or kept: syncs them and puts the file in its place in one step, over an older one only with `force`.
   *
   * @throws {RgtpError} EXISTS when something appeared at the output path; SOURCE_CHANGED when an older output changed while it was
   * compared; NO_SPACE; IO. The part stays.
   * @throws {TypeError} when chunks are missing, or it is finished or closed
   */
  finish(): Promise<FinishState>;

  /**
   * SHA-256 of the finished output, 32 bytes. What was not hashed while it was written is read again, in slices of about 10 ms;
   * `onProgress` is told how many bytes are done.
   *
   * @throws {RgtpError} IO, SOURCE_CHANGED
   * @throws {TypeError} unless it is finished and not closed
   */
  sha256(onProgress?: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer>>;

  /** Lets go of all files. What was not finished stays for a later pull, unless it holds nothing. Twice is fine. */
  close(): void;
}

/**
 * Opens what a pull into `path` works with. Bytes gather in `path.part`, hints in `path.part.rgtp`, which is locked; both stay until the
 * output is whole. An output of the right size is only read until something else must be written, so that one that is complete already
 * takes no disk space.
 *
 * @throws {RgtpError} EXISTS when the output exists, has another size, and `force` is not set; BUSY; NO_SPACE; IO
 */
export function openPart(options: OpenPartOptions): PartFile {
  const { path, manifest, id, force = false, freeBytes } = options;
  const there = existing(path);
  if (there?.isDirectory) {
    throw new RgtpError("EXISTS", `'${path}' is a folder; name a file in it`, { data: { path } });
  }
  const isSameSize = there !== undefined && there.isFile && there.size === manifest.totalSize;
  if (there && !isSameSize && !force) throw exists(path);
  const out = there?.isFile ? openFileSource(path) : undefined;
  try {
    const readsFirst = isSameSize && !(force && existing(`${path}.part`));
    const disk = readsFirst ? undefined : new PartDisk(path, manifest, id, freeBytes);
    return new OutputPart(options, out, disk);
  } catch (cause) {
    out?.close();
    throw cause;
  }
}
