import { EntryKind } from "../codec/collection_index.ts";
import type { CollectionEntry } from "../codec/collection_index.ts";
import { ManifestKind } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import { RgtpError } from "../core/errors.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { Comparison } from "./exposure/comparison.ts";
import type { ByteRun } from "./exposure/comparison.ts";
import { compareFolder } from "./exposure/folder_comparison.ts";
import type { FolderComparison } from "./exposure/folder_comparison.ts";
import { IndexIntake } from "./exposure/index_intake.ts";
import { openFileSource } from "./exposure/source.ts";
import type { SaveOptions } from "./pull.ts";
import type { PullProgress } from "./pull_stats.ts";
import type { ChunkSink } from "./puller_shell.ts";

/** How a local file compares with an exposure. */
export interface FileVerifyResult {
  /** It is one file. */
  readonly kind: "file";
  /** Whether it is the same, byte for byte. */
  readonly same: boolean;
  /** Plaintext bytes of the exposure. */
  readonly bytes: number;
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Chunks of the exposure that the file does not hold at their places. */
  readonly chunksDifferent: number;
  /** Where these are, in bytes, in order; chunks side by side are one run. */
  readonly differences: readonly ByteRun[];
  /** Bytes of leaf pages received, headers included: all that moved. */
  readonly wireBytes: number;
  /** The exposure's ID, base64url. */
  readonly id: string;
}

/** How a local folder compares with a collection. */
export interface FolderVerifyResult extends FolderComparison {
  /** It is a collection. */
  readonly kind: "folder";
  /** Whether it holds just what the collection does. */
  readonly same: boolean;
  /** Bytes of the collection's files. */
  readonly bytes: number;
  /** Files of the collection. */
  readonly files: number;
  /** Bytes of the index and of leaf pages received, headers included: all that moved. */
  readonly wireBytes: number;
  /** The exposure's ID, base64url. */
  readonly id: string;
}

/** What `Pull.verify` found. */
export type VerifyResult = FileVerifyResult | FolderVerifyResult;

/** What there is of a pull that only compares. */
export interface VerifyRun {
  /** Begins, and ends when all is here that the sink wants. */
  start(open: (manifest: Manifest) => ChunkSink): Promise<PullProgress>;
  /** How far it is. */
  progress(): PullProgress;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** The exposure's ID, base64url. */
  readonly id: string;
}

const PROGRESS_MS = 100;

/** See `Pull.verify`. */
export async function verifyPath(
  path: string,
  run: VerifyRun,
  options: Pick<SaveOptions, "onProgress" | "onHash">,
): Promise<VerifyResult> {
  const { onProgress } = options;
  const ticker = setInterval(() => onProgress?.(run.progress()), PROGRESS_MS);
  try {
    return isFolder(path) ? await verifyFolder(path, run, options) : await verifyFile(path, run, options);
  } finally {
    clearInterval(ticker);
  }
}

async function verifyFile(
  path: string,
  { start, id }: VerifyRun,
  { onProgress }: Pick<SaveOptions, "onProgress">,
): Promise<FileVerifyResult> {
  const source = openFileSource(path);
  try {
    let comparison: Comparison | undefined;
    let bytes = 0;
    const progress = await start((manifest) => {
      if (manifest.kind !== ManifestKind.BLOB) {
        throw mismatch(
          path,
          "is a file, and what is exposed is a collection: name the folder that it was pulled into",
        );
      }
      bytes = manifest.totalSize;
      return comparison = new Comparison(manifest, source);
    });
    onProgress?.(progress);
    if (!source.unchanged()) {
      throw new RgtpError(
        "SOURCE_CHANGED",
        `'${path}' changed while it was compared; verify it again when nothing writes to it any more`,
        { data: { path } },
      );
    }
    const { chunksDifferent } = comparison!;
    return {
      kind: "file",
      same: chunksDifferent === 0 && source.size === bytes,
      bytes,
      fileBytes: source.size,
      chunksDifferent,
      differences: comparison!.differences(),
      wireBytes: progress.wireBytes,
      id,
    };
  } finally {
    source.close();
  }
}

async function verifyFolder(
  path: string,
  { start, signal, id }: VerifyRun,
  { onHash }: Pick<SaveOptions, "onHash">,
): Promise<FolderVerifyResult> {
  let entries: readonly CollectionEntry[] = [];
  const { wireBytes } = await start((manifest) => {
    if (manifest.kind === ManifestKind.BLOB) {
      throw mismatch(path, "is a folder, and what is exposed is one file: name the file");
    }
    return indexSink(manifest, (index) => entries = index);
  });
  const compared = await compareFolder(path, entries, {
    hash: defaultEngine().sha256,
    signal,
    ...(onHash && { onHash }),
  });
  const { wrong, missing, extra } = compared;
  const files = entries.filter((entry) => entry.kind === EntryKind.FILE);
  return {
    kind: "folder",
    same: wrong + missing + extra === 0,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    files: files.length,
    ...compared,
    wireBytes,
    id,
  };
}

/** Takes a collection's index, and nothing else. */
export function indexSink(
  manifest: Manifest,
  take: (entries: readonly CollectionEntry[]) => void,
): ChunkSink {
  const index = new IndexIntake(manifest);
  return {
    wanted: [{ first: 0, end: index.endChunk }],
    write: (chunk, bytes) => index.write(chunk, bytes),
    wantMore: () => {
      take(index.index().entries);
      return Promise.resolve([]);
    },
  };
}

/** What is wrong with a path shows, with a better message, when it is opened. */
function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function mismatch(path: string, what: string): RgtpError {
  return new RgtpError("NOT_SUPPORTED", `'${path}' ${what}`, { data: { path } });
}
