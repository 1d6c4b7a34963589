import { RETRY_COOKIE_BYTES } from "../codec/handshake.ts";
import { concatBytes, limits, type Random, systemRandom, utf8 } from "../core/mod.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertNotEquals,
  assertStrictEquals,
} from "../tests/_assert.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";
import { COOKIE_SEAL_BYTES, CookieJar, RetryCookies } from "./sealed_box.ts";

const address = utf8("192.0.2.1 port 90!");
const { cookieKeyRotateMs: rotate, cookieKeyLifeMs: life, retryEpochMs: epoch } = limits;

Deno.test("a box opens for whom it was sealed, as often as it comes, and in no other way", () => {
  for (const engine of [nativeEngine, portableEngine]) {
    const jar = new CookieJar(engine, systemRandom);
    const box = jar.seal(0, address, utf8("state"));
    assertEquals(box.length, 5 + COOKIE_SEAL_BYTES);
    assertEquals(jar.open(1, address, box), utf8("state"));
    assertEquals(jar.open(2, address, box), utf8("state"));
    assertStrictEquals(jar.open(2, utf8("another address"), box), undefined);
    assertStrictEquals(new CookieJar(engine, systemRandom).open(2, address, box), undefined);
    for (let bit = 0; bit < 8 * box.length; bit++) {
      const changed = box.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      assertStrictEquals(jar.open(2, address, changed), undefined);
    }
    for (let length = 0; length < box.length; length++) {
      assertStrictEquals(jar.open(2, address, box.subarray(0, length)), undefined);
    }
    assertNotEquals(jar.seal(2, address, utf8("state")), box);
  }
});

Deno.test("keys rotate, and boxes die with theirs", () => {
  const jar = new CookieJar(nativeEngine, systemRandom);
  const first = jar.seal(1000, address, utf8("1"));
  const late = jar.seal(1000 + rotate - 1, address, utf8("2"));
  const second = jar.seal(1000 + rotate, address, utf8("3"));
  assertEquals([first[0], late[0], second[0]], [0, 0, 1]);
  const end = 1000 + life - 1;
  assertEquals(jar.open(end, address, first), utf8("1"));
  assertEquals(jar.open(end, address, late), utf8("2"));
  assertStrictEquals(jar.open(end + 1, address, first), undefined);
  assertStrictEquals(jar.open(end + 1, address, late), undefined);
  assertEquals(jar.open(end + 1, address, second), utf8("3"));
  // Numbers come round, and the first key's boxes stay dead.
  for (let i = 2; i <= 256; i++) assertEquals(jar.seal(1000 + i * rotate, address, address)[0], i & 255);
  assertStrictEquals(jar.open(1000 + 256 * rotate, address, first), undefined);
});

Deno.test("keys that end are overwritten, and never more than a few are alive", () => {
  const keys: Uint8Array[] = [];
  const watched = {
    ...nativeEngine,
    xchacha20Poly1305: {
      ...nativeEngine.xchacha20Poly1305,
      seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) {
        if (!keys.includes(key)) keys.push(key);
        return nativeEngine.xchacha20Poly1305.seal(key, nonce, aad, plaintext);
      },
    },
  };
  const jar = new CookieJar(watched, systemRandom);
  const isAlive = (key: Uint8Array) => key.some((byte) => byte !== 0);
  for (let i = 0; i < 10; i++) {
    jar.seal(i * rotate, address, address);
    assertLessOrEqual(keys.filter(isAlive).length, life / rotate);
  }
  assertEquals(keys.length, 10);
  assert(isAlive(keys[9]));
  jar.expire(9 * rotate + life);
  assert(!keys.some(isAlive));
});

Deno.test("a RETRY cookie proves its address for one to two epochs", () => {
  const cookies = new RetryCookies(nativeEngine, systemRandom);
  const cookie = cookies.mint(5 * epoch, address);
  assertEquals(cookie.length, RETRY_COOKIE_BYTES);
  for (const now of [5 * epoch, 6 * epoch - 1, 6 * epoch, 7 * epoch - 1]) {
    assert(cookies.check(now, address, cookie));
  }
  for (const now of [0, 5 * epoch - 1, 7 * epoch, 500 * epoch]) assert(!cookies.check(now, address, cookie));
  assert(!cookies.check(5 * epoch, address.toReversed(), cookie));
  assert(!new RetryCookies(nativeEngine, systemRandom).check(5 * epoch, address, cookie));
  for (let bit = 0; bit < 128; bit++) {
    const changed = cookie.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assert(!cookies.check(5 * epoch, address, changed));
  }
  for (let length = 0; length < 16; length++) {
    assert(!cookies.check(5 * epoch, address, cookie.subarray(0, length)));
  }
  assert(!cookies.check(5 * epoch, address, concatBytes(cookie, cookie)));
  assert(cookies.check(0, address, cookies.mint(0, address)));
});

Deno.test("engines with the same key mint the same RETRY cookies", () => {
  const fixed: Random = (length) => new Uint8Array(length).fill(3);
  const [native, portable] = [nativeEngine, portableEngine].map((engine) => new RetryCookies(engine, fixed));
  assertEquals(native.mint(12345, address), portable.mint(12345, address));
});
