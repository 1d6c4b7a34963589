import { blockOf, blockPlan, blockStart, blockSymbols } from "../codec/geometry.ts";
import type { ChunkStamp } from "../codec/packet.ts";
import { CHUNK_HEADER_BYTES, chunkStamp, setChunkHeader, TAG_BYTES } from "../codec/packet.ts";
import { pieceBytes } from "./exposure/pieces.ts";
import type { PieceFacts } from "./exposure/pieces.ts";
import type { ChunkStore } from "./exposure/store.ts";
import { joined, joinedBytes, splitDatagramsMax } from "./link/link.ts";
import type { Link, SplitDatagrams } from "./link/link.ts";
import type { ExposerOutput } from "./protocol/exposer_types.ts";

/** What a machine asks for in answer to a request. */
export type Serve = Extract<ExposerOutput, { kind: "serve" }>;

/** Which symbols of which piece, cut into symbols of which size. */
export type SymbolRun = Pick<Serve, "piece" | "symbolSize" | "first" | "count" | "parityOf">;

/**
 * The answers to one request, as far as they go out at once. Symbols are sent from where the store keeps their piece; headers are made in
 * memory that a processor's cache holds.
 */
export class AnswerTrain {
  /** Datagrams in it. */
  datagrams = 0;
  readonly #headers = new Uint8Array(new ArrayBuffer(splitDatagramsMax * CHUNK_HEADER_BYTES));
  readonly #view = new DataView(this.#headers.buffer);
  readonly #runs: Uint8Array[] = [];
  #first: Serve | undefined;
  /** For links that take only what lies together. */
  #memory = new Uint8Array(0);

  /** Whether one more answer has its place in it. */
  takes({ puller, request, symbolSize, receipt, count }: Serve): boolean {
    const first = this.#first;
    return first === undefined || (first.puller === puller && first.request === request &&
      first.symbolSize === symbolSize && first.receipt === receipt &&
      this.datagrams + count <= splitDatagramsMax);
  }

  /** Takes an answer whose piece is at hand in the store, or is the first in this train; whether the store has it. */
  add(serve: Serve, store: ChunkStore): boolean {
    const symbols = symbolsOf(store, serve);
    if (!symbols) return false;
    this.#first ??= serve;
    this.#runs.push(symbols);
    const { puller, piece, count, request, receipt } = serve;
    const bytes = pieceBytes(puller.exposed.manifest, piece)!;
    const at = this.datagrams * CHUNK_HEADER_BYTES;
    writeHeaders(this.#view, at, bytes, serve, chunkStamp(puller.tag, request, receipt));
    this.datagrams += count;
    return true;
  }

  /** Sends it, and is empty again; without a promise where there was nothing to wait for. */
  send(link: Link): Promise<void> | undefined {
    const first = this.#first;
    if (!first) return undefined;
    const { puller: { address: peer }, symbolSize } = first;
    const split: SplitDatagrams = {
      peer,
      headers: this.#headers.subarray(0, this.datagrams * CHUNK_HEADER_BYTES),
      headerBytes: CHUNK_HEADER_BYTES,
      runs: this.#runs.splice(0),
      bodyBytes: symbolSize,
    };
    this.#first = undefined;
    this.datagrams = 0;
    return link.sendSplit ? link.sendSplit(split) : this.#sendJoined(link, split);
  }

  async #sendJoined(link: Link, split: SplitDatagrams): Promise<void> {
    if (this.#memory.length < joinedBytes(split)) this.#memory = new Uint8Array(joinedBytes(split));
    for (const datagrams of joined(split, this.#memory)) await link.send(datagrams);
  }
}

/** Writes the headers of a run of symbols of a piece of so many bytes, after each other from `at` on. */
function writeHeaders(
  view: DataView,
  at: number,
  bytes: number,
  { piece, symbolSize, first, count, parityOf }: SymbolRun,
  stamp: ChunkStamp,
): void {
  const plan = blockPlan(bytes, symbolSize);
  let block = parityOf ?? blockOf(plan, first);
  let index = parityOf === undefined ? first - blockStart(plan, block) : blockSymbols(plan, block) + first;
  for (let i = 0; i < count; i++, index++) {
    if (parityOf === undefined && index === blockSymbols(plan, block)) {
      block++;
      index = 0;
    }
    setChunkHeader(view, at + i * CHUNK_HEADER_BYTES, block, index, piece, stamp);
  }
}

/** The symbols that answer a request, after each other; `undefined` when the store cannot give them. */
function symbolsOf(
  store: ChunkStore,
  { piece, symbolSize, first, count, parityOf }: SymbolRun,
): Uint8Array | undefined {
  if (parityOf !== undefined) return store.parity(piece, symbolSize, { block: parityOf, first, count });
  return store.piece(piece)?.subarray(first * symbolSize, (first + count) * symbolSize);
}

const NOT_STAMPED = chunkStamp(new Uint8Array(TAG_BYTES), 0, 0);
const NOBODY = { host: "0.0.0.0", port: 0 };

/**
 * A run of symbols as packets after each other, in memory of their own, without what `stampChunkHeader` writes; `undefined` when the store
 * cannot give them.
 */
export function packetsFor(
  store: ChunkStore,
  facts: PieceFacts,
  run: SymbolRun,
): Uint8Array<ArrayBuffer> | undefined {
  const symbols = symbolsOf(store, run);
  if (!symbols) return undefined;
  const headers = new Uint8Array(run.count * CHUNK_HEADER_BYTES);
  writeHeaders(new DataView(headers.buffer), 0, pieceBytes(facts, run.piece)!, run, NOT_STAMPED);
  const packets = new Uint8Array(symbols.length + headers.length);
  const split = { peer: NOBODY, headers, headerBytes: CHUNK_HEADER_BYTES, runs: [symbols] };
  for (const _ of joined({ ...split, bodyBytes: run.symbolSize }, packets));
  return packets;
}
