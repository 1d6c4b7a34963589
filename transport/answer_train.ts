import { blockOf, blockPlan, blockStart, blockSymbols } from "../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, chunkStamp, setChunkHeader } from "../codec/packet.ts";
import { pieceBytes } from "./exposure/pieces.ts";
import type { ChunkStore } from "./exposure/store.ts";
import { joined, joinedBytes, splitDatagramsMax } from "./link/link.ts";
import type { Link, SplitDatagrams } from "./link/link.ts";
import type { ExposerOutput } from "./protocol/exposer_types.ts";

/** What a machine asks for in answer to a request. */
export type Serve = Extract<ExposerOutput, { kind: "serve" }>;

/**
 * The answers to one request, as far as they go out at once. Packets are sent from where the store keeps them; their headers are made anew
 * in memory that a processor's cache holds, since to write into the packets would cost more than to send them.
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
    const packets = packetsFor(store, serve);
    if (!packets) return false;
    this.#first ??= serve;
    this.#runs.push(packets.subarray(CHUNK_HEADER_BYTES));
    this.#writeHeaders(serve);
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
      bodyStride: symbolSize + CHUNK_HEADER_BYTES,
    };
    this.#first = undefined;
    this.datagrams = 0;
    return link.sendSplit ? link.sendSplit(split) : this.#sendJoined(link, split);
  }

  async #sendJoined(link: Link, split: SplitDatagrams): Promise<void> {
    if (this.#memory.length < joinedBytes(split)) this.#memory = new Uint8Array(joinedBytes(split));
    for (const datagrams of joined(split, this.#memory)) await link.send(datagrams);
  }

  #writeHeaders({ puller, piece, first, count, symbolSize, parityOf, request, receipt }: Serve): void {
    const plan = blockPlan(pieceBytes(puller.exposed.manifest, piece)!, symbolSize);
    let block = parityOf ?? blockOf(plan, first);
    let index = parityOf === undefined ? first - blockStart(plan, block) : blockSymbols(plan, block) + first;
    const view = this.#view;
    const stamp = chunkStamp(puller.tag, request, receipt);
    for (let i = 0; i < count; i++, index++) {
      if (parityOf === undefined && index === blockSymbols(plan, block)) {
        block++;
        index = 0;
      }
      setChunkHeader(view, this.datagrams++ * CHUNK_HEADER_BYTES, block, index, piece, stamp);
    }
  }
}

/** The stored packets that answer a request, after each other; `undefined` when the store cannot give them. */
export function packetsFor(
  store: ChunkStore,
  { piece, symbolSize, first, count, parityOf }: Pick<
    Serve,
    "piece" | "symbolSize" | "first" | "count" | "parityOf"
  >,
): Uint8Array | undefined {
  if (parityOf !== undefined) {
    return store.parityPackets(piece, symbolSize, { block: parityOf, first, count });
  }
  const stride = CHUNK_HEADER_BYTES + symbolSize;
  return store.packets(piece, symbolSize)?.subarray(first * stride, (first + count) * stride);
}
