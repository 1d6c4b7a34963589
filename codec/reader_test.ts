import fc from "fast-check";
import { assertEquals } from "../tests/_assert.ts";
import { embedded, ramp } from "./_samples.ts";
import { ByteReader } from "./reader.ts";

Deno.test("ByteReader: reads integers big-endian and bytes as they are, front to back", () => {
  const reader = new ByteReader(embedded(ramp(20, 1)));
  assertEquals(reader.u8(), 0x01);
  assertEquals(reader.u16(), 0x0203);
  assertEquals(reader.u32(), 0x04050607);
  assertEquals(reader.u64(), 2 ** 53); // 0x08090a0b0c0d0e0f
  assertEquals(reader.bytes(2), Uint8Array.of(16, 17));
  assertEquals(reader.remaining, 3);
  assertEquals(reader.rest(), Uint8Array.of(18, 19, 20));
  assertEquals(reader.rest(), new Uint8Array(0));
  assertEquals([reader.failed, reader.remaining], [false, 0]);
});

Deno.test("ByteReader: a read past the end gives zeros, and all after it too", () => {
  const reads: [string, (reader: ByteReader) => number][] = [
    ["u8", (reader) => reader.u8()],
    ["u16", (reader) => reader.u16()],
    ["u32", (reader) => reader.u32()],
    ["u64", (reader) => reader.u64()],
    ["bytes", (reader) => reader.bytes(8).length],
  ];
  const sizes = [1, 2, 4, 8, 8];
  reads.forEach(([name, read], i) => {
    const reader = new ByteReader(ramp(sizes[i] - 1, 1));
    assertEquals(read(reader), 0, name);
    assertEquals(reader.failed, true, name);
    // What would still have been there is not read either: a decoder that checks once must not see half a record.
    assertEquals(reader.bytes(0).length + reader.u8() + reader.rest().length, 0, name);
  });
});

Deno.test("ByteReader: starts at its place, and fails at once beyond the end", () => {
  assertEquals(new ByteReader(ramp(4), 3).u8(), 3);
  assertEquals(new ByteReader(ramp(4), 4).failed, false);
  const beyond = new ByteReader(ramp(4), 5);
  assertEquals(beyond.failed, true);
  assertEquals(beyond.rest().length, 0);
});

Deno.test("ByteReader: any sequence of lengths is served until the first that does not fit", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.nat(12)), (data, lengths) => {
    const reader = new ByteReader(embedded(data));
    let at = 0;
    let failed = false;
    for (const length of lengths) {
      failed ||= at + length > data.length;
      const expected = failed ? new Uint8Array(0) : data.slice(at, at + length);
      assertEquals(reader.bytes(length).slice(), expected);
      assertEquals(reader.failed, failed);
      if (!failed) at += length;
    }
  }));
});
