import { RgtpError } from "../core/mod.ts";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import { seededRandom } from "../tests/sim/random.ts";
import { slowRow, slowSum } from "./_slow_code.ts";
import { type DataSymbols, makeParity, repair, symbolAt } from "./reed_solomon.ts";

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

interface Shape {
  readonly count: number;
  readonly symbolSize: number;
  /** Bytes between symbols. */
  readonly gap?: number;
  /** By how much the last symbol is short. */
  readonly short?: number;
  /** Where in its memory the block starts. */
  readonly offset?: number;
}

/** A block of that shape, filled from `seed`. */
function blockOf({ count, symbolSize, gap = 0, short = 0, offset = 0 }: Shape, seed = 1): DataSymbols {
  const stride = symbolSize + gap;
  const length = (count - 1) * stride + symbolSize - short;
  const memory = seededRandom(seed).bytes(offset + length);
  return { bytes: memory.subarray(offset), count, symbolSize, stride };
}

const symbolsOf = (data: DataSymbols) => upTo(data.count).map((j) => symbolAt(data, j));

/** Parity symbols `first` and on, as one call makes them. */
function parityOf(data: DataSymbols, first: number, count: number): Uint8Array[] {
  const out = upTo(count).map(() => new Uint8Array(data.symbolSize));
  makeParity(data, first, out);
  return out;
}

/** Spoils `missing`, repairs them with `parity`, and checks that every byte is as before. */
function checkRepair(data: DataSymbols, missing: readonly number[], parity: Map<number, Uint8Array>): void {
  const before = data.bytes.slice();
  for (const index of missing) symbolAt(data, index).fill(0xa5);
  repair(data, missing, parity);
  if (data.bytes.some((byte, i) => byte !== before[i])) {
    throw new Error(`k = ${data.count}, size ${data.symbolSize}: ${missing} by ${[...parity.keys()]}`);
  }
}

Deno.test("parity: equals the twin's for all small shapes, gaps, short last symbols and unaligned starts", () => {
  for (const count of [1, 2, 3, 5]) {
    for (let symbolSize = 1; symbolSize <= 67; symbolSize++) {
      for (const gap of [0, 1, 24]) {
        const shape = { count, symbolSize, gap, short: gap % symbolSize, offset: symbolSize % 17 };
        const data = blockOf(shape, symbolSize);
        const parity = parityOf(data, count, 5);
        parity.forEach((symbol, i) => {
          const expected = slowSum(slowRow(count, count + i), symbolsOf(data), symbolSize);
          assertEquals(symbol, expected, JSON.stringify(shape));
        });
      }
    }
  }
});

Deno.test("repair: all erasure patterns of small blocks, by every set of parity", () => {
  for (let count = 1; count <= 6; count++) {
    const data = blockOf({ count, symbolSize: 19, short: 4 }, count);
    const made = parityOf(data, count, 6);
    for (let lost = 0; lost < 1 << count; lost++) {
      const missing = upTo(count).filter((j) => (lost >> j) & 1);
      for (let chosen = 0; chosen < 1 << 6; chosen++) {
        const parity = upTo(6).filter((i) => (chosen >> i) & 1);
        if (parity.length !== missing.length) continue;
        checkRepair(data, missing, new Map(parity.map((i) => [count + i, made[i]])));
      }
    }
  }
});

Deno.test("repair: too few parity symbols are an error that says how many", () => {
  const data = blockOf({ count: 10, symbolSize: 8 });
  const [one] = parityOf(data, 10, 1);
  const error = assertThrows(
    () => repair(data, [1, 2, 3], new Map([[10, one]])),
    RgtpError,
    "2 more are needed",
  );
  assertEquals(error.condition, "FEC_FAIL");
});
