/*
 * A thread that hashes a file while it is written from front to end, behind the writer. It reads what the file holds, mostly from the
 * system's cache.
 */
import { chunkEngine } from "../../crypto/chunk_engine.ts";
import type { Hash } from "../../crypto/engine.ts";
import type { DigestTask } from "./file_digest.ts";
import { waitForBytes } from "./file_digest.ts";

const SLICE_BYTES = 262_144;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<DigestTask>) => void;
  postMessage(digest: Uint8Array | undefined): void;
  close(): void;
};

scope.onmessage = async ({ data }) => {
  let digest: Uint8Array | undefined;
  try {
    digest = digestOf(data, (await chunkEngine()).sha256);
  } catch {
    // Whoever wants the digest reads the file himself, and sees what is the matter.
  }
  scope.postMessage(digest);
  scope.close();
};

/** The digest of the whole file; `undefined` when it is wanted no more, or the file is shorter than it should be. */
function digestOf({ words, path, bytes }: DigestTask, sha256: Hash): Uint8Array | undefined {
  const hasher = sha256.create();
  const slice = new Uint8Array(Math.min(bytes, SLICE_BYTES));
  using file = Deno.openSync(path);
  for (let at = 0; at < bytes;) {
    const ready = waitForBytes(words, at);
    if (ready < 0) return undefined;
    const end = Math.min(bytes, ready);
    while (at < end) {
      const count = file.readSync(slice.subarray(0, end - at));
      if (!count) return undefined;
      hasher.update(slice.subarray(0, count));
      at += count;
    }
  }
  return hasher.digest();
}
