import type { Manifest } from "../../codec/manifest.ts";
import { PAGE_BIT } from "../../codec/packet.ts";
import type { BlockSymbols } from "../../codec/group.ts";
import type { Run } from "../../codec/listing.ts";
import { pieceBytes } from "../exposure/pieces.ts";
import { Assembly } from "./assembly.ts";
import type { Weather } from "./assembly.ts";
import type { ChunkPlan } from "./chunk_plan.ts";
import type { AskedRun } from "./requests_under_way.ts";

/** Memory of pieces that are not stored yet: assembled, or being opened. */
const BYTES_IN_HAND_MAX = 32 * 1024 * 1024;
const PIECES_MIN = 8;
const PIECES_MAX = 512;
const CHECKS_AT_ONCE = 2;

/** The pieces between "missing" and "stored": being assembled, waiting for their leaf page, being opened, being checked on disk. */
export class PiecesInHand {
  readonly #manifest: Manifest;
  readonly #plan: ChunkPlan;
  readonly #limit: number;
  readonly #assemblies = new Map<number, Assembly>();
  /** Pieces that the shell is opening, with their buffers. */
  readonly #opening = new Map<number, Uint8Array>();
  /** Buffers of full chunks for use again. */
  readonly #spare: Uint8Array[] = [];
  #checking = 0;
  #isTail = false;
  #symbolSize: number;

  /** Nothing in hand yet. */
  constructor(manifest: Manifest, plan: ChunkPlan, symbolSize: number) {
    this.#manifest = manifest;
    this.#plan = plan;
    this.#symbolSize = symbolSize;
    const fit = Math.floor(BYTES_IN_HAND_MAX / manifest.chunkSize);
    this.#limit = Math.max(PIECES_MIN, Math.min(PIECES_MAX, fit));
  }

  /** Bytes of a symbol. */
  get symbolSize(): number {
    return this.#symbolSize;
  }

  /** Pieces that the shell works on. */
  get opening(): number {
    return this.#opening.size + this.#checking;
  }

  /** Pieces that are being assembled, or wait to be opened and stored. */
  get pieces(): number {
    return this.#assemblies.size + this.#opening.size;
  }

  /** Whether no more pieces can be begun until the shell has stored some. */
  get full(): boolean {
    return this.pieces >= this.#limit;
  }

  /** The piece that a symbol belongs to, if it is being assembled. */
  assembly(piece: number): Assembly | undefined {
    return this.#assemblies.get(piece);
  }

  /** Whether all that is left is in hand: nothing comes after it. */
  get isTail(): boolean {
    return this.#isTail;
  }

  /** Symbols to ask for next, at most `max`, now owned by `request`: what was lost first, then leaf pages, then new chunks. */
  takeRun(max: number, request: number, weather: Weather): AskedRun | undefined {
    for (const assembly of this.#assemblies.values()) {
      const run = assembly.take(max, request, weather);
      if (run) return { assembly, ...run };
    }
    const assembly = this.#begin();
    this.#isTail = assembly === undefined && !this.full;
    const run = assembly?.take(max, request, weather);
    return assembly && run && { assembly, ...run };
  }

  /** The piece that a symbol belongs to which nobody has asked for: begun, if it is missing and there is room. */
  adopt(piece: number): Assembly | undefined {
    const known = this.#assemblies.get(piece);
    if (known) return known;
    const isPage = piece >= PAGE_BIT;
    if (this.pieces > this.#limit || (this.full && !isPage)) return undefined;
    const isMissing = isPage ? this.#plan.claimPage(piece - PAGE_BIT) : this.#plan.claimChunk(piece);
    return isMissing ? this.#open(piece) : undefined;
  }

  /** Blocks of pieces in hand that have too few symbols. */
  *short(): Generator<BlockSymbols & { readonly first: number }> {
    for (const assembly of this.#assemblies.values()) {
      for (const lacking of assembly.lacking()) yield { piece: assembly.piece, ...lacking };
    }
  }

  /** Pieces that are wanted and of which nothing is in hand: ascending runs. */
  *missing(): Generator<Run> {
    yield* this.#plan.missingChunks();
    for (const page of this.#plan.missingPages()) yield { first: PAGE_BIT + page, count: 1 };
  }

  /** A whole piece leaves assembly; answers with its bytes for the shell to open. */
  complete(assembly: Assembly): Uint8Array {
    assembly.repair();
    this.#assemblies.delete(assembly.piece);
    this.#opening.set(assembly.piece, assembly.bytes);
    return assembly.bytes;
  }

  /** The shell is done with a piece. */
  settle(piece: number): void {
    const buffer = this.#opening.get(piece);
    this.#opening.delete(piece);
    const isChunk = piece < PAGE_BIT && buffer?.length === pieceBytes(this.#manifest, 0);
    if (buffer && isChunk && this.#spare.length < this.#limit) this.#spare.push(buffer);
  }

  /** A chunk on disk to check; end with {@linkcode settleCheck}. */
  takeCheck(): number | undefined {
    if (this.#checking >= CHECKS_AT_ONCE) return undefined;
    const chunk = this.#plan.takeCandidate();
    if (chunk !== undefined) this.#checking++;
    return chunk;
  }

  /** A check has ended. */
  settleCheck(): void {
    this.#checking--;
  }

  /** Throws away what is being assembled, to begin again with symbols of another size. */
  restart(symbolSize: number): void {
    for (const { piece } of this.#assemblies.values()) {
      if (piece >= PAGE_BIT) this.#plan.settlePage(piece - PAGE_BIT, false);
      else this.#plan.settleChunk(piece, false);
    }
    this.#assemblies.clear();
    this.#symbolSize = symbolSize;
  }

  #begin(): Assembly | undefined {
    if (this.full) return this.#beginPageOnly();
    // Taking a chunk may look at a new page, and a page goes before its chunks.
    const chunk = this.#plan.takeChunk();
    const page = this.#plan.takePage();
    if (chunk !== undefined) this.#open(chunk);
    if (page !== undefined) return this.#open(PAGE_BIT + page);
    return chunk === undefined ? undefined : this.#assemblies.get(chunk);
  }

  /** Pieces that wait for their leaves may fill the hand: a page must still be pulled then, one beyond the limit. */
  #beginPageOnly(): Assembly | undefined {
    if (this.pieces > this.#limit) return undefined;
    const page = this.#plan.takePage();
    return page === undefined ? undefined : this.#open(PAGE_BIT + page);
  }

  #open(piece: number): Assembly {
    const size = pieceBytes(this.#manifest, piece)!;
    const spare = size === this.#spare.at(-1)?.length ? this.#spare.pop() : undefined;
    const assembly = new Assembly(piece, spare ?? new Uint8Array(size), this.#symbolSize);
    this.#assemblies.set(piece, assembly);
    return assembly;
  }
}
