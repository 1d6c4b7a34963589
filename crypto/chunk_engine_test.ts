import { assert, assertEquals } from "../tests/_assert.ts";
import { chunkEngine } from "./chunk_engine.ts";
import { nativeEngine } from "./native_engine.ts";

const AEADS = ["chacha20-poly1305", "aes-256-gcm"] as const;
const bytes = new Uint8Array(100_003).map((_, i) => (i * 31 + (i >> 8)) & 255);

Deno.test("what threads take for chunks gives the bytes of a whole engine", async () => {
  const engine = await chunkEngine();
  const [key, nonce, aad] = [new Uint8Array(32).fill(3), new Uint8Array(12).fill(4), Uint8Array.of(5)];
  for (const name of AEADS) {
    const sealed = nativeEngine.aead(name).seal(key, nonce, aad, bytes);
    assertEquals(engine.aead(name).seal(key, nonce, aad, bytes), sealed);
    assertEquals(engine.aead(name).open(key, nonce, aad, sealed), bytes);
    sealed[7] ^= 1;
    assertEquals(engine.aead(name).open(key, nonce, aad, sealed), undefined);
  }
  assertEquals(engine.sha256.digest(bytes, aad), nativeEngine.sha256.digest(bytes, aad));
});

Deno.test("hashes over bytes that come in pieces do not mix", async () => {
  const { sha256 } = await chunkEngine();
  const hashers = [sha256.create(), sha256.create()];
  for (let at = 0; at < bytes.length; at += 999) {
    for (const hasher of hashers) hasher.update(bytes.subarray(at, at + 999));
    sha256.digest(bytes);
  }
  hashers[1].update(Uint8Array.of(1));
  assertEquals(hashers[0].digest(), nativeEngine.sha256.digest(bytes));
  assertEquals(hashers[1].digest(), nativeEngine.sha256.digest(bytes, Uint8Array.of(1)));
});

Deno.test("a thread for chunks loads no library of npm where libcrypto is", async () => {
  const info = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL("./chunk_engine.ts", import.meta.url).pathname],
    stderr: "null",
  });
  const { modules } = JSON.parse(new TextDecoder().decode((await info.output()).stdout));
  type Module = { specifier: string; dependencies?: { code?: { specifier: string }; isDynamic?: boolean }[] };
  const byName = new Map((modules as Module[]).map((module) => [module.specifier, module]));
  // A set that grows while it is gone through.
  const loaded = new Set([...byName.keys()].filter((name) => name.endsWith("crypto/chunk_engine.ts")));
  for (const name of loaded) {
    for (const { code, isDynamic } of byName.get(name)?.dependencies ?? []) {
      if (code && !isDynamic) loaded.add(code.specifier);
    }
  }
  assert(loaded.size > 5, `only ${loaded.size} modules are known`);
  assertEquals([...loaded].filter((name) => !name.startsWith("file:")), []);
});
