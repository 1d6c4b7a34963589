import { RgtpError } from "../core/mod.ts";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "../tests/_assert.ts";
import { chooseEngine, defaultEngine, selfTest } from "./default_engine.ts";
import type { Aead, Engine } from "./engine.ts";
import { loadLibcrypto } from "./native/_libcrypto.ts";
import { libcryptoEngine } from "./native/libcrypto_engine.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";

/** Engines that are wrong in one place each. */
function broken(): Engine[] {
  const throws = () => {
    throw new Error("not on this platform");
  };
  const flipped = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 1);
  const seals = (change: Partial<Aead>): Engine["aead"] => (name) => ({
    ...nativeEngine.aead(name),
    ...change,
  });
  const trusting = (engine: Engine): Engine["aead"] => (name) => ({
    ...engine.aead(name),
    open: (key, nonce, aad, sealed) => engine.aead(name).open(key, nonce, aad, sealed) ?? new Uint8Array(114),
  });
  const { sha256, x25519, ed25519, xchacha20Poly1305 } = nativeEngine;
  const wrongParts: Partial<Engine>[] = [
    { sha256: { ...sha256, digest: throws } },
    { sha256: { ...sha256, digest: (...parts) => flipped(sha256.digest(...parts)) } },
    { hkdfExtract: (salt, ikm) => flipped(nativeEngine.hkdfExtract(salt, ikm)) },
    { hkdfExpand: () => new Uint8Array(0) },
    { aead: throws },
    { aead: trusting(nativeEngine) },
    { aead: seals({ sealInto: () => {} }) },
    { aead: seals({ openInto: () => false }) },
    { aead: seals({ openInto: () => true }) },
    { aead: () => nativeEngine.aead("chacha20-poly1305") },
    { xchacha20Poly1305: { ...xchacha20Poly1305, seal: () => new Uint8Array(0) } },
    { x25519: { ...x25519, sharedSecret: () => undefined } },
    { ed25519: { ...ed25519, verify: () => true } },
    { ed25519: { ...ed25519, verify: () => false } },
    { ed25519: { ...ed25519, sign: () => new Uint8Array(64) } },
  ];
  return wrongParts.map((part, i) => ({ ...nativeEngine, name: `broken ${i}`, ...part }));
}

Deno.test("an engine that is wrong anywhere is not chosen", () => {
  for (const engine of broken()) assert(!selfTest(engine), engine.name);
  assertStrictEquals(chooseEngine([...broken(), portableEngine]), portableEngine);
});

Deno.test("without an engine that works, the failure names what was tried", () => {
  const failure = assertThrows(() => chooseEngine(broken().slice(0, 2)), RgtpError, "broken 0, broken 1");
  assertEquals(failure.condition, "CRYPTO_INIT");
  assertThrows(() => chooseEngine([]), RgtpError, "none");
});

Deno.test("all engines work here, and the fastest one is preferred", () => {
  const engines = [libcryptoEngine() ?? [], nativeEngine, portableEngine].flat();
  for (const engine of engines) assert(selfTest(engine), engine.name);
  assertStrictEquals(defaultEngine(), engines[0]);
});

Deno.test({
  name: "the permission for the folders of libraries is enough for libcrypto",
  ignore: libcryptoEngine() === undefined,
  permissions: { ffi: ["/lib", "/lib64", "/usr/lib", "/usr/lib64"] },
  fn: () => assert(loadLibcrypto()),
});

Deno.test({
  name: "without a permission there is no libcrypto, and nobody is asked for one",
  permissions: { ffi: false },
  fn: () => {
    assertStrictEquals(loadLibcrypto(), undefined);
  },
});
