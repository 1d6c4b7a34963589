import fc from "fast-check";
import { assertEquals } from "../../tests/_assert.ts";
import { PieceRuns } from "./piece_runs.ts";

Deno.test("piece runs: any row of changes gives what a plain set gives", () => {
  const change = fc.record({ first: fc.nat(40), length: fc.nat(12), isAdded: fc.boolean() });
  fc.assert(fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
    const runs = new PieceRuns();
    const set = new Set<number>();
    for (const { first, length, isAdded } of changes) {
      if (isAdded) runs.add(first, first + length);
      else runs.remove(first, first + length);
      for (let piece = first; piece < first + length; piece++) {
        if (isAdded) set.add(piece);
        else set.delete(piece);
      }
    }
    const all = [...runs].flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
    assertEquals(all, [...set].sort((a, b) => a - b));
    assertEquals(runs.isEmpty, set.size === 0);
    for (let piece = 0; piece < 60; piece++) {
      assertEquals(runs.has(piece), set.has(piece));
      assertEquals(runs.nextFrom(piece), all.find((one) => one >= piece));
    }
    // Neighbours are one run.
    const bounds = [...runs];
    for (let i = 1; i < bounds.length; i++) {
      assertEquals(bounds[i].first > bounds[i - 1].first + bounds[i - 1].count, true);
    }
  }));
});
