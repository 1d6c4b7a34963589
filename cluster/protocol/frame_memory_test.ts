import { concatBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import { assert, assertEquals } from "../../tests/_assert.ts";
import { FRAME_HEADER_BYTES, FrameReader, writeFrameHeader } from "./frame.ts";
import type { Frame } from "./frame.ts";
import { FrameMemory, sizeFor } from "./frame_memory.ts";

const MIB = 1 << 20;

Deno.test("frame memory: what is given back is used again, and whoever kept a view of it sees nothing", () => {
  const memory = new FrameMemory();
  assertEquals(memory.take(MIB), undefined);
  const first = new Uint8Array(sizeFor(MIB)).fill(7);
  const view = first.subarray(0, 10);
  memory.give(first);
  assertEquals([view.length, memory.spareBytes], [0, MIB]);
  assertEquals(memory.take(MIB)?.length, MIB);
  assertEquals([memory.take(MIB), memory.spareBytes], [undefined, 0]);
});

Deno.test("frame memory: a small frame gets no large memory, and no more is kept than the bound", () => {
  const memory = new FrameMemory();
  memory.give(new Uint8Array(4 * MIB));
  assertEquals(memory.take(100_000), undefined);
  for (let i = 0; i < 100; i++) memory.give(new Uint8Array(MIB));
  assert(memory.spareBytes <= limits.rnpSpareBytesMax && memory.spareBytes >= limits.rnpSpareBytesMax - MIB);
});

Deno.test("frame memory: a large frame in pieces comes out of used memory as it was sent", () => {
  const memory = new FrameMemory();
  const reader = new FrameReader(memory);
  const seen: ArrayBufferLike[] = [];
  for (let round = 0; round < 3; round++) {
    const payload = crypto.getRandomValues(new Uint8Array(65_536 - round));
    const large = concatBytes(...new Array(16).fill(payload));
    const frame = concatBytes(new Uint8Array(FRAME_HEADER_BYTES), large);
    writeFrameHeader(frame, large.length, 0);
    for (let at = 0; at < frame.length; at += 60_000) reader.push(frame.slice(at, at + 60_000));
    const next = reader.next() as Frame;
    assertEquals(next.payload, large);
    seen.push(next.payload.buffer);
    memory.give(next.memory!);
    // The first one's memory does for all three.
    assertEquals(memory.spareBytes, sizeFor(FRAME_HEADER_BYTES + MIB));
  }
  assertEquals(seen.every((buffer) => buffer.byteLength === 0), true);
});
