import { limits } from "../core/limits.ts";
import { assertEquals, fail } from "../tests/_assert.ts";
import {
  blockOf,
  blockPlan,
  blockStart,
  blockSymbols,
  fittingSymbolSize,
  symbolNumber,
  symbolSizes,
} from "./geometry.ts";

/** RFC 5052 §9.1.1, word by word: the number of symbols of each block. L = transfer length, E = symbol length, B = the most per block. */
function slowBlocks(L: number, E: number, B: number): number[] {
  const T = Math.ceil(L / E);
  if (T === 0) return [];
  const N = Math.ceil(T / B);
  const aLarge = Math.ceil(T / N);
  const aSmall = Math.floor(T / N);
  const I = T - aSmall * N;
  return Array.from({ length: N }, (_, block) => block < I ? aLarge : aSmall);
}

/** Compares one piece with the slow twin, symbol by symbol. No assertion objects: this runs a million times. */
function checkPiece(bytes: number, symbolSize: number): void {
  const plan = blockPlan(bytes, symbolSize);
  const slow = slowBlocks(bytes, symbolSize, limits.blockSymbolsMax);
  const where = `${bytes} bytes in symbols of ${symbolSize}`;
  if (plan.blocks !== slow.length) fail(`${where}: ${plan.blocks} blocks, not ${slow.length}`);
  let number = 0;
  slow.forEach((size, block) => {
    if (size < 1 || size > limits.blockSymbolsMax || size < slow[0] - 1) fail(`${where}: the twin is wrong`);
    if (blockSymbols(plan, block) !== size) fail(`${where}: block ${block} has not ${size} symbols`);
    if (blockStart(plan, block) !== number) fail(`${where}: block ${block} does not start at ${number}`);
    for (let index = 0; index < size; index++, number++) {
      if (symbolNumber(plan, block, index) !== number) {
        fail(`${where}: (${block}, ${index}) is not ${number}`);
      }
      if (blockOf(plan, number) !== block) fail(`${where}: symbol ${number} is not in block ${block}`);
    }
    for (const index of [size, size + 1, 255]) {
      if (index >= size && symbolNumber(plan, block, index) !== -1) {
        fail(`${where}: (${block}, ${index}) exists`);
      }
    }
  });
  if (number !== plan.symbols) fail(`${where}: ${plan.symbols} symbols, not ${number}`);
  // Every byte has a symbol, and no symbol is empty.
  if (number * symbolSize < bytes || (number - 1) * symbolSize >= Math.max(bytes, 1)) {
    fail(`${where}: bytes left over`);
  }
  for (const beyond of [number, number + 1, 65535]) {
    if (blockOf(plan, beyond) !== -1) fail(`${where}: symbol ${beyond} is in a block`);
  }
  for (const beyond of [plan.blocks, plan.blocks + 1, 255]) {
    if (symbolNumber(plan, beyond, 0) !== -1) fail(`${where}: block ${beyond} exists`);
  }
}

Deno.test("block plan: equals RFC 5052 §9.1 for every small piece, each symbol in exactly one place", () => {
  for (const symbolSize of [1, 2, 3, 7]) {
    for (let bytes = 0; bytes <= 1100; bytes++) checkPiece(bytes, symbolSize);
  }
});

Deno.test("block plan: equals RFC 5052 §9.1 for every size of a small last chunk", () => {
  for (const symbolSize of symbolSizes) {
    for (let bytes = 0; bytes <= 3 * symbolSize; bytes++) checkPiece(bytes, symbolSize);
  }
});

Deno.test("block plan: equals RFC 5052 §9.1 for every sealed chunk size and symbol size, and around each block's border", () => {
  for (const symbolSize of symbolSizes) {
    for (let chunk = limits.chunkBytesMin; chunk <= limits.chunkBytesMax; chunk *= 2) {
      for (const bytes of [chunk - 1, chunk, chunk + 15, chunk + 16]) checkPiece(bytes, symbolSize);
    }
    for (let blocks = 1; blocks <= 7; blocks++) {
      const border = blocks * limits.blockSymbolsMax * symbolSize;
      for (const bytes of [border - 1, border, border + 1]) checkPiece(bytes, symbolSize);
    }
  }
});

Deno.test("block plan: known figures", () => {
  const table: [number, number, number, number, number, number][] = [
    // bytes, symbol size, symbols, blocks, large, symbols of a large block
    [0, 1200, 0, 0, 0, 0],
    [1, 1200, 1, 1, 1, 1],
    [65_536 + 16, 1200, 55, 1, 1, 55],
    [65_536 + 16, 1428, 46, 1, 1, 46],
    [262_144 + 16, 1200, 219, 2, 1, 110],
    [1_048_576 + 16, 1200, 874, 7, 6, 125],
    [1_048_576 + 16, 1428, 735, 6, 3, 123],
    [1_048_576 + 16, 8928, 118, 1, 1, 118],
  ];
  for (const [bytes, symbolSize, symbols, blocks, large, largeSymbols] of table) {
    assertEquals(blockPlan(bytes, symbolSize), { symbols, blocks, large, largeSymbols });
  }
});

Deno.test("block plan: no piece of any exposure has more blocks than a byte can number", () => {
  for (const symbolSize of symbolSizes) {
    const { blocks } = blockPlan(limits.chunkBytesMax + 16, symbolSize);
    if (blocks > 256) fail(`${blocks} blocks at ${symbolSize}`);
  }
});

Deno.test("fittingSymbolSize: the largest whose packet goes in one piece", () => {
  const table: [number, number | undefined][] = [
    [0, undefined],
    [1223, undefined],
    [1224, 1200],
    [1451, 1200],
    [1452, 1428],
    [4023, 1428],
    [4024, 4000],
    [8951, 4000],
    [8952, 8928],
    [65535, 8928],
  ];
  for (const [packetBytes, size] of table) assertEquals(fittingSymbolSize(packetBytes), size);
});
