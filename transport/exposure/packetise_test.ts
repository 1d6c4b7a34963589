import { blockPlan, blockSymbols, symbolSizes } from "../../codec/geometry.ts";
import {
  CHUNK_HEADER_BYTES,
  chunkDataBlock,
  chunkDataIndex,
  chunkDataPiece,
  isChunkData,
  PAGE_BIT,
} from "../../codec/packet.ts";
import { assert, assertEquals, assertThrows } from "../../tests/_assert.ts";
import { depacketise, PACKET_STRIDE, packetise, packetisedBytes, packetiseInto } from "./packetise.ts";

/** Obviously right: one packet after the other, byte by byte. */
function slowPackets(piece: number, bytes: Uint8Array, symbolSize: number): number[] {
  const packets: number[] = [];
  const plan = blockPlan(bytes.length, symbolSize);
  let left = bytes;
  for (let block = 0; block < plan.blocks; block++) {
    for (let index = 0; index < blockSymbols(plan, block); index++) {
      packets.push(0x25, 0, block, index, ...new Array(12).fill(0));
      for (const shift of [24, 16, 8, 0]) packets.push((piece >>> shift) & 255);
      packets.push(0, 0, 0, 0, ...left.subarray(0, symbolSize));
      left = left.subarray(symbolSize);
    }
  }
  return packets;
}

function sample(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + 1) & 255);
}

/** Lengths around every border: of a symbol, and of one and two code blocks. */
function borders(symbolSize: number): number[] {
  const edges = [0, symbolSize, 2 * symbolSize, 128 * symbolSize, 256 * symbolSize];
  return edges.flatMap((edge) => [edge - 1, edge, edge + 1]).filter((length) => length >= 0);
}

for (const symbolSize of [...symbolSizes, 1, 3, 16]) {
  Deno.test(`packetise() equals its slow twin at every border of symbols of ${symbolSize} bytes`, () => {
    for (const length of [...borders(symbolSize), 65_552, 33_088]) {
      if (length > 256 * 255 * symbolSize) continue;
      // An unaligned slice of a larger array, as stores hand them out.
      const bytes = sample(length + 3).subarray(3);
      for (const piece of [0, 0x01020304, PAGE_BIT + 5]) {
        const packets = packetise(piece, bytes, symbolSize);
        assertEquals(packets.length, packetisedBytes(length, symbolSize));
        // Deep comparison of large arrays is slow: as text instead.
        assert(
          packets.toHex() === Uint8Array.from(slowPackets(piece, bytes, symbolSize)).toHex(),
          `length ${length}, piece ${piece}`,
        );
        assert(depacketise(packets, symbolSize, length).toHex() === bytes.toHex(), `back, length ${length}`);
      }
    }
  });
}

Deno.test("packetise() makes packets that the codec reads", () => {
  const bytes = sample(1_048_592);
  const packets = packetise(0x7ffffffe, bytes, 1428);
  const plan = blockPlan(bytes.length, 1428);
  const seen = new Set<number>();
  for (let n = 0; n < plan.symbols; n++) {
    const packet = packets.subarray(n * PACKET_STRIDE(1428), (n + 1) * PACKET_STRIDE(1428));
    assert(isChunkData(packet));
    assertEquals(chunkDataPiece(packet), 0x7ffffffe);
    assert(chunkDataIndex(packet) < blockSymbols(plan, chunkDataBlock(packet)));
    seen.add(chunkDataBlock(packet) * 256 + chunkDataIndex(packet));
    assertEquals(packet.length, n < plan.symbols - 1 ? 1452 : CHUNK_HEADER_BYTES + bytes.length % 1428);
  }
  assertEquals(seen.size, plan.symbols);
});

Deno.test("packetiseInto() leaves the request's fields and the memory behind alone", () => {
  const out = new Uint8Array(packetisedBytes(20, 16) + 5).fill(9);
  packetiseInto(1, sample(20), 16, out);
  assertEquals([...out.subarray(4, 16)], new Array(12).fill(9));
  assertEquals([...out.subarray(-5)], new Array(5).fill(9));
  assertThrows(() => packetiseInto(1, sample(20), 16, out.subarray(0, 60)), RangeError);
});

Deno.test("depacketise() refuses packets of another size", () => {
  const packets = packetise(0, sample(100), 16);
  for (const length of [0, 99, 101, 116]) {
    assertThrows(() => depacketise(packets, 16, length), RangeError, "bytes of packets");
  }
});
