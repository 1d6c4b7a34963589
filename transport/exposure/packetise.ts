import { blockPlan, blockSymbols } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, writeChunkHeader } from "../../codec/packet.ts";

/** Bytes from the start of one stored packet to the start of the next: a CHUNK_DATA header and a symbol. */
export function PACKET_STRIDE(symbolSize: number): number {
  return CHUNK_HEADER_BYTES + symbolSize;
}

/** Bytes of all data packets of a piece of `bytes` bytes; the last packet is short. */
export function packetisedBytes(bytes: number, symbolSize: number): number {
  return bytes + Math.ceil(bytes / symbolSize) * CHUNK_HEADER_BYTES;
}

/**
 * All data symbols of a piece, each behind the part of its header that never changes; symbol `n` of the piece starts at
 * `n * PACKET_STRIDE(symbolSize)`. The header fields that belong to one request are left as they are (zero):
 * `stampChunkHeader` fills them in just before a send.
 */
export function packetise(piece: number, bytes: Uint8Array, symbolSize: number): Uint8Array<ArrayBuffer> {
  const packets = new Uint8Array(packetisedBytes(bytes.length, symbolSize));
  packetiseInto(piece, bytes, symbolSize, packets);
  return packets;
}

/**
 * {@linkcode packetise} into the front of memory that is there already.
 *
 * @throws {RangeError} when `out` is smaller than {@linkcode packetisedBytes}
 */
export function packetiseInto(piece: number, bytes: Uint8Array, symbolSize: number, out: Uint8Array): void {
  const plan = blockPlan(bytes.length, symbolSize);
  let at = 0;
  let from = 0;
  for (let block = 0; block < plan.blocks; block++) {
    const count = blockSymbols(plan, block);
    for (let index = 0; index < count; index++) {
      writeChunkHeader(out, block, index, piece, at);
      out.set(bytes.subarray(from, from + symbolSize), at + CHUNK_HEADER_BYTES);
      at += CHUNK_HEADER_BYTES + symbolSize;
      from += symbolSize;
    }
  }
}

/**
 * The piece of `bytes` bytes that {@linkcode packetise} has cut up.
 *
 * @throws {RangeError} when `packets` does not have the size that goes with `bytes` and `symbolSize`
 */
export function depacketise(packets: Uint8Array, symbolSize: number, bytes: number): Uint8Array<ArrayBuffer> {
  if (packets.length !== packetisedBytes(bytes, symbolSize)) {
    throw new RangeError(
      `${packets.length} bytes of packets where ${bytes} bytes in symbols of ${symbolSize} need ` +
        `${packetisedBytes(bytes, symbolSize)}`,
    );
  }
  const piece = new Uint8Array(bytes);
  let from = CHUNK_HEADER_BYTES;
  for (let at = 0; at < bytes; at += symbolSize) {
    const symbol = Math.min(symbolSize, bytes - at);
    piece.set(packets.subarray(from, from + symbol), at);
    from += CHUNK_HEADER_BYTES + symbolSize;
  }
  return piece;
}
