import fc from "fast-check";
import { assert, assertEquals } from "../../../tests/_assert.ts";
import { Awareness } from "./awareness.ts";
import { GossipQueue, retransmissions } from "./gossip_queue.ts";
import { overrides } from "./member.ts";
import type { MemberState, MemberUpdate } from "./member.ts";
import { Ring } from "./ring.ts";

const states: readonly MemberState[] = ["alive", "suspect", "dead", "left"];

function update(state: MemberState, incarnation: number, node = "a"): MemberUpdate {
  return { node, state, incarnation, address: "" };
}

Deno.test("member: what overrides what, all cases", () => {
  // SWIM §4.2, with "left" as the strongest.
  for (const [i, one] of states.entries()) {
    for (const [j, other] of states.entries()) {
      assertEquals(overrides(update(one, 5), update(other, 5)), i > j, `${one} over ${other}`);
      assertEquals(overrides(update(one, 6), update(other, 5)), true);
      assertEquals(overrides(update(one, 4), update(other, 5)), false);
    }
    assertEquals(overrides(update(one, 1), undefined), true);
  }
});

Deno.test("member: all nodes come to the same, in whatever order they hear", () => {
  const updates = fc.array(fc.tuple(fc.constantFrom(...states), fc.nat(4)), { minLength: 1, maxLength: 12 });
  fc.assert(fc.property(updates, fc.func(fc.integer()), (heard, shuffle) => {
    const believed = (order: readonly (readonly [MemberState, number])[]) =>
      order.map(([state, incarnation]) => update(state, incarnation))
        .reduce((known, next) => overrides(next, known) ? next : known);
    const other = heard.toSorted((a, b) => shuffle(a) - shuffle(b));
    assertEquals(believed(other), believed(heard));
  }));
});

Deno.test("ring: each watches those who send to it, and nobody itself, however many there are", () => {
  const names = fc.uniqueArray(fc.integer({ min: 0, max: 500 }).map((n) => `node-${n}`), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(fc.property(names, fc.nat(4), (ids, count) => {
    const ring = new Ring();
    for (const id of ids) ring.add(id);
    for (const id of ids) ring.add(id);
    assertEquals(ring.size, ids.length);
    for (const id of ids) {
      const watchers = ring.after(id, count);
      assertEquals(watchers.length, Math.min(count, ids.length - 1));
      assert(!watchers.includes(id) && new Set(watchers).size === watchers.length);
      for (const watcher of watchers) assert(ring.before(watcher, count).includes(id));
    }
    ring.remove(ids[0]);
    ring.remove("nobody");
    assertEquals([ring.size, ring.after(ids[0], 3)], [ids.length - 1, []]);
  }));
});

Deno.test("gossip queue: each update is passed on so often, the least told first, and the newest of a node alone", () => {
  const queue = new GossipQueue();
  for (const node of ["a", "b", "c"]) queue.add(update("alive", 1, node));
  assertEquals(queue.take(2, 10).map(({ node }) => node), ["a", "b"]);
  assertEquals(queue.take(2, 10).map(({ node }) => node)[0], "c");
  queue.add(update("dead", 1, "a"));
  let told = 0;
  for (let i = 0; i < 100 && queue.size > 0; i++) {
    told += queue.take(1, 10).filter(({ node }) => node === "a").length;
  }
  assertEquals([told, queue.size], [retransmissions(10), 0]);
  assertEquals([1, 10, 100, 1000].map(retransmissions), [6, 12, 18, 24]);
});

Deno.test("awareness: doubts grow and end, within bounds", () => {
  const awareness = new Awareness();
  awareness.note(-5);
  assertEquals(awareness.multiplier, 1);
  for (let i = 0; i < 20; i++) awareness.note(1);
  assertEquals(awareness.multiplier, 8);
  awareness.note(-2);
  assertEquals(awareness.multiplier, 6);
});
