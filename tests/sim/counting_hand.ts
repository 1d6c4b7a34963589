/** What a simulated receiver of a group has, in numbers instead of bytes. */
import { blockPlan, blockStart, blockSymbols } from "../../codec/geometry.ts";
import type { BlockPlan } from "../../codec/geometry.ts";
import type { BlockSymbols } from "../../codec/group.ts";
import type { Run } from "../../codec/listing.ts";
import { chunkCount } from "../../codec/manifest.ts";
import { chunkDataBlock, chunkDataIndex, chunkDataPiece, PAGE_BIT } from "../../codec/packet.ts";
import { exposurePages, pieceBytes } from "../../transport/exposure/pieces.ts";
import type { PieceFacts } from "../../transport/exposure/pieces.ts";
import type { GroupNeeds } from "../../transport/protocol/group_receiver.ts";

/** Where symbols of an exposure belong; all chunks but the last are alike. */
export class Shape {
  readonly facts: PieceFacts;
  readonly #symbolSize: number;
  readonly #plans = new Map<number, BlockPlan>();

  constructor(facts: PieceFacts, symbolSize: number) {
    this.facts = facts;
    this.#symbolSize = symbolSize;
  }

  plan(piece: number): BlockPlan {
    const bytes = pieceBytes(this.facts, piece)!;
    let plan = this.#plans.get(bytes);
    if (!plan) this.#plans.set(bytes, plan = blockPlan(bytes, this.#symbolSize));
    return plan;
  }

  placeOf(piece: number, parityOf: number | undefined, symbol: number): { block: number; index: number } {
    const plan = this.plan(piece);
    if (parityOf !== undefined) return { block: parityOf, index: blockSymbols(plan, parityOf) + symbol };
    if (plan.blocks === 1) return { block: 0, index: symbol };
    let block = 0;
    while (block + 1 < plan.blocks && blockStart(plan, block + 1) <= symbol) block++;
    return { block, index: symbol - blockStart(plan, block) };
  }
}

interface Piece {
  readonly lacking: number[];
  readonly seen: Uint8Array[];
}

/** What a receiver has, in numbers. */
export class CountingHand implements GroupNeeds {
  readonly #shape: Shape;
  readonly #chunks: number;
  readonly #total: number;
  readonly #whole: Uint8Array;
  readonly #begun = new Map<number, Piece>();
  #left: number;

  constructor(shape: Shape) {
    this.#shape = shape;
    this.#chunks = chunkCount(shape.facts);
    this.#total = this.#left = this.#chunks + exposurePages(shape.facts);
    this.#whole = new Uint8Array(this.#total);
  }

  get isWhole(): boolean {
    return this.#left === 0;
  }

  accept(packet: Uint8Array): void {
    const number = chunkDataPiece(packet);
    const at = number >= PAGE_BIT ? this.#chunks + number - PAGE_BIT : number;
    if (this.#whole[at]) return;
    const piece = this.#begin(number);
    const block = chunkDataBlock(packet);
    const index = chunkDataIndex(packet);
    if (piece.seen[block][index] || piece.lacking[block] === 0) return;
    piece.seen[block][index] = 1;
    piece.lacking[block]--;
    if (piece.lacking.some((lacking) => lacking > 0)) return;
    this.#begun.delete(number);
    this.#whole[at] = 1;
    this.#left--;
  }

  *short(): Generator<BlockSymbols & { first: number }> {
    for (const [piece, { lacking }] of this.#begun) {
      for (let block = 0; block < lacking.length; block++) {
        const symbols = lacking[block];
        if (symbols > 0) yield { piece, block, symbols, first: blockStart(this.#shape.plan(piece), block) };
      }
    }
  }

  *missing(): Generator<Run> {
    if (this.#left === this.#begun.size) return;
    yield* this.#runs(0, this.#chunks, 0);
    yield* this.#runs(this.#chunks, this.#total, PAGE_BIT - this.#chunks);
  }

  *#runs(from: number, to: number, shift: number): Generator<Run> {
    let first = -1;
    for (let at = from; at <= to; at++) {
      const isMissing = at < to && !this.#whole[at] && !this.#begun.has(at + shift);
      if (isMissing && first < 0) first = at;
      if (isMissing || first < 0) continue;
      yield { first: first + shift, count: at - first };
      first = -1;
    }
  }

  #begin(number: number): Piece {
    let piece = this.#begun.get(number);
    if (piece) return piece;
    const plan = this.#shape.plan(number);
    const lacking = Array.from({ length: plan.blocks }, (_, block) => blockSymbols(plan, block));
    piece = { lacking, seen: lacking.map(() => new Uint8Array(256)) };
    this.#begun.set(number, piece);
    return piece;
  }
}
