import { limits } from "../core/limits.ts";
import { CHUNK_HEADER_BYTES } from "./packet.ts";

/** Symbol sizes that a request may name: IPv6's minimum MTU, Ethernet, and two for jumbo frames. Bytes. */
export const symbolSizes: readonly number[] = Object.freeze([1200, 1428, 4000, 8928]);

/** The largest symbol whose packet is no longer than `packetBytes`; `undefined` when none is. */
export function fittingSymbolSize(packetBytes: number): number | undefined {
  return symbolSizes.findLast((size) => size + CHUNK_HEADER_BYTES <= packetBytes);
}

/** How the symbols of one piece fall into code blocks (RFC 5052 §9.1): `large` blocks of `largeSymbols`, then the rest of one symbol fewer. */
export interface BlockPlan {
  /** Data symbols of the whole piece. */
  readonly symbols: number;
  /** Blocks, at least 1 unless there are no symbols. */
  readonly blocks: number;
  /** How many blocks have `largeSymbols`; they come first. */
  readonly large: number;
  /** Symbols of a large block. */
  readonly largeSymbols: number;
}

/** The block plan of `bytes` bytes cut into symbols of `symbolSize`. */
export function blockPlan(bytes: number, symbolSize: number): BlockPlan {
  const symbols = Math.ceil(bytes / symbolSize);
  const blocks = Math.ceil(symbols / limits.blockSymbolsMax);
  if (blocks === 0) return { symbols: 0, blocks: 0, large: 0, largeSymbols: 0 };
  const smallSymbols = Math.floor(symbols / blocks);
  const rest = symbols - smallSymbols * blocks;
  return rest === 0
    ? { symbols, blocks, large: blocks, largeSymbols: smallSymbols }
    : { symbols, blocks, large: rest, largeSymbols: smallSymbols + 1 };
}

/** Data symbols of one block. */
export function blockSymbols(plan: BlockPlan, block: number): number {
  return block < plan.large ? plan.largeSymbols : plan.largeSymbols - 1;
}

/** Number in the whole piece of a block's first symbol. */
export function blockStart(plan: BlockPlan, block: number): number {
  return block * plan.largeSymbols - Math.max(0, block - plan.large);
}

/** Number in the whole piece of data symbol `index` of `block`, or -1 when there is no such data symbol. */
export function symbolNumber(plan: BlockPlan, block: number, index: number): number {
  if (block >= plan.blocks || index >= blockSymbols(plan, block)) return -1;
  return blockStart(plan, block) + index;
}

/** The block that holds data symbol `symbol` of the piece, or -1 when there is no such symbol. */
export function blockOf(plan: BlockPlan, symbol: number): number {
  if (symbol >= plan.symbols) return -1;
  const inLarge = plan.large * plan.largeSymbols;
  return symbol < inLarge
    ? Math.floor(symbol / plan.largeSymbols)
    : plan.large + Math.floor((symbol - inLarge) / (plan.largeSymbols - 1));
}
