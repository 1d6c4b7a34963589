import { assert, assertEquals, assertLessOrEqual } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import type { SeededRandom } from "../../tests/sim/random.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import { ChunkPlan } from "./chunk_plan.ts";
import type { ChunkRun } from "./chunk_plan.ts";

/** The same, with one entry for every chunk and page, and every answer by looking at all of them. */
class SlowPlan {
  readonly states: ("unwanted" | "missing" | "candidate" | "busy" | "settled")[];
  readonly leaves: ("needed" | "busy" | "here")[];

  constructor(chunks: number, wanted: readonly ChunkRun[], hasLeaves: Set<number>, candidates: Set<number>) {
    this.states = Array.from({ length: chunks }, (_, chunk) => {
      if (!wanted.some(({ first, end }) => chunk >= first && chunk < end)) return "unwanted";
      return candidates.has(chunk) ? "candidate" : "missing";
    });
    this.leaves = Array.from(
      { length: Math.ceil(chunks / PAGE_LEAVES) },
      (_, page) => hasLeaves.has(page) ? "here" : "needed",
    );
  }

  leavesOf(chunk: number): string {
    return this.leaves[Math.floor(chunk / PAGE_LEAVES)];
  }

  /** Whether anything of a page is left to do. */
  isOpen(page: number): boolean {
    return this.states.slice(page * PAGE_LEAVES, (page + 1) * PAGE_LEAVES)
      .some((state) => state !== "unwanted" && state !== "settled");
  }

  get finished(): boolean {
    return this.states.every((state) => state === "unwanted" || state === "settled");
  }
}

interface Case {
  readonly chunks: number;
  readonly wanted: readonly ChunkRun[];
  readonly all: boolean;
  readonly hasLeaves: Set<number>;
  readonly candidates: Set<number>;
}

function randomCase({ integer, chance }: SeededRandom): Case {
  const chunks = chance(0.1) ? 0 : 1 + integer(4 * PAGE_LEAVES);
  const borders = Array.from({ length: 2 * integer(5) }, () => integer(chunks + 1)).toSorted((a, b) => a - b);
  const runs: ChunkRun[] = [];
  for (let i = 0; i + 1 < borders.length; i += 2) {
    if (borders[i] < borders[i + 1]) runs.push({ first: borders[i], end: borders[i + 1] });
  }
  const all = chance(0.4);
  const candidates = new Set<number>();
  const rate = chance(0.5) ? 0 : chance(0.3) ? 1 : 0.3;
  for (let chunk = 0; chunk < chunks; chunk++) if (chance(rate)) candidates.add(chunk);
  const hasLeaves = new Set([0, 1, 2, 3, 4].filter(() => chance(0.3)));
  return { chunks, wanted: all ? [{ first: 0, end: chunks }] : runs, all, hasLeaves, candidates };
}

Deno.test("chunk plan: against a slow twin, over random takes and settles: each wanted chunk is settled once", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed);
    const { integer, chance } = random;
    const { chunks, wanted, all, hasLeaves, candidates } = randomCase(random);
    const slow = new SlowPlan(chunks, wanted, hasLeaves, candidates);
    const plan = new ChunkPlan({
      chunks,
      ...(!all && { wanted }),
      hasLeaves: (page) => hasLeaves.has(page),
      candidates: (page) => {
        const flags = Array.from({ length: PAGE_LEAVES }, (_, i) => +candidates.has(page * PAGE_LEAVES + i));
        return flags.includes(1) || chance(0.5) ? Uint8Array.from(flags) : undefined;
      },
    });
    const busyChunks: number[] = [];
    const busyPages: number[] = [];
    let settled = 0;
    for (let steps = 0; !slow.finished; steps++) {
      assert(steps < 60_000, `seed ${seed}`);
      const what = integer(6);
      if (what <= 1) {
        const chunk = plan.takeChunk();
        assertEquals(chunk === undefined, !slow.states.includes("missing"), `seed ${seed}`);
        if (chunk === undefined) continue;
        assertEquals(slow.states[chunk], "missing");
        slow.states[chunk] = "busy";
        busyChunks.push(chunk);
      } else if (what === 2) {
        const page = plan.takePage();
        if (page === undefined) continue;
        assertEquals(slow.leaves[page], "needed");
        slow.leaves[page] = "busy";
        busyPages.push(page);
      } else if (what === 3) {
        const chunk = plan.takeCandidate();
        if (chunk === undefined) continue;
        assertEquals([slow.states[chunk], slow.leavesOf(chunk)], ["candidate", "here"]);
        slow.states[chunk] = "busy";
        busyChunks.push(chunk);
      } else if (what === 4 && busyPages.length > 0) {
        const page = busyPages.splice(integer(busyPages.length), 1)[0];
        const ok = chance(0.7);
        plan.settlePage(page, ok);
        slow.leaves[page] = ok ? "here" : "needed";
        assertEquals(plan.leavesHere(page), ok && slow.isOpen(page));
      } else if (busyChunks.length > 0) {
        const chunk = busyChunks.splice(integer(busyChunks.length), 1)[0];
        const ok = chance(0.8);
        const page = Math.floor(chunk / PAGE_LEAVES);
        slow.states[chunk] = ok ? "settled" : "missing";
        if (ok) settled++;
        assertEquals(plan.settleChunk(chunk, ok), slow.isOpen(page) ? undefined : page, `seed ${seed}`);
        // A second report of the same chunk is nobody's.
        assertEquals(plan.settleChunk(chunk, true), undefined);
      }
      if (steps % 64 === 0) assertEquals(plan.finished, slow.finished);
    }
    assertEquals(plan.finished, true);
    assertEquals(settled, wanted.reduce((sum, { first, end }) => sum + end - first, 0));
    assertEquals([plan.takeChunk(), plan.takeCandidate()], [undefined, undefined]);
  }
});

Deno.test("chunk plan: only pages that are worked on are looked at, and each once", () => {
  const chunks = 100_000 * PAGE_LEAVES;
  const looked: number[] = [];
  const plan = new ChunkPlan({
    chunks,
    hasLeaves: () => true,
    candidates: (page) => void looked.push(page),
  });
  assertEquals(plan.takeChunk(), 0);
  assertEquals(looked, [0]);
  for (let chunk = 1; chunk < 5 * PAGE_LEAVES; chunk++) {
    assertEquals(plan.takeChunk(), chunk);
    plan.settleChunk(chunk - 1, true);
  }
  assertLessOrEqual(looked.length, 6);
  assertEquals(looked, [...new Set(looked)]);
});

Deno.test("chunk plan: beyond a stretch of candidates it looks for what to pull, but not without bound", () => {
  let looked = 0;
  const plan = new ChunkPlan({
    chunks: 5000 * PAGE_LEAVES,
    hasLeaves: () => false,
    candidates: () => {
      looked++;
      return new Uint8Array(PAGE_LEAVES).fill(1);
    },
  });
  assertEquals(plan.takeChunk(), undefined);
  assertEquals(looked, 1024);
  assertEquals(plan.takePage(), 0);
  assertEquals(plan.takeCandidate(), undefined);
  plan.settlePage(0, true);
  assertEquals(plan.takeCandidate(), 0);
});

Deno.test("chunk plan: nothing exposed or nothing wanted is finished at once", () => {
  const rest = { hasLeaves: () => true, candidates: () => undefined };
  assertEquals(new ChunkPlan({ chunks: 0, ...rest }).finished, true);
  assertEquals(new ChunkPlan({ chunks: 9, wanted: [], ...rest }).finished, true);
  assertEquals(new ChunkPlan({ chunks: 9, wanted: [{ first: 8, end: 9 }], ...rest }).finished, false);
});

Deno.test("chunk plan: a wish for little of a large exposure looks at its pages alone", () => {
  const looked: number[] = [];
  const pages = 2_000_000;
  const plan = new ChunkPlan({
    chunks: pages * PAGE_LEAVES,
    wanted: [{ first: 5, end: 6 }, { first: 1000 * PAGE_LEAVES - 1, end: 1000 * PAGE_LEAVES + 1 }],
    hasLeaves: () => true,
    candidates: (page) => void looked.push(page),
  });
  const takeAll = () => {
    const taken: number[] = [];
    for (let chunk = plan.takeChunk(); chunk !== undefined; chunk = plan.takeChunk()) taken.push(chunk);
    for (const chunk of taken) plan.settleChunk(chunk, true);
    return taken;
  };
  assertEquals(takeAll(), [5, 1000 * PAGE_LEAVES - 1, 1000 * PAGE_LEAVES]);
  assertEquals([looked, plan.finished], [[0, 999, 1000], true]);
  plan.want([{ first: pages * PAGE_LEAVES - 1, end: pages * PAGE_LEAVES }]);
  assertEquals([takeAll().length, looked.at(-1), looked.length, plan.finished], [1, pages - 1, 4, true]);
});
