/*
 * A pull in two steps: first what says what there is, then what is wanted of it.
 */
import { RgtpError } from "../../core/errors.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import { assert, assertEquals, assertThrows } from "../../tests/_assert.ts";
import { simExposure, simTransfer } from "../../tests/sim/transfer.ts";
import type { SimTransfer } from "../../tests/sim/transfer.ts";
import { ChunkPlan } from "./chunk_plan.ts";

const none = { hasLeaves: () => true, candidates: () => undefined };

function takeAll(plan: ChunkPlan): number[] {
  const taken: number[] = [];
  for (let chunk = plan.takeChunk(); chunk !== undefined; chunk = plan.takeChunk()) {
    taken.push(chunk);
    plan.settleChunk(chunk, true);
  }
  return taken;
}

Deno.test("chunk plan: what is wanted later is taken later, on pages that were done before as well", () => {
  const plan = new ChunkPlan({ chunks: 3 * PAGE_LEAVES, wanted: [{ first: 0, end: 2 }], ...none });
  assertEquals(takeAll(plan), [0, 1]);
  assertEquals(plan.finished, true);
  plan.want([{ first: 5, end: 7 }, { first: 2 * PAGE_LEAVES - 1, end: 2 * PAGE_LEAVES + 1 }]);
  assertEquals(plan.finished, false);
  assertEquals(takeAll(plan), [5, 6, 2 * PAGE_LEAVES - 1, 2 * PAGE_LEAVES]);
  assertEquals(plan.finished, true);
  plan.want([]);
  assertEquals(plan.finished, true);
});

const CHUNK = 4096;

/** A pull whose first wish is chunk 0, and which has been told that more will come. */
async function firstStep(seed: number, chunks: number): Promise<SimTransfer & { isAsked: () => boolean }> {
  const exposure = await simExposure(seed, chunks * CHUNK, { chunkSize: CHUNK });
  const transfer = simTransfer(seed, exposure, { puller: { wanted: [{ first: 0, end: 1 }] } });
  const { machine } = transfer.puller;
  const begin = machine.begin.bind(machine);
  machine.begin = (now, plan) => begin(now, { ...plan, isMoreToCome: true });
  let asked = 0;
  const poll = machine.poll.bind(machine);
  machine.poll = () => {
    const output = poll();
    if (output?.kind === "wanting") asked++;
    assert(asked <= 1, "it asks once");
    return output;
  };
  return { ...transfer, isAsked: () => asked === 1 };
}

Deno.test("puller: it asks what else is wanted, waits as long as that takes, and goes on", async () => {
  for (const [seed, chunks] of [[1, 10], [2, 3000]]) {
    const { world, puller, isAsked } = await firstStep(seed, chunks);
    world.run(isAsked, 10_000);
    assertEquals([...puller.stored.keys()], [0]);
    assertEquals([puller.ended, puller.machine.progress.total], [false, CHUNK]);
    // Longer than it would wait for the network, and than its token lives.
    let isLater = false;
    world.at(world.now + 700_000, () => isLater = true);
    world.run(() => isLater, 800_000);
    assertEquals([puller.ended, puller.stalls], [false, []]);
    puller.machine.want(world.now, [{ first: 3, end: 5 }, { first: chunks - 2, end: chunks }]);
    puller.drain();
    assertEquals(puller.machine.progress.total, 5 * CHUNK);
    world.run(() => puller.ended, 900_000);
    assertEquals(puller.outcome, "done");
    assertEquals([...puller.stored.keys()].sort((a, b) => a - b), [0, 3, 4, chunks - 2, chunks - 1]);
  }
});

Deno.test("puller: nothing else is wanted: it ends", async () => {
  const { world, puller, isAsked } = await firstStep(3, 10);
  world.run(isAsked, 10_000);
  puller.machine.want(world.now, []);
  puller.drain();
  assertEquals([puller.outcome, puller.stored.size], ["done", 1]);
});

Deno.test("puller: want() before it asked, or twice, is a mistake of its caller", async () => {
  const { world, puller, isAsked } = await firstStep(4, 10);
  assertThrows(() => puller.machine.want(world.now, []), RgtpError, "want() belongs after");
  world.run(isAsked, 10_000);
  puller.machine.want(world.now, [{ first: 1, end: 2 }]);
  puller.drain();
  assertThrows(() => puller.machine.want(world.now, []), RgtpError, "want() belongs after");
});
