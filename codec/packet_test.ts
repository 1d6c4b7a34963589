import fc from "fast-check";
import { assertEquals } from "../tests/_assert.ts";
import { anyBytes, anyUnsigned, embedded, ramp } from "./_samples.ts";
import {
  CHUNK_DATA_FIRST_BYTE,
  CHUNK_HEADER_BYTES,
  chunkDataBlock,
  chunkDataHasTag,
  chunkDataIndex,
  chunkDataPiece,
  chunkDataReceipt,
  chunkDataRequest,
  chunkHeaderLayout,
  chunkStamp,
  isChunkData,
  PacketType,
  readWord,
  setChunkHeader,
  stampChunkHeader,
  TAG_BYTES,
  WORD_BYTES,
  wordOf,
  writeChunkHeader,
  writeWord,
} from "./packet.ts";

Deno.test("readWord: every first byte is a version and a type", () => {
  for (let first = 0; first < 256; first++) {
    const expected = { version: first >> 4, type: first & 15, flags: 0xab, field: 0xcdef };
    assertEquals(readWord(embedded(Uint8Array.of(first, 0xab, 0xcd, 0xef))), expected);
  }
});

Deno.test("readWord: fewer than 4 bytes are no packet", () => {
  for (let length = 0; length < WORD_BYTES; length++) assertEquals(readWord(ramp(length, 0x21)), undefined);
});

Deno.test("writeWord: what is written is read", () => {
  for (let type = 0; type < 16; type++) {
    for (const [flags, field] of [[0, 0], [1, 0x0102], [255, 0xffff]]) {
      const packet = new Uint8Array(4);
      writeWord(packet, type, flags, field);
      assertEquals(readWord(packet), { version: 2, type, flags, field });
    }
  }
});

Deno.test("wordOf: refuses other versions and other types", () => {
  for (let first = 0; first < 256; first++) {
    const word = wordOf(Uint8Array.of(first, 0, 0, 0), PacketType.HAVE);
    assertEquals(word !== undefined, first === 0x2c);
  }
});

Deno.test("PacketType: thirteen types, numbered from 1 without a gap; 15 stays free", () => {
  assertEquals(Object.values(PacketType), Array.from({ length: 13 }, (_, i) => i + 1));
});

Deno.test("isChunkData: the first byte of our version, and at least one byte of a symbol", () => {
  const packet = new Uint8Array(CHUNK_HEADER_BYTES + 1);
  for (let first = 0; first < 256; first++) {
    packet[0] = first;
    assertEquals(isChunkData(packet), first === CHUNK_DATA_FIRST_BYTE);
  }
  packet[0] = CHUNK_DATA_FIRST_BYTE;
  for (let length = 0; length <= CHUNK_HEADER_BYTES; length++) {
    assertEquals(isChunkData(packet.subarray(0, length)), false);
  }
});

Deno.test("CHUNK_DATA: the fast functions agree with the layout table", () => {
  const header = fc.record({
    tag: anyBytes(TAG_BYTES),
    request: anyUnsigned(32),
    piece: anyUnsigned(32),
    receipt: anyUnsigned(32),
  });
  fc.assert(fc.property(header, anyUnsigned(8), anyUnsigned(8), fc.nat(9), (value, block, index, at) => {
    const fast = embedded(new Uint8Array(CHUNK_HEADER_BYTES + at).fill(0x77));
    writeChunkHeader(fast.subarray(at), block, index, value.piece);
    stampChunkHeader(fast, at, value.tag, value.request, value.receipt);

    const slow = new Uint8Array(CHUNK_HEADER_BYTES + at).fill(0x77);
    writeWord(slow.subarray(at), PacketType.CHUNK_DATA, 0, (block << 8) | index);
    chunkHeaderLayout.write(slow, at + WORD_BYTES, value);
    assertEquals(fast.slice(), slow);
    const whole = embedded(new Uint8Array(CHUNK_HEADER_BYTES + at).fill(0x77));
    const view = new DataView(whole.buffer, whole.byteOffset, whole.length);
    setChunkHeader(view, at, block, index, value.piece, chunkStamp(value.tag, value.request, value.receipt));
    assertEquals(whole.slice(), slow);

    const packet = fast.subarray(at);
    assertEquals(chunkDataBlock(packet), block);
    assertEquals(chunkDataIndex(packet), index);
    assertEquals(chunkDataRequest(packet), value.request);
    assertEquals(chunkDataPiece(packet), value.piece);
    assertEquals(chunkDataReceipt(packet), value.receipt);
    assertEquals(chunkDataHasTag(packet, value.tag), true);
  }));
});

Deno.test("CHUNK_DATA: the header has 24 bytes, and a tag that differs in one byte is another", () => {
  assertEquals(WORD_BYTES + chunkHeaderLayout.size, CHUNK_HEADER_BYTES);
  const packet = new Uint8Array(CHUNK_HEADER_BYTES);
  const tag = ramp(TAG_BYTES, 1);
  stampChunkHeader(packet, 0, tag, 0, 0);
  for (let i = 0; i < TAG_BYTES; i++) {
    const other = tag.slice();
    other[i] ^= 0x80;
    assertEquals(chunkDataHasTag(packet, other), false);
  }
});

Deno.test("CHUNK_DATA: a stamp leaves word, piece and symbol alone, and a new header leaves the stamp alone", () => {
  const packet = ramp(CHUNK_HEADER_BYTES + 4, 100);
  writeChunkHeader(packet, 3, 200, 0x80000001);
  const before = packet.slice();
  stampChunkHeader(packet, 0, new Uint8Array(TAG_BYTES), 0, 0);
  assertEquals(packet.slice(0, 4), before.slice(0, 4));
  assertEquals(packet.slice(16, 20), before.slice(16, 20));
  assertEquals(packet.slice(24), ramp(4, 124));
  const stamped = packet.slice();
  writeChunkHeader(packet, 4, 201, 5);
  assertEquals(packet.slice(4, 16), stamped.slice(4, 16));
  assertEquals(packet.slice(20), stamped.slice(20));
});
