import { symbolSizes } from "../codec/geometry.ts";
import { CHUNK_HEADER_BYTES } from "../codec/packet.ts";
import { limits } from "../core/mod.ts";
import { layOut, memory, sum1, sum2, sum4 } from "./_kernel.wasm";
import { multiply } from "./gf256.ts";

/*
 * The door to the WebAssembly kernel, and what lies where in its memory. There is one kernel to a thread, and its memory is scratch:
 * but for the tables nothing in it means anything between two calls, and no call waits. So it is no state, though it is a module's.
 */

/** The largest distance between two symbols: that of the largest packets. Bytes. */
export const STRIDE_MAX: number = CHUNK_HEADER_BYTES + Math.max(...symbolSizes);

/** Columns that the kernel takes at once. Bytes. */
const VECTOR_BYTES = 32;

/** Functions of the kernel by the rows that they make, the most first. */
const kernels = [{ rows: 4, sum: sum4 }, { rows: 2, sum: sum2 }, { rows: 1, sum: sum1 }];

// Addresses: the tables of all factors, the factors of a call, a few rows of its result, the block.
const TABLES_BYTES = 32;
const FACTORS = 256 * TABLES_BYTES;
const OUT = FACTORS + limits.blockSymbolsMax * limits.blockSymbolsMax;
const BLOCK = OUT + kernels[0].rows * roundUp(STRIDE_MAX);

const memoryBytes = new Uint8Array(memory.buffer as ArrayBuffer);

// The tables of factor f: its products with all lower halves of a byte, then with all upper halves.
for (let factor = 0; factor < 256; factor++) {
  for (let half = 0; half < 16; half++) {
    memoryBytes[factor * TABLES_BYTES + half] = multiply(factor, half);
    memoryBytes[factor * TABLES_BYTES + 16 + half] = multiply(factor, half << 4);
  }
}

/** Where {@linkcode layOutTables} leaves them: over the result and the block. */
export const laidOut: Uint8Array<ArrayBuffer> = memoryBytes.subarray(OUT);

/** How a block lies in the kernel's memory: as it lay before. */
interface Shape {
  readonly count: number;
  readonly symbolSize: number;
  readonly stride: number;
}

/** Copies a block in, with all that lies between its symbols. What its last symbol is short becomes zeros. */
export function load(block: Shape & { readonly bytes: Uint8Array }): void {
  const end = (block.count - 1) * block.stride + block.symbolSize;
  memoryBytes.set(block.bytes, BLOCK);
  memoryBytes.fill(0, BLOCK + block.bytes.length, BLOCK + end);
}

/** Puts a symbol of full length into a place of the loaded block. */
export function place(symbol: Uint8Array, index: number, { stride }: Shape): void {
  memoryBytes.set(symbol, BLOCK + index * stride);
}

/**
 * Makes of the loaded block each of `out`: the sum of all symbols, each times its factor. `factors` has one for each symbol, row by row:
 * at most as many in all as a block can have symbols, squared.
 */
export function combine(
  { count, symbolSize, stride }: Shape,
  factors: Uint8Array,
  out: readonly Uint8Array[],
): void {
  const size = roundUp(symbolSize);
  memoryBytes.set(factors, FACTORS);
  for (let row = 0; row < out.length;) {
    const { rows, sum } = kernels.find(({ rows }) => rows <= out.length - row)!;
    sum(FACTORS + row * count, count, BLOCK, stride, OUT, size);
    for (let from = OUT; from < OUT + rows * size; from += size, row++) {
      out[row].set(memoryBytes.subarray(from, from + out[row].length));
    }
  }
}

/** Lays out the tables of some factors in {@linkcode laidOut}, in their order: 32 bytes for each, as ISA-L has them too. */
export function layOutTables(factors: Uint8Array): void {
  memoryBytes.set(factors, FACTORS);
  layOut(FACTORS, factors.length, OUT);
}

function roundUp(size: number): number {
  return Math.ceil(size / VECTOR_BYTES) * VECTOR_BYTES;
}
