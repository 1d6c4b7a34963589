import { assert, assertEquals } from "../../tests/_assert.ts";
import { DemandPlan } from "./demand_plan.ts";

function planOf(chunks: number, ahead: number) {
  const held = new Set<number>();
  const plan = new DemandPlan({ chunks, ahead, hasLeaves: () => false, has: (chunk) => held.has(chunk) });
  const take = () => {
    const taken: number[] = [];
    for (let chunk = plan.takeChunk(); chunk !== undefined; chunk = plan.takeChunk()) taken.push(chunk);
    return taken;
  };
  return { plan, held, take };
}

Deno.test("demand plan: all leaf pages first, again when one was wrong; then nothing until somebody asks", () => {
  const { plan, take } = planOf(2000, 3);
  assertEquals([plan.takePage(), plan.takePage(), plan.takePage()], [0, 1, undefined]);
  plan.settlePage(0, false);
  assertEquals(plan.takePage(), 0);
  plan.settlePage(0, true);
  assert(!plan.isIdle && !plan.hasPages);
  plan.settlePage(1, true);
  assert(plan.isIdle && plan.hasPages && !plan.finished);
  assertEquals(take(), []);
});

Deno.test("demand plan: a chunk brings those behind it, each once, and not what is here", () => {
  const { plan, held, take } = planOf(20, 4);
  held.add(7);
  assert(plan.ask(5));
  assertEquals(take(), [5, 6, 8, 9]);
  assert(!plan.ask(6));
  // Who goes on in order finds more behind what he asks for.
  assert(plan.ask(8));
  assertEquals(take(), [10, 11, 12]);
  assert(plan.ask(19));
  assertEquals(take(), [19]);
  plan.settleChunk(19, false);
  assertEquals(take(), [19]);
  assert(!plan.isIdle);
});

Deno.test("demand plan: what had to go is wanted again when it is asked for", () => {
  const { plan, held, take } = planOf(20, 1);
  plan.ask(3);
  for (const chunk of take()) {
    held.add(chunk);
    plan.settleChunk(chunk, true);
  }
  assert(!plan.ask(3));
  held.delete(3);
  assert(plan.ask(3));
  assertEquals(take(), [3]);
});
