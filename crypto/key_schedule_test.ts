import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { own } from "../tests/vectors/_load.ts";
import type { AeadName } from "./engine.ts";
import { chunkNonce, exposureId, exposureKey, keyCheck, ticketId, ticketPsk } from "./key_schedule.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";

const engine = nativeEngine;
const hex = Uint8Array.fromHex.bind(Uint8Array);
const ramp = (length: number, from = 0) => Uint8Array.from({ length }, (_, i) => from + i);

interface KeyScheduleVector {
  exposures: {
    aead: AeadName;
    secret: string;
    salt: string;
    parametersWithoutKeyCheck: string;
    exposureKey: string;
    keyCheck: string;
  }[];
  ids: { manifest: string; exposureId: string }[];
  tickets: { secret: string; psk: string; ticketId: string }[];
}

for (const each of [nativeEngine, portableEngine]) {
  Deno.test(`${each.name}: the key schedule is the one that was pinned`, () => {
    const vector = own<KeyScheduleVector>("key_schedule.json");
    for (const { aead, secret, salt, parametersWithoutKeyCheck, ...expected } of vector.exposures) {
      const key = exposureKey(each, aead, hex(secret), hex(salt), hex(parametersWithoutKeyCheck));
      assertEquals(key.toHex(), expected.exposureKey);
      assertEquals(keyCheck(each, key).toHex(), expected.keyCheck);
    }
    for (const { manifest, exposureId: id } of vector.ids) {
      assertEquals(exposureId(each, hex(manifest)).toHex(), id);
    }
    for (const { secret, psk, ticketId: id } of vector.tickets) {
      assertEquals(ticketPsk(each, hex(secret)).toHex(), psk);
      assertEquals(ticketId(each, hex(psk)).toHex(), id);
    }
  });
}

Deno.test("changing any bit of any input, or the AEAD, changes the key", () => {
  const inputs = [ramp(32), ramp(32, 100), ramp(56, 150)] as const;
  const derive = (aead: AeadName, [secret, salt, parameters]: readonly Uint8Array[]) =>
    exposureKey(engine, aead, secret, salt, parameters).toHex();
  const keys = new Set([derive("chacha20-poly1305", inputs), derive("aes-256-gcm", inputs)]);
  let expected = 2;
  inputs.forEach((input, which) => {
    for (let bit = 0; bit < 8 * input.length; bit++) {
      const changed = input.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      keys.add(derive("chacha20-poly1305", inputs.with(which, changed)));
      expected++;
    }
  });
  keys.add(derive("chacha20-poly1305", [inputs[0], inputs[1], inputs[2].subarray(1)]));
  assertEquals(keys.size, expected + 1);
});

Deno.test("what comes from one key or secret for different purposes differs", () => {
  const secret = ramp(32);
  const derived = [
    secret.toHex(),
    exposureKey(engine, "chacha20-poly1305", secret, secret, secret).toHex(),
    keyCheck(engine, secret).toHex(),
    exposureId(engine, secret).toHex(),
    ticketPsk(engine, secret.subarray(0, 16)).toHex(),
    engine.sha256.digest(secret).toHex(),
  ];
  assertEquals(new Set(derived).size, derived.length);
  assert(!engine.sha256.digest(secret).toHex().startsWith(ticketId(engine, secret).toHex()));
});

Deno.test("a chunk's nonce is its index, big-endian", () => {
  assertEquals(chunkNonce(0), new Uint8Array(12));
  assertEquals(chunkNonce(1).toHex(), "000000000000000000000001");
  assertEquals(chunkNonce(0x7ffffffe).toHex(), "00000000000000007ffffffe");
  assertEquals(chunkNonce(0xffffffff).toHex(), "0000000000000000ffffffff");
  for (const index of [-1, 0.5, 2 ** 32, NaN]) assertThrows(() => chunkNonce(index), RangeError);
});

Deno.test("secrets, salts and keys of other lengths are refused", () => {
  for (const length of [0, 16, 31, 33]) {
    const wrong = ramp(length);
    assertThrows(() => exposureKey(engine, "aes-256-gcm", wrong, ramp(32), ramp(56)), RangeError);
    assertThrows(() => exposureKey(engine, "aes-256-gcm", ramp(32), wrong, ramp(56)), RangeError, "salt");
    assertThrows(() => keyCheck(engine, wrong), RangeError);
    assertThrows(() => ticketId(engine, wrong), RangeError);
    if (length !== 16) assertThrows(() => ticketPsk(engine, wrong), RangeError);
  }
});
