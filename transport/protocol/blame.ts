import { blockPlan, blockStart, blockSymbols } from "../../codec/geometry.ts";
import { equalBytes } from "../../core/bytes.ts";
import { blockData, makeParity } from "../../fec/mod.ts";
import type { Assembly } from "./assembly.ts";

/** Wrong copies of several senders that are kept to compare; what is beyond has its senders found out the next time. */
const COPIES_MAX = 8;

/** One symbol that came. */
interface Received {
  readonly block: number;
  readonly index: number;
  readonly sender: number;
  /** Its bytes, of a parity symbol. */
  readonly parity: Uint8Array | undefined;
}

/** A piece that came wrong, with who sent what. */
interface WrongCopy {
  readonly bytes: Uint8Array;
  readonly symbolSize: number;
  readonly received: readonly Received[];
}

/** What is known of a piece that was wrong. */
export interface Accusation {
  /** How often it was wrong by now. */
  readonly times: number;
  /** Who is to blame: the one that has sent all of it, if it was one. */
  readonly liars: readonly number[];
  /** Whether several have sent it: then a copy of one alone will show who it was. */
  readonly isMixed: boolean;
}

/**
 * Who sends what is wrong. A piece that one source has sent alone and that is not the exposure's is that source's lie. What several have
 * sent says nothing yet: it is kept, and compared symbol by symbol with the copy that turns out right. Only what carries a source's own
 * flow tag counts as sent by it.
 */
export class Blame {
  readonly #times = new Map<number, number>();
  readonly #copies = new Map<number, WrongCopy>();
  /** Who has sent something else than what a copy that is being verified holds. */
  readonly #verdicts = new Map<number, readonly number[]>();

  /** Pieces that came wrong and have not come right yet. */
  get wrongPieces(): number {
    return this.#times.size;
  }

  /** A piece is whole, and will be verified. */
  note(assembly: Assembly): void {
    const { piece, bytes } = assembly;
    const copy = this.#copies.get(piece);
    // Now: when it is verified its bytes may have been opened in their place.
    if (copy) this.#verdicts.set(piece, liarsOf(copy, bytes));
  }

  /** It is right. Answers with those who had a share in a copy that was wrong. */
  acquit(piece: number): readonly number[] {
    const verdict = this.#verdicts.get(piece) ?? [];
    if (this.#times.delete(piece)) this.#copies.delete(piece);
    this.#verdicts.delete(piece);
    return verdict;
  }

  /** It is wrong. The bytes of what was put together are as they came. */
  accuse(piece: number, assembly: Assembly | undefined): Accusation {
    const times = (this.#times.get(piece) ?? 0) + 1;
    this.#times.set(piece, times);
    this.#verdicts.delete(piece);
    const senders = [...assembly?.senders ?? []];
    if (!assembly || senders.length < 2) return { times, liars: senders, isMixed: false };
    if (this.#copies.size < COPIES_MAX) {
      const { bytes, symbolSize } = assembly;
      this.#copies.set(piece, { bytes: bytes.slice(), symbolSize, received: [...assembly.received()] });
    }
    return { times, liars: [], isMixed: true };
  }
}

/** Who has sent symbols that are not those of the right piece. */
function liarsOf({ bytes, symbolSize, received }: WrongCopy, right: Uint8Array): readonly number[] {
  const plan = blockPlan(right.length, symbolSize);
  const liars = new Set<number>();
  for (const { block, index, sender, parity } of received) {
    if (liars.has(sender)) continue;
    const at = (blockStart(plan, block) + index) * symbolSize;
    const isSame = index < blockSymbols(plan, block)
      ? equalBytes(bytes.subarray(at, at + symbolSize), right.subarray(at, at + symbolSize))
      : parity !== undefined && equalBytes(parity, parityOf(right, block, index, symbolSize));
    if (!isSame) liars.add(sender);
  }
  return [...liars];
}

function parityOf(right: Uint8Array, block: number, index: number, symbolSize: number): Uint8Array {
  const out = new Uint8Array(symbolSize);
  makeParity(blockData(right, blockPlan(right.length, symbolSize), block, symbolSize), index, [out]);
  return out;
}
