import { assert, assertEquals, assertStrictEquals, assertThrows } from "../tests/_assert.ts";
import { testPublished, type Wycheproof, type WycheproofCase } from "../tests/vectors/_load.ts";
import { KEM_CIPHERTEXT_BYTES, KEM_PUBLIC_KEY_BYTES } from "./engine.ts";
import { libcryptoEngine } from "./native/libcrypto_engine.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";

const { mlKem768 } = portableEngine;
const hex = Uint8Array.fromHex.bind(Uint8Array);
const bytes = (length: number, value = 7) => new Uint8Array(length).fill(value);

/** How many cases there were, beside those that were wrong. */
function tryAll<Case extends WycheproofCase>(
  { testGroups }: Wycheproof<{ tests: readonly Case[] }>,
  check: (test: Case) => void,
): number {
  const tests = testGroups.flatMap((group) => group.tests);
  tests.forEach(check);
  return tests.length;
}

interface KeyCase extends WycheproofCase {
  readonly seed: string;
  readonly ek: string;
}

testPublished<Wycheproof<{ tests: readonly KeyCase[] }>>(
  "wycheproof_mlkem_768_keygen_seed_test.json",
  "ML-KEM-768: keys of seeds as in Wycheproof",
  (file) => {
    const tried = tryAll(file, ({ tcId, seed, ek }) => {
      assertEquals(mlKem768.keyPair(hex(seed)).publicKey.toHex(), ek, `case ${tcId}`);
    });
    assertEquals(tried, 100);
  },
);

interface EncapsulationCase extends WycheproofCase {
  readonly m: string;
  readonly ek: string;
  readonly c: string;
  readonly K: string;
}

testPublished<Wycheproof<{ tests: readonly EncapsulationCase[] }>>(
  "wycheproof_mlkem_768_encaps_test.json",
  "ML-KEM-768: encapsulation as in Wycheproof; keys of another length, or with a coefficient beyond the prime, are refused",
  (file) => {
    const tried = tryAll(file, ({ tcId, m, ek, c, K, result }) => {
      const made = mlKem768.encapsulate(hex(ek), hex(m));
      const expected = result === "valid" ? [c, K] : undefined;
      assertEquals(made && [made.ciphertext.toHex(), made.secret.toHex()], expected, `case ${tcId}`);
    });
    assertEquals(tried, 265);
  },
);

interface DecapsulationCase extends WycheproofCase {
  readonly seed: string;
  readonly c: string;
  readonly K: string;
}

testPublished<Wycheproof<{ tests: readonly DecapsulationCase[] }>>(
  "wycheproof_mlkem_768_test.json",
  "ML-KEM-768: decapsulation as in Wycheproof; a changed ciphertext gives another secret, one of another length none",
  (file) => {
    const tried = tryAll(file, ({ tcId, seed, c, K, result }) => {
      const open = () => mlKem768.decapsulate(mlKem768.keyPair(hex(seed)).secretKey, hex(c));
      if (seed.length !== 128) assertThrows(open, RangeError, "seed must be 64");
      else assertEquals(open()?.toHex(), result === "valid" ? K : undefined, `case ${tcId}`);
    });
    assertEquals(tried, 193);
  },
);

Deno.test("ML-KEM-768: all engines have the same one, and refuse what is of another length", () => {
  assertStrictEquals(nativeEngine.mlKem768, mlKem768);
  assertStrictEquals(libcryptoEngine()?.mlKem768 ?? mlKem768, mlKem768);
  const { publicKey, secretKey } = mlKem768.keyPair(bytes(64));
  assertEquals(publicKey.length, KEM_PUBLIC_KEY_BYTES);
  for (const length of [0, 63, 65]) assertThrows(() => mlKem768.keyPair(bytes(length)), RangeError);
  for (const length of [0, 31, 33]) {
    assertThrows(() => mlKem768.encapsulate(publicKey, bytes(length)), RangeError);
  }
  for (const length of [0, KEM_PUBLIC_KEY_BYTES - 1, KEM_PUBLIC_KEY_BYTES + 1]) {
    assertStrictEquals(mlKem768.encapsulate(bytes(length), bytes(32)), undefined);
  }
  for (const length of [0, KEM_CIPHERTEXT_BYTES - 1, KEM_CIPHERTEXT_BYTES + 1]) {
    assertStrictEquals(mlKem768.decapsulate(secretKey, bytes(length)), undefined);
  }
});

/** The part of WebCrypto that TypeScript does not know yet. */
interface WebKem {
  importKey(
    format: "raw-public",
    key: Uint8Array,
    name: string,
    extractable: boolean,
    use: ["encapsulateBits"],
  ): Promise<CryptoKey>;
  importKey(
    format: "raw-seed",
    key: Uint8Array,
    name: string,
    extractable: boolean,
    use: ["decapsulateBits"],
  ): Promise<CryptoKey>;
  encapsulateBits(name: string, key: CryptoKey): Promise<{ ciphertext: ArrayBuffer; sharedKey: ArrayBuffer }>;
  decapsulateBits(name: string, key: CryptoKey, ciphertext: Uint8Array): Promise<ArrayBuffer>;
}

const web = crypto.subtle as unknown as WebKem;
const hasWebKem = "encapsulateBits" in crypto.subtle;

Deno.test({
  name: "ML-KEM-768: agrees with the runtime's own, both ways" +
    (hasWebKem ? "" : " [skipped: this runtime's WebCrypto has no ML-KEM]"),
  ignore: !hasWebKem,
  fn: async () => {
    const NAME = "ML-KEM-768";
    for (let i = 0; i < 5; i++) {
      const seed = crypto.getRandomValues(new Uint8Array(64));
      const { publicKey, secretKey } = mlKem768.keyPair(seed);
      const theirPublic = await web.importKey("raw-public", publicKey, NAME, true, ["encapsulateBits"]);
      const theirs = await web.encapsulateBits(NAME, theirPublic);
      const opened = mlKem768.decapsulate(secretKey, new Uint8Array(theirs.ciphertext));
      assertEquals(opened, new Uint8Array(theirs.sharedKey));

      const ours = mlKem768.encapsulate(publicKey, crypto.getRandomValues(new Uint8Array(32)));
      assert(ours);
      const theirSecret = await web.importKey("raw-seed", seed, NAME, false, ["decapsulateBits"]);
      const shared = await web.decapsulateBits(NAME, theirSecret, ours.ciphertext);
      assertEquals(new Uint8Array(shared), ours.secret);
    }
  },
});
