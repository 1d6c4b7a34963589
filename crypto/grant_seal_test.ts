import { systemRandom, utf8 } from "../core/mod.ts";
import { assertEquals, assertNotEquals, assertStrictEquals, assertThrows, fail } from "../tests/_assert.ts";
import type { Engine } from "./engine.ts";
import { GRANT_SEAL_BYTES, openGrant, sealGrant } from "./grant_seal.ts";
import { nativeEngine } from "./native_engine.ts";
import { Handshake } from "./noise.ts";
import { portableEngine } from "./portable_engine.ts";

const transportKey = Uint8Array.from({ length: 32 }, (_, i) => i);
const aad = utf8("handshake hash");

Deno.test("a grant opens with its key and aad, in either engine, and in no other way", () => {
  const sealed = sealGrant(nativeEngine, transportKey, systemRandom, aad, utf8("grant"));
  assertEquals(sealed.length, 5 + GRANT_SEAL_BYTES);
  assertEquals(openGrant(nativeEngine, transportKey, aad, sealed), utf8("grant"));
  assertEquals(openGrant(portableEngine, transportKey, aad, sealed), utf8("grant"));
  for (let bit = 0; bit < 8 * sealed.length; bit++) {
    const changed = sealed.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assertStrictEquals(openGrant(nativeEngine, transportKey, aad, changed), undefined);
  }
  for (let length = 0; length < sealed.length; length++) {
    assertStrictEquals(openGrant(nativeEngine, transportKey, aad, sealed.subarray(0, length)), undefined);
  }
  assertStrictEquals(openGrant(nativeEngine, transportKey.toReversed(), aad, sealed), undefined);
  assertStrictEquals(openGrant(nativeEngine, transportKey, utf8("other"), sealed), undefined);
  assertThrows(() => openGrant(nativeEngine, aad, aad, sealed), RangeError);
  assertThrows(() => sealGrant(nativeEngine, aad, systemRandom, aad, aad), RangeError);
  assertThrows(() => sealGrant(nativeEngine, transportKey, () => aad, aad, aad), RangeError);
});

Deno.test("a last message replayed 1,000 times never makes one key and nonce seal twice", () => {
  const used = new Set<string>();
  const watching: Engine = {
    ...nativeEngine,
    aead(name) {
      const aead = nativeEngine.aead(name);
      return {
        ...aead,
        seal(key, nonce, aad, plaintext) {
          const pair = `${name} ${key.toHex()} ${nonce.toHex()}`;
          if (used.has(pair)) fail(`used twice: ${pair}`);
          used.add(pair);
          return aead.seal(key, nonce, aad, plaintext);
        },
      };
    },
  };
  const prologue = utf8("RGTP");
  const initiator = Handshake.start(nativeEngine, {
    pattern: "XX",
    initiator: true,
    prologue,
    staticPrivate: systemRandom(32),
  });
  const staticPrivate = systemRandom(32);
  const responder = Handshake.start(watching, { pattern: "XX", initiator: false, prologue, staticPrivate });
  responder.readMessage(initiator.writeMessage(new Uint8Array(0), systemRandom));
  initiator.readMessage(responder.writeMessage(new Uint8Array(0), systemRandom));
  const cookie = responder.exportState();
  const last = initiator.writeMessage(new Uint8Array(0), systemRandom);
  const before = used.size;
  let first: Uint8Array | undefined;
  for (let i = 0; i < 1000; i++) {
    const resumed = Handshake.importState(watching, cookie, { staticPrivate });
    if (resumed?.readMessage(last) === undefined) fail("the last message was refused");
    const { responderKey } = resumed.split();
    const sealed = sealGrant(watching, responderKey, systemRandom, resumed.handshakeHash, utf8(`grant ${i}`));
    const opened = openGrant(nativeEngine, initiator.split().responderKey, initiator.handshakeHash, sealed);
    assertEquals(opened, utf8(`grant ${i}`));
    if (first !== undefined) assertNotEquals(sealed.subarray(0, 16), first.subarray(0, 16));
    first ??= sealed;
  }
  assertEquals(used.size, before + 1000);
});
