/*
 * A thread that hashes a file while it is written from front to end, behind the writer. What lies in memory still it hashes there; the rest
 * it reads from the file, mostly from the system's cache.
 */
import { chunkEngine } from "../../crypto/chunk_engine.ts";
import type { Hash } from "../../crypto/engine.ts";
import type { DigestTask } from "./file_digest.ts";
import type { LentChunk } from "./lent_chunks.ts";
import { LentChunks } from "./lent_chunks.ts";

const SLICE_BYTES = 262_144;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<DigestTask | SharedArrayBuffer>) => void;
  postMessage(digest: Uint8Array | undefined): void;
  close(): void;
};

const memories: SharedArrayBuffer[] = [];
let anotherMemory = Promise.withResolvers<void>();

scope.onmessage = ({ data }) => {
  if (!(data instanceof SharedArrayBuffer)) return void work(data);
  memories.push(data);
  anotherMemory.resolve();
  anotherMemory = Promise.withResolvers();
};

async function work(task: DigestTask): Promise<void> {
  let digest: Uint8Array | undefined;
  try {
    digest = await digestOf(task, (await chunkEngine()).sha256);
  } catch {
    // Whoever wants the digest reads the file himself, and sees what is the matter.
  }
  scope.postMessage(digest);
  scope.close();
}

/** The digest of the whole file; `undefined` when it is wanted no more, or the file is shorter than it should be. */
async function digestOf({ words, path, bytes }: DigestTask, sha256: Hash): Promise<Uint8Array | undefined> {
  const lent = new LentChunks(words);
  const hasher = sha256.create();
  const slice = new Uint8Array(Math.min(bytes, SLICE_BYTES));
  using file = Deno.openSync(path);
  for (let at = 0; at < bytes;) {
    const ready = lent.wait(at);
    if (ready < 0) return undefined;
    const end = Math.min(bytes, ready);
    while (at < end) {
      const chunk = lent.take(at);
      const next = chunk
        ? new Uint8Array(await memoryOf(chunk), chunk.start, chunk.bytes)
        : readAt(file, at, slice.subarray(0, lent.next(at, end) - at));
      if (next.length === 0) return undefined;
      hasher.update(next);
      if (chunk) lent.giveBack(chunk);
      at += next.length;
    }
  }
  return hasher.digest();
}

/** The message with it was sent before anything in it was lent, and comes when this thread does nothing else. */
async function memoryOf({ memory }: LentChunk): Promise<SharedArrayBuffer> {
  while (memory >= memories.length) await anotherMemory.promise;
  return memories[memory];
}

/** As much of `into` as could be read from a place on: nothing at the end of the file. */
function readAt(file: Deno.FsFile, at: number, into: Uint8Array): Uint8Array {
  file.seekSync(at, Deno.SeekMode.Start);
  return into.subarray(0, file.readSync(into) ?? 0);
}
