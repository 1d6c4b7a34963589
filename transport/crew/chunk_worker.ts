/*
 * A thread of a crew: seals chunks where they lie, and opens those that wait together, until it is ended.
 */
import { chunkEngine } from "../../crypto/chunk_engine.ts";
import type { ChunkEngine } from "../../crypto/engine.ts";
import { ChunkCipher } from "./chunk_cipher.ts";
import type { ChunkKey } from "./chunk_cipher.ts";
import type { Job } from "./job_ring.ts";
import { JobKind, JobRing } from "./job_ring.ts";

/** What a thread is told first. */
export interface CrewTask {
  /** Where its jobs are. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** With what chunks are sealed. */
  readonly key: ChunkKey;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<CrewTask | SharedArrayBuffer>) => void;
  close(): void;
};

const memories: SharedArrayBuffer[] = [];
let work: (() => void) | undefined;

scope.onmessage = async ({ data }) => {
  if (data instanceof SharedArrayBuffer) memories.push(data);
  else work = workOf(data, await chunkEngine());
  // Blocks until a job says that a message comes, or that this is the end.
  work?.();
};

function workOf({ words, key }: CrewTask, engine: ChunkEngine): () => void {
  const cipher = new ChunkCipher(engine, key);
  const ring = new JobRing(words);
  const bytesOf = ({ memory, at, bytes }: Job) => new Uint8Array(memories[memory], at, bytes);
  let memoriesTold = 0;
  ring.handleReady();
  return () => {
    while (true) {
      const job = ring.nextJob();
      if (job.kind === JobKind.SEAL) ring.finish(true, cipher.seal(job.chunk, bytesOf(job)));
      else if (job.kind === JobKind.OPEN) {
        const jobs = ring.nextJobs(JobKind.OPEN);
        const chunks = jobs.map((each) => ({ chunk: each.chunk, sealed: bytesOf(each), leaf: each.leaf }));
        for (const ok of cipher.openAll(chunks)) ring.finish(ok);
      } else if (job.kind === JobKind.CHECK) {
        ring.finish(cipher.isChunk(job.chunk, bytesOf(job), job.leaf));
      } else if (job.kind === JobKind.MEMORY) {
        ring.finish(true);
        // What came before the engine was there is here already.
        if (++memoriesTold > memories.length) return;
      } else return scope.close();
    }
  };
}
