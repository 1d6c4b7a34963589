import fc from "fast-check";
import suite from "msgpack-test-suite" with { type: "json" };
import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { embedded } from "./_samples.ts";
import { decodePacked, encodePacked, packedEnd } from "./msgpack_map.ts";
import type { PackedMap, PackedValue } from "./msgpack_map.ts";

const bounds = { depthMax: 4, valuesMax: 1000, bytesMax: 100_000 };
const wide = { depthMax: 32, valuesMax: 100_000, bytesMax: 1 << 24 };

const { value } = fc.letrec<{ value: PackedValue; list: PackedValue[]; map: PackedMap }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).filter((number) => !Object.is(number, -0)),
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    tie("list"),
    tie("map"),
  ),
  list: fc.array(tie("value"), { maxLength: 20 }),
  map: fc.dictionary(fc.string({ maxLength: 8 }).filter((key) => key !== "__proto__"), tie("value"), {
    maxKeys: 20,
    noNullPrototype: true,
  }),
}));

Deno.test("msgpack maps: what is written is read, at any place of a buffer, and no other length is taken", () => {
  fc.assert(fc.property(value, (given) => {
    const bytes = encodePacked(given);
    assertEquals(packedEnd(bytes, wide), bytes.length);
    assertEquals(decodePacked(embedded(bytes), wide), given);
    assertEquals(decodePacked(bytes.subarray(0, -1), wide), undefined);
    assertEquals(decodePacked(Uint8Array.of(...bytes, 0), wide), undefined);
  }));
});

/** A case of the suite (https://github.com/kawanet/msgpack-test-suite): a value, and all ways to write it. */
type Case = Readonly<Record<string, unknown>> & { readonly msgpack: readonly string[] };

const groups = suite as Readonly<Record<string, readonly Case[]>>;
const kinds = ["nil", "bool", "binary", "bignum", "number", "string", "array", "map"] as const;

function expectedOf(kind: (typeof kinds)[number], value: unknown): PackedValue {
  if (kind === "binary") return Uint8Array.fromHex(String(value).replaceAll("-", ""));
  // Those that a number here cannot hold exactly come as what is next to them.
  return kind === "bignum" ? Number(value) : value as PackedValue;
}

for (const [group, cases] of Object.entries(groups)) {
  const isRefused = /timestamp|ext/.test(group);
  Deno.test(`msgpack maps: conformance, ${group}: ${isRefused ? "extensions are refused" : "all spellings are read"}`, () => {
    assert(cases.length > 0);
    for (const one of cases) {
      const kind = kinds.find((kind) => kind in one);
      const spellings = one.msgpack.map((hex) => Uint8Array.fromHex(hex.replaceAll("-", "")));
      if (isRefused) {
        for (const bytes of spellings) assertEquals(decodePacked(bytes, wide), undefined);
        continue;
      }
      assert(kind, JSON.stringify(one));
      const expected = expectedOf(kind, one[kind]);
      for (const bytes of spellings) {
        assertEquals(decodePacked(bytes, wide), expected, bytes.toHex());
      }
      if (kind === "bignum" && !Number.isSafeInteger(expected)) continue;
      // The suite has a value's usual spelling first; another correct one would be in the list.
      const own = encodePacked(expected).toHex();
      assert(spellings.some((bytes) => bytes.toHex() === own), `${own} is none of ${one.msgpack}`);
    }
  });
}

Deno.test("msgpack maps: any bytes are a value or none: nothing is thrown, and nothing goes beyond the end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const end = packedEnd(bytes, bounds);
      if (end === undefined) return assertEquals(decodePacked(bytes, bounds), undefined);
      assert(end > 0 && end <= bytes.length);
      decodePacked(bytes.subarray(0, end), bounds);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("msgpack maps: bounds hold at their value, and refuse one more", () => {
  const nested = (depth: number) => Uint8Array.of(...new Array<number>(depth).fill(0x91), 0);
  assertEquals(packedEnd(nested(4), bounds), 5);
  assertEquals(packedEnd(nested(5), bounds), undefined);
  const maps = (depth: number) => Uint8Array.of(...new Array(depth).fill([0x81, 0xa0]).flat(), 0);
  assertEquals(packedEnd(maps(4), bounds), 9);
  assertEquals(packedEnd(maps(5), bounds), undefined);
  const flat = (values: number) => encodePacked(new Array<number>(values).fill(0));
  assertEquals(packedEnd(flat(999), bounds), 999 + 3);
  assertEquals(packedEnd(flat(1000), bounds), undefined);
  const text = encodePacked("x".repeat(100_000 - 5));
  assertEquals(packedEnd(text, bounds), 100_000);
  assertEquals(packedEnd(text, { ...bounds, bytesMax: 99_999 }), undefined);
});

Deno.test("msgpack maps: bombs are refused before anything is decoded", () => {
  const bombs = [
    "ddffffffff00", // 2^32 - 1 values, of which one is there
    "dfffffffff00", // as many entries
    "dbffffffff41",
    "c6ffffffff",
    "91".repeat(5000) + "00", // deep
    "81a0".repeat(5000) + "00",
    "dd" + "000f4240" + "90".repeat(1_000_000), // a million empty lists
    "c1", // never used
    "c9ffffffff01", // an extension of 4 GiB
  ];
  for (const hex of bombs) {
    assertEquals(decodePacked(Uint8Array.fromHex(hex), wide), undefined, hex.slice(0, 20));
  }
});

Deno.test("msgpack maps: keys that are no texts, and such as would change an object's kind, are refused", () => {
  for (const hex of ["810101", "81c0c0", "819001", "81cb3ff000000000000001"]) {
    assertEquals(decodePacked(Uint8Array.fromHex(hex), bounds), undefined, hex);
  }
  const proto = encodePacked(JSON.parse('{"__proto__": {"admin": true}}'));
  assertEquals(decodePacked(proto, bounds), undefined);
});

Deno.test("msgpack maps: room is left in front, and undefined fields are left out", () => {
  const bytes = encodePacked({ a: 1, b: undefined }, 12);
  assertEquals(bytes.toHex(), "00".repeat(12) + "81a16101");
});

Deno.test("msgpack maps: what cannot be written is an error of its caller", () => {
  let deep: PackedValue = 0;
  for (let i = 0; i < 70; i++) deep = [deep];
  assertThrows(() => encodePacked(deep), RangeError);
  assertThrows(() => encodePacked(Symbol() as unknown as PackedValue), RangeError);
});
