import fc from "fast-check";
import { limits, RgtpError } from "../core/mod.ts";
import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { seededRandom } from "../tests/sim/random.ts";
import { slowDecode, slowRow, slowSum } from "./_slow_code.ts";
import { type DataSymbols, makeParity, repair, STRIDE_MAX, symbolAt } from "./reed_solomon.ts";

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

Deno.test("repair: any k symbols of any block give all data back", () => {
  const shape = fc.record({
    count: fc.integer({ min: 1, max: limits.blockSymbolsMax }),
    symbolSize: fc.integer({ min: 1, max: 90 }),
    gap: fc.integer({ min: 0, max: 40 }),
    offset: fc.integer({ min: 0, max: 40 }),
  });
  fc.assert(
    fc.property(shape, fc.nat(), fc.nat(), fc.nat(), (shape, short, lost, seed) => {
      const data = blockOf({ ...shape, short: short % shape.symbolSize }, seed);
      const random = seededRandom(seed, "losses");
      const pick = (from: number[], count: number) =>
        Array.from({ length: count }, () => from.splice(random.integer(from.length), 1)[0]);
      const missing = pick(upTo(data.count), Math.min(lost % (data.count + 1), 255 - data.count));
      const chosen = pick(upTo(255 - data.count), missing.length).map((i) => data.count + i);
      checkRepair(data, missing, new Map(chosen.map((index) => [index, parityOf(data, index, 1)[0]])));
    }),
    { numRuns: 400 },
  );
});

Deno.test("repair: equals the twin's decoder, which inverts the whole matrix", () => {
  for (const [count, missing] of [[7, [0, 6]], [30, [1, 2, 3, 28, 29]], [12, upTo(12)]] as const) {
    const data = blockOf({ count, symbolSize: 5 }, count);
    const parity = parityOf(data, 254 - missing.length + 1, missing.length);
    const have = new Map(parity.map((symbol, i) => [255 - missing.length + i, symbol]));
    for (const index of missing) symbolAt(data, index).fill(0);
    const symbols = new Map(
      [...have, ...symbolsOf(data).entries()].filter(([j]) => !missing.some((m) => m === j)),
    );
    const expected = slowDecode(count, symbols, 5);
    repair(data, missing, have);
    assertEquals(symbolsOf(data), expected);
  }
});

Deno.test("parity: each symbol is the same whichever others are made with it, and for the sizes of packets", () => {
  for (const symbolSize of [1200, 1428, 4000, 8928]) {
    const data = blockOf({ count: 20, symbolSize, gap: 24, short: 7 });
    const together = parityOf(data, 20, 11);
    together.forEach((symbol, i) => assertEquals(parityOf(data, 20 + i, 1), [symbol]));
    checkRepair(data, [3, 19, 4], new Map([[22, together[2]], [20, together[0]], [30, together[10]]]));
  }
});

Deno.test("parity and repair: what lies between symbols and around the block does not matter, and stays", () => {
  const [count, symbolSize, gap] = [5, 40, 24];
  const memory = seededRandom(3).bytes(1000);
  const data = {
    bytes: memory.subarray(100, 100 + 4 * 64 + 40),
    count,
    symbolSize,
    stride: symbolSize + gap,
  };
  const parity = parityOf(data, count, 2);
  const symbols = new Map(parity.map((symbol, i) => [count + i, symbol]));
  const before = memory.slice();
  for (const index of [1, 4]) symbolAt(data, index).fill(0);
  repair(data, [4, 1], symbols);
  assertEquals(memory, before);
  for (let j = 0; j < 4; j++) memory.fill(0xff, 100 + j * 64 + 40, 100 + j * 64 + 64);
  memory.fill(0xff, 0, 100).fill(0xff, 100 + data.bytes.length);
  assertEquals(parityOf(data, count, 2), parity);
});

Deno.test("repair: nothing missing is fine, and so is no parity asked for", () => {
  const data = blockOf({ count: 3, symbolSize: 10 });
  checkRepair(data, [], new Map());
  makeParity(data, 3, []);
});

Deno.test("parity and repair: memory may be shared", () => {
  const data = blockOf({ count: 9, symbolSize: 1200 });
  const bytes = new Uint8Array(new SharedArrayBuffer(data.bytes.length));
  bytes.set(data.bytes);
  const shared = { ...data, bytes };
  const parity = parityOf(shared, 9, 1);
  assertEquals(parity, parityOf(data, 9, 1));
  checkRepair(shared, [8], new Map([[9, parity[0]]]));
});

Deno.test("repair: too few parity symbols are an error that says how many", () => {
  const data = blockOf({ count: 10, symbolSize: 8 });
  const [one] = parityOf(data, 10, 1);
  const error = assertThrows(
    () => repair(data, [1, 2, 3], new Map([[10, one]])),
    RgtpError,
    "2 more are needed",
  );
  assertEquals([error.condition, error.data], ["FEC_FAIL", { missing: 3, parity: 1 }]);
});

Deno.test("limits: the largest block, symbol, distance and index are taken, and one more is not", () => {
  const largest = blockOf({ count: limits.blockSymbolsMax, symbolSize: 2, gap: STRIDE_MAX - 2 });
  const data = blockOf({ count: 2, symbolSize: STRIDE_MAX });
  const small = blockOf({ count: 2, symbolSize: 4 });
  const out = (size: number) => [new Uint8Array(size)];
  makeParity(largest, 254, out(2));
  makeParity(data, 254, out(STRIDE_MAX));
  makeParity(small, 2, out(4));
  const refused: [DataSymbols, number, Uint8Array[], string][] = [
    [{ ...largest, count: 129 }, 254, out(2), "1 to 128 data symbols, not 129"],
    [{ ...largest, stride: STRIDE_MAX + 1 }, 254, out(2), `not ${STRIDE_MAX + 1}`],
    [
      { ...data, symbolSize: STRIDE_MAX + 1, stride: STRIDE_MAX + 1 },
      254,
      out(STRIDE_MAX + 1),
      "1 to 8952 bytes",
    ],
    [small, 255, out(4), "2 to 254, not 255"],
    [small, 254, [...out(4), ...out(4)], "2 to 254, not 255"],
    [small, 1, out(4), "2 to 254, not 1"],
    [small, 2, out(5), "4 bytes here, not 5"],
    [{ ...small, bytes: new Uint8Array(9) }, 2, out(4), "take 5 to 8 bytes, not 9"],
    [{ ...small, bytes: new Uint8Array(4) }, 2, out(4), "take 5 to 8 bytes, not 4"],
    [{ ...small, stride: 3 }, 2, out(4), "4 to 8952 bytes apart, not 3"],
  ];
  for (const [block, first, symbols, message] of refused) {
    assertThrows(() => makeParity(block, first, symbols), RangeError, message);
  }
});

/** Numbers at which counts and indexes go wrong. */
const BORDERS = [
  -1,
  0,
  1,
  2,
  3,
  7,
  8,
  127,
  128,
  129,
  254,
  255,
  256,
  8952,
  8953,
  65_536,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1.5,
  NaN,
  Infinity,
];

Deno.test("fuzz: repair turns away what does not fit with a declared error, and then changes nothing", () => {
  const random = seededRandom(11);
  const outcomes = { repaired: 0, refused: 0, tooFew: 0 };
  const border = () => BORDERS[random.integer(BORDERS.length)];
  for (let round = 0; round < 20_000; round++) {
    const block = blockOf({
      count: 1 + random.integer(8),
      symbolSize: 1 + random.integer(9),
      gap: random.integer(3),
    });
    const { count, symbolSize } = block;
    const before = block.bytes.slice();
    const missing = upTo(count).filter(() => random.chance(0.3));
    const parity = new Map(parityOf(block, count, 8).map((symbol, i) => [count + i, symbol]));
    for (const index of parity.keys()) if (random.chance(0.4)) parity.delete(index);
    const mutations: (() => DataSymbols | void)[] = [
      () => {},
      () => ({ ...block, count: border() }),
      () => ({ ...block, symbolSize: border() }),
      () => ({ ...block, stride: border() }),
      () => ({ ...block, bytes: block.bytes.subarray(random.integer(block.bytes.length + 1)) }),
      () => void missing.push(border()),
      () => void (missing.length > 0 && missing.push(missing[0])),
      () => void parity.set(border(), new Uint8Array(symbolSize)),
      () => void parity.set(count, new Uint8Array(random.integer(2 * symbolSize))),
      () => void parity.clear(),
    ];
    const data = mutations[random.integer(mutations.length)]() ?? block;
    try {
      repair(data, missing, new Map([...parity].reverse()));
      outcomes.repaired++;
    } catch (error) {
      assertEquals(block.bytes, before);
      if (error instanceof RgtpError && error.condition === "FEC_FAIL") outcomes.tooFew++;
      else if (error instanceof RangeError) outcomes.refused++;
      else throw error;
    }
  }
  for (const [name, times] of Object.entries(outcomes)) assert(times > 1000, `${name}: ${times}`);
});
