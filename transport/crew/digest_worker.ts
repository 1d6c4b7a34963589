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
async function digestOf({ words, path, bytes, chunkBytes }: DigestTask, sha256: Hash) {
  const lent = new LentChunks(words);
  const hasher = sha256.create();
  const chunks = Math.ceil(bytes / chunkBytes);
  const chunksAtOnce = Math.ceil(SLICE_BYTES / chunkBytes);
  const slice = new Uint8Array(chunksAtOnce * chunkBytes);
  using file = Deno.openSync(path);
  for (let chunk = 0; chunk < chunks;) {
    const ready = lent.wait(chunk);
    if (ready === undefined) return undefined;
    while (chunk < ready) {
      const place = lent.take(chunk);
      if (place) {
        hasher.update(new Uint8Array(await memoryOf(place), place.start, chunkBytes));
        lent.giveBack(chunk++);
      } else {
        const from = chunk++;
        while (chunk < ready && chunk - from < chunksAtOnce && !lent.isLent(chunk)) chunk++;
        const there = slice.subarray(0, Math.min(bytes, chunk * chunkBytes) - from * chunkBytes);
        if (!readAt(file, from * chunkBytes, there)) return undefined;
        hasher.update(there);
      }
    }
  }
  return hasher.digest();
}

/** The message with it was sent before anything in it was lent, and comes when this thread does nothing else. */
async function memoryOf({ memory }: LentChunk): Promise<SharedArrayBuffer> {
  while (memory >= memories.length) await anotherMemory.promise;
  return memories[memory];
}

/** Fills `into` with what stands at a place; whether there was so much. */
function readAt(file: Deno.FsFile, at: number, into: Uint8Array): boolean {
  file.seekSync(at, Deno.SeekMode.Start);
  let count = 0;
  for (let more = 1; more > 0 && count < into.length; count += more) {
    more = file.readSync(into.subarray(count)) ?? 0;
  }
  return count === into.length;
}
