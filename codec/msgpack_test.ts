import fc from "fast-check";
import { assertEquals } from "../tests/_assert.ts";
import { embedded } from "./_samples.ts";
import {
  decodeMessagePack,
  encodeMessagePack,
  messagePackArrayAt,
  messagePackArrayHead,
  messagePackEnd,
} from "./msgpack.ts";
import type { MessagePackValue } from "./msgpack.ts";

const bounds = { depthMax: 4, valuesMax: 1000, bytesMax: 100_000 };

/** Values as they come back: integers of more than 32 bits as bigint. */
const { value } = fc.letrec<{ value: MessagePackValue; array: MessagePackValue[] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    fc.bigInt({ min: 2n ** 32n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 31n) - 1n }),
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    tie("array"),
  ),
  array: fc.array(tie("value"), { maxLength: 20 }),
}));

Deno.test("msgpack: what is written is read, at any place of a buffer, and no other length is taken", () => {
  fc.assert(fc.property(value, (given) => {
    const bytes = encodeMessagePack(given);
    assertEquals(messagePackEnd(bytes, 0, bounds), bytes.length);
    assertEquals(decodeMessagePack(embedded(bytes), bounds), given);
    assertEquals(decodeMessagePack(bytes.subarray(0, -1), bounds), undefined);
    assertEquals(decodeMessagePack(Uint8Array.of(...bytes, 0), bounds), undefined);
  }));
});

Deno.test("msgpack: any bytes are a value or none: nothing is thrown, and nothing goes beyond the end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const end = messagePackEnd(bytes, 0, bounds);
      if (end === undefined) return assertEquals(decodeMessagePack(bytes, bounds), undefined);
      assertEquals(end > 0 && end <= bytes.length, true);
      decodeMessagePack(bytes.subarray(0, end), bounds);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("msgpack: integers have their shortest form, also where a number is larger than 32 bits", () => {
  const table: [number, string][] = [
    [0, "00"],
    [127, "7f"],
    [128, "cc80"],
    [65_536, "ce00010000"],
    [2 ** 32 - 1, "ceffffffff"],
    [2 ** 32, "cf0000000100000000"],
    [2 ** 53 - 1, "cf001fffffffffffff"],
    [-1, "ff"],
    [-33, "d0df"],
    [-(2 ** 31), "d280000000"],
    [-(2 ** 31) - 1, "d3ffffffff7fffffff"],
  ];
  for (const [number, hex] of table) assertEquals(encodeMessagePack(number).toHex(), hex);
});

Deno.test("msgpack: bounds hold at their value, and refuse one more", () => {
  const nested = (depth: number) => Uint8Array.of(...new Array<number>(depth).fill(0x91), 0);
  assertEquals(messagePackEnd(nested(4), 0, bounds), 5);
  assertEquals(messagePackEnd(nested(5), 0, bounds), undefined);
  const flat = (values: number) => encodeMessagePack(new Array<number>(values).fill(0));
  assertEquals(messagePackEnd(flat(999), 0, bounds), 999 + 3);
  assertEquals(messagePackEnd(flat(1000), 0, bounds), undefined);
  const text = encodeMessagePack("x".repeat(100_000 - 5));
  assertEquals(messagePackEnd(text, 0, bounds), 100_000);
  assertEquals(messagePackEnd(text, 0, { ...bounds, bytesMax: 99_999 }), undefined);
});

Deno.test("msgpack: what a length claims is not believed, and maps, floats and extensions are not taken", () => {
  const hexes = ["ddffffffff00", "dbffffffff41", "c6ffffffff", "dc", "d9", "cf00", "c1", "80", "de0000"];
  for (const hex of [...hexes, "cb3ff0000000000000", "ca3f800000", "d40000", "c70000", ""]) {
    assertEquals(messagePackEnd(Uint8Array.fromHex(hex), 0, bounds), undefined, hex);
  }
});

Deno.test("msgpack: what could be written shorter is not taken", () => {
  const long = ["cc7f", "cd00ff", "ce0000ffff", "cf00000000ffffffff", "d0e0", "d07f", "d1ff80", "d17fff"];
  const lengths = ["d900", `d91f${"61".repeat(31)}`, "da0001ff", "c50001ff", "dc0001c0", "dd00000001c0"];
  for (const hex of [...long, "d2ffff8000", "d3ffffffff80000000", "d37fffffffffffffff", ...lengths]) {
    assertEquals(messagePackEnd(Uint8Array.fromHex(hex), 0, bounds), undefined, hex);
  }
  const right = ["cc80", "cd0100", "ce00010000", "cf0000000100000000", "d0df", "d1ff7f", "d2ffff7fff"];
  for (const hex of [...right, "d3ffffffff7fffffff", "c400", `d920${"61".repeat(32)}`]) {
    assertEquals(messagePackEnd(Uint8Array.fromHex(hex), 0, bounds), hex.length / 2, hex);
  }
});

Deno.test("msgpack: the heads of arrays", () => {
  for (const count of [0, 1, 15, 16, 65_535, 65_536, 1_000_000, 2 ** 32 - 1]) {
    const head = messagePackArrayHead(count);
    assertEquals(messagePackArrayAt(head, 0), { count, end: head.length });
    assertEquals(messagePackArrayAt(head.subarray(0, -1), 0), undefined);
  }
  assertEquals(messagePackArrayAt(Uint8Array.of(0xa0), 0), undefined);
});
