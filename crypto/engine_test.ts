import { ed25519 as nobleEd25519, ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { concatBytes, systemRandom, utf8 } from "../core/mod.ts";
import { assert, assertEquals, assertNotEquals, assertStrictEquals, assertThrows } from "../tests/_assert.ts";
import { own, testPublished, type Wycheproof, type WycheproofCase } from "../tests/vectors/_load.ts";
import {
  AEAD_TAG_BYTES,
  type AeadName,
  type Engine,
  KEY_BYTES,
  NONCE_BYTES,
  XNONCE_BYTES,
} from "./engine.ts";
import { libcryptoEngine } from "./native/libcrypto_engine.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";

const hex = Uint8Array.fromHex.bind(Uint8Array);
const libcrypto = libcryptoEngine();
const ENGINES: readonly Engine[] = [nativeEngine, portableEngine, libcrypto ?? []].flat();
const AEAD_NAMES: readonly AeadName[] = ["chacha20-poly1305", "aes-256-gcm"];

Deno.test({
  name: "libcrypto is one of the engines that are compared here" +
    (libcrypto ? "" : " [skipped: no libcrypto.so.3 where glibc's distributions keep it, or no permission]"),
  ignore: !libcrypto,
  fn: () => {
    assertEquals(ENGINES.map(({ name }) => name), ["native", "portable", "libcrypto"]);
    assertStrictEquals(libcryptoEngine(), libcrypto);
  },
});

/** Bytes that differ from each other and from those of other seeds. */
function pattern(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 255);
}

/** The same bytes at an odd place within a larger array. */
function unaligned(bytes: Uint8Array, shift: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length + shift + 5).fill(0xee);
  larger.set(bytes, shift);
  return larger.subarray(shift, shift + bytes.length);
}

function isPlain(bytes: Uint8Array | undefined): boolean {
  return bytes !== undefined && Object.getPrototypeOf(bytes) === Uint8Array.prototype;
}

interface AeadCase extends WycheproofCase {
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
}

interface AeadGroup {
  readonly ivSize: number;
  readonly keySize: number;
  readonly tagSize: number;
  readonly tests: readonly AeadCase[];
}

type Sealer = Pick<ReturnType<Engine["aead"]>, "seal" | "open">;

/** Tries every case; returns how many were sealed, opened or refused as they should. */
function tryAead(sealer: Sealer, nonceBytes: number, groups: readonly AeadGroup[]): number {
  let tried = 0;
  for (const { keySize, ivSize, tagSize, tests } of groups) {
    if (keySize !== 8 * KEY_BYTES || tagSize !== 8 * AEAD_TAG_BYTES) continue;
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of tests) {
      const sealed = hex(ct + tag);
      if (ivSize !== 8 * nonceBytes) {
        assertThrows(() => sealer.open(hex(key), hex(iv), hex(aad), sealed), RangeError);
        assertThrows(() => sealer.seal(hex(key), hex(iv), hex(aad), hex(msg)), RangeError);
      } else if (result === "valid") {
        assertEquals(sealer.seal(hex(key), hex(iv), hex(aad), hex(msg)), sealed, `case ${tcId}`);
        assertEquals(sealer.open(hex(key), hex(iv), hex(aad), sealed), hex(msg), `case ${tcId}`);
      } else {
        assertStrictEquals(sealer.open(hex(key), hex(iv), hex(aad), sealed), undefined, `case ${tcId}`);
      }
      tried++;
    }
  }
  return tried;
}

for (const engine of ENGINES) {
  testPublished<Wycheproof<AeadGroup>>(
    "wycheproof_chacha20_poly1305_test.json",
    `${engine.name}: ChaCha20-Poly1305 as in Wycheproof`,
    ({ testGroups }) => assert(tryAead(engine.aead("chacha20-poly1305"), NONCE_BYTES, testGroups) > 300),
  );

  testPublished<Wycheproof<AeadGroup>>(
    "wycheproof_aes_gcm_test.json",
    `${engine.name}: AES-256-GCM as in Wycheproof`,
    ({ testGroups }) => assert(tryAead(engine.aead("aes-256-gcm"), NONCE_BYTES, testGroups) > 60),
  );

  testPublished<Wycheproof<AeadGroup>>(
    "wycheproof_xchacha20_poly1305_test.json",
    `${engine.name}: XChaCha20-Poly1305 as in Wycheproof`,
    ({ testGroups }) => assert(tryAead(engine.xchacha20Poly1305, XNONCE_BYTES, testGroups) > 250),
  );

  interface HkdfCase extends WycheproofCase {
    readonly ikm: string;
    readonly salt: string;
    readonly info: string;
    readonly size: number;
    readonly okm: string;
  }
  testPublished<Wycheproof<{ tests: readonly HkdfCase[] }>>(
    "wycheproof_hkdf_sha256_test.json",
    `${engine.name}: HKDF-SHA-256 as in Wycheproof`,
    ({ testGroups }) => {
      for (const { ikm, salt, info, size, okm, result } of testGroups.flatMap((group) => group.tests)) {
        const derive = () => engine.hkdfExpand(engine.hkdfExtract(hex(salt), hex(ikm)), hex(info), size);
        if (result === "valid") assertEquals(derive(), hex(okm));
        else assertThrows(derive, RangeError);
      }
    },
  );

  interface HmacCase extends WycheproofCase {
    readonly key: string;
    readonly msg: string;
    readonly tag: string;
  }
  testPublished<Wycheproof<{ tagSize: number; tests: readonly HmacCase[] }>>(
    "wycheproof_hmac_sha256_test.json",
    `${engine.name}: HMAC-SHA-256 as in Wycheproof`,
    ({ testGroups }) => {
      for (const { tagSize, tests } of testGroups) {
        for (const { key, msg, tag, result } of tests) {
          const mac = engine.hmacSha256(hex(key), hex(msg)).subarray(0, tagSize / 8);
          assertEquals(mac.toHex() === tag, result === "valid");
        }
      }
    },
  );

  interface XdhCase extends WycheproofCase {
    readonly public: string;
    readonly private: string;
    readonly shared: string;
  }
  testPublished<Wycheproof<{ tests: readonly XdhCase[] }>>(
    "wycheproof_x25519_test.json",
    `${engine.name}: X25519 as in Wycheproof, low-order and non-canonical keys refused`,
    ({ testGroups }) => {
      for (const test of testGroups.flatMap((group) => group.tests)) {
        const shared = engine.x25519.sharedSecret(hex(test.private), hex(test.public));
        const refused = ["LowOrderPublic", "NonCanonicalPublic", "ZeroSharedSecret"]
          .some((flag) => test.flags.includes(flag));
        assertEquals(
          shared?.toHex(),
          refused ? undefined : test.shared,
          `case ${test.tcId}: ${test.comment}`,
        );
      }
    },
  );

  interface EddsaCase extends WycheproofCase {
    readonly msg: string;
    readonly sig: string;
  }
  testPublished<Wycheproof<{ publicKey: { pk: string }; tests: readonly EddsaCase[] }>>(
    "wycheproof_ed25519_test.json",
    `${engine.name}: Ed25519 as in Wycheproof`,
    ({ testGroups }) => {
      for (const { publicKey, tests } of testGroups) {
        for (const { tcId, comment, msg, sig, result } of tests) {
          const right = engine.ed25519.verify(hex(publicKey.pk), hex(msg), hex(sig));
          assertEquals(right, result === "valid", `case ${tcId}: ${comment}`);
        }
      }
    },
  );

  Deno.test(`${engine.name}: the cases of RFC 8439 and RFC 5869`, () => {
    interface Rfc {
      "chacha20-poly1305": {
        cases: { key: string; nonce: string; aad: string; plaintext: string; sealed: string }[];
      };
      "hkdf-sha256": { cases: { ikm: string; salt: string; info: string; prk: string; okm: string }[] };
    }
    const rfc = own<Rfc>("rfc.json");
    for (const { key, nonce, aad, plaintext, sealed } of rfc["chacha20-poly1305"].cases) {
      const aead = engine.aead("chacha20-poly1305");
      assertEquals(aead.seal(hex(key), hex(nonce), hex(aad), hex(plaintext)), hex(sealed));
      assertEquals(aead.open(hex(key), hex(nonce), hex(aad), hex(sealed)), hex(plaintext));
    }
    for (const { ikm, salt, info, prk, okm } of rfc["hkdf-sha256"].cases) {
      assertEquals(engine.hkdfExtract(hex(salt), hex(ikm)), hex(prk));
      assertEquals(engine.hkdfExpand(hex(prk), hex(info), okm.length / 2), hex(okm));
    }
  });

  for (const name of AEAD_NAMES) {
    const aead = engine.aead(name);
    const [key, nonce, aad] = [pattern(32, 1), pattern(12, 2), pattern(20, 3)];

    Deno.test(`${engine.name}: ${name} refuses what anybody changed`, () => {
      const sealed = aead.seal(key, nonce, aad, pattern(40));
      assertStrictEquals(aead.name, name);
      for (let bit = 0; bit < 8 * sealed.length; bit++) {
        const changed = sealed.slice();
        changed[bit >> 3] ^= 1 << (bit & 7);
        assertStrictEquals(aead.open(key, nonce, aad, changed), undefined);
      }
      assertStrictEquals(aead.open(pattern(32, 9), nonce, aad, sealed), undefined);
      assertStrictEquals(aead.open(key, pattern(12, 9), aad, sealed), undefined);
      assertStrictEquals(aead.open(key, nonce, aad.subarray(1), sealed), undefined);
      for (let length = 0; length < sealed.length; length++) {
        assertStrictEquals(aead.open(key, nonce, aad, sealed.subarray(0, length)), undefined);
      }
    });

    Deno.test(`${engine.name}: ${name} seals into a larger buffer, its own input, and nothing smaller`, () => {
      const message = pattern(100);
      const sealed = aead.seal(key, nonce, aad, message);
      const out = new Uint8Array(130).fill(7);
      aead.sealInto(key, nonce, aad, message, out);
      assertEquals(out, concatBytes(sealed, new Uint8Array(14).fill(7)));
      const inPlace = concatBytes(Uint8Array.of(7), message, new Uint8Array(15));
      aead.sealInto(key, nonce, aad, inPlace.subarray(1, 101), inPlace.subarray(0));
      assertEquals(inPlace, sealed);
      assertThrows(() => aead.sealInto(key, nonce, aad, message, new Uint8Array(115)), RangeError, "116");
      const apart = new Uint8Array(130).fill(7);
      apart.set(message, 3);
      aead.sealInto(key, nonce, aad, apart.subarray(3, 103), apart.subarray(10));
      assertEquals(apart.subarray(10, 126), sealed);
      assertThrows(() => aead.seal(key.subarray(1), nonce, aad, message), RangeError, "key must be 32");
      assertThrows(() => aead.open(key, pattern(13), aad, sealed), RangeError, "nonce must be 12");
    });
  }

  for (const name of AEAD_NAMES) {
    const aead = engine.aead(name);
    const [key, nonce, aad] = [pattern(32, 1), pattern(12, 2), pattern(20, 3)];
    const message = pattern(100);
    const sealed = aead.seal(key, nonce, aad, message);

    Deno.test(`${engine.name}: ${name} opens into a larger buffer, its own input, and nothing smaller`, () => {
      const out = new Uint8Array(130).fill(7);
      assert(aead.openInto(key, nonce, aad, sealed, out));
      assertEquals(out, concatBytes(message, new Uint8Array(30).fill(7)));
      for (const [from, to] of [[0, 0], [0, 9], [9, 0], [20, 3], [3, 20]]) {
        const shared = new Uint8Array(150).fill(7);
        shared.set(sealed, from);
        assert(aead.openInto(key, nonce, aad, shared.subarray(from, from + 116), shared.subarray(to)));
        assertEquals(shared.subarray(to, to + 100), message);
        assertEquals(shared.subarray(136), new Uint8Array(14).fill(7));
      }
      assertThrows(() => aead.openInto(key, nonce, aad, sealed, new Uint8Array(99)), RangeError, "100");
      assertThrows(() => aead.openInto(key, pattern(13), aad, sealed, out), RangeError, "nonce must be 12");
      assertThrows(() => aead.openInto(pattern(33), nonce, aad, sealed, out), RangeError, "key must be 32");
    });

    Deno.test(`${engine.name}: ${name} leaves no plaintext of what is not authentic`, () => {
      for (const at of [0, 50, 99, 100, 115]) {
        const changed = sealed.slice();
        changed[at] ^= 1;
        const out = new Uint8Array(100);
        assert(!aead.openInto(key, nonce, aad, changed, out));
        assertEquals(out, new Uint8Array(100));
        assert(!aead.openInto(key, nonce, aad, changed, changed));
        assertNotEquals(changed.subarray(0, 8), message.subarray(0, 8));
      }
      for (let length = 0; length < 16; length++) {
        assert(!aead.openInto(key, nonce, aad, sealed.subarray(0, length), new Uint8Array(0)));
      }
      // The next one is not spoiled by those before it.
      assertEquals(aead.open(key, nonce, aad, sealed), message);
    });
  }

  Deno.test(`${engine.name}: results are plain arrays that share no memory with inputs or each other`, () => {
    const aead = engine.aead("chacha20-poly1305");
    const [key, nonce] = [pattern(32), pattern(12)];
    const plaintext = pattern(10);
    const sealed = aead.seal(key, nonce, plaintext, plaintext);
    const secret = engine.x25519.sharedSecret(key, engine.x25519.publicKey(pattern(32, 1)));
    const results = [
      sealed,
      aead.open(key, nonce, plaintext, sealed),
      engine.sha256.digest(key),
      engine.sha256.create().update(key).digest(),
      engine.hmacSha256(key, key),
      engine.hkdfExtract(key, key),
      engine.hkdfExpand(key, key, 7),
      engine.x25519.publicKey(key),
      secret,
      engine.ed25519.publicKey(key),
      engine.ed25519.sign(key, key),
    ];
    for (const result of results) assert(isPlain(result));
    assertEquals(new Set(results.map((result) => result?.buffer)).size, results.length);
  });

  const { open } = engine.x25519;
  if (open) {
    Deno.test(`${engine.name}: a private key that is taken in gives the same results, however often`, () => {
      const theirs = engine.x25519.publicKey(pattern(32, 1));
      using key = open(pattern(32));
      for (let i = 0; i < 2; i++) {
        assertEquals(key.publicKey(), portableEngine.x25519.publicKey(pattern(32)));
        assertEquals(key.sharedSecret(theirs), portableEngine.x25519.sharedSecret(pattern(32), theirs));
        assertStrictEquals(key.sharedSecret(new Uint8Array(32)), undefined);
        assertStrictEquals(key.sharedSecret(theirs.subarray(1)), undefined);
      }
      for (const length of [0, 31, 33]) assertThrows(() => open(pattern(length)), RangeError);
    });
  }

  Deno.test(`${engine.name}: keys of wrong lengths are refused`, () => {
    const { x25519, ed25519 } = engine;
    const publicKey = x25519.publicKey(pattern(32));
    for (const length of [0, 31, 33]) {
      assertThrows(() => x25519.publicKey(pattern(length)), RangeError);
      assertThrows(() => x25519.sharedSecret(pattern(length), publicKey), RangeError);
      assertStrictEquals(x25519.sharedSecret(pattern(32), pattern(length)), undefined);
      assertThrows(() => ed25519.publicKey(pattern(length)), RangeError);
      assertThrows(() => ed25519.sign(pattern(length), publicKey), RangeError);
      assert(!ed25519.verify(pattern(length), publicKey, pattern(64)));
      assert(!ed25519.verify(publicKey, publicKey, pattern(length)));
    }
    for (const length of [-1, 1.5, 8161, NaN]) {
      assertThrows(() => engine.hkdfExpand(publicKey, publicKey, length), RangeError);
    }
    assertEquals(engine.hkdfExpand(publicKey, publicKey, 0).length, 0);
  });

  Deno.test(`${engine.name}: Ed25519 is checked without cofactor, and small-order keys are refused`, () => {
    const { Point } = nobleEd25519;
    const message = utf8("torsion");
    const { scalar, pointBytes, point } = nobleEd25519.utils.getExtendedPublicKey(pattern(32));
    assert(engine.ed25519.verify(pointBytes, message, engine.ed25519.sign(pattern(32), message)));
    const number = (bytes: Uint8Array) => BigInt("0x" + Uint8Array.from(bytes).reverse().toHex());
    const encode = (value: bigint) => hex(value.toString(16).padStart(64, "0")).reverse();
    for (const torsion of ED25519_TORSION_SUBGROUP) {
      // A signature by the same scalar for a key shifted by a point of small order: right only up to the
      // cofactor.
      const shifted = Point.fromHex(torsion, true).add(point).toBytes();
      const r = 12345n;
      const R = Point.BASE.multiply(r).toBytes();
      const k = number(sha512(concatBytes(R, shifted, message))) % Point.Fn.ORDER;
      const signature = concatBytes(R, encode((r + k * scalar) % Point.Fn.ORDER));
      const strict = Point.fromHex(torsion, true).multiplyUnsafe(k).is0();
      assertEquals(engine.ed25519.verify(shifted, message, signature), strict);
      assert(!engine.ed25519.verify(hex(torsion), message, concatBytes(hex(torsion), new Uint8Array(32))));
    }
  });
}

Deno.test("all engines give the same bytes for all small lengths and unaligned slices", () => {
  for (let length = 0; length < 200; length++) {
    const shift = 1 + length % 7;
    const message = unaligned(pattern(length, length), shift);
    const key = unaligned(pattern(32, length), shift);
    const aad = unaligned(pattern(length % 40, 1), shift + 1);
    const before = message.slice();
    const results = ENGINES.map((engine) => {
      const aeads = AEAD_NAMES.map((name) => {
        const nonce = unaligned(pattern(NONCE_BYTES, length), shift);
        const sealed = engine.aead(name).seal(key, nonce, aad, message);
        assertEquals(engine.aead(name).open(key, nonce, aad, unaligned(sealed, shift)), before);
        return sealed;
      });
      const xnonce = unaligned(pattern(XNONCE_BYTES, length), shift);
      const middle = length >> 1;
      return [
        ...aeads,
        engine.xchacha20Poly1305.seal(key, xnonce, aad, message),
        engine.sha256.digest(message),
        engine.sha256.digest(message.subarray(0, middle), message.subarray(middle)),
        engine.sha256.create().update(message.subarray(0, middle)).update(message.subarray(middle)).digest(),
        engine.hmacSha256(message, aad, key),
        engine.hkdfExtract(message, key),
        engine.hkdfExpand(key, message, length),
      ];
    });
    for (const result of results) assertEquals(result, results[0]);
    assertEquals(message, before);
  }
});

Deno.test("all engines agree on curves and long messages with random inputs", () => {
  for (let round = 0; round < 12; round++) {
    const [mine, theirs] = [systemRandom(32), systemRandom(32)];
    const message = systemRandom(5000 + round * 3777);
    const results = ENGINES.map(({ x25519, ed25519, aead }) => [
      x25519.publicKey(mine),
      x25519.sharedSecret(mine, x25519.publicKey(theirs)),
      x25519.sharedSecret(theirs, x25519.publicKey(mine)),
      ed25519.publicKey(mine),
      ed25519.sign(mine, message),
      ...AEAD_NAMES.map((name) => aead(name).seal(mine, new Uint8Array(12), theirs, message)),
    ]);
    for (const result of results) assertEquals(result, results[0]);
    assertEquals(results[0][1], results[0][2]);
  }
});

Deno.test("all engines agree on signatures of any shape", () => {
  const signer = pattern(32);
  const publicKey = nativeEngine.ed25519.publicKey(signer);
  const signature = nativeEngine.ed25519.sign(signer, publicKey);
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.nat(63), fc.nat(255), (key, R, S, at, value) => {
      const changed = signature.slice();
      changed[at] = value;
      const cases = [[key, concatBytes(R, S)], [key, signature], [publicKey, concatBytes(R, S)], [
        publicKey,
        changed,
      ]];
      for (const [candidate, claim] of cases) {
        const verdicts = ENGINES.map((engine) => engine.ed25519.verify(candidate, publicKey, claim));
        assertEquals(new Set(verdicts).size, 1);
      }
    }),
    { numRuns: 60 },
  );
});
