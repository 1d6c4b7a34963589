import fc from "fast-check";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import { anyBytes, anyUnsigned, embedded, ramp } from "./_samples.ts";
import { bytes, layout, u16, u32, u64, u8 } from "./layout.ts";

interface Sample {
  readonly one: number;
  readonly two: number;
  readonly four: number;
  readonly eight: number;
  readonly raw: Uint8Array;
}
const sample = layout<Sample>({ one: u8, two: u16, four: u32, eight: u64, raw: bytes(3) });

Deno.test("layout: fields stand after each other in the order of the table", () => {
  assertEquals(sample.size, 18);
  assertEquals(sample.fields, [
    { name: "one", offset: 0, size: 1, type: "u8" },
    { name: "two", offset: 1, size: 2, type: "u16" },
    { name: "four", offset: 3, size: 4, type: "u32" },
    { name: "eight", offset: 7, size: 8, type: "u64" },
    { name: "raw", offset: 15, size: 3, type: "3 bytes" },
  ]);
});

Deno.test("layout: integers are big-endian", () => {
  const encoded = new Uint8Array(18);
  sample.write(encoded, 0, {
    one: 1,
    two: 0x0203,
    four: 0x04050607,
    eight: 0x08090a0b0c0d0e,
    raw: ramp(3, 15),
  });
  assertEquals(encoded.toHex(), "01" + "0203" + "04050607" + "0008090a0b0c0d0e" + "0f1011");
});

Deno.test("layout: what is written is read, at any place of any buffer", () => {
  const record = fc.record({
    one: anyUnsigned(8),
    two: anyUnsigned(16),
    four: anyUnsigned(32),
    eight: fc.maxSafeNat(),
    raw: anyBytes(3),
  });
  fc.assert(fc.property(record, fc.integer({ min: 0, max: 5 }), (value, at) => {
    const encoded = embedded(new Uint8Array(sample.size + 5));
    sample.write(encoded, at, value);
    assertEquals(sample.read(encoded, at), value);
  }));
});

Deno.test("layout: each field takes its least and greatest value, and nothing beyond", () => {
  const borders: [keyof Omit<Sample, "raw">, number][] = [
    ["one", 2 ** 8 - 1],
    ["two", 2 ** 16 - 1],
    ["four", 2 ** 32 - 1],
    ["eight", Number.MAX_SAFE_INTEGER],
  ];
  const zeros: Sample = { one: 0, two: 0, four: 0, eight: 0, raw: new Uint8Array(3) };
  for (const [name, most] of borders) {
    for (const value of [0, 1, most - 1, most]) {
      const encoded = new Uint8Array(18);
      sample.write(encoded, 0, { ...zeros, [name]: value });
      assertEquals(sample.read(encoded), { ...zeros, [name]: value });
    }
    for (const value of [-1, most + 1, 0.5, NaN, Infinity]) {
      assertThrows(() => sample.write(new Uint8Array(18), 0, { ...zeros, [name]: value }), RangeError);
    }
  }
  for (const length of [0, 2, 4]) {
    const raw = new Uint8Array(length);
    assertThrows(() => sample.write(new Uint8Array(18), 0, { ...zeros, raw }), RangeError, "a field of 3");
  }
});

Deno.test("layout: a u64 above 2^53 reads as 2^53, which no legal size reaches", () => {
  const eight = layout<{ value: number }>({ value: u64 });
  const table: [string, number][] = [
    ["001fffffffffffff", 2 ** 53 - 1],
    ["0020000000000000", 2 ** 53],
    ["0020000000000001", 2 ** 53],
    ["8000000000000000", 2 ** 53],
    ["ffffffffffffffff", 2 ** 53],
  ];
  for (const [hex, value] of table) assertEquals(eight.read(Uint8Array.fromHex(hex)), { value });
});

Deno.test("layout: a record that is not all there is not read", () => {
  for (let length = 0; length < sample.size; length++) {
    assertEquals(sample.read(embedded(new Uint8Array(length))), undefined);
    assertEquals(sample.read(new Uint8Array(length + 4), 4), undefined);
  }
});

Deno.test("layout: a record is not written over the end of a subarray", () => {
  const three = layout<{ raw: Uint8Array }>({ raw: bytes(3) });
  const buffer = new Uint8Array(8);
  assertThrows(() => three.write(buffer.subarray(0, 4), 2, { raw: ramp(3, 1) }), RangeError, "does not fit");
  assertEquals(buffer, new Uint8Array(8));
});

Deno.test("layout: bytes that were read are a copy", () => {
  const three = layout<{ raw: Uint8Array }>({ raw: bytes(3) });
  const encoded = ramp(3, 1);
  const value = three.read(encoded);
  encoded.fill(0);
  assertEquals(value, { raw: ramp(3, 1) });
});
