import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "../../tests/_assert.ts";
import { SlotCache } from "./_slot_cache.ts";

/** Uses a key as a store does; whether it was there. */
function touch(cache: SlotCache, key: number): boolean {
  const held = cache.use(key) !== undefined;
  if (!held) cache.admit(key);
  return held;
}

Deno.test("whatever is done, each key has one slot of its own, and no slot is lost", () => {
  const action = fc.tuple(fc.constantFrom("touch", "touch", "touch", "forget"), fc.nat(12));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(action, { maxLength: 120 }), (slots, actions) => {
      const cache = new SlotCache(slots);
      const places = new Map<number, number>();
      for (const [what, key] of actions) {
        if (what === "forget") {
          cache.forget(key);
          places.delete(key);
          continue;
        }
        const slot = cache.use(key) ?? cache.admit(key);
        for (const [other, place] of places) {
          if (other !== key && place === slot) places.delete(other);
        }
        places.set(key, slot);
        assert(slot >= 0 && slot < slots && slot < cache.slotsTaken);
        for (let one = 0; one <= 12; one++) {
          assertEquals(cache.has(one), places.has(one), `key ${one}`);
          if (places.has(one) && one !== key) assertEquals(cache.has(one), true);
        }
      }
      assertEquals(cache.hasRoom, places.size < slots);
    }),
  );
});

Deno.test("as long as nothing is shared, new keys have all slots, first in first out", () => {
  const cache = new SlotCache(8);
  for (let key = 0; key < 20; key++) assert(!touch(cache, key));
  assertEquals(Array.from({ length: 20 }, (_, key) => cache.has(key)).indexOf(true), 12);
});

Deno.test("what several use stays, however long a scan goes by", () => {
  const cache = new SlotCache(100);
  const shared = Array.from({ length: 60 }, (_, i) => 1_000_000 + i);
  // Two rounds: they come in, leave through the queue, and come back as shared.
  for (const key of shared) touch(cache, key);
  for (let key = 0; key < 100; key++) touch(cache, key);
  for (const key of shared) touch(cache, key);
  for (let key = 1000; key < 50_000; key++) {
    // The several requests for one chunk are one use.
    touch(cache, key);
    assert(touch(cache, key));
  }
  assertEquals(shared.filter((key) => cache.has(key)).length, 60);
});

Deno.test("what is shared no longer gives way to what is", () => {
  const cache = new SlotCache(20);
  const share = (from: number, others: number) => {
    for (let i = 0; i < 15; i++) touch(cache, from + i);
    for (let i = 0; i < others; i++) touch(cache, 10_000 + from + i);
    for (let i = 0; i < 15; i++) touch(cache, from + i);
  };
  share(0, 20);
  for (let key = 2000; key < 2100; key++) touch(cache, key);
  assert(cache.has(0) && cache.has(14));
  share(1000, 5);
  for (let key = 2100; key < 2200; key++) touch(cache, key);
  const held = Array.from({ length: 15 }, (_, i) => cache.has(1000 + i));
  assertEquals(held.filter((one) => !one).length, 0);
});

Deno.test("a cache without a slot is a mistake", () => {
  for (const slots of [0, -1, NaN]) assertThrows(() => new SlotCache(slots), RangeError);
});
