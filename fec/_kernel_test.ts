import { CHUNK_HEADER_BYTES } from "../codec/packet.ts";
import { symbolSizes } from "../codec/geometry.ts";
import { limits } from "../core/mod.ts";
import { assert, assertEquals } from "../tests/_assert.ts";
import { seededRandom } from "../tests/sim/random.ts";
import { buildKernel } from "../tools/build_kernel.ts";
import { combine, load, place, STRIDE_MAX } from "./_kernel.ts";
import { memory } from "./_kernel.wasm";
import { slowSum } from "./_slow_code.ts";

const random = seededRandom(7);

Deno.test("kernel: what is committed is what its source compiles to", async () => {
  const committed = Deno.readFileSync(new URL("_kernel.wasm", import.meta.url));
  const built = await buildKernel();
  assert(
    committed.length === built.length && committed.every((byte, i) => byte === built[i]),
    "run build:fec",
  );
});

Deno.test("kernel: its memory has a fixed size, which the largest block fills to the last page", () => {
  assertEquals(STRIDE_MAX, CHUNK_HEADER_BYTES + Math.max(...symbolSizes));
  const symbolSize = STRIDE_MAX;
  const count = limits.blockSymbolsMax;
  const bytes = new Uint8Array(count * symbolSize).map((_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
  const block = { bytes, count, symbolSize, stride: symbolSize };
  const rows = random.bytes(5 * count);
  const out = Array.from({ length: 5 }, () => new Uint8Array(symbolSize));
  load(block);
  combine(block, rows, out);
  const symbols = Array.from({ length: count }, (_, j) => bytes.subarray(j * symbolSize));
  out.forEach((made, row) => {
    const factors = [...rows.subarray(row * count, (row + 1) * count)];
    // Every 512th column, and the last: the twin takes its time.
    for (let at = 0; at < symbolSize; at += at < symbolSize - 512 ? 512 : 1) {
      assertEquals(made[at], slowSum(factors, symbols.map((symbol) => symbol.subarray(at)), 1)[0]);
    }
  });
  assertEquals(memory.buffer.byteLength, 19 * 65_536);
});

Deno.test("kernel: 1 to 9 rows of every factor equal the twin's, whatever the length and the distance", () => {
  for (let symbolSize = 1; symbolSize <= 70; symbolSize++) {
    const stride = symbolSize + symbolSize * 5 % 11;
    const count = 1 + symbolSize % 7;
    const block = { bytes: random.bytes((count - 1) * stride + symbolSize), count, symbolSize, stride };
    const instead = random.bytes(symbolSize);
    const symbols = Array.from(
      { length: count },
      (_, j) => block.bytes.subarray(j * stride, j * stride + symbolSize),
    );
    symbols[count >> 1] = instead;
    for (let made = 1; made <= 9; made++) {
      const rows = random.bytes(made * count);
      const out = Array.from({ length: made }, () => new Uint8Array(symbolSize));
      load(block);
      place(instead, count >> 1, block);
      combine(block, rows, out);
      out.forEach((symbol, row) => {
        const factors = [...rows.subarray(row * count, (row + 1) * count)];
        assertEquals(symbol, slowSum(factors, symbols, symbolSize));
      });
    }
  }
});

Deno.test("kernel: every factor times every byte", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const block = { bytes: all, count: 1, symbolSize: 256, stride: 256 };
  const out = Array.from({ length: 256 }, () => new Uint8Array(256));
  load(block);
  combine(block, all, out);
  for (const factor of all) assertEquals(out[factor], slowSum([factor], [all], 256));
});

Deno.test("kernel: a short block ends in zeros, not in what was there before", () => {
  const full = { bytes: random.bytes(96), count: 2, symbolSize: 48, stride: 48 };
  const out = [new Uint8Array(48)];
  load(full);
  const short = { ...full, bytes: full.bytes.subarray(0, 49) };
  load(short);
  combine(short, Uint8Array.of(0, 1), out);
  assertEquals(out[0], Uint8Array.from({ length: 48 }, (_, i) => i === 0 ? full.bytes[48] : 0));
});
