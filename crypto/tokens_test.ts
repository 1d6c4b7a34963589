import { addressBytes, TOKEN_BYTES as CODEC_TOKEN_BYTES } from "../codec/mod.ts";
import { concatBytes, limits, systemRandom, utf8 } from "../core/mod.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
  fail,
} from "../tests/_assert.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";
import { packetMac, packetMacIsRight, TOKEN_BYTES, TokenMint } from "./tokens.ts";

const LIFE = limits.tokenLifeMsMax;
const address = addressBytes({ host: "192.0.2.1", port: 9000 });
const grant = {
  exposureId: Uint8Array.from({ length: 32 }, (_, i) => i),
  ticketId: utf8("ticket 7"),
  address,
  flags: 5,
};

for (const engine of [nativeEngine, portableEngine]) {
  Deno.test(`${engine.name}: a token says to its mint what it was minted for`, () => {
    const mint = new TokenMint(engine, systemRandom, 0);
    const token = mint.mint(0, grant);
    assertEquals([token.length, TOKEN_BYTES, CODEC_TOKEN_BYTES], [104, 104, 104]);
    assertEquals(mint.open(1, token, address), { ...grant, expirySeconds: LIFE / 1000 });
    assertNotEquals(mint.mint(0, grant), token);
    assertThrows(() => mint.mint(0, { ...grant, ticketId: address }), RangeError);
    assertThrows(() => mint.mint(0, { ...grant, flags: 256 }), RangeError);
  });
}

Deno.test("a token is refused when anything about it is wrong", () => {
  const mint = new TokenMint(nativeEngine, systemRandom, 0);
  const token = mint.mint(0, grant);
  assertStrictEquals(mint.open(1, token, addressBytes({ host: "192.0.2.1", port: 9001 })), undefined);
  assertStrictEquals(mint.open(1, token, addressBytes({ host: "192.0.2.2", port: 9000 })), undefined);
  assertStrictEquals(mint.open(1, token, new Uint8Array(0)), undefined);
  assertStrictEquals(new TokenMint(nativeEngine, systemRandom, 0).open(1, token, address), undefined);
  for (let bit = 0; bit < 8 * token.length; bit++) {
    const changed = token.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assertStrictEquals(mint.open(1, changed, address), undefined);
  }
  for (let length = 0; length < token.length; length++) {
    assertStrictEquals(mint.open(1, token.subarray(0, length), address), undefined);
    assertStrictEquals(mint.pullKey(token.subarray(0, length)), undefined);
    assertStrictEquals(mint.receipt(1, token.subarray(0, length)), 0);
  }
  assertStrictEquals(mint.open(1, concatBytes(token, Uint8Array.of(0)), address), undefined);
});

Deno.test("a token lives for half to all of the longest life, whenever it was minted", () => {
  const born = 12_345_678;
  const mint = new TokenMint(nativeEngine, systemRandom, born);
  const early = mint.mint(born, grant);
  const late = mint.mint(born + LIFE / 2 - 1, grant);
  const next = mint.mint(born + LIFE / 2, grant);
  assertEquals([early[0], late[0], next[0]], [0, 0, 1]);
  // Expiry is in whole seconds.
  const end = Math.floor((born + LIFE) / 1000) * 1000;
  for (const token of [early, late]) {
    assert(mint.open(end - 1, token, address));
    assert(mint.pullKey(token));
    assertStrictEquals(mint.open(end, token, address), undefined);
  }
  assert(mint.open(end, next, address));
  assertStrictEquals(mint.open(born + LIFE, early, address), undefined);
  assertStrictEquals(mint.pullKey(early), undefined);
  assertStrictEquals(mint.receipt(born + LIFE, early), 0);
  assert(mint.pullKey(next));
});

Deno.test("a mint that was idle for long starts anew", () => {
  const mint = new TokenMint(nativeEngine, systemRandom, 0);
  const old = mint.mint(0, grant);
  mint.expire(10 * LIFE);
  assertStrictEquals(mint.pullKey(old), undefined);
  const token = mint.mint(10 * LIFE, grant);
  assertEquals(mint.open(10 * LIFE, token, address)?.expirySeconds, 11 * LIFE / 1000);
  assertStrictEquals(mint.open(10 * LIFE, old, address), undefined);
});

Deno.test("pull keys differ by token and mint, and are the same each time", () => {
  const mint = new TokenMint(nativeEngine, systemRandom, 0);
  const [a, b] = [mint.mint(0, grant), mint.mint(0, grant)];
  assertEquals(mint.pullKey(a)?.length, 32);
  assertEquals(mint.pullKey(a), mint.pullKey(a));
  assertNotEquals(mint.pullKey(a), mint.pullKey(b));
  assertNotEquals(mint.pullKey(a), new TokenMint(nativeEngine, systemRandom, 0).pullKey(a));
});

Deno.test("a receipt is fresh for four to six seconds, for its token alone", () => {
  const mint = new TokenMint(nativeEngine, systemRandom, 0);
  const token = mint.mint(0, grant);
  for (const stamped of [0, 1, 1999, 2000, 10_000, 11_999, 100_000]) {
    const receipt = mint.receipt(stamped, token);
    assert(Number.isInteger(receipt) && receipt > 0 && receipt < 2 ** 32);
    for (const age of [0, 1, 2000, 3999]) {
      assert(mint.receiptIsFresh(stamped + age, token, receipt), `${age}`);
    }
    for (const age of [6000, 6001, 8000, 60_000]) {
      assert(!mint.receiptIsFresh(stamped + age, token, receipt), `${age}`);
    }
    assert(!mint.receiptIsFresh(stamped, mint.mint(stamped, grant), receipt));
    assert(!mint.receiptIsFresh(stamped, token, receipt ^ 1));
    assert(!mint.receiptIsFresh(stamped, token, 0));
    if (stamped >= 2000) assert(!mint.receiptIsFresh(stamped - 2000, token, receipt));
  }
  assert(!mint.receiptIsFresh(LIFE, token, mint.receipt(LIFE - 1, token)));
});

Deno.test("a packet's MAC holds for the packet and the key alone", () => {
  const pullKey = utf8("a pull key of thirty-two bytes..");
  const body = utf8("a control packet");
  for (const engine of [nativeEngine, portableEngine]) {
    const mac = packetMac(engine, pullKey, body);
    assertEquals(mac.toHex(), packetMac(portableEngine, pullKey, body).toHex());
    const packet = concatBytes(body, mac);
    assertEquals(packet.length, body.length + 8);
    assert(packetMacIsRight(engine, pullKey, packet));
    assert(!packetMacIsRight(engine, pullKey.toReversed(), packet));
    for (let bit = 0; bit < 8 * packet.length; bit++) {
      const changed = packet.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      assert(!packetMacIsRight(engine, pullKey, changed));
    }
    for (let length = 0; length < packet.length; length++) {
      if (packetMacIsRight(engine, pullKey, packet.subarray(0, length))) fail(`${length} bytes passed`);
    }
    assert(packetMacIsRight(engine, pullKey, packetMac(engine, pullKey, new Uint8Array(0))));
  }
});
