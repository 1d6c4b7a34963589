import { addressed, Libisal } from "../../bench/_peers/libisal.ts";
import { cauchyRows } from "../../fec/cauchy.ts";
import { BLOCK_INDEXES, type DataSymbols, makeParity, repair, symbolAt } from "../../fec/mod.ts";
import { slowRow, slowSum } from "../../fec/_slow_code.ts";
import { concatBytes, limits } from "../../core/mod.ts";
import { projectText } from "../../tools/project_files.ts";
import { assert, assertEquals } from "../_assert.ts";
import { seededRandom } from "../sim/random.ts";
import { own } from "./_load.ts";

interface Case {
  readonly name: string;
  readonly symbolSize: number;
  readonly data: readonly string[];
  /** By index in the block. */
  readonly parity: Readonly<Record<string, string>>;
}

const { cases } = own<{ cases: Case[] }>("fec.json");

function blockOf({ data, symbolSize }: Case): DataSymbols {
  const bytes = concatBytes(...data.map((symbol) => Uint8Array.fromHex(symbol)));
  return { bytes, count: data.length, symbolSize, stride: symbolSize };
}

for (const vector of cases) {
  Deno.test(`fec vectors: ${vector.name}`, () => {
    const block = blockOf(vector);
    const before = block.bytes.toHex();
    const symbols = vector.data.map((symbol) => Uint8Array.fromHex(symbol));
    for (const [index, hex] of Object.entries(vector.parity)) {
      const out = new Uint8Array(block.symbolSize);
      makeParity(block, Number(index), [out]);
      assertEquals(out.toHex(), hex, `index ${index}`);
      assertEquals(slowSum(slowRow(block.count, Number(index)), symbols, block.symbolSize), out);
    }
    const parity = new Map(
      Object.entries(vector.parity).map(([i, hex]) => [Number(i), Uint8Array.fromHex(hex)]),
    );
    const missing = Array.from({ length: Math.min(parity.size, block.count) }, (_, i) => block.count - 1 - i);
    for (const index of missing) symbolAt(block, index).fill(0);
    repair(block, missing, parity);
    assertEquals(block.bytes.toHex(), before);
  });
}

Deno.test("protocol page: its example of parity is the first vector", () => {
  const [example] = cases;
  const [, table] = /<!-- example: parity -->\n\n((?:\|.*\|\n)+)/.exec(projectText("docs/protocol.md"))!;
  const rows = Array.from(
    table.matchAll(/^\| *(\d+) \| `([0-9a-f ]+)` *\|/gm),
    ([, i, hex]) => [i, hex.replaceAll(" ", "")],
  );
  assertEquals(rows, [...Object.entries(example.data), ...Object.entries(example.parity)]);
});

const isal = Libisal.open();
const skipped = typeof isal === "string" ? ` [skipped: ${isal}]` : "";

/** Registers a test that needs the library. */
function testIsal(name: string, check: (isal: Libisal) => void): void {
  Deno.test({
    name: name + skipped,
    ignore: skipped !== "",
    fn: () => {
      if (typeof isal !== "string") check(isal);
    },
  });
}

testIsal("libisal: its cauchy1 matrix is ours, for every k", (isal) => {
  for (let k = 1; k <= limits.blockSymbolsMax; k++) {
    const slots = Uint8Array.from({ length: k }, (_, j) => j);
    const parity = Uint8Array.from({ length: BLOCK_INDEXES - k }, (_, i) => k + i);
    const theirs = isal.cauchy1(BLOCK_INDEXES, k).subarray(k * k);
    const ours = cauchyRows(slots, parity);
    assert(ours.length === theirs.length && ours.every((byte, i) => byte === theirs[i]), `k = ${k}`);
  }
});

testIsal("libisal: makes the same parity, and repairs with ours", (isal) => {
  const random = seededRandom(5);
  for (const [k, size] of [[1, 64], [10, 1200], [55, 1428], [128, 100]]) {
    const symbols = Array.from({ length: k }, () => Uint8Array.from(random.bytes(size)));
    const data = { bytes: concatBytes(...symbols), count: k, symbolSize: size, stride: size };
    const made = Math.min(k, 255 - k, 9);
    const ours = Array.from({ length: made }, () => new Uint8Array(size));
    makeParity(data, k, ours);

    const matrix = isal.cauchy1(k + made, k);
    const theirs = Array.from({ length: made }, () => new Uint8Array(size));
    const tables = isal.tables(k, matrix.slice(k * k));
    isal.combine("ec_encode_data", size, tables, addressed(symbols), addressed(theirs));
    assertEquals(theirs, ours);

    // The first symbols are missing: what is at hand are the others, then parity.
    const inverse = isal.invert(matrix.slice(made * k), k);
    const have = [...symbols, ...ours].slice(made);
    const repaired = Array.from({ length: made }, () => new Uint8Array(size));
    const repairTables = isal.tables(k, inverse.slice(0, made * k));
    isal.combine("ec_encode_data", size, repairTables, addressed(have), addressed(repaired));
    assertEquals(repaired, symbols.slice(0, made));
  }
});
