import type { Manifest } from "../../codec/manifest.ts";
import { PAGE_BIT } from "../../codec/packet.ts";
import type { BlockSymbols } from "../../codec/group.ts";
import type { Run } from "../../codec/listing.ts";
import { pieceBytes } from "../exposure/pieces.ts";
import { Assembly } from "./assembly.ts";
import type { SymbolRun, Weather } from "./assembly.ts";
import type { PiecePlan } from "./chunk_plan.ts";

/** Who asks for pieces: one of the sources of a pull. */
export interface Taker {
  /** Which one, from 0. */
  readonly source: number;
  /** Whether it has a chunk. Absent: it has all. */
  readonly has?: (chunk: number) => boolean;
  /** In how many ms so many symbols more would be here, if they were asked for now; `Infinity` while it is silent. */
  eta(symbols: number): number;
}

/** Where full chunks are put together. */
export interface ChunkMemory {
  /** Memory for one, which is used for others when it is stored. */
  allocate(bytes: number): Uint8Array;
  /** Whether the memory of a chunk that is stored is to stay as it is, for as long as this is so. */
  isLent(chunk: number): boolean;
}

const OWN_MEMORY: ChunkMemory = { allocate: (bytes) => new Uint8Array(bytes), isLent: () => false };

const ONLY_ONE: Taker = { source: 0, eta: () => 0 };

/** Somebody else helps out when he needs less than this share of the time. */
const HELP_SHARE = 0.5;

/** Memory of pieces that are not stored yet: assembled, or being opened. */
const BYTES_IN_HAND_MAX = 32 * 1024 * 1024;
const PIECES_MIN = 8;
const PIECES_MAX = 512;
const CHECKS_AT_ONCE = 32;

/** The pieces between "missing" and "stored": being assembled, waiting for their leaf page, being opened, being checked on disk. */
export class PiecesInHand {
  readonly #manifest: Manifest;
  readonly #plan: PiecePlan;
  readonly #limit: number;
  readonly #assemblies = new Map<number, Assembly>();
  /** Pieces that the shell is opening. */
  readonly #opening = new Map<number, Assembly>();
  /** Of full chunks, for use again with their memory: what lives as long as a chunk is under way is dear to collect. */
  readonly #spare: Assembly[] = [];
  /** The same, whose memory is still read by somebody. */
  #lent: Assembly[] = [];
  readonly #memory: ChunkMemory;
  /** All sources, by number: to reckon who would be sooner. */
  readonly #takers = new Map<number, Taker>();
  /** Pieces that one source alone is asked for. */
  readonly #alone = new Set<number>();
  #checking = 0;
  #isTail = false;
  #symbolSize: number;

  /** Nothing in hand yet. */
  constructor(
    manifest: Manifest,
    plan: PiecePlan,
    symbolSize: number,
    memory: ChunkMemory = OWN_MEMORY,
  ) {
    this.#manifest = manifest;
    this.#plan = plan;
    this.#symbolSize = symbolSize;
    this.#memory = memory;
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

  /**
   * Symbols to ask a source for next, at most `max` in `runsMax` runs, now owned by `request`: what was lost of its pieces first, then leaf
   * pages, then new chunks. Each piece has one source, so that who is faster gets more of them; only where nothing is left to begin, the
   * others help with what comes late.
   */
  takeRuns(
    max: number,
    runsMax: number,
    request: number,
    weather: Weather,
    taker: Taker = ONLY_ONE,
  ): SymbolRun[] {
    this.#takers.set(taker.source, taker);
    const asking = new Asking(max, runsMax, request, weather);
    for (const assembly of this.#assemblies.values()) {
      if (this.#isFor(assembly, taker)) asking.takeOf(assembly, taker.source);
      if (asking.isFull) return asking.runs;
    }
    while (!asking.isFull) {
      const begun = this.#begin(taker);
      this.#isTail = begun.length === 0 && !this.full;
      if (begun.length === 0) {
        this.#help(asking, taker);
        break;
      }
      for (const assembly of begun) asking.takeOf(assembly, taker.source);
    }
    return asking.runs;
  }

  /** A source is asked for nothing more, or lacks a piece (`which`): others may take what it was asked for. */
  leave(source: number, which: (piece: number) => boolean = () => true): void {
    for (const assembly of this.#assemblies.values()) {
      if (!which(assembly.piece)) continue;
      if (this.#alone.has(assembly.piece) && assembly.home === source) assembly.restart(assembly.piece);
      if (assembly.helper === source) assembly.endHelp();
      if (assembly.home === source) assembly.home = undefined;
    }
  }

  /** A source has gone. */
  forget(source: number): void {
    this.leave(source);
    this.#takers.delete(source);
  }

  /** Several have sent a piece, and it was wrong: the next copy comes from one of them alone, which shows who it was. */
  pullAlone(piece: number): void {
    this.#alone.add(piece);
  }

  /** The piece that a symbol belongs to which nobody has asked for: begun, if it is missing and there is room. */
  adopt(piece: number): Assembly | undefined {
    const known = this.#assemblies.get(piece);
    if (known) return known;
    const isPage = piece >= PAGE_BIT;
    if (this.pieces > this.#limit || (this.full && !isPage)) return undefined;
    const isMissing = isPage ? this.#plan.claimPage?.(piece - PAGE_BIT) : this.#plan.claimChunk?.(piece);
    return isMissing ? this.#open(piece) : undefined;
  }

  /** Blocks of pieces in hand that have too few symbols. */
  *short(): Generator<BlockSymbols & { readonly first: number }> {
    for (const assembly of this.#assemblies.values()) {
      for (const lacking of assembly.short()) yield { piece: assembly.piece, ...lacking };
    }
  }

  /** Pieces that are wanted and of which nothing is in hand: ascending runs. */
  *missing(): Generator<Run> {
    yield* this.#plan.missingChunks?.() ?? [];
    for (const page of this.#plan.missingPages?.() ?? []) yield { first: PAGE_BIT + page, count: 1 };
  }

  /** A whole piece leaves assembly; answers with its bytes for the shell to open. */
  complete(assembly: Assembly): Uint8Array {
    assembly.repair();
    this.#assemblies.delete(assembly.piece);
    this.#opening.set(assembly.piece, assembly);
    return assembly.bytes;
  }

  /** The piece that the shell is opening. */
  opened(piece: number): Assembly | undefined {
    return this.#opening.get(piece);
  }

  /** The shell is done with a piece. */
  settle(piece: number): void {
    const assembly = this.#opening.get(piece);
    this.#opening.delete(piece);
    if (!assembly || !this.#isSpare(assembly)) return;
    if (this.#memory.isLent(piece)) this.#lent.push(assembly);
    else this.#spare.push(assembly);
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
    const memories = [...this.#assemblies.values()].filter((assembly) => this.#isSpare(assembly));
    for (const { piece } of this.#assemblies.values()) {
      if (piece >= PAGE_BIT) this.#plan.settlePage(piece - PAGE_BIT, false);
      else this.#plan.settleChunk(piece, false);
    }
    this.#assemblies.clear();
    this.#symbolSize = symbolSize;
    memories.push(...this.#spare.splice(0));
    const renewed = ({ piece, bytes }: Assembly) => new Assembly(piece, bytes, symbolSize);
    this.#spare.push(...memories.map(renewed));
    this.#lent = this.#lent.map(renewed);
  }

  #isFor({ piece, home, helper }: Assembly, { source, has }: Taker): boolean {
    if (home === source || helper === source) return true;
    return home === undefined && (piece >= PAGE_BIT || has === undefined || has(piece));
  }

  /** Of what others are asked for and bring late, the oldest. */
  #help(asking: Asking, taker: Taker): void {
    if (this.#takers.size < 2) return;
    for (const assembly of this.#assemblies.values()) {
      const { home, helper, piece, lacking } = assembly;
      if (this.#alone.has(piece)) continue;
      if (home === undefined || home === taker.source || (helper ?? taker.source) !== taker.source) continue;
      if (piece < PAGE_BIT && taker.has && !taker.has(piece)) continue;
      const there = this.#takers.get(home)?.eta(0) ?? Infinity;
      if (taker.eta(lacking) <= HELP_SHARE * there) asking.takeInsteadOf(assembly, taker.source);
      if (asking.isFull) return;
    }
  }

  /** What comes next, all for this source: a page goes before its chunks. */
  #begin(taker: Taker): readonly Assembly[] {
    // Pieces that wait for their leaves may fill the hand: a page must still be pulled then, one beyond the limit.
    if (this.pieces > this.#limit) return [];
    // Taking a chunk may look at a new page.
    const chunk = this.full ? undefined : this.#plan.takeChunk(taker.has);
    const page = this.#plan.takePage();
    if (page === undefined && chunk === undefined) return [];
    if (page === undefined) return [this.#open(chunk!, taker)];
    const first = this.#open(PAGE_BIT + page, taker);
    return chunk === undefined ? [first] : [first, this.#open(chunk, taker)];
  }

  #open(piece: number, home?: Taker): Assembly {
    const assembly = this.#assemblyOf(piece);
    assembly.home = home?.source;
    this.#assemblies.set(piece, assembly);
    return assembly;
  }

  #assemblyOf(piece: number): Assembly {
    const size = pieceBytes(this.#manifest, piece)!;
    const isFull = this.#isFullChunk(piece, size);
    const spare = isFull ? this.#takeSpare() : undefined;
    if (!spare) {
      const memory = isFull ? this.#memory.allocate(size) : new Uint8Array(size);
      return new Assembly(piece, memory, this.#symbolSize);
    }
    spare.restart(piece);
    return spare;
  }

  #takeSpare(): Assembly | undefined {
    if (this.#spare.length === 0 && this.#lent.length > 0) {
      const lent = this.#lent;
      this.#lent = [];
      for (const assembly of lent) {
        (this.#memory.isLent(assembly.piece) ? this.#lent : this.#spare).push(assembly);
      }
    }
    return this.#spare.pop();
  }

  /** Whether it can be another chunk's; one that was begun with symbols of another size cannot. */
  #isSpare({ piece, bytes, symbolSize }: Assembly): boolean {
    return this.#isFullChunk(piece, bytes.length) && symbolSize === this.#symbolSize &&
      this.#spare.length < this.#limit;
  }

  #isFullChunk(piece: number, size: number): boolean {
    return piece < PAGE_BIT && size === pieceBytes(this.#manifest, 0);
  }
}

/** What one request asks for, as it grows. */
class Asking {
  readonly runs: SymbolRun[] = [];
  readonly #runsMax: number;
  readonly #request: number;
  readonly #weather: Weather;
  /** Symbols that it may ask for still. */
  #left: number;

  constructor(symbolsMax: number, runsMax: number, request: number, weather: Weather) {
    this.#left = symbolsMax;
    this.#runsMax = runsMax;
    this.#request = request;
    this.#weather = weather;
  }

  get isFull(): boolean {
    return this.#left <= 0 || this.runs.length >= this.#runsMax;
  }

  /** What a piece wants; it is this source's then. */
  takeOf(assembly: Assembly, source: number): void {
    for (let run; !this.isFull && (run = assembly.take(this.#left, this.#request, this.#weather));) {
      assembly.home ??= source;
      this.#add(run);
    }
  }

  /** What another source brings late. */
  takeInsteadOf(assembly: Assembly, source: number): void {
    for (let run; !this.isFull && (run = assembly.takeInstead(this.#left, this.#request));) {
      assembly.helper = source;
      this.#add(run);
    }
  }

  #add(run: SymbolRun): void {
    this.runs.push(run);
    this.#left -= run.count + run.parityCount;
  }
}
