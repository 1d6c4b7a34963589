import { blockPlan, blockSymbols, symbolSizes } from "../../codec/geometry.ts";
import { blockData, makeParity } from "../../fec/mod.ts";
import { RecentBytes } from "./_recent_bytes.ts";

/** Parity symbols of one block of a piece. */
export interface ParityRun {
  /** The block. */
  readonly block: number;
  /** First parity symbol, from 0. */
  readonly first: number;
  /** How many, at least 1. */
  readonly count: number;
}

const BYTES_MAX = 16_777_216;
/** More than any symbol has bytes. */
const SYMBOL_BYTES_MAX = 16_384;
/** More than any piece has blocks: a piece of 1 MiB in symbols of 1200 bytes has 7. */
const BLOCKS_MAX = 16;

/** Parity symbols: made from a piece when they are first asked for, then kept as long as there is room. */
export class ParitySymbols {
  readonly #recent: RecentBytes;

  /** It holds no more than `bytesMax`, 16 MiB by default, but always what was asked for last. */
  constructor(bytesMax = BYTES_MAX) {
    this.#recent = new RecentBytes(bytesMax);
  }

  /** Bytes that it holds. */
  get bytes(): number {
    return this.#recent.bytes;
  }

  /**
   * Parity symbols after each other, each of full size. `data` gives the whole piece and is called only when something must be made;
   * without it there is no parity either, nor in symbols of a size that no request can name.
   *
   * @throws {RangeError} when the block has no such symbols
   */
  symbols(
    piece: number,
    pieceBytes: number,
    symbolSize: number,
    { block, first, count }: ParityRun,
    data: () => Uint8Array | undefined,
  ): Uint8Array | undefined {
    if (!symbolSizes.includes(symbolSize)) return undefined;
    const key = (piece * SYMBOL_BYTES_MAX + symbolSize) * BLOCKS_MAX + block;
    let made = this.#recent.get(key);
    const here = made ? made.length / symbolSize : 0;
    if (here < first + count) {
      const bytes = data();
      if (!bytes) return undefined;
      const more = new Uint8Array((first + count) * symbolSize);
      if (made) more.set(made);
      addParity(more, here, pieceBytes, symbolSize, block, bytes);
      this.#recent.replace(key, more);
      made = more;
    }
    return made!.subarray(first * symbolSize, (first + count) * symbolSize);
  }

  /** Gives all of it up. */
  clear(): void {
    this.#recent.clear();
  }
}

/** Fills `out` with parity symbols from number `from` on. */
function addParity(
  out: Uint8Array,
  from: number,
  pieceBytes: number,
  symbolSize: number,
  block: number,
  data: Uint8Array,
): void {
  const plan = blockPlan(pieceBytes, symbolSize);
  const made: Uint8Array[] = [];
  for (let at = from * symbolSize; at < out.length; at += symbolSize) {
    made.push(out.subarray(at, at + symbolSize));
  }
  makeParity(blockData(data, plan, block, symbolSize), blockSymbols(plan, block) + from, made);
}
