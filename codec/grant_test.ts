import fc from "fast-check";
import { concatBytes } from "../core/bytes.ts";
import { limits } from "../core/limits.ts";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import { anyBytes, anyName, anyUnsigned, assertTruncationsRefused, embedded, ramp } from "./_samples.ts";
import {
  AskKind,
  askLayout,
  decodeAnswer,
  decodeAsk,
  DenialReason,
  encodeAnswer,
  encodeAsk,
  GrantExtension,
  grantHeadLayout,
} from "./grant.ts";
import type { Answer, Ask, Grant } from "./grant.ts";
import { MANIFEST_BYTES } from "./manifest.ts";
import { TOKEN_BYTES } from "./token.ts";

const grant: Grant = {
  manifest: ramp(MANIFEST_BYTES, 1),
  exposureKey: ramp(32, 89),
  token: ramp(TOKEN_BYTES, 121),
  pullKey: ramp(32, 225),
  receipt: 0x01020304,
  tokenLifeSeconds: 600,
  requestBytesMax: 262_144,
  pullRateMax: 0,
  name: "a",
  leaves: ramp(64, 7),
};

const anyGrant: fc.Arbitrary<Grant> = fc.record({
  manifest: anyBytes(MANIFEST_BYTES),
  exposureKey: anyBytes(32),
  token: anyBytes(TOKEN_BYTES),
  pullKey: anyBytes(32),
  receipt: anyUnsigned(32),
  tokenLifeSeconds: anyUnsigned(32),
  requestBytesMax: anyUnsigned(32),
  pullRateMax: fc.maxSafeNat(),
  name: anyName(),
  leaves: fc.nat(limits.grantLeavesMax).chain((count) => anyBytes(32 * count)),
});

function granted(value: Grant): Answer {
  return { granted: true, grant: value };
}

Deno.test("ask: what is written is read; what follows it is ignored", () => {
  const anyAsk = fc.record({ kind: fc.constant(0), exposureId: anyBytes(32), ticketId: anyBytes(8) });
  fc.assert(fc.property(anyAsk, fc.uint8Array({ maxLength: 60 }), (ask: Ask, tail) => {
    assertEquals(decodeAsk(embedded(encodeAsk(ask))), ask);
    assertEquals(decodeAsk(concatBytes(encodeAsk(ask), tail)), ask);
  }));
});

Deno.test("ask: is padded with zeros, and never cut", () => {
  const ask = { kind: 0, exposureId: ramp(32, 1), ticketId: ramp(8, 33) };
  const padded = encodeAsk(ask, 1000);
  assertEquals(padded.length, 1000);
  assertEquals(padded.subarray(0, askLayout.size), encodeAsk(ask));
  assertEquals(padded.subarray(askLayout.size), new Uint8Array(1000 - askLayout.size));
  assertEquals(encodeAsk(ask, 0).length, askLayout.size);
});

Deno.test("ask: refuses one cut off, and kinds that are unknown here", () => {
  const encoded = encodeAsk({ kind: 0, exposureId: ramp(32), ticketId: ramp(8) });
  assertEquals(encoded.length, 41);
  assertTruncationsRefused(decodeAsk, encoded);
  for (let kind = 3; kind < 256; kind++) {
    encoded[0] = kind;
    if (kind !== AskKind.SEALED) assertEquals(decodeAsk(encoded), undefined);
  }
});

Deno.test("ask by name: what is written is read, padded or not; empty, too long and cut off are refused", () => {
  fc.assert(fc.property(anyName(), fc.nat(600), (name, padded) => {
    fc.pre(name !== "");
    const ask = { kind: AskKind.NAME, name };
    assertEquals(decodeAsk(embedded(encodeAsk(ask, padded))), ask);
  }));
  assertThrows(() => encodeAsk({ kind: 1, name: "" }), RangeError);
  assertThrows(() => encodeAsk({ kind: 1, name: "ü".repeat(128) }), RangeError);
  assertTruncationsRefused(decodeAsk, encodeAsk({ kind: 1, name: "a name" }));
  assertEquals(decodeAsk(Uint8Array.of(1, 0, 97)), undefined);
  assertEquals(decodeAsk(encodeAsk({ kind: AskKind.LIST }, 9)), { kind: AskKind.LIST });
});

Deno.test("answer: a grant that is written is read", () => {
  fc.assert(fc.property(anyGrant, (value) => {
    assertEquals(decodeAnswer(embedded(encodeAnswer(granted(value)))), granted(value));
  }));
});

Deno.test("answer: the places of its parts", () => {
  const encoded = encodeAnswer(granted(grant));
  assertEquals(encoded.length, 277 + 1 + 1 + 1 + 64);
  assertEquals(1 + grantHeadLayout.size, 277);
  const parts: [number, Uint8Array][] = [
    [0, Uint8Array.of(0)],
    [1, grant.manifest],
    [89, grant.exposureKey],
    [121, grant.token],
    [225, grant.pullKey],
    [257, Uint8Array.of(1, 2, 3, 4)],
    [261, Uint8Array.of(0, 0, 2, 88)],
    [265, Uint8Array.of(0, 4, 0, 0)],
    [269, new Uint8Array(8)],
    [277, Uint8Array.of(1, 97, 2)],
    [280, grant.leaves],
  ];
  for (const [at, part] of parts) assertEquals(encoded.slice(at, at + part.length), part.slice(), `at ${at}`);
});

Deno.test("answer: a grant cut off anywhere is refused", () => {
  assertTruncationsRefused(decodeAnswer, encodeAnswer(granted(grant)));
  assertTruncationsRefused(
    decodeAnswer,
    encodeAnswer(granted({ ...grant, name: "", leaves: new Uint8Array(0) })),
  );
});

Deno.test("answer: unknown extensions are skipped, one that is cut off spoils the whole", () => {
  const encoded = encodeAnswer(granted(grant));
  const first = concatBytes(Uint8Array.of(GrantExtension.SOURCES, 0, 3), ramp(3));
  const second = concatBytes(Uint8Array.of(200, 1, 4), ramp(260));
  for (const tail of [first, second, concatBytes(first, second), Uint8Array.of(0, 0, 0)]) {
    assertEquals(decodeAnswer(concatBytes(encoded, tail)), granted(grant));
    const last = encoded.length + tail.length;
    for (let length = encoded.length + 1; length < last; length++) {
      // Between two extensions a cut cannot be seen: the answer's own seal guards against it.
      const whole = length === encoded.length + first.length && tail.length > second.length;
      const value = decodeAnswer(concatBytes(encoded, tail).subarray(0, length));
      assertEquals(value, whole ? granted(grant) : undefined, `${length} of ${last}`);
    }
  }
});

Deno.test("answer: a ticket's secret is read; one of another length is no secret", () => {
  const secret = ramp(16, 50);
  const answer = granted({ ...grant, secret });
  const encoded = encodeAnswer(answer);
  assertEquals(decodeAnswer(embedded(encoded)), answer);
  assertEquals(encoded.length, encodeAnswer(granted(grant)).length + 3 + 16);
  const short = concatBytes(encodeAnswer(granted(grant)), Uint8Array.of(GrantExtension.SECRET, 0, 2, 1, 2));
  assertEquals(decodeAnswer(short), granted(grant));
  for (const length of [0, 15, 17]) {
    assertThrows(() => encodeAnswer(granted({ ...grant, secret: ramp(length) })), RangeError);
  }
});

Deno.test("answer: a name keeps every character, also a byte order mark at its front", () => {
  for (const name of ["\ufeffx", "\ufeff", "\0", "a\u{1f680}b"]) {
    assertEquals(decodeAnswer(encodeAnswer(granted({ ...grant, name }))), granted({ ...grant, name }));
  }
});

Deno.test("answer: its limits, and one more", () => {
  const name = "n".repeat(limits.nameBytesMax);
  const leaves = ramp(32 * limits.grantLeavesMax);
  const largest = granted({ ...grant, name, leaves, secret: ramp(16) });
  assertEquals(decodeAnswer(encodeAnswer(largest)), largest);
  // With exchange, Noise message, salt and tag it still fits one packet, also behind IK2.
  assertEquals(
    16 + (32 + 1 + 16) + 16 + encodeAnswer(largest).length + 16 <= limits.controlPacketBytesMax,
    true,
  );

  assertThrows(() => encodeAnswer(granted({ ...grant, name: name + "n" })), RangeError);
  assertThrows(() => encodeAnswer(granted({ ...grant, name: "ä".repeat(128) })), RangeError);
  assertThrows(() => encodeAnswer(granted({ ...grant, leaves: ramp(32 * 17) })), RangeError);
  for (const length of [1, 31, 33]) {
    assertThrows(
      () => encodeAnswer(granted({ ...grant, leaves: ramp(length) })),
      RangeError,
      "whole leaf hashes",
    );
  }

  const forged = concatBytes(encodeAnswer(granted({ ...grant, name: "", leaves: ramp(0) })), ramp(32 * 17));
  forged[278] = limits.grantLeavesMax + 1;
  assertEquals(decodeAnswer(forged), undefined);
});

Deno.test("answer: a denial is its reason, whatever follows", () => {
  for (let reason = 1; reason < 256; reason++) {
    const denial: Answer = { granted: false, reason };
    assertEquals(encodeAnswer(denial), Uint8Array.of(reason));
    assertEquals(decodeAnswer(concatBytes(encodeAnswer(denial), ramp(reason))), denial);
  }
  assertEquals(decodeAnswer(new Uint8Array(0)), undefined);
  assertEquals({ ...DenialReason }, { DENIED: 1, SOURCE_CHANGED: 2, BUSY: 3 });
});

Deno.test("answer: a denial cannot be written so that it reads as a grant", () => {
  for (const reason of [0, -1, 256, 512, NaN]) {
    assertThrows(() => encodeAnswer({ granted: false, reason }), RangeError);
  }
});

Deno.test("answer: what was read is a copy", () => {
  const encoded = encodeAnswer(granted(grant));
  const answer = decodeAnswer(encoded);
  encoded.fill(0);
  assertEquals(answer, granted(grant));
});
