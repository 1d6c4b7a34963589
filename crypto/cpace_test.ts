import fc from "fast-check";
import { ed25519 } from "@noble/curves/ed25519.js";
import { systemRandom, utf8 } from "../core/mod.ts";
import { assert, assertEquals, assertNotEquals } from "../tests/_assert.ts";
import { own } from "../tests/vectors/_load.ts";
import { CPACE_KEY_BYTES, CPACE_SHARE_BYTES, cpaceGenerator, cpaceKey, cpaceShare } from "./cpace.ts";
import type { CPaceInputs } from "./cpace.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";

const hex = Uint8Array.fromHex.bind(Uint8Array);
const vector = own<{
  exchange: Record<string, string>;
  lowOrder: string[];
  notCanonical: string[];
}>("cpace.json");
const inputs: CPaceInputs = {
  secret: hex(vector.exchange.PRS),
  channel: hex(vector.exchange.CI),
  session: hex(vector.exchange.sid),
};

for (const engine of [nativeEngine, portableEngine]) {
  Deno.test(`${engine.name}: CPace: a share of low order, or one that is not canonical, ends the exchange`, () => {
    const mine = cpaceShare(engine, inputs, systemRandom);
    assertEquals(vector.lowOrder.length, 7);
    for (const text of [...vector.lowOrder, ...vector.notCanonical, "", "09".repeat(31), "09".repeat(33)]) {
      for (const role of ["initiator", "responder"] as const) {
        assertEquals(cpaceKey(engine, inputs.session, mine, { share: hex(text) }, role), undefined, text);
      }
    }
  });

  Deno.test(`${engine.name}: CPace: generator, shares and key are those of the draft`, () => {
    const { g, ya, Ya, yb, Yb, ADa, ADb, K, ISK_IR } = vector.exchange;
    assertEquals(cpaceGenerator(inputs).toHex(), g);
    const a = { ...cpaceShare(engine, inputs, () => hex(ya)), data: hex(ADa) };
    const b = { ...cpaceShare(engine, inputs, () => hex(yb)), data: hex(ADb) };
    assertEquals([a.share.toHex(), b.share.toHex()], [Ya, Yb]);
    assertEquals(engine.x25519.sharedSecret(a.scalar, b.share)?.toHex(), K);
    assertEquals(cpaceKey(engine, inputs.session, a, b, "initiator")?.toHex(), ISK_IR);
    assertEquals(cpaceKey(engine, inputs.session, b, a, "responder")?.toHex(), ISK_IR);
  });
}

Deno.test("CPace: both sides have one key if all of their inputs are the same, and else not", () => {
  const engine = nativeEngine;
  const key = (one: CPaceInputs, other: CPaceInputs) => {
    const [a, b] = [cpaceShare(engine, one, systemRandom), cpaceShare(engine, other, systemRandom)];
    const keys = [
      cpaceKey(engine, one.session, a, b, "initiator")!,
      cpaceKey(engine, other.session, b, a, "responder")!,
    ];
    assertEquals(keys.map(({ length }) => length), [CPACE_KEY_BYTES, CPACE_KEY_BYTES]);
    return keys.map((bytes) => bytes.toHex());
  };
  const [a, b] = key(inputs, inputs);
  assertEquals(a, b);
  assertNotEquals(key(inputs, inputs)[0], a);
  for (const name of ["secret", "channel", "session"] as const) {
    const [mine, theirs] = key(inputs, { ...inputs, [name]: utf8("another") });
    assertNotEquals(mine, theirs, name);
  }
  // What is one input's end is not another's beginning.
  const [mine, theirs] = key({ ...inputs, channel: utf8("ab"), session: utf8("c") }, {
    ...inputs,
    channel: utf8("a"),
    session: utf8("bc"),
  });
  assertNotEquals(mine, theirs);
});

Deno.test("CPace: who claims to be the other side too gets another key, and so does who changes a share's data", () => {
  const engine = nativeEngine;
  const [a, b] = [cpaceShare(engine, inputs, systemRandom), cpaceShare(engine, inputs, systemRandom)];
  const right = cpaceKey(engine, inputs.session, a, b, "initiator")!;
  assertNotEquals(cpaceKey(engine, inputs.session, a, b, "responder"), right);
  assertNotEquals(cpaceKey(engine, inputs.session, a, { ...b, data: utf8("x") }, "initiator"), right);
});

Deno.test("CPace: whatever the secret, a share is a point of the same group of prime order: it could be of any secret", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 20 }), (secret, session) => {
      const { share } = cpaceShare(nativeEngine, { ...inputs, secret, session }, systemRandom);
      assertEquals(share.length, CPACE_SHARE_BYTES);
      assert(isInSubgroup(share), share.toHex());
    }),
    { numRuns: 40 },
  );
});

/** Whether a u-coordinate is that of a point on the curve (not its twist) whose order is the large prime. RFC 7748 §4.1: y = (u - 1) / (u + 1). */
function isInSubgroup(u: Uint8Array): boolean {
  const { Fp } = ed25519.Point;
  const value = Fp.fromBytes(u);
  const y = Fp.div(Fp.sub(value, 1n), Fp.add(value, 1n));
  try {
    return ed25519.Point.fromBytes(Fp.toBytes(y)).isTorsionFree();
  } catch {
    return false;
  }
}
