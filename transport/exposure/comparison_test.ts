import { assert, assertEquals, assertThrows } from "../../tests/_assert.ts";
import { Comparison } from "./comparison.ts";
import { bytesSource } from "./source.ts";

const facts = { chunkSize: 4096, totalSize: 5 * 4096 + 7 };

Deno.test("what is left is what differs; neighbours are one run, and the last one ends with the exposure", () => {
  const comparison = new Comparison(facts, bytesSource(new Uint8Array(facts.totalSize)));
  assertEquals([comparison.chunksDifferent, comparison.differences()], [0, []]);
  for (const chunk of [5, 1, 4]) assert(comparison.leave(chunk));
  assertEquals(comparison.chunksDifferent, 3);
  assertEquals(comparison.differences(), [{ from: 4096, to: 8192 }, { from: 16_384, to: 20_487 }]);
  assertThrows(() => comparison.write(0), Error);
});

Deno.test("a source that is too short, or that fails, has no candidate", () => {
  const short = new Comparison(facts, bytesSource(new Uint8Array(4100)));
  assertEquals([0, 1, 5].map((chunk) => short.read(chunk, new Uint8Array(4096))), [true, false, false]);
  const failing = new Comparison(facts, {
    ...bytesSource(new Uint8Array(facts.totalSize)),
    read() {
      throw new Error("the device failed");
    },
  });
  assert(!failing.read(0, new Uint8Array(4096)));
  assertEquals(failing.candidates().length, 1024);
});
