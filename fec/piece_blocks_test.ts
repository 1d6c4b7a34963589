import { blockPlan, symbolSizes } from "../codec/geometry.ts";
import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { blockData } from "./piece_blocks.ts";
import { makeParity, repair, symbolAt } from "./reed_solomon.ts";

/** Sealed chunks: a small last one, the usual one, and the largest, which has 7 blocks at 1200 bytes. */
const PIECES = [17, 1200, 65_552, 1_048_592];

Deno.test("blocks of a piece: parity of a copy repairs a piece, block by block", () => {
  for (const symbolSize of symbolSizes) {
    for (const length of PIECES) {
      const piece = new Uint8Array(length).map((_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
      const before = piece.slice();
      const plan = blockPlan(length, symbolSize);
      let symbols = 0;
      for (let block = 0; block < plan.blocks; block++) {
        const sent = blockData(before, plan, block, symbolSize);
        const parity = [new Uint8Array(symbolSize), new Uint8Array(symbolSize)];
        makeParity(sent, sent.count, parity);

        const got = blockData(piece, plan, block, symbolSize);
        assertEquals(got.count, sent.count);
        const missing = got.count === 1 ? [0] : [got.count - 1, 0];
        for (const index of missing) symbolAt(got, index).fill(0);
        repair(got, missing, new Map(parity.map((symbol, i) => [got.count + i, symbol])));
        symbols += got.count;
      }
      assertEquals(symbols, plan.symbols);
      assert(piece.every((byte, i) => byte === before[i]), `${length} bytes in symbols of ${symbolSize}`);
    }
  }
});

Deno.test("blocks of a piece: what does not belong together is refused", () => {
  const plan = blockPlan(3000, 1200);
  assertEquals(blockData(new Uint8Array(3000), plan, 0, 1200).count, 3);
  for (const block of [-1, 1, 0.5, NaN]) {
    assertThrows(() => blockData(new Uint8Array(3000), plan, block, 1200), RangeError, `no block ${block}`);
  }
  for (const [length, symbolSize] of [[2400, 1200], [3601, 1200], [3000, 4000]]) {
    assertThrows(
      () => blockData(new Uint8Array(length), plan, 0, symbolSize),
      RangeError,
      `${length} bytes`,
    );
  }
  assertThrows(() => blockData(new Uint8Array(0), blockPlan(0, 1200), 0, 1200), RangeError, "no block 0");
});
