import fc from "fast-check";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import { concatBytes } from "../core/bytes.ts";
import { anyBytes, anyUnsigned, ramp } from "./_samples.ts";
import { decodeFrame, encodeFrameHead, FRAME_HEAD_BYTES, tagBits } from "./ethernet_frame.ts";
import type { FrameOptions } from "./ethernet_frame.ts";

const options: FrameOptions = {
  destination: Uint8Array.of(2, 0, 0x5e, 0x10, 0, 1),
  source: Uint8Array.of(2, 0, 0x5e, 0x10, 0, 2),
  destinationPort: 9000,
  sourcePort: 49152,
  payloadBytes: 3,
};

Deno.test("Ethernet frame: the bytes before the payload, with a tag and without", () => {
  const addresses = "02005e100001" + "02005e100002";
  const behind = "88b5" + "5247" + "2328" + "c000" + "0003";
  assertEquals(encodeFrameHead(options).toHex(), addresses + behind);
  const tag = { id: 100, priority: 5 };
  assertEquals(encodeFrameHead({ ...options, tag }).toHex(), addresses + "8100" + "a064" + behind);
});

Deno.test("Ethernet frame: what is written is read, and padding is no payload", () => {
  const ports = fc.record({ destinationPort: anyUnsigned(16), sourcePort: anyUnsigned(16) });
  fc.assert(fc.property(ports, fc.uint8Array({ maxLength: 200 }), fc.nat(50), (given, payload, padding) => {
    const head = encodeFrameHead({ ...options, ...given, payloadBytes: payload.length });
    const frame = concatBytes(head, payload, new Uint8Array(padding).fill(0xee));
    assertEquals(decodeFrame(frame), { sourcePort: given.sourcePort, payload });
  }));
});

Deno.test("Ethernet frame: what is cut off, of others, or claims more than there is holds nothing", () => {
  const frame = concatBytes(encodeFrameHead(options), ramp(3, 1));
  for (let length = 0; length < frame.length; length++) {
    assertEquals(decodeFrame(frame.subarray(0, length)), undefined);
  }
  for (const at of [12, 13, 14, 15]) {
    const foreign = frame.slice();
    foreign[at] ^= 1;
    assertEquals(decodeFrame(foreign), undefined);
  }
  for (const claimed of [4, 255, 65535]) {
    new DataView(frame.buffer).setUint16(FRAME_HEAD_BYTES - 2, claimed);
    assertEquals(decodeFrame(frame), undefined);
  }
  fc.assert(fc.property(anyBytes(64), (bytes) => {
    decodeFrame(bytes);
  }));
});

Deno.test("Ethernet frame: a VLAN and a priority have their ranges", () => {
  assertEquals(tagBits({ id: 0, priority: 7 }), 0xe000);
  assertEquals(tagBits({ id: 4094, priority: 0 }), 0x0ffe);
  const wrong = [[-1, 0], [4095, 0], [1.5, 0], [NaN, 0], [1, -1], [1, 8], [1, 0.5]];
  for (const [id, priority] of wrong) assertThrows(() => tagBits({ id, priority }), RangeError);
});
