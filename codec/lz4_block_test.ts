import fc from "fast-check";
// @ts-types="./_lz4js.d.ts"
import lz4js from "lz4js";
import { concatBytes, utf8 } from "../core/bytes.ts";
import { assert, assertEquals } from "../tests/_assert.ts";
import { embedded } from "./_samples.ts";
import { compressLz4Block, decompressLz4Block, lz4ContentBytesMax } from "./lz4_block.ts";

/** Content of which some compresses and some does not: pieces that come again, near and far. */
const content = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.tuple(fc.nat(255), fc.nat(600)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
    fc.constantFrom("heartbeat", "cpu_percent", "node-1").map(utf8),
  ),
  { maxLength: 60 },
).map((parts) => concatBytes(...parts));

function compressed(bytes: Uint8Array): Uint8Array {
  const block = compressLz4Block(bytes, bytes.length + 1000);
  assert(block);
  return block;
}

Deno.test("lz4: what is compressed comes back, here and in another implementation", () => {
  fc.assert(fc.property(content, (bytes) => {
    const block = compressed(embedded(bytes));
    assertEquals(decompressLz4Block(embedded(block), bytes.length), bytes);
    const out = new Uint8Array(bytes.length);
    assertEquals(lz4js.decompressBlock(block, out, 0, block.length, 0), bytes.length);
    assertEquals(out, bytes);
  }));
});

Deno.test("lz4: reads what another implementation has made", () => {
  fc.assert(fc.property(content, (bytes) => {
    const out = new Uint8Array(lz4js.compressBound(bytes.length));
    const length = lz4js.compressBlock(bytes, out, 0, bytes.length, new Uint32Array(65_536));
    // It gives nothing for what it cannot make smaller.
    if (length > 0) assertEquals(decompressLz4Block(out.subarray(0, length), bytes.length), bytes);
  }));
});

Deno.test("lz4: blocks made by hand from the description of the format", () => {
  const table: [string, number, string | undefined][] = [
    // A block without content is one token.
    ["00", 0, ""],
    ["50" + "68656c6c6f", 5, "68656c6c6f"],
    // One literal, a match of 4 that reaches into itself, then five literals.
    ["10" + "61" + "0100" + "50" + "6262626262", 10, "61616161616262626262"],
    // A length of more than 15: 15 and 5 more.
    ["f0" + "05" + "61".repeat(20), 20, "61".repeat(20)],
    ["", 0, undefined],
    // A distance of nothing, and one to before the beginning.
    ["10" + "61" + "0000" + "50" + "6262626262", 10, undefined],
    ["10" + "61" + "0200" + "50" + "6262626262", 10, undefined],
    // It ends with a match.
    ["10" + "61" + "0100", 5, undefined],
    // A length that is cut off, and literals that are.
    ["f0" + "ff", 300, undefined],
    ["50" + "6868", 5, undefined],
    // More or less than was said.
    ["50" + "68656c6c6f", 4, undefined],
    ["50" + "68656c6c6f", 6, undefined],
  ];
  for (const [block, length, expected] of table) {
    assertEquals(decompressLz4Block(Uint8Array.fromHex(block), length)?.toHex(), expected, block);
  }
});

Deno.test("lz4: any bytes are a block or none, of the length that was asked for", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(3000), (block, length) => {
      const bytes = decompressLz4Block(block, length);
      assert(bytes === undefined || bytes.length === length);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("lz4: a bomb is refused before anything is allocated", () => {
  const bomb = concatBytes(Uint8Array.of(0x1f, 0x61, 1, 0), new Uint8Array(1000).fill(255));
  assertEquals(decompressLz4Block(bomb, lz4ContentBytesMax(bomb.length) + 1), undefined);
  assertEquals(decompressLz4Block(Uint8Array.of(0xf0), 2 ** 31), undefined);
});

Deno.test("lz4: a block that would be larger than the bound is given up", () => {
  const bytes = concatBytes(new Uint8Array(300), Uint8Array.from({ length: 100 }, (_, i) => i * 7));
  const block = compressed(bytes);
  assertEquals(compressLz4Block(bytes, block.length), block);
  assertEquals(compressLz4Block(bytes, block.length - 1), undefined);
  assertEquals(compressLz4Block(bytes, 0), undefined);
  assertEquals(compressLz4Block(bytes, -5), undefined);
});

Deno.test("lz4: matches end where the format demands: 5 literals last, and none begins in the last 12 bytes", () => {
  for (let length = 1; length < 60; length++) {
    const block = compressed(new Uint8Array(length));
    const lastLiterals = block.length === length + 1 + (length >= 15 ? 1 : 0) ? length : block.at(-6)! >> 4;
    assert(lastLiterals >= Math.min(5, length), `${length}`);
    if (length < 13) assertEquals(block.length, length + 1, "too short for a match");
  }
});
