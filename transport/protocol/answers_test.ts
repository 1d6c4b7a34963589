import { assert, assertEquals } from "../../tests/_assert.ts";
import { simExposure } from "../../tests/sim/exposure.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { blockPlan, blockStart, blockSymbols, symbolSizes } from "../../codec/geometry.ts";
import {
  CHUNK_HEADER_BYTES,
  chunkDataBlock,
  chunkDataIndex,
  chunkDataPiece,
  PAGE_BIT,
} from "../../codec/packet.ts";
import type { RequestEntry } from "../../codec/pull_request.ts";
import { BLOCK_INDEXES, blockData, makeParity } from "../../fec/mod.ts";
import { packetsFor } from "../answer_train.ts";
import { pieceBytes } from "../exposure/pieces.ts";
import { answersOf, bitmapEntries, symbolsBytes } from "./answers.ts";
import type { Answer } from "./live_token.ts";

const { manifest, sealed } = await simExposure(1, 2_500_000, { chunkSize: 1_048_576 });
const { store } = sealed;
/** Two chunks of several blocks, a shorter one, and the page of their leaves. */
const pieces = [0, 1, 2, PAGE_BIT];

function entry(piece: number, first: number, count: number, parityFirst = 0, parityCount = 0): RequestEntry {
  return { piece, first, count, parityFirst, parityCount };
}

/** All packets that answers stand for, each alone. */
function packetsOf(answers: readonly Answer[], symbolSize: number): Uint8Array[] {
  const stride = CHUNK_HEADER_BYTES + symbolSize;
  return answers.flatMap((answer) => {
    const packets = packetsFor(store, manifest, answer)!;
    assertEquals(packets.length, answer.bytes, "what is charged is what goes out");
    return Array.from(
      { length: Math.ceil(packets.length / stride) },
      (_, i) => packets.subarray(i * stride, (i + 1) * stride),
    );
  });
}

Deno.test("answers: the symbols that were asked for, data and parity, byte by byte as the code makes them", () => {
  const { integer } = seededRandom(1);
  for (const symbolSize of symbolSizes) {
    for (const piece of pieces) {
      const bytes = pieceBytes(manifest, piece)!;
      const whole = store.piece(piece)!;
      const plan = blockPlan(bytes, symbolSize);
      for (let block = 0; block < plan.blocks; block++) {
        const [start, k] = [blockStart(plan, block), blockSymbols(plan, block)];
        const first = start + integer(k);
        const count = integer(start + k - first + 1);
        const parityFirst = integer(Math.min(200, BLOCK_INDEXES - k));
        const parityCount = 1 + integer(Math.min(k, BLOCK_INDEXES - k - parityFirst));
        const answers = answersOf(
          manifest,
          [entry(piece, first, count, parityFirst, parityCount)],
          symbolSize,
          9,
        )!;
        const packets = packetsOf(answers, symbolSize);
        assertEquals(packets.length, count + parityCount);
        const expected = Array.from({ length: parityCount }, () => new Uint8Array(symbolSize));
        makeParity(blockData(whole, plan, block, symbolSize), k + parityFirst, expected);
        for (const [i, packet] of packets.entries()) {
          const isData = i < count;
          const symbol = packet.subarray(CHUNK_HEADER_BYTES);
          assertEquals([chunkDataPiece(packet), chunkDataBlock(packet)], [piece, block]);
          assertEquals(chunkDataIndex(packet), isData ? first - start + i : k + parityFirst + i - count);
          const at = (first + i) * symbolSize;
          const right = isData ? whole.subarray(at, at + symbolSize) : expected[i - count];
          assertEquals(symbol.toHex(), right.toHex());
        }
      }
    }
  }
});

Deno.test("answers: an entry may name parity alone, and goes by the block of its first symbol", () => {
  const bytes = pieceBytes(manifest, 0)!;
  const plan = blockPlan(bytes, 1428);
  assert(plan.blocks > 2);
  for (let symbol = 0; symbol < plan.symbols; symbol++) {
    const [answer, ...more] = answersOf(manifest, [entry(0, symbol, 0, 3, 2)], 1428, 1)!;
    assertEquals([more, answer.first, answer.count], [[], 3, 2]);
    const block = answer.parityOf!;
    assert(symbol >= blockStart(plan, block) && symbol < blockStart(plan, block) + blockSymbols(plan, block));
  }
});

Deno.test("answers: no more goes out at once than one segmented send; all of it is of the request that asked", () => {
  const plan = blockPlan(pieceBytes(manifest, 0)!, 1428);
  const k = blockSymbols(plan, 0);
  const answers = answersOf(manifest, [entry(0, 0, plan.symbols, 0, k)], 1428, 77)!;
  for (const { count, request, symbolSize, bytes } of answers) {
    assert(count >= 1 && count <= 64 && bytes <= 70_000);
    assertEquals([request, symbolSize], [77, 1428]);
  }
  const sum = (isParity: boolean) =>
    answers.filter(({ parityOf }) => (parityOf !== undefined) === isParity).reduce(
      (all, { count }) => all + count,
      0,
    );
  assertEquals([sum(false), sum(true)], [plan.symbols, k]);
});

Deno.test("answers: what is not there is refused, and all that was asked for with it: one more than each bound", () => {
  const plan = blockPlan(pieceBytes(manifest, 0)!, 1428);
  const last = plan.blocks - 1;
  const [k, kLast] = [blockSymbols(plan, 0), blockSymbols(plan, last)];
  const page = blockPlan(pieceBytes(manifest, PAGE_BIT)!, 1428);
  assertEquals(page.symbols, 1);
  const cases: [RequestEntry, RequestEntry | undefined][] = [
    // Refused, and the nearest that is not.
    [entry(3, 0, 1), entry(2, 0, 1)],
    [entry(PAGE_BIT + 1, 0, 1), entry(PAGE_BIT, 0, 1)],
    [entry(0, plan.symbols, 1), entry(0, plan.symbols - 1, 1)],
    [entry(0, 0, plan.symbols + 1), entry(0, 0, plan.symbols)],
    [entry(0, plan.symbols, 0, 0, 1), entry(0, plan.symbols - 1, 0, 0, 1)],
    [entry(0, 0, 0, 0, k + 1), entry(0, 0, 0, 0, k)],
    [entry(0, plan.symbols - 1, 0, 0, kLast + 1), entry(0, plan.symbols - 1, 0, 0, kLast)],
    [entry(0, 0, 0, BLOCK_INDEXES - k, 1), entry(0, 0, 0, BLOCK_INDEXES - k - 1, 1)],
    [entry(0, 0, 0, BLOCK_INDEXES - 2 * k + 1, k), entry(0, 0, 0, BLOCK_INDEXES - 2 * k, k)],
    [entry(0, 0, 0, 255, 255), undefined],
    [entry(PAGE_BIT, 0, 1, 0, 2), entry(PAGE_BIT, 0, 1, 253, 1)],
    [entry(PAGE_BIT, 0, 1, 254, 1), entry(PAGE_BIT, 0, 1, 0, 1)],
  ];
  for (const [beyond, within] of cases) {
    assertEquals(answersOf(manifest, [beyond], 1428, 1), undefined, JSON.stringify(beyond));
    assertEquals(answersOf(manifest, [entry(0, 0, 1), beyond], 1428, 1), undefined);
    if (!within) continue;
    for (const packets of packetsOf(answersOf(manifest, [within], 1428, 1)!, 1428)) {
      assert(packets.length > CHUNK_HEADER_BYTES);
    }
  }
});

Deno.test("answers: parity of one block may be asked for in several entries, but none of it twice", () => {
  const k = blockSymbols(blockPlan(pieceBytes(manifest, 0)!, 1428), 0);
  const cases: [RequestEntry[], boolean][] = [
    [[entry(0, 0, 1, 0, 5), entry(0, 1, 1, 5, 5)], true],
    [[entry(0, 0, 1, 5, 5), entry(0, 1, 1, 0, 5)], true],
    [[entry(0, 0, 1, 0, 5), entry(0, 1, 1, 4, 5)], false],
    [[entry(0, 0, 1, 4, 5), entry(0, 1, 1, 0, 5)], false],
    [[entry(0, 0, 1, 0, 9), entry(0, 1, 1, 20, 1), entry(0, 2, 1, 3, 1)], false],
    // Another block, another piece.
    [[entry(0, 0, 1, 0, 5), entry(0, k, 1, 0, 5), entry(1, 0, 1, 0, 5)], true],
  ];
  for (const [entries, isRight] of cases) {
    assertEquals(answersOf(manifest, entries, 1428, 1) !== undefined, isRight, JSON.stringify(entries));
  }
});

Deno.test("answers: any entry is refused, or costs what it says and can be served", () => {
  const { integer, chance } = seededRandom(2);
  let served = 0;
  for (let i = 0; i < 3000; i++) {
    const symbolSize = symbolSizes[integer(4)];
    const one = entry(
      chance(0.8) ? pieces[integer(4)] : integer(2 ** 32),
      integer(chance(0.9) ? 900 : 65_536),
      chance(0.3) ? 0 : integer(chance(0.9) ? 60 : 65_536),
      integer(256),
      integer(chance(0.7) ? 20 : 256),
    );
    const answers = answersOf(manifest, [one], symbolSize, 1);
    if (!answers) continue;
    served++;
    assertEquals(packetsOf(answers, symbolSize).length, one.count + one.parityCount);
  }
  assert(served > 150, `${served}`);
});

Deno.test("answers: a bitmap names whole chunks, and no parity", () => {
  const entries = bitmapEntries(manifest, { base: 0, bits: Uint8Array.of(0b101) }, 1428)!;
  assertEquals(entries.map(({ piece, first, parityCount }) => [piece, first, parityCount]), [[0, 0, 0], [
    2,
    0,
    0,
  ]]);
  for (const { piece, count } of entries) {
    const bytes = pieceBytes(manifest, piece)!;
    const packets = packetsFor(store, manifest, { piece, symbolSize: 1428, first: 0, count })!;
    assertEquals(symbolsBytes(bytes, 1428, 0, count), packets.length);
  }
  assertEquals(bitmapEntries(manifest, { base: 0, bits: Uint8Array.of(0b1000) }, 1428), undefined);
});
