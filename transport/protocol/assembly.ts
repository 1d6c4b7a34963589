import { blockPlan, symbolNumber } from "../../codec/geometry.ts";
import type { BlockPlan } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, chunkDataBlock, chunkDataIndex } from "../../codec/packet.ts";

const NEEDED = 0;
const GOT = 0xffffffff;

/** What became of a symbol that arrived. */
export type SymbolFate =
  /** New: `owner` is the request that it was asked with. */
  | { readonly kind: "new"; readonly owner: number }
  | { readonly kind: "duplicate" }
  | { readonly kind: "malformed" };

const DUPLICATE: SymbolFate = { kind: "duplicate" };
const MALFORMED: SymbolFate = { kind: "malformed" };

/** One piece (a sealed chunk, or a leaf page) being put together from symbols. Request numbers start at 1. */
export class Assembly {
  /** Chunk, or leaf page with the top bit. */
  readonly piece: number;
  /** The piece; right where symbols have arrived. */
  readonly bytes: Uint8Array;
  readonly #symbolSize: number;
  readonly #plan: BlockPlan;
  /** For each symbol: NEEDED, GOT, or the number of the request that asks for it. */
  readonly #owners: Uint32Array;
  #needed: number;
  #missing: number;
  #hint = 0;

  /** `buffer` has the piece's size; it may hold anything. */
  constructor(piece: number, buffer: Uint8Array, symbolSize: number) {
    this.piece = piece;
    this.bytes = buffer;
    this.#symbolSize = symbolSize;
    this.#plan = blockPlan(buffer.length, symbolSize);
    this.#owners = new Uint32Array(this.#plan.symbols);
    this.#needed = this.#missing = this.#plan.symbols;
  }

  /** Symbols that no request asks for at present. */
  get needed(): number {
    return this.#needed;
  }

  /** Whether all symbols are here. */
  get whole(): boolean {
    return this.#missing === 0;
  }

  /** The next run of needed symbols, at most `max`, now owned by `request`; `undefined` when none is needed. */
  take(max: number, request: number): { first: number; count: number } | undefined {
    if (this.#needed === 0 || max < 1) return undefined;
    const first = this.#owners.indexOf(NEEDED, this.#hint);
    let end = first;
    while (end < this.#owners.length && end - first < max && this.#owners[end] === NEEDED) {
      this.#owners[end++] = request;
    }
    this.#needed -= end - first;
    this.#hint = end;
    return { first, count: end - first };
  }

  /** Gives back what `request` asked for and did not get; answers with how many symbols that are. */
  release(first: number, count: number, request: number): number {
    let released = 0;
    for (let symbol = first; symbol < first + count; symbol++) {
      if (this.#owners[symbol] !== request) continue;
      this.#owners[symbol] = NEEDED;
      released++;
    }
    this.#needed += released;
    if (released > 0) this.#hint = Math.min(this.#hint, first);
    return released;
  }

  /** Takes the symbol of a CHUNK_DATA packet. */
  accept(packet: Uint8Array): SymbolFate {
    const symbol = symbolNumber(this.#plan, chunkDataBlock(packet), chunkDataIndex(packet));
    if (symbol < 0) return MALFORMED;
    const at = symbol * this.#symbolSize;
    const length = packet.length - CHUNK_HEADER_BYTES;
    if (length !== Math.min(this.#symbolSize, this.bytes.length - at)) return MALFORMED;
    const owner = this.#owners[symbol];
    if (owner === GOT) return DUPLICATE;
    this.bytes.set(packet.subarray(CHUNK_HEADER_BYTES), at);
    this.#owners[symbol] = GOT;
    if (owner === NEEDED) this.#needed--;
    this.#missing--;
    return { kind: "new", owner };
  }
}
