import { assertEquals, assertStrictEquals, assertThrows } from "../../tests/_assert.ts";
import { type Datagrams, segmentAt, segmentCount, segments } from "./link.ts";

function datagrams(length: number, segmentSize: number): Datagrams {
  const bytes = Uint8Array.from({ length }, (_, i) => i);
  return { peer: { host: "127.0.0.1", port: 9 }, bytes, segmentSize };
}

Deno.test("segments: sizes for every shape up to 12 bytes", () => {
  for (let length = 1; length <= 12; length++) {
    for (let size = 1; size <= 13; size++) {
      const batch = datagrams(length, size);
      const parts = [...segments(batch)];
      assertEquals(parts.length, segmentCount(batch));
      assertEquals(parts.flatMap((part) => [...part]), [...batch.bytes]);
      for (const part of parts.slice(0, -1)) assertEquals(part.length, size);
    }
  }
});

Deno.test("segments: no bytes is one empty datagram", () => {
  assertEquals(segmentCount(datagrams(0, 0)), 1);
  assertEquals([...segments(datagrams(0, 1452))].map((part) => part.length), [0]);
});

Deno.test("segments: a lone datagram is not copied and not wrapped", () => {
  const lone = datagrams(5, 5);
  assertStrictEquals(segmentAt(lone, 0), lone.bytes);
});

Deno.test("segments: a size that does not fit is the caller's mistake", () => {
  for (const size of [0, -1, 1.5, NaN]) {
    assertThrows(() => segmentCount(datagrams(3, size)), RangeError, "segmentSize");
  }
});
