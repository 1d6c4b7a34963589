import { symbolSizes } from "../codec/geometry.ts";
import { CHUNK_HEADER_BYTES } from "../codec/packet.ts";
import { limits } from "../core/mod.ts";
import { memory, sum1, sum2, sum4 } from "./_kernel.wasm";
import { multiply } from "./gf256.ts";

/*
 * The door to the WebAssembly kernel, and what lies where in its memory. There is one kernel to a thread, and its memory is scratch:
 * but for the tables nothing in it means anything between two calls, and no call waits. So it is no state, though it is a module's.
 */

/** The largest distance between two symbols: that of the largest packets. Bytes. */
export const STRIDE_MAX: number = CHUNK_HEADER_BYTES + Math.max(...symbolSizes);

/** Columns that the kernel takes at once. Bytes. */
const VECTOR_BYTES = 32;
const ROWS_AT_ONCE = 4;

const FACTORS = 256 * 32;
const FACTORS_MAX = limits.blockSymbolsMax * limits.blockSymbolsMax;
const OUT = FACTORS + FACTORS_MAX;
const BLOCK = OUT + ROWS_AT_ONCE * roundUp(STRIDE_MAX);

const bytes = new Uint8Array(memory.buffer);

// The tables of factor f: its products with all lower halves of a byte, then with all upper halves.
for (let factor = 0; factor < 256; factor++) {
  for (let half = 0; half < 16; half++) {
    bytes[factor * 32 + half] = multiply(factor, half);
    bytes[factor * 32 + 16 + half] = multiply(factor, half << 4);
  }
}

/** A block in the kernel's memory, until the next one is loaded. */
export interface Loaded {
  readonly count: number;
  readonly symbolSize: number;
  readonly stride: number;
}

/** Copies a block in: `count` symbols from the start of `run` on. What is short at its end becomes zeros. */
export function load(run: Uint8Array, block: Loaded): void {
  bytes.set(run, BLOCK);
  bytes.fill(0, BLOCK + run.length, BLOCK + (block.count - 1) * block.stride + block.symbolSize);
}

/** Puts a symbol into the place of another. */
export function place(symbol: Uint8Array, slot: number, { stride }: Loaded): void {
  bytes.set(symbol, BLOCK + slot * stride);
}

/** For each of `out` the sum of the block's symbols times the factors of its row: `rows` has `count` for each. */
export function combine(
  rows: Uint8Array,
  { count, symbolSize, stride }: Loaded,
  out: readonly Uint8Array[],
): void {
  const size = roundUp(symbolSize);
  bytes.set(rows, FACTORS);
  for (let row = 0; row < out.length;) {
    const left = out.length - row;
    const [sum, made] = left >= 4 ? [sum4, 4] : left >= 2 ? [sum2, 2] : [sum1, 1];
    sum(FACTORS + row * count, count, BLOCK, stride, OUT, size);
    for (let i = 0; i < made; i++, row++) {
      const at = OUT + i * size;
      out[row].set(bytes.subarray(at, at + out[row].length));
    }
  }
}

function roundUp(size: number): number {
  return Math.ceil(size / VECTOR_BYTES) * VECTOR_BYTES;
}
