import { scryptSync } from "node:crypto";
import { concatBytes, limits, RgtpError, systemRandom, utf8 } from "../core/mod.ts";
import { assert, assertEquals, assertNotEquals, assertThrows } from "../tests/_assert.ts";
import { nativeEngine as engine } from "./native_engine.ts";
import { normalPassphrase, passphraseExchange, passphraseKeys, stretchPassphrase } from "./passphrase.ts";
import { portableEngine } from "./portable_engine.ts";

const key = new Uint8Array(32).fill(9);

Deno.test("passphrase: too short, too long and unprintable ones are refused, and at the limits not", () => {
  const { passphraseCharactersMin: least, passphraseBytesMax: most } = limits;
  const wrong = [
    "",
    " ".repeat(least - 1),
    "ü".repeat(least - 1),
    "a".repeat(most + 1),
    "with\ta tab",
    "nul\0nul\0",
  ];
  for (const text of wrong) {
    assertEquals(assertThrows(() => normalPassphrase(text), RgtpError).condition, "INVALID_ARG");
    // What is refused is not shown: it may be most of the right one.
    if (text.length > 3) {
      assert(!assertThrows(() => stretchPassphrase(text, key), RgtpError).message.includes(text));
    }
  }
  for (const text of ["ü".repeat(least), "a".repeat(most)]) assertEquals(normalPassphrase(text), text);
});

Deno.test("passphrase: typed on another system it is the same: composed or not, whatever the space", () => {
  assertEquals(normalPassphrase("u\u0308ber\u00a0den\u3000Wolken"), "über den Wolken");
});

Deno.test("passphrase: stretched by scrypt, as another implementation does, with the exposer's key as salt", () => {
  const stretched = stretchPassphrase("correct horse battery staple", key);
  const salt = concatBytes(utf8("rgtp2 passphrase"), key);
  const other = scryptSync("correct horse battery staple", salt, 32, {
    N: 65_536,
    r: 8,
    p: 1,
    maxmem: 256 * 1024 * 1024,
  });
  assertEquals(stretched, Uint8Array.from(other));
  assertNotEquals(stretchPassphrase("correct horse battery staple", key.with(0, 1)), stretched);
  assertThrows(() => stretchPassphrase("correct horse battery staple", key.subarray(1)), RangeError);
});

Deno.test("passphrase: proof and key depend on all that they are made of, alike on both engines", () => {
  const [a, b] = [systemRandom(64), systemRandom(32)];
  const keys = passphraseKeys(engine, a, b);
  assertNotEquals(keys.proof, keys.grantKey);
  assertEquals(passphraseKeys(portableEngine, a, b), keys);
  for (const [one, other] of [[a.with(63, a[63] ^ 1), b], [a, b.with(0, b[0] ^ 1)]]) {
    const changed = passphraseKeys(engine, one, other);
    assertNotEquals(changed.proof, keys.proof);
    assertNotEquals(changed.grantKey, keys.grantKey);
  }
  const { secret: prs, channel, session } = passphraseExchange(a, key, b);
  assertEquals([prs, session], [a, b]);
  assertNotEquals(passphraseExchange(a, key.with(0, 1), b).channel, channel);
});
