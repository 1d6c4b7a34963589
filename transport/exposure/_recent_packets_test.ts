import { assertEquals, assertLessOrEqual, assertStrictEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { symbolSizes } from "../../codec/geometry.ts";
import { packetsKey, RecentPackets } from "./_recent_packets.ts";

Deno.test("recent packets: against a model, over random uses: bounded, the latest used are there, the count of bytes is right", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { integer, chance } = seededRandom(seed);
    const recent = new RecentPackets(1000);
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

Deno.test("recent packets: what takes the place of something frees it first, and nothing else for it", () => {
  const recent = new RecentPackets(1000);
  recent.add(1, new Uint8Array(300));
  recent.add(2, new Uint8Array(300));
  recent.replace(1, new Uint8Array(700));
  assertEquals([recent.bytes, recent.has(1), recent.has(2)], [1000, true, true]);
  recent.replace(2, new Uint8Array(2000));
  assertEquals([recent.bytes, recent.has(1), recent.has(2)], [2000, false, true], "always one of them");
});

Deno.test("recent packets: keys of pieces and symbol sizes are all different, up to the last leaf page", () => {
  const pieces = [0, 1, 2 ** 31 - 2, 2 ** 31, 2 ** 32 - 1];
  const keys = pieces.flatMap((piece) => symbolSizes.map((size) => packetsKey(piece, size)));
  assertEquals(new Set(keys).size, keys.length);
  for (const key of keys) assertEquals(Number.isSafeInteger(key * 16 + 15), true);
});
