import { assertEquals } from "../../tests/_assert.ts";
import { ForeignQueue } from "./foreign_queue.ts";

const MS = 200;

/** What it says of cuts that follow each other: window, rate and queue of each. */
function saysOf(foreign: ForeignQueue, cuts: readonly (readonly [number, number, number])[]): unknown[] {
  return cuts.map(([window, rate, queue], i) => foreign.handleCut(i * MS, { window, rate, queue }));
}

Deno.test("foreign queue: it gets no shorter, and less comes: after two cuts that have shown so, the first window is ours", () => {
  const cuts = [[100, 2, 10], [60, 1.2, 11], [40, 0.8, 12]] as const;
  assertEquals(saysOf(new ForeignQueue(), cuts), [undefined, undefined, 100]);
});

Deno.test("foreign queue: a queue of ours gets shorter, or as much comes as before", () => {
  for (
    const cuts of [
      [[100, 2, 10], [60, 1.2, 6], [40, 0.8, 3]],
      [[100, 2, 10], [60, 2, 11], [40, 2, 12]],
      // Too small a cut to show anything.
      [[100, 2, 10], [95, 1.2, 11], [91, 0.8, 12]],
    ] as const
  ) assertEquals(saysOf(new ForeignQueue(), cuts), [undefined, undefined, undefined]);
});

Deno.test("foreign queue: signs that are too old, or of a window that has been outgrown, say nothing", () => {
  const old = new ForeignQueue();
  saysOf(old, [[100, 2, 10], [60, 1.2, 11]]);
  assertEquals(old.handleCut(5000, { window: 40, rate: 0.8, queue: 12 }), undefined);
  const outgrown = new ForeignQueue();
  saysOf(outgrown, [[100, 2, 10], [60, 1.2, 11]]);
  outgrown.handleGrowth(100);
  assertEquals(outgrown.handleCut(2 * MS, { window: 40, rate: 0.8, queue: 12 }), undefined);
});

Deno.test("foreign queue: what a start had reached when somebody else ended it was ours, but not for long", () => {
  const cuts = [[100, 2, 10], [60, 1.2, 11], [40, 0.8, 12]] as const;
  const soon = new ForeignQueue();
  soon.handleStartEnd(0, 150);
  assertEquals(saysOf(soon, cuts).at(-1), 150);
  const late = new ForeignQueue();
  late.handleStartEnd(-5000, 150);
  assertEquals(saysOf(late, cuts).at(-1), 100);
});
