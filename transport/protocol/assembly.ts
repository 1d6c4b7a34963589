import { blockPlan, blockStart, blockSymbols } from "../../codec/geometry.ts";
import type { BlockPlan } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, chunkDataBlock, chunkDataIndex } from "../../codec/packet.ts";
import { BLOCK_INDEXES, blockData, repair } from "../../fec/mod.ts";

const NEEDED = 0;
/** No number of a request. */
const GOT = -1;

/**
 * Symbols that come late may still come: more are asked for only when what is under way falls short of the need by more than this many
 * standard deviations of what arrives of it.
 */
const PATIENCE = 0.7;
/** What was lost in runs of this length is asked for as it was; parity would cost more reckoning, and as many bytes. */
const LOST_RUN_MIN = 6;
/** Below this share of loss a few lost symbols are cheaper asked for than reckoned. */
const PARITY_LOSS_MIN = 0.02;
/** So many losses are expected of a block that is as likely to have some as to have none. */
const LOSSES_EVEN = Math.LN2;

/** What became of a symbol that arrived. */
export type SymbolFate =
  /** It is here now. */
  | "new"
  /** It was here, or its block can do without. */
  | "duplicate"
  | "malformed";

/** Symbols of one block to ask for; as it stands in a request, too. */
export interface SymbolRun {
  /** What is put together of them. */
  readonly assembly: Assembly;
  /** Chunk, or leaf page with the top bit. */
  readonly piece: number;
  /** The block. */
  readonly block: number;
  /** First data symbol, counted over the whole piece; a symbol of the block even when `count` is 0. */
  readonly first: number;
  /** Data symbols. */
  readonly count: number;
  /** First parity symbol, from 0. */
  readonly parityFirst: number;
  /** Parity symbols. */
  readonly parityCount: number;
}

/** How much of what is asked for is likely to arrive, and how sure a piece has to be of having asked for enough. */
export interface Weather {
  /** Share of symbols that get lost. */
  readonly lossRate: number;
  /** How many standard deviations of luck to ask for beyond the expected, once it is not the first time. */
  readonly margin: number;
  /** Symbols that one loss takes: then a block that will likely lose none is asked for as if there were none. Absent: it is not. */
  readonly perEvent?: number;
}

/**
 * One piece (a sealed chunk, or a leaf page) being put together from symbols, data and parity: any k of a block's symbols are enough.
 * Request numbers start at 1, and none is used for two pieces: what was asked for of a piece that is no longer here says nothing.
 */
export class Assembly {
  /** The piece; right where symbols have arrived, and everywhere after {@linkcode Assembly.repair}. */
  readonly bytes: Uint8Array;
  /** Bytes of a symbol. */
  readonly symbolSize: number;
  /** The source that is asked for it; absent: none at present. */
  home: number | undefined;
  /** The source that helps the other out; absent: none. */
  helper: number | undefined;
  readonly #words: DataView;
  readonly #blocks: readonly Block[];
  readonly #plan: BlockPlan;
  #piece: number;
  #unfinished: number;

  /** `buffer` has the piece's size; it may hold anything. */
  constructor(piece: number, buffer: Uint8Array, symbolSize: number) {
    this.#piece = piece;
    this.bytes = buffer;
    this.#words = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    this.symbolSize = symbolSize;
    this.#plan = blockPlan(buffer.length, symbolSize);
    this.#blocks = Array.from(
      { length: this.#plan.blocks },
      (_, i) => new Block(this, i, blockStart(this.#plan, i), blockSymbols(this.#plan, i)),
    );
    this.#unfinished = this.#blocks.length;
  }

  /** Chunk, or leaf page with the top bit. */
  get piece(): number {
    return this.#piece;
  }

  /** Whether every block has enough symbols. */
  get whole(): boolean {
    return this.#unfinished === 0;
  }

  /** Nothing has come, of a piece of the same size; the memory stays. */
  restart(piece: number): void {
    this.#piece = piece;
    this.home = this.helper = undefined;
    this.#unfinished = this.#blocks.length;
    for (const block of this.#blocks) block.restart();
  }

  /** Symbols that some request asks for and that have not come. */
  get asked(): number {
    return this.#blocks.reduce((sum, block) => sum + block.asked, 0);
  }

  /** Symbols to ask for next, at most `max`, now owned by `request`; `undefined` when none is needed at present. */
  take(max: number, request: number, weather: Weather): SymbolRun | undefined {
    for (const block of this.#blocks) {
      // A request has one run of parity of a block.
      if (block.parityIn === request) continue;
      const count = Math.min(max, block.wanting(weather));
      const run = count > 0 ? block.take(count, request, weather.lossRate) : undefined;
      if (run) return run;
    }
    return undefined;
  }

  /** Gives back what `request` asked for and did not get; answers with how many symbols that are. */
  release(run: SymbolRun, request: number): number {
    return this.#blocks[run.block].release(run, request);
  }

  /** Symbols that it lacks, asked for or not. */
  get lacking(): number {
    return this.#blocks.reduce((sum, block) => sum + block.lacking, 0);
  }

  /**
   * Parity in place of symbols that somebody else was asked for and takes his time with: as many as are lacking, at most `max`. Any of
   * both will do, so nothing comes twice that need not.
   */
  takeInstead(max: number, request: number): SymbolRun | undefined {
    for (const block of this.#blocks) {
      const isFree = !block.isHelped && block.parityIn !== request;
      const run = isFree ? block.takeInstead(max, request) : undefined;
      if (run) return run;
    }
    return undefined;
  }

  /** Who helped out does so no longer: somebody else may. */
  endHelp(): void {
    this.helper = undefined;
    for (const block of this.#blocks) block.isHelped = false;
  }

  /** Which sources have sent something of it. */
  get senders(): Set<number> {
    return new Set(this.#blocks.flatMap((block) => [...block.senders]));
  }

  /** The symbols of one block that have come, and who sent each. */
  *received(): Generator<{ block: number; index: number; sender: number; parity: Uint8Array | undefined }> {
    for (const block of this.#blocks) {
      for (const { index, sender } of block.received()) {
        yield { block: block.number, index, sender, parity: block.parity.get(index) };
      }
    }
  }

  /** Takes the symbol of a CHUNK_DATA packet from one of the sources. */
  accept(packet: Uint8Array, sender = 0): SymbolFate {
    const block = this.#blocks[chunkDataBlock(packet)];
    const index = chunkDataIndex(packet);
    if (block === undefined || index >= BLOCK_INDEXES) return "malformed";
    const at = (block.start + index) * this.symbolSize;
    const isData = index < block.symbols;
    const size = isData ? Math.min(this.symbolSize, this.bytes.length - at) : this.symbolSize;
    if (packet.length - CHUNK_HEADER_BYTES !== size) return "malformed";
    if (!block.accept(index, sender)) return "duplicate";
    if (isData) copySymbol(packet, this.bytes, this.#words, at);
    else block.parity.set(index, packet.slice(CHUNK_HEADER_BYTES));
    if (block.whole) this.#unfinished--;
    return "new";
  }

  /** Blocks that have too few symbols: their first data symbol, counted over the piece, and how many are lacking. */
  *short(): Generator<{ readonly block: number; readonly first: number; readonly symbols: number }> {
    for (const { number: block, start: first, lacking: symbols } of this.#blocks) {
      if (symbols > 0) yield { block, first, symbols };
    }
  }

  /** Makes what is missing of the data from the parity that is here. The piece is whole. */
  repair(): void {
    for (const block of this.#blocks) {
      // What is whole without parity has all data.
      if (block.parity.size === 0) continue;
      const { number, missing, parity } = block;
      if (missing.length === 0) continue;
      repair(blockData(this.bytes, this.#plan, number, this.symbolSize), missing, parity);
    }
  }
}

/** What stands where a header is put for a moment, in words. */
const underHeader = new Int32Array(CHUNK_HEADER_BYTES / 4);

/**
 * Copies the symbol of a packet to its place. With its header, over the end of the symbol before, which is put back then: a view of the
 * symbol alone would be the largest part of the garbage of a pull. `words` is the same memory as `to`.
 */
function copySymbol(packet: Uint8Array, to: Uint8Array, words: DataView, at: number): void {
  const from = at - CHUNK_HEADER_BYTES;
  if (from < 0) return to.set(packet.subarray(CHUNK_HEADER_BYTES), at);
  for (let i = 0; i < underHeader.length; i++) underHeader[i] = words.getInt32(from + 4 * i, true);
  to.set(packet, from);
  for (let i = 0; i < underHeader.length; i++) words.setInt32(from + 4 * i, underHeader[i], true);
}

/** Indexes of a block that follow each other. */
interface Range {
  readonly first: number;
  readonly count: number;
}

const NOTHING: Range = { first: 0, count: 0 };

/** What one block has, and what of it is asked for. */
class Block {
  readonly #assembly: Assembly;
  readonly number: number;
  /** First data symbol, counted over the piece. */
  readonly start: number;
  /** Data symbols: the k of its code. */
  readonly symbols: number;
  /** Parity symbols that are here, by index. */
  readonly parity = new Map<number, Uint8Array>();
  /** Symbols that are asked for and have not come. */
  asked = 0;
  /** The latest request that asks for parity of it. */
  parityIn = 0;
  /** Whether somebody was asked for parity in place of what another one brings late. */
  isHelped = false;
  /**
   * For each index: NEEDED, GOT, or the number of the request that asks for it. Parity has room in it from when it is first asked for. As
   * an array it would be made anew whenever a number comes in that is no small integer, and whenever one goes.
   */
  #owners: Float64Array;
  /** Indexes from this one on were never asked for, and nothing of them has come. */
  #end: number;
  #got = 0;
  /** No data symbol before this one is NEEDED. */
  #hint = 0;
  /** Data symbols from this one on were never asked for. */
  #fresh = 0;
  #hasLost = false;
  /** Who sent all that is here; as soon as it was several, who sent which. */
  #sender: number | undefined;
  #senders: Uint8Array | undefined;

  constructor(assembly: Assembly, number: number, start: number, symbols: number) {
    this.#assembly = assembly;
    this.number = number;
    this.start = start;
    this.symbols = symbols;
    this.#owners = new Float64Array(symbols);
    this.#end = symbols;
  }

  restart(): void {
    this.#owners.fill(NEEDED);
    this.#end = this.symbols;
    if (this.parity.size > 0) this.parity.clear();
    this.asked =
      this.parityIn =
      this.#got =
      this.#hint =
      this.#fresh =
        0;
    this.isHelped = this.#hasLost = false;
    this.#sender = this.#senders = undefined;
  }

  get whole(): boolean {
    return this.#got >= this.symbols;
  }

  /** Symbols short of being whole. */
  get lacking(): number {
    return Math.max(0, this.symbols - this.#got);
  }

  get senders(): Set<number> {
    if (this.#senders) return new Set([...this.received()].map(({ sender }) => sender));
    return new Set(this.#sender === undefined ? [] : [this.#sender]);
  }

  /** Indexes of data symbols that are not here. */
  get missing(): number[] {
    const missing: number[] = [];
    for (let i = 0; i < this.symbols; i++) if (this.#owners[i] !== GOT) missing.push(i);
    return missing;
  }

  /**
   * How many symbols to ask for now, so that as many as are missing can be expected to come. At first that is the data and the parity
   * which the loss calls for; later whatever luck has taken.
   */
  wanting(weather: Weather): number {
    if (this.whole) return 0;
    const { margin, perEvent = 0 } = weather;
    const isSpared = this.symbols * weather.lossRate < LOSSES_EVEN * perEvent;
    const lossRate = isSpared ? 0 : weather.lossRate;
    const arriving = 1 - lossRate;
    const short = this.symbols - this.#got - this.asked * arriving;
    const isFirst = this.#fresh < this.symbols || !this.#hasLost;
    const luck = Math.sqrt(this.asked * lossRate * arriving);
    if (this.#fresh === this.symbols && short < PATIENCE * luck) return 0;
    const wanting = short / arriving;
    if (isFirst) return Math.round(wanting);
    if (this.asked > 0 && wanting < 0.5) return 0;
    return Math.max(1, Math.floor(wanting + margin * Math.sqrt(wanting * lossRate / arriving)));
  }

  /** Takes `count` symbols for a request: data that was never asked for, or lost data, or parity that nobody has asked for yet. */
  take(count: number, request: number, lossRate: number): SymbolRun | undefined {
    const data = this.#takeData(count, request, lossRate);
    const parity = this.#takeParity(count - data.count, request);
    if (data.count + parity.count > 0) return this.#run(request, data, parity);
    // All parity that there is was asked for: what got lost of either is asked for again.
    const again = this.#takeLost(0, this.symbols, count, request);
    if (again.count > 0) return this.#run(request, again, NOTHING);
    const most = Math.min(count, this.symbols);
    const parityAgain = this.#takeLost(this.symbols, this.#end, most, request);
    return parityAgain.count > 0 ? this.#run(request, NOTHING, parityAgain) : undefined;
  }

  release({ first, count, parityFirst, parityCount }: SymbolRun, request: number): number {
    const data = this.#releaseRange(first - this.start, count, request);
    const parity = this.#releaseRange(this.symbols + parityFirst, parityCount, request);
    if (data + parity > 0) this.#hasLost = true;
    // If that was help, somebody may help again.
    if (parity > 0) this.isHelped = false;
    return data + parity;
  }

  takeInstead(max: number, request: number): SymbolRun | undefined {
    const parity = this.#takeParity(Math.min(max, this.lacking), request);
    this.isHelped = parity.count > 0;
    return parity.count > 0 ? this.#run(request, NOTHING, parity) : undefined;
  }

  *received(): Generator<{ index: number; sender: number }> {
    for (let index = 0; index < this.#end; index++) {
      if (this.#owners[index] === GOT) yield { index, sender: this.#senders?.[index] ?? this.#sender! };
    }
  }

  /** Whether a symbol that arrived is of use; it is here now. */
  accept(index: number, sender: number): boolean {
    if (this.whole) return false;
    // Parity that nobody asked for is as good as any.
    if (index >= this.#end) this.#extend(index + 1);
    const owner = this.#owners[index];
    if (owner === GOT) return false;
    if (owner !== NEEDED) this.asked--;
    this.#owners[index] = GOT;
    this.#got++;
    this.#note(index, sender);
    return true;
  }

  #note(index: number, sender: number): void {
    if (this.#sender === undefined) this.#sender = sender;
    if (this.#sender !== sender) this.#senders ??= new Uint8Array(BLOCK_INDEXES).fill(this.#sender);
    if (this.#senders) this.#senders[index] = sender;
  }

  /** `data` and `parity` are ranges of indexes. */
  #run(request: number, data: Range, parity: Range): SymbolRun {
    if (parity.count > 0) this.parityIn = request;
    return {
      assembly: this.#assembly,
      piece: this.#assembly.piece,
      block: this.number,
      first: this.start + data.first,
      count: data.count,
      parityFirst: parity.count > 0 ? parity.first - this.symbols : 0,
      parityCount: parity.count,
    };
  }

  #takeData(max: number, request: number, lossRate: number): Range {
    const first = this.#nextNeeded();
    if (first < 0) return NOTHING;
    let end = first + 1;
    while (end < this.symbols && end - first < max && this.#owners[end] === NEEDED) end++;
    const count = end - first;
    const isFresh = first >= this.#fresh;
    const isParityBetter = lossRate >= PARITY_LOSS_MIN && count < LOST_RUN_MIN && count < max &&
      this.#end < BLOCK_INDEXES;
    if (!isFresh && isParityBetter) return this.#takeFresh(max, request);
    this.#own(first, end, request);
    return { first, count };
  }

  /** Data that was never asked for, past what was lost. */
  #takeFresh(max: number, request: number): Range {
    const first = this.#fresh;
    const end = Math.min(this.symbols, first + max);
    // Some of it may have come unasked; then it is left to the parity.
    for (let i = first; i < end; i++) if (this.#owners[i] !== NEEDED) return NOTHING;
    if (end === first) return NOTHING;
    this.#own(first, end, request);
    return { first, count: end - first };
  }

  #takeParity(max: number, request: number): Range {
    const first = this.#end;
    const count = Math.min(max, this.symbols, BLOCK_INDEXES - first);
    if (count <= 0) return NOTHING;
    this.#extend(first + count);
    this.#own(first, first + count, request);
    return { first, count };
  }

  #takeLost(from: number, to: number, max: number, request: number): Range {
    let first = from;
    while (first < to && this.#owners[first] !== NEEDED) first++;
    let end = first;
    while (end < to && end - first < max && this.#owners[end] === NEEDED) end++;
    if (end === first) return NOTHING;
    this.#own(first, end, request);
    return { first, count: end - first };
  }

  #nextNeeded(): number {
    while (this.#hint < this.symbols && this.#owners[this.#hint] !== NEEDED) this.#hint++;
    return this.#hint < this.symbols ? this.#hint : -1;
  }

  #own(first: number, end: number, request: number): void {
    this.#owners.fill(request, first, end);
    this.asked += end - first;
    if (end <= this.symbols) this.#fresh = Math.max(this.#fresh, end);
  }

  /** Indexes below `end` may be asked for, or have come. */
  #extend(end: number): void {
    if (end > this.#owners.length) {
      const owners = new Float64Array(BLOCK_INDEXES);
      owners.set(this.#owners);
      this.#owners = owners;
    }
    this.#end = end;
  }

  #releaseRange(from: number, count: number, request: number): number {
    let released = 0;
    for (let i = from; i < from + count; i++) {
      if (this.#owners[i] !== request) continue;
      this.#owners[i] = NEEDED;
      released++;
    }
    this.asked -= released;
    if (released > 0) this.#hint = Math.min(this.#hint, from);
    return released;
  }
}
