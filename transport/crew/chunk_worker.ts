/*
 * A thread of a crew: seals chunks where they lie, and opens those that wait together, until it is ended.
 */
import { chunkEngine } from "../../crypto/chunk_engine.ts";
import type { ChunkEngine } from "../../crypto/engine.ts";
import { LEAF_ROW_MAX } from "../../crypto/native/leaf_row.ts";
import { ChunkCipher } from "./chunk_cipher.ts";
import type { ChunkKey, ClaimedChunk } from "./chunk_cipher.ts";
import { FileList, settleFiles } from "./file_list.ts";
import { quickWriter } from "../link/quick_files.ts";
import type { QuickWriter } from "../link/quick_files.ts";
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
  const waiting = (kind: number): ClaimedChunk[] =>
    ring.nextJobs(kind, LEAF_ROW_MAX).map((job) => ({
      chunk: job.chunk,
      bytes: bytesOf(job),
      leaf: job.leaf,
    }));
  const sealWaiting = () => {
    const jobs = ring.nextJobs(JobKind.SEAL, LEAF_ROW_MAX);
    const leaves = cipher.sealAll(jobs.map((job) => ({ chunk: job.chunk, bytes: bytesOf(job) })));
    for (const [index, job] of jobs.entries()) {
      if (job.to) bytesOf({ ...job, ...job.to }).set(bytesOf(job));
      ring.finish(true, leaves[index]);
    }
  };
  let writer: { readonly write: QuickWriter | undefined } | undefined;
  const settleList = (job: Job) => {
    writer ??= { write: quickWriter() };
    const list = new FileList(bytesOf(job));
    list.tell(settleFiles(engine.sha256, list.read(job.chunk, memories), writer.write));
  };
  let memoriesTold = 0;
  ring.handleReady();
  return () => {
    while (true) {
      const job = ring.nextJob();
      if (job.kind === JobKind.SEAL) sealWaiting();
      else if (job.kind === JobKind.OPEN) {
        for (const ok of cipher.openAll(waiting(JobKind.OPEN))) ring.finish(ok);
      } else if (job.kind === JobKind.CHECK) {
        for (const ok of cipher.areChunks(waiting(JobKind.CHECK))) ring.finish(ok);
      } else if (job.kind === JobKind.FILES) {
        settleList(job);
        ring.finish(true);
      } else if (job.kind === JobKind.MEMORY) {
        ring.finish(true);
        // What came before the engine was there is here already.
        if (++memoriesTold > memories.length) return ring.tell();
      } else return scope.close();
      // Once for all that was done together: to be woken costs the other side more than to take an outcome.
      ring.tell();
    }
  };
}
