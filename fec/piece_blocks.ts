import { type BlockPlan, blockStart, blockSymbols } from "../codec/geometry.ts";
import type { DataSymbols } from "./reed_solomon.ts";

/**
 * The data symbols of one block of a piece, where they lie.
 *
 * @param run all symbols of the piece: the piece itself, or its packets from the end of the first header on
 * @param plan how the piece falls into blocks: `blockPlan` of its bytes
 * @param block 0 to `plan.blocks - 1`
 * @param symbolSize bytes, as in the plan
 * @param gap bytes between two symbols: those of a header, or none
 * @throws {RangeError} when there is no such block, or `run` does not have as many symbols as the plan
 */
export function blockData(
  run: Uint8Array,
  plan: BlockPlan,
  block: number,
  symbolSize: number,
  gap = 0,
): DataSymbols {
  if (!Number.isInteger(block) || block < 0 || block >= plan.blocks) {
    throw new RangeError(`no block ${block} in a piece of ${plan.blocks}`);
  }
  const stride = symbolSize + gap;
  if (Math.ceil((run.length + gap) / stride) !== plan.symbols) {
    throw new RangeError(
      `${run.length} bytes are not ${plan.symbols} symbols of ${symbolSize}, ${stride} apart`,
    );
  }
  const [first, count] = [blockStart(plan, block), blockSymbols(plan, block)];
  return { bytes: run.subarray(first * stride, (first + count) * stride - gap), count, symbolSize, stride };
}
