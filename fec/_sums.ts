import { equalBytes } from "../core/bytes.ts";
import { combine, load, place } from "./_kernel.ts";
import type { DataSymbols } from "./reed_solomon.ts";

/** A symbol of full length that stands in the place of a data symbol. */
export interface Substitute {
  /** Whose place, 0 to `count - 1`. */
  readonly index: number;
  /** `symbolSize` bytes. */
  readonly symbol: Uint8Array;
}

/**
 * Makes each of `out`: the sum of all symbols of a block, each times its factor. `factors` has one for each symbol, row by row. The sums
 * may go to the places of those symbols that something else stands for; that of a short symbol is as short.
 */
export type Sums = (
  data: DataSymbols,
  instead: readonly Substitute[],
  factors: Uint8Array,
  out: readonly Uint8Array[],
) => void;

/** By the WebAssembly kernel, which is there everywhere. */
export const kernelSums: Sums = (data, instead, factors, out) => {
  load(data);
  for (const { index, symbol } of instead) place(symbol, index, data);
  combine(data, factors, out);
};

/** The same bytes come of either, so it is no state that anybody could see. */
let chosen: Sums = kernelSums;
/** What is to be tried when there is something to make: many pulls lose nothing. */
let offered: (() => Sums | undefined) | undefined;

/** By the fastest that is known. */
export const sums: Sums = (data, instead, factors, out) => {
  const candidate = offered?.();
  offered = undefined;
  if (candidate) prefer(candidate);
  chosen(data, instead, factors, out);
};

/** What `load` gives is used from now on, if it gives known answers. */
export function offer(load: () => Sums | undefined): void {
  offered = load;
}

/** From now on by this one, if it gives known answers; whether it does. */
export function prefer(candidate: Sums): boolean {
  const isRight = givesKnownAnswers(candidate);
  if (isRight) chosen = candidate;
  return isRight;
}

/** Odd sizes, a short last symbol, one symbol instead of another, more rows than anybody makes at once; one of them into the block. */
function givesKnownAnswers(candidate: Sums): boolean {
  const [count, symbolSize, stride] = [5, 1013, 1024];
  const pattern = (length: number, step: number) =>
    new Uint8Array(length).map((_, i) => Math.imul(i + 1, step) >>> 21);
  const factors = pattern(9 * count, 0x9e3779b1);
  const instead = [{ index: 4, symbol: pattern(symbolSize, 0x85ebca77) }];
  const [expected, actual] = [kernelSums, candidate].map((make) => {
    const bytes = pattern(4 * stride + 1001, 0xc2b2ae3d);
    const out = Array.from({ length: 9 }, () => new Uint8Array(symbolSize));
    out[7] = bytes.subarray(4 * stride);
    make({ bytes, count, symbolSize, stride }, instead, factors, out);
    return [bytes, ...out];
  });
  return expected.every((bytes, i) => equalBytes(bytes, actual[i]));
}
