import fc from "fast-check";
import { decodePacked, encodePacked } from "../../codec/msgpack_map.ts";
import type { PackedMap } from "../../codec/msgpack_map.ts";
import { concatBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../tests/_assert.ts";
import { FRAME_HEADER_BYTES, FrameFlag, FrameReader } from "./frame.ts";
import type { Frame } from "./frame.ts";
import { decodeMessage, encodeMessage, encodeParts } from "./payload.ts";
import type { FrameOptions, Integrity, Message } from "./payload.ts";

const heartbeat: Message = {
  type: "heartbeat",
  id: "550e8400-e29b-41d4-a716-446655440000",
  timestamp: 1_705_075_200_000,
  sender: "node-1",
  data: { cpu_percent: 45.2, ram_used_mb: 2048, instance_count: 12 },
};
const integrity: Integrity = { engine: defaultEngine(), secret: new Uint8Array(32).fill(7) };
const bounds = { depthMax: 32, valuesMax: 65_536, bytesMax: 1 << 24 };

function frameOf(message: Message, options?: FrameOptions): Frame {
  return read(encodeMessage(message, options));
}

function read(bytes: Uint8Array): Frame {
  const reader = new FrameReader();
  reader.push(bytes);
  const frame = reader.next();
  assert(frame && "payload" in frame);
  return frame;
}

/** A frame of a payload that no encoder here would make. */
function framed(payload: Uint8Array, flags = 0): Frame {
  return { flags, minor: 0, payload };
}

function refusal(frame: Frame, secret?: Integrity): string {
  const decoded = decodeMessage(frame, secret);
  assert("code" in decoded, "it was taken");
  return `${decoded.code}: ${decoded.message}`;
}

Deno.test("payload: the bytes of the document's heartbeat", () => {
  const { payload } = frameOf(heartbeat);
  assertEquals(
    payload.toHex(),
    // A map of five: type, id, timestamp, sender, data.
    "85" + "a474797065" + "a9686561727462656174" + "a26964" + "d924" +
      new TextEncoder().encode(heartbeat.id).toHex() +
      "a974696d657374616d70" + "cf0000018cfe66d000" + "a673656e646572" + "a66e6f64652d31" + "a464617461" +
      encodePacked(heartbeat.data).toHex(),
  );
});

Deno.test("payload: what is written is read, with and without compression and hmac", () => {
  const anyMessage = fc.record({
    type: fc.constantFrom("heartbeat", "fs.write", "app.thing_2"),
    id: fc.uuid(),
    timestamp: fc.nat(2 ** 43),
    sender: fc.constantFrom("a", "node-1", "x".repeat(63)),
    data: fc.dictionary(
      fc.constantFrom("a", "b", "c"),
      fc.oneof(fc.string(), fc.integer(), fc.uint8Array()),
      {
        noNullPrototype: true,
      },
    ),
  });
  const extra = fc.record({
    channel: fc.string({ minLength: 1, maxLength: 64 }),
    seq: fc.integer({ min: 1 }),
  });
  fc.assert(
    fc.property(
      anyMessage,
      fc.option(extra),
      fc.boolean(),
      fc.boolean(),
      (base, numbered, compress, signed) => {
        const message: Message = { ...base, ...numbered };
        const options = { compress, ...(signed && { integrity }) };
        const decoded = decodeMessage(frameOf(message, options), signed ? integrity : undefined);
        const hmac = signed ? { hmac: Reflect.get(decoded, "hmac") } : {};
        assertEquals(decoded, { ...message, ...hmac });
      },
    ),
  );
});

Deno.test("payload: is compressed from 1 KiB on, when that saves a tenth", () => {
  const flagsOf = (data: PackedMap, compress = true) => frameOf({ ...heartbeat, data }, { compress }).flags;
  assertEquals(flagsOf({ x: "a".repeat(800) }), 0);
  assertEquals(flagsOf({ x: "a".repeat(2000) }), FrameFlag.COMPRESSED);
  assertEquals(flagsOf({ x: "a".repeat(2000) }, false), 0);
  assertEquals(flagsOf({ x: crypto.getRandomValues(new Uint8Array(5000)) }), 0);
  const frame = frameOf({ ...heartbeat, data: { x: "ab".repeat(50_000) } }, { compress: true });
  assert(frame.payload.length < 1000);
  assertEquals((decodeMessage(frame) as Message).data.x, "ab".repeat(50_000));
});

Deno.test("payload: a large byte string is a part of its own, uncopied, and reads as if it had been", () => {
  const noise = new Uint8Array(70_000);
  for (let at = 0; at < noise.length; at += 35_000) crypto.getRandomValues(noise.subarray(at, at + 35_000));
  const message = { ...heartbeat, channel: "bulk", seq: 3, data: { a: 1, chunk: noise, z: "end" } };
  const { parts, length } = encodeParts(message, { compress: true, flags: FrameFlag.REQUIRES_ACK });
  assertEquals([parts.length, parts[1] === noise, length], [2, true, parts[0].length + noise.length]);
  const frame = read(concatBytes(...parts));
  assertEquals([frame.flags, decodeMessage(frame)], [FrameFlag.REQUIRES_ACK, message]);
  // In one part: what is small, what compresses, and what has an hmac, which covers all of it.
  const whole: [PackedMap, FrameOptions][] = [
    [{ chunk: noise.subarray(0, 65_535) }, {}],
    [{ chunk: new Uint8Array(70_000) }, { compress: true }],
    [{ chunk: noise }, { integrity }],
  ];
  for (const [data, options] of whole) {
    const one = encodeParts({ ...heartbeat, data }, options);
    assertEquals(one.parts.length, 1);
    assertEquals((decodeMessage(read(one.parts[0]), options.integrity) as Message).data, data);
  }
  const tooLong = { ...heartbeat, data: { chunk: new Uint8Array(limits.rnpPayloadBytesMax) } };
  assertThrows(() => encodeParts(tooLong), RangeError, "send it in parts");
});

Deno.test("payload: compressed ones that are damaged, or bombs, are refused", () => {
  const { payload } = frameOf({ ...heartbeat, data: { x: "a".repeat(5000) } }, { compress: true });
  const lie = (length: number) => {
    const copy = payload.slice();
    new DataView(copy.buffer).setUint32(0, length);
    return copy;
  };
  const wrong = [new Uint8Array(0), new Uint8Array(3), payload.subarray(0, -1), lie(0), lie(2 ** 32 - 1)];
  for (const bytes of [...wrong, lie(limits.rnpPayloadBytesMax + 1), lie(limits.rnpPayloadBytesMax)]) {
    assertStringIncludes(
      refusal(framed(bytes, FrameFlag.COMPRESSED)),
      "PROTOCOL_ERROR: a compressed payload",
    );
  }
});

Deno.test("payload: an hmac covers every byte before its digits, and is the last entry", () => {
  const frame = frameOf(heartbeat, { integrity });
  const text = String((decodePacked(frame.payload, bounds) as PackedMap).hmac);
  const signed = frame.payload.subarray(0, -64);
  assertEquals(text, `sha256:${integrity.engine.hmacSha256(integrity.secret, signed).toHex()}`);
  for (let at = 0; at < frame.payload.length; at++) {
    const damaged = frame.payload.slice();
    damaged[at] ^= 1;
    assert("code" in decodeMessage(framed(damaged), integrity), `byte ${at}`);
  }
});

Deno.test("payload: no hmac, one of another secret, and one that is not at the end are refused", () => {
  const other = { ...integrity, secret: new Uint8Array(32).fill(8) };
  assertStringIncludes(
    refusal(frameOf(heartbeat), integrity),
    "AUTH_FAILED: the hmac of a 'heartbeat' is missing",
  );
  assertStringIncludes(refusal(frameOf(heartbeat, { integrity: other }), integrity), "is wrong");
  const map = decodePacked(frameOf(heartbeat, { integrity }).payload, bounds) as PackedMap;
  const { hmac, ...rest } = map;
  assertStringIncludes(refusal(framed(encodePacked({ hmac, ...rest })), integrity), "is wrong");
  // Whoever has no secret does not look.
  assert(!("code" in decodeMessage(frameOf(heartbeat, { integrity }))));
});

Deno.test("payload: every part of the envelope is checked, and the fault names it", () => {
  const table: [PackedMap, string][] = [
    [{ type: undefined }, "type"],
    [{ type: 5 }, "type"],
    [{ type: "" }, "type"],
    [{ type: "Heartbeat" }, "type"],
    [{ type: "a..b" }, "type"],
    [{ type: "a".repeat(65) }, "type"],
    [{ id: "550E8400-e29b-41d4-a716-446655440000" }, "id of"],
    [{ id: "550e8400e29b41d4a716446655440000" }, "id of"],
    [{ id: undefined }, "id of"],
    [{ timestamp: -1 }, "timestamp"],
    [{ timestamp: 1.5 }, "timestamp"],
    [{ timestamp: "now" }, "timestamp"],
    [{ timestamp: 2 ** 60 }, "timestamp"],
    [{ sender: "" }, "sender"],
    [{ sender: "Node" }, "sender"],
    [{ sender: "-a" }, "sender"],
    [{ sender: "a".repeat(64) }, "sender"],
    [{ sender: ["node-1"] }, "sender"],
    [{ data: undefined }, "data"],
    [{ data: null }, "data"],
    [{ data: [] }, "data"],
    [{ data: new Uint8Array(3) }, "data"],
    [{ seq: 1 }, "channel and seq"],
    [{ channel: "main" }, "channel and seq"],
    [{ channel: "main", seq: 0 }, "channel and seq"],
    [{ channel: "", seq: 1 }, "channel and seq"],
    [{ channel: "c".repeat(65), seq: 1 }, "channel and seq"],
    [{ channel: 5, seq: 1 }, "channel and seq"],
    [{ reply_to: "x" }, "reply_to"],
  ];
  for (const [change, part] of table) {
    const payload = encodePacked({ ...heartbeat, ...change } as PackedMap);
    assertStringIncludes(refusal(framed(payload)), part, JSON.stringify(change));
  }
});

Deno.test("payload: fields that nobody knows are kept", () => {
  const payload = encodePacked(
    { ...heartbeat, priority: 3, data: { ...heartbeat.data, gpu: [1] } } as PackedMap,
  );
  const message = decodeMessage(framed(payload)) as Message & { priority: number };
  assertEquals([message.priority, message.data.gpu], [3, [1]]);
});

Deno.test("payload: bombs and things that are no map are refused", () => {
  const nested = Uint8Array.of(0x81, 0xa1, 0x61, ...new Array<number>(40).fill(0x91), 0);
  const many = concatBytes(
    Uint8Array.of(0x81, 0xa1, 0x61, 0xdc, 0xff, 0xff),
    new Uint8Array(65_535).fill(0xc0),
  );
  for (const bytes of [new Uint8Array(0), Uint8Array.of(0xc0), Uint8Array.of(0x90), nested, many]) {
    assertStringIncludes(refusal(framed(bytes)), "no MessagePack map");
  }
});

Deno.test("payload: one that is too long is an error of its caller", () => {
  const data = { x: new Uint8Array(limits.rnpPayloadBytesMax) };
  assertThrows(() => encodeMessage({ ...heartbeat, data }), RangeError, "send it in parts");
  const room = limits.rnpPayloadBytesMax -
    (encodeMessage({ ...heartbeat, data: { x: new Uint8Array(70_000) } }).length -
      FRAME_HEADER_BYTES - 70_000);
  assertEquals(
    encodeMessage({ ...heartbeat, data: { x: new Uint8Array(room) } }).length,
    limits.rnpPayloadBytesMax + FRAME_HEADER_BYTES,
  );
});
