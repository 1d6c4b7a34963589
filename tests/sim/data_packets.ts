import { blockPlan, blockSymbols } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, writeChunkHeader } from "../../codec/packet.ts";

/**
 * All data packets of a piece after each other, not stamped: obviously right, one packet after the other. Packet `n` begins at
 * `n * (CHUNK_HEADER_BYTES + symbolSize)`.
 */
export function dataPackets(piece: number, bytes: Uint8Array, symbolSize: number): Uint8Array<ArrayBuffer> {
  const plan = blockPlan(bytes.length, symbolSize);
  const packets = new Uint8Array(bytes.length + plan.symbols * CHUNK_HEADER_BYTES);
  let symbol = 0;
  for (let block = 0; block < plan.blocks; block++) {
    for (let index = 0; index < blockSymbols(plan, block); index++, symbol++) {
      const at = symbol * (CHUNK_HEADER_BYTES + symbolSize);
      writeChunkHeader(packets, block, index, piece, at);
      packets.set(
        bytes.subarray(symbol * symbolSize, (symbol + 1) * symbolSize),
        at + CHUNK_HEADER_BYTES,
      );
    }
  }
  return packets;
}
