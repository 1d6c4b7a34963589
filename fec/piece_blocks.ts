import { type BlockPlan, blockStart, blockSymbols } from "../codec/geometry.ts";
import type { DataSymbols } from "./reed_solomon.ts";

/**
 * The data symbols of one block of a piece, where they lie.
 *
 * @param piece all of its bytes
 * @param plan how the piece falls into blocks: `blockPlan` of its bytes
 * @param block 0 to `plan.blocks - 1`
 * @param symbolSize bytes, as in the plan
 * @throws {RangeError} when there is no such block, or `piece` does not have as many symbols as the plan
 */
export function blockData(
  piece: Uint8Array,
  plan: BlockPlan,
  block: number,
  symbolSize: number,
): DataSymbols {
  if (!Number.isInteger(block) || block < 0 || block >= plan.blocks) {
    throw new RangeError(`no block ${block} in a piece of ${plan.blocks}`);
  }
  if (Math.ceil(piece.length / symbolSize) !== plan.symbols) {
    throw new RangeError(`${piece.length} bytes are not ${plan.symbols} symbols of ${symbolSize}`);
  }
  const [first, count] = [blockStart(plan, block), blockSymbols(plan, block)];
  const bytes = piece.subarray(first * symbolSize, (first + count) * symbolSize);
  return { bytes, count, symbolSize, stride: symbolSize };
}
