import { assertEquals, assertLessOrEqual, assertStrictEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { RecentBytes } from "./_recent_bytes.ts";

Deno.test("recent bytes: against a model, over random uses: bounded, the latest used are there, the count of bytes is right", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { integer, chance } = seededRandom(seed);
    const recent = new RecentBytes(1000);
    /** Used longest ago first. */
    let model: { key: number; packets: Uint8Array }[] = [];
    for (let step = 0; step < 500; step++) {
      const key = integer(12);
      const known = model.find((one) => one.key === key);
      if (chance(0.4)) {
        assertStrictEquals(recent.get(key), known?.packets);
        if (known) model = [...model.filter((one) => one !== known), known];
      } else if (chance(0.02)) {
        recent.clear();
        model = [];
      } else {
        const packets = new Uint8Array(1 + integer(chance(0.05) ? 1500 : 400));
        if (known) recent.replace(key, packets);
        else if (chance(0.5)) recent.replace(key, packets);
        else recent.add(key, packets);
        model = model.filter((one) => one !== known);
        while (model.length > 0 && bytesOf(model) + packets.length > 1000) model.shift();
        model.push({ key, packets });
      }
      assertEquals(recent.bytes, bytesOf(model));
      if (model.length > 1) assertLessOrEqual(recent.bytes, 1000);
      for (let one = 0; one < 12; one++) assertEquals(recent.has(one), model.some(({ key }) => key === one));
    }
  }
});

function bytesOf(model: readonly { packets: Uint8Array }[]): number {
  return model.reduce((sum, { packets }) => sum + packets.length, 0);
}

Deno.test("recent bytes: what takes the place of something frees it first, and nothing else for it", () => {
  const recent = new RecentBytes(1000);
  recent.add(1, new Uint8Array(300));
  recent.add(2, new Uint8Array(300));
  recent.replace(1, new Uint8Array(700));
  assertEquals([recent.bytes, recent.has(1), recent.has(2)], [1000, true, true]);
  recent.replace(2, new Uint8Array(2000));
  assertEquals([recent.bytes, recent.has(1), recent.has(2)], [2000, false, true], "always one of them");
});
