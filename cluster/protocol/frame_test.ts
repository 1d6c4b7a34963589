import fc from "fast-check";
import { concatBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import { assert, assertEquals, assertStringIncludes } from "../../tests/_assert.ts";
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FrameFlag,
  frameHeaderLayout,
  FrameReader,
  RNP_MAJOR,
  RNP_MINOR,
  writeFrameHeader,
} from "./frame.ts";
import type { Frame } from "./frame.ts";
import type { RnpFault } from "./errors.ts";

function frameOf(payload: Uint8Array, flags = 0): Uint8Array<ArrayBuffer> {
  const frame = concatBytes(new Uint8Array(FRAME_HEADER_BYTES), payload);
  writeFrameHeader(frame, frame.length - FRAME_HEADER_BYTES, flags);
  return frame;
}

function all(reader: FrameReader): (Frame | RnpFault)[] {
  const found: (Frame | RnpFault)[] = [];
  for (let next = reader.next(); next; next = reader.next()) {
    found.push(next);
    if ("code" in next) break;
  }
  return found;
}

/** What a reader says of some bytes, all at once. */
function faultOf(
  bytes: Uint8Array,
  payloadBytesMax: number = limits.rnpPayloadBytesMax,
): RnpFault | undefined {
  const reader = new FrameReader();
  reader.payloadBytesMax = payloadBytesMax;
  reader.push(bytes);
  const last = all(reader).at(-1);
  return last && "code" in last ? last : undefined;
}

Deno.test("frame: the places of its parts", () => {
  const frame = frameOf(Uint8Array.of(0x80), FrameFlag.REQUIRES_ACK | FrameFlag.COMPRESSED);
  assertEquals(frame.toHex(), "524e5001" + "0100" + "00000001" + "0005" + "80");
  assertEquals(FRAME_HEADER_BYTES, 12);
  const header = {
    magic: FRAME_MAGIC,
    major: RNP_MAJOR,
    minor: RNP_MINOR,
    length: 0x8765_4321,
    flags: 0xabcd,
  };
  const bytes = new Uint8Array(20).fill(255);
  writeFrameHeader(bytes, header.length, header.flags);
  assertEquals(frameHeaderLayout.read(bytes), header);
});

Deno.test("frame: the same frames come out however the stream is cut, also byte by byte", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 12 });
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 30 });
  fc.assert(fc.property(payloads, cuts, fc.boolean(), (given, sizes, byByte) => {
    const stream = concatBytes(...given.map((payload, i) => frameOf(payload, i % 2 ? 0 : FrameFlag.IS_ACK)));
    const reader = new FrameReader();
    const found: (Frame | RnpFault)[] = [];
    for (let at = 0, i = 0; at < stream.length; i++) {
      const size = byByte ? 1 : sizes[i % sizes.length];
      reader.push(stream.slice(at, at + size));
      at += size;
      found.push(...all(reader));
    }
    // Looked at only now: nothing that was given out is written over later.
    assertEquals(
      found,
      given.map((payload, i) => ({ payload, minor: 0, flags: i % 2 ? 0 : FrameFlag.IS_ACK })),
    );
    assertEquals(reader.heldBytes, 0);
  }));
});

Deno.test("frame: each thing that can be wrong with a header ends the stream, and says what", () => {
  const good = frameOf(Uint8Array.of(0x80));
  const table: [string, number, number, RnpFault["code"], string][] = [
    ["magic", 0, 0x16, "PROTOCOL_ERROR", "52 4e 50 01"],
    ["magic's last byte", 3, 2, "PROTOCOL_ERROR", "52 4e 50 01"],
    ["version 0", 4, 0, "VERSION_MISMATCH", "0.0"],
    ["version 2", 4, 2, "VERSION_MISMATCH", "2.0"],
    ["length", 6, 1, "PROTOCOL_ERROR", "16777217 bytes"],
    ["reserved flag 4", 11, 0x10, "PROTOCOL_ERROR", "0x0010"],
    ["reserved flag 15", 10, 0x80, "PROTOCOL_ERROR", "0x8000"],
    ["encrypted", 11, FrameFlag.ENCRYPTED, "PROTOCOL_ERROR", "encrypted"],
  ];
  for (const [what, at, byte, code, text] of table) {
    const fault = faultOf(good.with(at, byte));
    assertEquals(fault?.code, code, what);
    assertStringIncludes(fault!.message, text, what);
  }
  assertEquals(faultOf(good), undefined);
});

Deno.test("frame: every reserved flag is refused, every minor version taken", () => {
  const good = frameOf(Uint8Array.of(0x80));
  for (let bit = 0; bit < 16; bit++) {
    const frame = good.slice();
    new DataView(frame.buffer).setUint16(10, 1 << bit);
    assertEquals(faultOf(frame) !== undefined, bit === 1 || bit > 3, `bit ${bit}`);
  }
  for (const minor of [0, 1, 77, 255]) assertEquals(faultOf(good.with(5, minor)), undefined);
});

Deno.test("frame: the longest payload, and a byte more; what a length claims is not allocated", () => {
  const header = frameOf(new Uint8Array(0));
  const claim = (length: number) => {
    const frame = header.slice();
    new DataView(frame.buffer).setUint32(6, length);
    return frame;
  };
  assertEquals(faultOf(claim(limits.rnpPayloadBytesMax)), undefined);
  assertEquals(faultOf(claim(limits.rnpPayloadBytesMax + 1))?.code, "PROTOCOL_ERROR");
  assertEquals(faultOf(claim(0xffffffff))?.code, "PROTOCOL_ERROR");
  assertEquals(faultOf(claim(100), 100), undefined);
  assertEquals(faultOf(claim(101), 100)?.code, "PROTOCOL_ERROR");
});

Deno.test("frame: foreign protocols are known by their first byte", () => {
  for (const text of ["GET / HTTP/1.1\r\n", "\x16\x03\x01", "SSH-2.0-", "RNP\x02"]) {
    assertEquals(faultOf(new TextEncoder().encode(text))?.code, "PROTOCOL_ERROR", text);
  }
  for (const text of ["", "R", "RN", "RNP", "RNP\x01", "RNP\x01\x01\x00\x00\x00"]) {
    assertEquals(faultOf(new TextEncoder().encode(text)), undefined, text);
  }
});

Deno.test("frame: after a fault there is nothing more, whatever comes", () => {
  const reader = new FrameReader();
  const good = frameOf(Uint8Array.of(0x80));
  reader.push(concatBytes(good, good.with(0, 0), good));
  const found = all(reader);
  assertEquals(found.map((one) => "code" in one), [false, true]);
  reader.push(good);
  assertEquals(reader.next(), found[1]);
});

Deno.test("frame: a frame of 4 MiB that comes in small pieces costs few copies", () => {
  const payload = new Uint8Array(4 << 20).fill(7);
  const stream = frameOf(payload);
  const reader = new FrameReader();
  for (let at = 0; at < stream.length; at += 1400) {
    assert(reader.heldBytes === at && reader.next() === undefined);
    reader.push(stream.subarray(at, at + 1400));
  }
  const [frame] = all(reader);
  assert(
    "payload" in frame && frame.payload.length === payload.length &&
      frame.payload.every((byte) => byte === 7),
  );
});
