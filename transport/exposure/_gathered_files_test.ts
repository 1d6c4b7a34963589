import { assert, assertEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { FILE_LIST_MAX, FileOutcome, settleFiles } from "../crew/file_list.ts";
import type { FileCrew, WholeBytes } from "../crew/file_list.ts";
import { hash } from "./_feed.ts";
import { GatheredFiles } from "./_gathered_files.ts";
import { noise } from "./_trees.ts";

type Answer = "later" | "busy" | "broken";

/** A crew without threads, which does what `answer` says with each list. */
function crewOf(answer: () => Answer): FileCrew & { work(): void } {
  const jobs: (() => void)[] = [];
  return {
    memory: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
    settleFiles: (files: readonly WholeBytes[], done) => {
      const what = answer();
      if (what === "busy") return false;
      jobs.push(() => done(what === "later" ? settleFiles(hash, files, undefined) : undefined));
      return true;
    },
    work: () => jobs.splice(0).forEach((job) => job()),
  };
}

/** File `i` has some bytes; each seventh one is not what it should be. */
function contentOf(i: number): { bytes: Uint8Array; sha256: Uint8Array; isRight: boolean } {
  const bytes = noise(37 * (i % 50), i);
  const isRight = i % 7 !== 0;
  return { bytes, sha256: hash.digest(isRight ? bytes : noise(9, i)), isRight };
}

Deno.test("gathered files: each is told of once, and rightly, whatever the crew does", () => {
  const random = seededRandom(4);
  const answers: Answer[] = ["later", "busy", "broken"];
  for (let round = 0; round < 30; round++) {
    const crew = crewOf(() => answers[random.integer(answers.length)]);
    const told = new Map<number, boolean>();
    const gathered = new GatheredFiles<number>(hash, crew, (item, outcome, bytes) => {
      assert(!told.has(item));
      told.set(item, outcome === FileOutcome.RIGHT);
      assertEquals(bytes, contentOf(item).bytes);
    });
    const count = random.integer(6 * FILE_LIST_MAX);
    let isLeft = 0;
    for (let i = 0; i < count; i++) {
      const { bytes, sha256 } = contentOf(i);
      const memory = gathered.memory(bytes.length);
      if (!memory) {
        // All memory is with a crew that does not answer: such files are hashed elsewhere.
        isLeft++;
        told.set(i, contentOf(i).isRight);
        continue;
      }
      memory.set(bytes);
      gathered.add(i, memory, sha256);
      if (random.chance(0.05)) crew.work();
    }
    crew.work();
    gathered.flush();
    assertEquals([...told.keys()].sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
    for (const [i, isRight] of told) assertEquals(isRight, contentOf(i).isRight, `${i}`);
    assert(isLeft < count || count === 0);
  }
});

Deno.test("gathered files: no memory for long ones, and what was taken is given back", () => {
  const crew = crewOf(() => "busy");
  const gathered = new GatheredFiles<number>(hash, crew, () => {});
  assertEquals(gathered.memory(131_073), undefined);
  for (let i = 0; i < 20 * FILE_LIST_MAX; i++) {
    const memory = gathered.memory(131_072);
    assertEquals(memory?.length, 131_072, `${i}`);
    gathered.add(i, memory!, new Uint8Array(32));
  }
  gathered.close();
});

Deno.test("gathered files: after the end nobody is told of any", () => {
  const gathered = new GatheredFiles<number>(hash, crewOf(() => "busy"), () => assert(false));
  for (let i = 0; i < 3; i++) gathered.add(i, gathered.memory(5)!, new Uint8Array(32));
  assertEquals(gathered.close().map(({ item }) => item), [0, 1, 2]);
  gathered.flush();
});

Deno.test("gathered files: a list that does not fill is looked after all the same", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const gathered = new GatheredFiles<number>(hash, crewOf(() => "busy"), resolve);
  gathered.add(7, gathered.memory(5)!, new Uint8Array(32));
  assertEquals(await promise, 7);
});
