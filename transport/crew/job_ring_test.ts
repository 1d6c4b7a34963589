import { assertEquals } from "../../tests/_assert.ts";
import { JobKind, JobRing, ringWords } from "./job_ring.ts";

const leaf = new Uint8Array(32).fill(9);

/** Both sides of a ring of so many slots. */
function ring(slots: number) {
  const giver = new JobRing(ringWords(slots));
  const give = (kind: number, chunk: number) => giver.give({ kind, memory: 0, at: 0, bytes: 1, chunk }, leaf);
  return { giver, thread: new JobRing(giver.words), give };
}

Deno.test("a thread sees together what waits together, if it is of one kind", () => {
  const { giver, thread, give } = ring(8);
  for (const chunk of [4, 5, 6]) give(JobKind.OPEN, chunk);
  give(JobKind.SEAL, 7);
  give(JobKind.OPEN, 8);
  assertEquals(thread.nextJobs(JobKind.OPEN, 16).map((job) => job.chunk), [4, 5, 6]);
  assertEquals(thread.nextJobs(JobKind.SEAL, 16), []);
  assertEquals(thread.nextJobs(JobKind.OPEN, 2).map((job) => job.chunk), [4, 5]);
  assertEquals([...thread.nextJob().leaf], [...leaf]);
  for (const ok of [true, false, true]) thread.finish(ok);
  assertEquals([1, 2, 3].map(() => giver.takeOutcome()!.ok), [true, false, true]);
  assertEquals(giver.takeOutcome(), undefined);
  assertEquals(thread.nextJob().kind, JobKind.SEAL);
  thread.finish(true);
  assertEquals(thread.nextJobs(JobKind.OPEN, 16).map((job) => job.chunk), [8]);
});

Deno.test("jobs that wait are seen around the end of the ring", () => {
  const { giver, thread, give } = ring(4);
  for (let chunk = 0; chunk < 20; chunk++) {
    give(JobKind.OPEN, chunk);
    give(JobKind.OPEN, chunk + 100);
    give(JobKind.OPEN, chunk + 200);
    assertEquals(thread.nextJobs(JobKind.OPEN, 16).map((job) => job.chunk), [
      chunk,
      chunk + 100,
      chunk + 200,
    ]);
    for (let i = 0; i < 3; i++) {
      thread.finish(true);
      assertEquals(giver.takeOutcome()?.ok, true);
    }
  }
});

Deno.test("the end comes before what waits", () => {
  const { giver, thread, give } = ring(4);
  give(JobKind.OPEN, 1);
  giver.end();
  assertEquals(thread.nextJob().kind, JobKind.END);
  assertEquals(thread.nextJobs(JobKind.OPEN, 16), []);
});
