import { blockPlan, blockSymbols } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, writeChunkHeader } from "../../codec/packet.ts";
import { blockData, makeParity } from "../../fec/mod.ts";
import { packetsKey, RecentPackets } from "./_recent_packets.ts";

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
/** More than any piece has blocks: a piece of 1 MiB in symbols of 1200 bytes has 7. */
const BLOCKS_MAX = 16;

/** Packets of parity symbols: made from a piece's packets when they are first asked for, then kept as long as there is room. */
export class ParityPackets {
  readonly #recent: RecentPackets;

  /** It holds no more than `bytesMax`, 16 MiB by default, but always what was asked for last. */
  constructor(bytesMax = BYTES_MAX) {
    this.#recent = new RecentPackets(bytesMax);
  }

  /** Bytes that it holds. */
  get bytes(): number {
    return this.#recent.bytes;
  }

  /**
   * The packets of parity symbols, each a header as `packetise` makes it and a symbol of full size. `dataPackets` gives all data packets
   * of the piece and is called only when something must be made; without them there is no parity either.
   *
   * @throws {RangeError} when the block has no such symbols
   */
  packets(
    piece: number,
    pieceBytes: number,
    symbolSize: number,
    { block, first, count }: ParityRun,
    dataPackets: () => Uint8Array | undefined,
  ): Uint8Array | undefined {
    const stride = CHUNK_HEADER_BYTES + symbolSize;
    const key = packetsKey(piece, symbolSize) * BLOCKS_MAX + block;
    let made = this.#recent.get(key);
    const here = made ? made.length / stride : 0;
    if (here < first + count) {
      const packets = dataPackets();
      if (!packets) return undefined;
      const more = new Uint8Array((first + count) * stride);
      if (made) more.set(made);
      addParity(more, here, piece, pieceBytes, symbolSize, block, packets);
      this.#recent.replace(key, more);
      made = more;
    }
    return made!.subarray(first * stride, (first + count) * stride);
  }

  /** Gives all of it up. */
  clear(): void {
    this.#recent.clear();
  }
}

/** Fills `out` with parity packets from number `from` on. */
function addParity(
  out: Uint8Array,
  from: number,
  piece: number,
  pieceBytes: number,
  symbolSize: number,
  block: number,
  dataPackets: Uint8Array,
): void {
  const plan = blockPlan(pieceBytes, symbolSize);
  const stride = CHUNK_HEADER_BYTES + symbolSize;
  const symbols = blockSymbols(plan, block);
  const made: Uint8Array[] = [];
  for (let at = from * stride; at < out.length; at += stride) {
    writeChunkHeader(out.subarray(at, at + CHUNK_HEADER_BYTES), block, symbols + at / stride, piece);
    made.push(out.subarray(at + CHUNK_HEADER_BYTES, at + stride));
  }
  const data = dataPackets.subarray(CHUNK_HEADER_BYTES);
  makeParity(blockData(data, plan, block, symbolSize, CHUNK_HEADER_BYTES), symbols + from, made);
}
