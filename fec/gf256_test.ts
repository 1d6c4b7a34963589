import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { slowMultiply } from "./_slow_code.ts";
import { inverse, logarithms, multiply, ORDER, powers } from "./gf256.ts";

const bytes = Array.from({ length: 256 }, (_, i) => i);

Deno.test("gf256: products are those of polynomials modulo 0x11d, for all pairs", () => {
  for (const a of bytes) {
    for (const b of bytes) assert(multiply(a, b) === slowMultiply(a, b), `${a} * ${b}`);
  }
});

Deno.test("gf256: multiplication commutes, 1 is neutral, 0 absorbs, and no other product is 0", () => {
  for (const a of bytes) {
    assert(multiply(a, 1) === a && multiply(a, 0) === 0);
    for (const b of bytes) {
      assert(multiply(a, b) === multiply(b, a));
      assert((multiply(a, b) === 0) === (a === 0 || b === 0));
    }
  }
});

Deno.test("gf256: multiplication is associative and distributes over addition, for all triples", () => {
  const row = bytes.map((a) => Uint8Array.from(bytes, (b) => multiply(a, b)));
  for (const a of bytes) {
    for (const b of bytes) {
      const ab = row[a][b];
      for (const c of bytes) {
        if (row[ab][c] !== row[a][row[b][c]]) throw new Error(`(${a} * ${b}) * ${c}`);
        if (row[a][b ^ c] !== (ab ^ row[a][c])) throw new Error(`${a} * (${b} + ${c})`);
      }
    }
  }
});

Deno.test("gf256: every byte but 0 has one inverse", () => {
  const inverses = bytes.slice(1).map((a) => {
    assertEquals(multiply(a, inverse(a)), 1);
    return inverse(a);
  });
  assertEquals(new Set(inverses).size, ORDER);
  assertThrows(() => inverse(0), RangeError, "0 has no inverse");
});

Deno.test("gf256: 2 generates all bytes but 0, and logarithms undo its powers", () => {
  assertEquals(new Set(powers.subarray(0, ORDER)).size, ORDER);
  for (let i = 0; i < ORDER; i++) {
    assert(logarithms[powers[i]] === i);
    assert(powers[i + ORDER] === powers[i] && powers[i + 2 * ORDER] === powers[i]);
    assert(powers[i + 1] === slowMultiply(powers[i], 2));
  }
});
