import { ed25519 } from "@noble/curves/ed25519.js";
import { systemRandom, utf8 } from "../core/mod.ts";
import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "../tests/_assert.ts";
import { createIdentity, exposerSecret, fingerprint, sign, staticKeyOf, verify } from "./identity.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";

const seed = Uint8Array.from({ length: 32 }, (_, i) => i);

for (const engine of [nativeEngine, portableEngine]) {
  Deno.test(`${engine.name}: the static key is the Montgomery form of the signing key`, () => {
    for (const each of [seed, ...Array.from({ length: 8 }, () => systemRandom(32))]) {
      const identity = createIdentity(engine, each);
      assertEquals(identity.seed, each);
      assertEquals(identity.staticKey.toHex(), ed25519.utils.toMontgomery(identity.signingKey).toHex());
      assertEquals(staticKeyOf(identity.signingKey)?.toHex(), identity.staticKey.toHex());
      assertEquals(identity.staticPrivate.toHex(), clamped(ed25519.utils.toMontgomerySecret(each)).toHex());
    }
  });

  Deno.test(`${engine.name}: a signature holds for its key, domain and message alone`, () => {
    const identity = createIdentity(engine, seed);
    const other = createIdentity(engine, systemRandom(32));
    const signature = sign(engine, identity, "rgtp2 head", utf8("message"));
    const holds = (key: Uint8Array, domain: string, message: string) =>
      verify(engine, key, domain, utf8(message), signature);
    assert(!holds(other.signingKey, "rgtp2 head", "message"));
    assert(!holds(identity.signingKey, "rgtp2 pass", "message"));
    // The border between domain and message cannot be moved.
    assert(!holds(identity.signingKey, "rgtp2 headm", "essage"));
    assert(!holds(identity.signingKey, "rgtp2 hea", "dmessage"));
    assert(!holds(identity.signingKey, "rgtp2 head", "message "));
    assert(!holds(new Uint8Array(0), "rgtp2 head", "message"));
    assert(holds(identity.signingKey, "rgtp2 head", "message"));
    assert(!engine.ed25519.verify(identity.signingKey, utf8("message"), signature));
    for (const domain of ["", "x".repeat(256)]) {
      assertThrows(() => sign(engine, identity, domain, seed), RangeError, "domain");
      assertThrows(() => holds(identity.signingKey, domain, ""), RangeError, "domain");
    }
    assertEquals(sign(engine, identity, "x".repeat(255), seed).length, 64);
  });
}

function clamped(key: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(key);
  copy[0] &= 248;
  copy[31] = (copy[31] & 127) | 64;
  return copy;
}

Deno.test("an identity does not change with the array that held its seed", () => {
  const bytes = seed.slice();
  const identity = createIdentity(nativeEngine, bytes);
  bytes.fill(0);
  assertEquals(identity, createIdentity(nativeEngine, seed));
  for (const length of [0, 31, 33]) {
    assertThrows(() => createIdentity(nativeEngine, new Uint8Array(length)), RangeError, "seed must be 32");
  }
});

Deno.test("fingerprints can be read, and tell keys apart", () => {
  const { staticKey } = createIdentity(nativeEngine, seed);
  const text = fingerprint(staticKey);
  assertMatch(text, /^([a-z2-7]{4}-){7}[a-z2-7]{4}$/);
  for (let bit = 0; bit < 256; bit++) {
    const other = staticKey.slice();
    other[bit >> 3] ^= 1 << (bit & 7);
    assertNotEquals(fingerprint(other).slice(0, 19), text.slice(0, 19));
  }
  // The digest alone, spelt by hand: bits in groups of five.
  const digest = nativeEngine.sha256.digest(utf8("rgtp2 fingerprint"), staticKey).subarray(0, 20);
  const bits = Array.from(digest, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = bits.match(/.{5}/g)?.map((group) => "abcdefghijklmnopqrstuvwxyz234567"[parseInt(group, 2)]);
  assertEquals(text.replaceAll("-", ""), letters?.join(""));
  assertThrows(() => fingerprint(staticKey.subarray(1)), RangeError);
});

Deno.test("the exposer's secret is its own, and none of the identity's keys", () => {
  const identity = createIdentity(nativeEngine, seed);
  const secret = exposerSecret(nativeEngine, identity);
  assertEquals(secret, exposerSecret(portableEngine, identity));
  assertEquals(secret.length, 32);
  for (const key of Object.values(identity)) assertNotEquals(secret, key);
  assertNotEquals(secret, exposerSecret(nativeEngine, createIdentity(nativeEngine, systemRandom(32))));
});

Deno.test("staticKeyOf: what is no key of anybody has none", () => {
  for (const bytes of [new Uint8Array(0), new Uint8Array(31), new Uint8Array(32).fill(255)]) {
    assertEquals(staticKeyOf(bytes), undefined);
  }
});
