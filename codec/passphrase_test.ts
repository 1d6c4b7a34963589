import fc from "fast-check";
import { limits } from "../core/limits.ts";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import { anyBytes, anyName, assertTruncationsRefused, embedded, ramp } from "./_samples.ts";
import { AskKind, decodeAsk, encodeAsk } from "./grant.ts";
import type { Ask } from "./grant.ts";
import {
  challengeLayout,
  decodeChallenge,
  decodePassphraseAsk,
  encodeChallenge,
  encodePassphraseAsk,
} from "./passphrase.ts";

const share = ramp(32, 1);
const anyAsk: fc.Arbitrary<Ask> = fc.oneof(
  fc.record({ kind: fc.constant(0), exposureId: anyBytes(32), ticketId: anyBytes(8) }),
  fc.record({ kind: fc.constant(1), name: anyName().filter((name) => name !== "") }),
  fc.constant({ kind: 2 }),
);

Deno.test("ask by passphrase: cut off, of another kind, or around one of its own kind: refused", () => {
  const encoded = encodePassphraseAsk(share, { kind: AskKind.NAME, name: "photos" });
  assertTruncationsRefused(decodePassphraseAsk, encoded);
  for (let kind = 0; kind < 256; kind++) {
    if (kind !== AskKind.PASSPHRASE) assertEquals(decodePassphraseAsk(encoded.with(0, kind)), undefined);
    if (kind > AskKind.LIST) assertEquals(decodePassphraseAsk(encoded.with(33, kind)), undefined);
  }
  assertEquals(decodeAsk(encoded), undefined);
  assertThrows(() => encodePassphraseAsk(ramp(31), { kind: AskKind.LIST }), RangeError);
});

Deno.test("ask by passphrase: what is written is read, padded or not, and fits a first message", () => {
  fc.assert(fc.property(anyAsk, anyBytes(32), fc.nat(1000), (ask, share, padded) => {
    const encoded = encodePassphraseAsk(share, ask, padded);
    assertEquals(decodePassphraseAsk(embedded(encoded)), { kind: AskKind.PASSPHRASE, share, ask });
    assertEquals(encoded.length, Math.max(padded, 33 + encodeAsk(ask).length));
  }));
  const longest = encodePassphraseAsk(share, { kind: AskKind.NAME, name: "n".repeat(limits.nameBytesMax) });
  assertEquals(longest.length + 16 + 1 + 16 + 96 <= limits.controlPacketBytesMax, true);
});

Deno.test("challenge: cut off within its share, or of another status, it is none", () => {
  const encoded = encodeChallenge(share, ramp(5));
  assertTruncationsRefused(decodeChallenge, encoded.subarray(0, challengeLayout.size));
  for (let status = 0; status < 255; status++) {
    assertEquals(decodeChallenge(encoded.with(0, status)), undefined);
  }
  assertThrows(() => encodeChallenge(ramp(33), ramp(5)), RangeError);
});

Deno.test("challenge: what is written is read, and is a copy", () => {
  fc.assert(fc.property(anyBytes(32), fc.uint8Array({ maxLength: 200 }), (share, cookie) => {
    const encoded = encodeChallenge(share, cookie);
    const challenge = decodeChallenge(embedded(encoded));
    encoded.fill(0);
    assertEquals(challenge, { status: 255, share, cookie });
  }));
});
