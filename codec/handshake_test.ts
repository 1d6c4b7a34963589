import fc from "fast-check";
import { limits } from "../core/limits.ts";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import {
  anyBytes,
  anyUnsigned,
  assertForeignRefused,
  assertTruncationsRefused,
  embedded,
  ramp,
} from "./_samples.ts";
import {
  decodeHandshake,
  encodeHandshake,
  HANDSHAKE_HEAD_BYTES,
  handshakeHeadLayout,
  HandshakeMessage,
  handshakePrologue,
  Offer,
  RETRY_COOKIE_BYTES,
} from "./handshake.ts";
import type { Handshake } from "./handshake.ts";
import { WORD_BYTES } from "./packet.ts";

const first: Handshake = {
  message: HandshakeMessage.XX1,
  fragment: 0,
  fragments: 1,
  exchange: ramp(8, 1),
  offers: [Offer.X25519, Offer.X25519_MLKEM768],
  retryCookie: ramp(RETRY_COOKIE_BYTES, 50),
  stateCookie: ramp(40, 80),
  body: ramp(100, 130),
};

const anyHandshake: fc.Arbitrary<Handshake> = fc.record({
  message: anyUnsigned(8),
  fragment: fc.nat(14),
  spare: fc.nat(14),
  exchange: anyBytes(8),
  offers: fc.uniqueArray(anyUnsigned(8), { maxLength: 20 }).map((offers) => offers.sort((a, b) => a - b)),
  retryCookie: fc.oneof(anyBytes(0), anyBytes(RETRY_COOKIE_BYTES)),
  stateCookie: fc.uint8Array({ maxLength: 300 }),
  body: fc.uint8Array({ maxLength: 800 }),
}).map(({ spare, ...handshake }) => ({
  ...handshake,
  fragments: Math.min(15, handshake.fragment + 1 + spare),
}));

/** `decodeHandshake`, for packets whose body is empty: what is cut off is then never the body. */
function without(body: Handshake["body"], handshake: Handshake): Uint8Array {
  return encodeHandshake({ ...handshake, body: body.subarray(0, 0) });
}

Deno.test("handshake: what is written is read", () => {
  fc.assert(fc.property(anyHandshake, (handshake) => {
    const packet = encodeHandshake(handshake);
    const decoded = decodeHandshake(embedded(packet))!;
    assertEquals(
      {
        ...decoded,
        retryCookie: decoded.retryCookie.slice(),
        stateCookie: decoded.stateCookie.slice(),
        body: decoded.body.slice(),
      },
      handshake,
    );
  }));
});

Deno.test("handshake: the places of its parts", () => {
  const packet = encodeHandshake({ ...first, fragment: 2, fragments: 3, stateCookie: ramp(300) });
  assertEquals(packet.subarray(0, 4).toHex(), "27000123");
  assertEquals(packet.slice(4, 12), first.exchange);
  assertEquals([packet[12], packet[13], packet[14], packet[15]], [2, 16, 1, 44]);
  assertEquals(packet.slice(16, 18), Uint8Array.of(1, 2));
  assertEquals(packet.slice(18, 34), first.retryCookie);
  assertEquals(packet.slice(34, 334), ramp(300));
  assertEquals(packet.slice(334), first.body);
  assertEquals(WORD_BYTES + handshakeHeadLayout.size, HANDSHAKE_HEAD_BYTES);
});

Deno.test("handshake: refuses one cut off before its body, and foreign packets; a body may have any length", () => {
  assertTruncationsRefused(decodeHandshake, without(first.body, first));
  const packet = encodeHandshake(first);
  const bodyAt = packet.length - first.body.length;
  for (let length = bodyAt; length <= packet.length; length++) {
    assertEquals(decodeHandshake(packet.subarray(0, length))?.body.length, length - bodyAt);
  }
  for (let byte = 0; byte < 256; byte++) {
    packet[0] = byte;
    assertEquals(decodeHandshake(packet) !== undefined, byte === 0x27);
  }
  const foreign = encodeHandshake({ ...first, body: new Uint8Array(limits.controlPacketBytesMax - bodyAt) });
  assertForeignRefused(decodeHandshake, foreign);
});

Deno.test("handshake: 1200 bytes are decoded, one more is not, in both directions", () => {
  const rest = limits.controlPacketBytesMax - (encodeHandshake(first).length - first.body.length);
  const largest = encodeHandshake({ ...first, body: new Uint8Array(rest) });
  assertEquals(largest.length, 1200);
  assertEquals(decodeHandshake(largest)?.body.length, rest);
  assertThrows(() => encodeHandshake({ ...first, body: new Uint8Array(rest + 1) }), RangeError, "1201");
  const longer = new Uint8Array(1201);
  longer.set(largest);
  assertEquals(decodeHandshake(longer), undefined);
});

Deno.test("handshake: lengths that claim more than there is are refused", () => {
  const table: [number, number][] = [[12, 255], [13, 255], [13, 17], [14, 255], [15, 255]];
  for (const [at, value] of table) {
    const packet = encodeHandshake(first);
    packet[at] = value;
    if (at === 15) packet[14] = 255;
    assertEquals(decodeHandshake(packet), undefined, `byte ${at} = ${value}`);
  }
});

Deno.test("handshake: a RETRY cookie is whole or absent", () => {
  for (let length = 0; length < 256; length++) {
    const legal = length === 0 || length === RETRY_COOKIE_BYTES;
    const packet = encodeHandshake({ ...first, retryCookie: new Uint8Array(0), body: ramp(300) });
    packet[13] = length;
    assertEquals(decodeHandshake(packet) !== undefined, legal, `${length}`);
    if (legal) continue;
    assertThrows(() => encodeHandshake({ ...first, retryCookie: new Uint8Array(length) }), RangeError);
  }
});

Deno.test("handshake: offers ascend and none stands twice, or the packet is refused", () => {
  const table: [number[], boolean][] = [
    [[], true],
    [[1], true],
    [[1, 2, 255], true],
    [[1, 1], false],
    [[2, 1], false],
    [[1, 3, 2], false],
  ];
  for (const [offers, legal] of table) {
    const packet = encodeHandshake({ ...first, offers: offers.map((_, i) => i) });
    packet.set(offers, HANDSHAKE_HEAD_BYTES);
    assertEquals(decodeHandshake(packet)?.offers, legal ? offers : undefined);
    if (!legal) assertThrows(() => encodeHandshake({ ...first, offers }), RangeError);
  }
});

Deno.test("handshake: every pair of fragment and fragments", () => {
  for (let pair = 0; pair < 256; pair++) {
    const [fragment, fragments] = [pair >> 4, pair & 15];
    const legal = fragment < fragments;
    const packet = encodeHandshake(first);
    packet[3] = pair;
    const decoded = decodeHandshake(packet);
    assertEquals(decoded && [decoded.fragment, decoded.fragments], legal ? [fragment, fragments] : undefined);
    if (!legal) assertThrows(() => encodeHandshake({ ...first, fragment, fragments }), RangeError);
  }
  assertThrows(() => encodeHandshake({ ...first, fragments: 16 }), RangeError);
  assertThrows(() => encodeHandshake({ ...first, message: 256 }), RangeError);
  assertThrows(() => encodeHandshake({ ...first, exchange: ramp(7) }), RangeError);
  assertThrows(() => encodeHandshake({ ...first, exchange: ramp(9) }), RangeError);
});

Deno.test("handshake: reserved flags and unknown messages are passed on, to be ignored by whoever asked", () => {
  const packet = encodeHandshake(first);
  for (let flags = 0; flags < 256; flags++) {
    packet[1] = flags;
    assertEquals(decodeHandshake(packet)?.exchange, first.exchange);
  }
  for (let message = 0; message < 256; message++) {
    packet[2] = message;
    assertEquals(decodeHandshake(packet)?.message, message);
  }
});

Deno.test("prologue: all of version, pattern and offers, each with its length, so that no two are alike", () => {
  assertEquals(handshakePrologue(2, "XX", [1, 2]).toHex(), "52475450" + "02" + "02" + "5858" + "02" + "0102");
  const seen = new Set<string>();
  let count = 0;
  for (const version of [1, 2]) {
    for (const pattern of ["", "X", "XX", "XX\x01"]) {
      for (const offers of [[], [1], [2], [1, 2]]) {
        seen.add(handshakePrologue(version, pattern, offers).toHex());
        count++;
      }
    }
  }
  assertEquals(seen.size, count);
});
