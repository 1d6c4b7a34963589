import fc from "fast-check";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import {
  anyBytes,
  anyUnsigned,
  assertForeignRefused,
  assertTruncationsRefused,
  embedded,
  fakeMac,
  ramp,
} from "./_samples.ts";
import {
  chunkAvailable,
  complete,
  CompleteReason,
  keepalive,
  keepaliveEcho,
  rateReport,
  refusal,
  RefusalReason,
  retry,
} from "./control.ts";
import type { ControlPacket } from "./control.ts";
import { MAC_BYTES, PacketType, TAG_BYTES, WORD_BYTES } from "./packet.ts";
import { TOKEN_BYTES } from "./token.ts";

const anyTag = anyBytes(TAG_BYTES);
const anyWord = fc.record({ flags: anyUnsigned(8), field: anyUnsigned(16) });

/** Holds one kind that always ends in a MAC to all that is promised of it. */
function checkAuthenticated<T extends object>(
  name: string,
  packet: ControlPacket<T>,
  type: number,
  size: number,
  values: fc.Arbitrary<T>,
): void {
  Deno.test(`${name}: what is written is read, with any flags and field`, () => {
    assertEquals([packet.type, packet.size], [type, size]);
    fc.assert(fc.property(values, anyWord, (value, word) => {
      const encoded = packet.encode(value, word, fakeMac);
      assertEquals(encoded.length, size + MAC_BYTES);
      assertEquals(encoded.subarray(size), fakeMac(encoded.subarray(0, size)));
      assertEquals(packet.decode(embedded(encoded)), { ...value, ...word });
    }));
  });

  Deno.test(`${name}: refuses a packet cut off anywhere, also before its MAC, and foreign ones`, () => {
    fc.assert(
      fc.property(values, (value) => {
        const encoded = packet.encode(value, {}, fakeMac);
        assertTruncationsRefused(packet.decode, encoded);
        assertForeignRefused(packet.decode, encoded);
      }),
      { numRuns: 3 },
    );
  });

  Deno.test(`${name}: is not made without a MAC`, () => {
    fc.assert(fc.property(values, (value) => {
      assertThrows(() => packet.encode(value), TypeError, "needs a MAC");
    }));
  });
}

checkAuthenticated(
  "EXPOSURE_COMPLETE",
  complete,
  PacketType.EXPOSURE_COMPLETE,
  28,
  fc.record({ tag: anyTag, label: anyBytes(16) }),
);
checkAuthenticated(
  "KEEPALIVE",
  keepalive,
  PacketType.KEEPALIVE,
  120,
  fc.record({ tag: anyTag, number: anyUnsigned(32), token: anyBytes(TOKEN_BYTES) }),
);
checkAuthenticated(
  "KEEPALIVE echo",
  keepaliveEcho,
  PacketType.KEEPALIVE,
  16,
  fc.record({ tag: anyTag, number: anyUnsigned(32) }),
);
checkAuthenticated(
  "RATE_REPORT",
  rateReport,
  PacketType.RATE_REPORT,
  126,
  fc.record({
    token: anyBytes(TOKEN_BYTES),
    number: anyUnsigned(32),
    loss: anyUnsigned(16),
    delayUs: anyUnsigned(32),
    wantedRate: fc.maxSafeNat(),
  }),
);
checkAuthenticated(
  "CHUNK_AVAILABLE",
  chunkAvailable,
  PacketType.CHUNK_AVAILABLE,
  128,
  fc.record({
    tag: anyTag,
    label: anyBytes(16),
    size: anyUnsigned(32),
    root: anyBytes(32),
    signature: anyBytes(64),
  }),
);

Deno.test("KEEPALIVE and its echo are never taken for each other", () => {
  const asked = keepalive.encode(
    { tag: ramp(8), number: 1, token: ramp(TOKEN_BYTES) },
    { flags: 1 },
    fakeMac,
  );
  const echoed = keepaliveEcho.encode({ tag: ramp(8), number: 1 }, { flags: 2 }, fakeMac);
  assertEquals(keepaliveEcho.decode(asked), undefined);
  assertEquals(keepalive.decode(echoed), undefined);
});

Deno.test("RETRY: 28 bytes, never a MAC", () => {
  fc.assert(fc.property(anyBytes(8), anyBytes(16), anyWord, (exchange, cookie, word) => {
    const encoded = retry.encode({ exchange, cookie }, word);
    assertEquals(encoded.length, 28);
    assertEquals(retry.decode(embedded(encoded)), { exchange, cookie, ...word });
    assertThrows(() => retry.encode({ exchange, cookie }, word, fakeMac), TypeError, "has no MAC");
  }));
  const encoded = retry.encode({ exchange: ramp(8), cookie: ramp(16) });
  assertTruncationsRefused(retry.decode, encoded);
  assertForeignRefused(retry.decode, encoded);
  const longer = new Uint8Array(encoded.length + MAC_BYTES);
  longer.set(encoded);
  assertEquals(retry.decode(longer), undefined);
});

Deno.test("REFUSAL: its flag says whether a MAC follows, and the length must agree", () => {
  const echo = ramp(8, 1);
  for (const reason of Object.values(RefusalReason)) {
    const bare = refusal.encode({ echo }, { field: reason });
    assertEquals(bare.length, 12);
    assertEquals(refusal.decode(bare), { echo, flags: 0, field: reason });
    assertTruncationsRefused(refusal.decode, bare);

    const sealed = refusal.encode({ echo }, { field: reason }, fakeMac);
    assertEquals(sealed.length, 12 + MAC_BYTES);
    assertEquals(refusal.decode(embedded(sealed)), { echo, flags: 1, field: reason });
    assertEquals(sealed.subarray(12), fakeMac(sealed.subarray(0, 12)));
    assertTruncationsRefused(refusal.decode, sealed);

    bare[1] = 1;
    sealed[1] = 0;
    assertEquals(refusal.decode(bare), undefined);
    assertEquals(refusal.decode(sealed), undefined);
  }
  // A caller's flag cannot promise a MAC that is not there, nor hide one that is; other flags pass.
  assertEquals(refusal.encode({ echo }, { flags: 0xff })[1], 0xfe);
  assertEquals(refusal.encode({ echo }, { flags: 0xf0 }, fakeMac)[1], 0xf1);
});

Deno.test("REFUSAL: is read from an exposer of any version, for it may be the version that it refuses", () => {
  const packet = refusal.encode({ echo: ramp(8) }, { field: RefusalReason.VERSION });
  for (let first = 0; first < 256; first++) {
    packet[0] = first;
    assertEquals(refusal.decode(packet) !== undefined, (first & 15) === PacketType.REFUSAL);
  }
});

Deno.test("REFUSAL and RETRY: never larger than the least that they answer", () => {
  // A request without entries, and a first handshake message, which is always padded to 1200.
  const leastRequest = WORD_BYTES + 20 + TOKEN_BYTES + 3 + MAC_BYTES;
  assertEquals(refusal.size + MAC_BYTES < leastRequest, true);
  assertEquals(retry.size <= 48, true);
});

Deno.test("control packets: parts of another size are refused", () => {
  assertThrows(() => refusal.encode({ echo: ramp(7) }), RangeError);
  assertThrows(() => retry.encode({ exchange: ramp(9), cookie: ramp(16) }), RangeError);
  assertThrows(() => complete.encode({ tag: ramp(8), label: ramp(32) }, {}, fakeMac), RangeError);
  assertThrows(() => keepaliveEcho.encode({ tag: ramp(8), number: 2 ** 32 }, {}, fakeMac), RangeError);
});

Deno.test("reasons: their numbers", () => {
  assertEquals({ ...RefusalReason }, { TOKEN: 1, VERSION: 2, BUSY: 3, SOURCE_CHANGED: 4, KEY: 5 });
  assertEquals({ ...CompleteReason }, { ENDED: 0, WITHDRAWN: 1 });
});
