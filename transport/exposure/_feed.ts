/*
 * A collection for tests without a network: all its bytes, and a stand-in for the shell that gives them to a sink as a pull would.
 */
import { chunkBytes, chunkCount, ManifestKind } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { concatBytes, equalBytes } from "../../core/bytes.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { openCollectionSource } from "./collection_source.ts";
import type { FolderSink } from "./folder_sink.ts";
import { chunkOffset } from "./pieces.ts";

/** The hash of all tests here. */
export const hash = nativeEngine.sha256;

/** An exposure as a puller knows it, and its plaintext. */
export interface TestCollection {
  readonly manifest: Manifest;
  readonly id: Uint8Array;
  readonly plain: Uint8Array;
}

/** Any index with anything behind it. */
export function collectionOf(index: Uint8Array, data: Uint8Array, chunkSize = 4096): TestCollection {
  const padding = new Uint8Array((chunkSize - index.length % chunkSize) % chunkSize);
  const plain = concatBytes(index, padding, data);
  const manifest: Manifest = {
    version: 2,
    kind: ManifestKind.COLLECTION,
    aead: 0,
    hash: 0,
    chunkSize,
    totalSize: plain.length,
    indexSize: index.length,
    reserved: 0,
    keyCheck: new Uint8Array(32),
    root: new Uint8Array(32),
  };
  return { manifest, id: hash.digest(plain), plain };
}

/** What a folder, or several paths, would be exposed as. */
export async function collect(paths: readonly string[], chunkSize = 4096): Promise<TestCollection> {
  const source = await openCollectionSource(paths, { chunkSize, hash });
  const plain = new Uint8Array(source.size);
  source.read(0, plain);
  source.close();
  const { indexSize, lateBytes } = source.collection!;
  return collectionOf(plain.subarray(0, indexSize), plain.subarray(lateBytes), chunkSize);
}

/** How a sink is fed. */
export interface FeedOptions {
  /** Breaks off before the chunk that would be the next one after so many, as `kill -9` does. */
  readonly stopAfter?: number;
  /** The order in which chunks come. */
  readonly order?: (chunks: number[]) => number[];
}

/** Gives a sink what it wants; how many chunks had to be given, beside those that it had. The sink stays open. */
export async function feed(
  sink: FolderSink,
  { manifest, plain }: TestCollection,
  { stopAfter = Infinity, order = (chunks) => chunks }: FeedOptions = {},
): Promise<{ given: number; kept: number; isWhole: boolean }> {
  let [given, kept] = [0, 0];
  for (const more of [() => Promise.resolve(sink.wanted), () => sink.wantMore()]) {
    const chunks = (await more()).flatMap(({ first, end }) =>
      Array.from({ length: end - first }, (_, i) => first + i)
    );
    const pages = new Map<number, Uint8Array | undefined>();
    for (const chunk of order(chunks)) {
      const at = chunkOffset(manifest, chunk);
      const right = plain.subarray(at, at + chunkBytes(manifest, chunk));
      const page = Math.floor(chunk / PAGE_LEAVES);
      if (!pages.has(page)) pages.set(page, sink.candidates(page));
      const scratch = new Uint8Array(right.length).fill(0xee);
      if (pages.get(page)?.[chunk % PAGE_LEAVES] && sink.read(chunk, scratch)) {
        if (equalBytes(scratch, right)) {
          await sink.keep(chunk, scratch);
          kept++;
          continue;
        }
        sink.reject(chunk);
      }
      if (given >= stopAfter) return { given, kept, isWhole: false };
      await sink.write(chunk, right.slice());
      given++;
    }
  }
  return { given, kept, isWhole: true };
}

/** Chunks of all. */
export function chunksOf({ manifest }: TestCollection): number {
  return chunkCount(manifest);
}
