import { concatBytes, type Random, RgtpError, systemRandom, utf8 } from "../core/mod.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
  fail,
} from "../tests/_assert.ts";
import { testPublished } from "../tests/vectors/_load.ts";
import type { Engine } from "./engine.ts";
import { nativeEngine } from "./native_engine.ts";
import { CipherState, Handshake, NOISE_MESSAGE_BYTES_MAX, type NoisePattern } from "./noise.ts";
import { portableEngine } from "./portable_engine.ts";

const hex = Uint8Array.fromHex.bind(Uint8Array);
const optional = (text: string | undefined) => text === undefined ? undefined : hex(text);
const HYBRIDS: readonly NoisePattern[] = ["XXhfs", "IKhfs", "IKhfs+psk2"];
const PATTERNS: readonly NoisePattern[] = [
  ...["XX", "IK", "NK", "XK", "XXpsk3", "IKpsk1", "IKpsk2"] as const,
  ...HYBRIDS,
];
const NONE = new Uint8Array(0);

interface NoiseVector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_psks?: string[];
  readonly init_static?: string;
  readonly init_ephemeral: string;
  readonly init_remote_static?: string;
  readonly resp_prologue: string;
  readonly resp_psks?: string[];
  readonly resp_static?: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash?: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

function runVector(engine: Engine, vector: NoiseVector): void {
  const pattern = vector.protocol_name.split("_")[1] as NoisePattern;
  assert(PATTERNS.includes(pattern), pattern);
  const psks = pattern.includes("psk");
  const initiator = Handshake.start(engine, {
    pattern,
    initiator: true,
    prologue: hex(vector.init_prologue),
    staticPrivate: optional(vector.init_static),
    remoteStatic: optional(vector.init_remote_static),
    psk: psks ? optional(vector.init_psks?.[0]) : undefined,
  });
  const responder = Handshake.start(engine, {
    pattern,
    initiator: false,
    prologue: hex(vector.resp_prologue),
    staticPrivate: optional(vector.resp_static),
    psk: psks ? optional(vector.resp_psks?.[0]) : undefined,
  });
  const ephemerals = [() => hex(vector.init_ephemeral), () => hex(vector.resp_ephemeral)];
  let ciphers: CipherState[][] = [];
  vector.messages.forEach(({ payload, ciphertext }, i) => {
    if (!initiator.isFinished) {
      const [writer, reader] = i % 2 === 0 ? [initiator, responder] : [responder, initiator];
      assertEquals(writer.writeMessage(hex(payload), ephemerals[i % 2]).toHex(), ciphertext);
      assertEquals(reader.readMessage(hex(ciphertext))?.toHex(), payload);
      return;
    }
    if (ciphers.length === 0) {
      assertEquals(initiator.split(), responder.split());
      assertEquals(initiator.handshakeHash, responder.handshakeHash);
      if (vector.handshake_hash) assertEquals(initiator.handshakeHash.toHex(), vector.handshake_hash);
      ciphers = [initiator, responder].map((side) => {
        const { initiatorKey, responderKey } = side.split();
        return [new CipherState(engine, initiatorKey), new CipherState(engine, responderKey)];
      });
    }
    // The messages go on in turn; each side has its own copy of both ciphers.
    const sender = i % 2;
    assertEquals(ciphers[sender][sender].encrypt(NONE, hex(payload)).toHex(), ciphertext);
    assertEquals(ciphers[1 - sender][sender].decrypt(NONE, hex(ciphertext))?.toHex(), payload);
  });
  assert(ciphers.length > 0, "a vector covers transport messages too");
}

for (const engine of [nativeEngine, portableEngine]) {
  testPublished<{ vectors: NoiseVector[] }>(
    "noise.json",
    `${engine.name}: the community's Noise vectors`,
    ({ vectors }) => {
      assertEquals(vectors.length, 11);
      for (const vector of vectors) runVector(engine, vector);
    },
  );
}

const staticOfI = utf8("the static key of the initiator!");
const staticOfR = utf8("the static key of the responder!");
const psk = utf8("a secret of the ticket, 32 bytes");

interface PairOptions {
  readonly pattern: NoisePattern;
  readonly prologues?: [Uint8Array, Uint8Array];
  readonly psks?: [Uint8Array | undefined, Uint8Array | undefined];
}

function pair({ pattern, prologues = [NONE, NONE], psks = [psk, psk] }: PairOptions): [Handshake, Handshake] {
  const hasPsk = pattern.includes("psk");
  return [
    Handshake.start(nativeEngine, {
      pattern,
      initiator: true,
      prologue: prologues[0],
      staticPrivate: pattern === "NK" ? undefined : staticOfI,
      remoteStatic: pattern.startsWith("XX") ? undefined : nativeEngine.x25519.publicKey(staticOfR),
      psk: hasPsk ? psks[0] : undefined,
    }),
    Handshake.start(nativeEngine, {
      pattern,
      initiator: false,
      prologue: prologues[1],
      staticPrivate: staticOfR,
      psk: hasPsk ? psks[1] : undefined,
    }),
  ];
}

/** Exchanges messages until one is refused; true when none is. */
function run([initiator, responder]: [Handshake, Handshake], random: Random = systemRandom): boolean {
  while (!initiator.isFinished) {
    const [writer, reader] = initiator.isWriter ? [initiator, responder] : [responder, initiator];
    const payload = utf8(`payload ${writer.messageIndex}`);
    const read = reader.readMessage(writer.writeMessage(payload, random));
    if (read === undefined) return false;
    assertEquals(read, payload);
  }
  return true;
}

for (const pattern of PATTERNS) {
  Deno.test(`${pattern}: both sides get the same keys and know each other`, () => {
    const [initiator, responder] = pair({ pattern });
    assertThrows(() => initiator.split(), RgtpError, "not finished");
    assert(run([initiator, responder]));
    assert(responder.isFinished && !responder.isWriter && !responder.isReader);
    assertEquals(initiator.split(), responder.split());
    assertNotEquals(initiator.split().initiatorKey, initiator.split().responderKey);
    assertEquals(initiator.handshakeHash, responder.handshakeHash);
    assertEquals(initiator.remoteStatic, nativeEngine.x25519.publicKey(staticOfR));
    const known = pattern === "NK" ? undefined : nativeEngine.x25519.publicKey(staticOfI);
    assertEquals(responder.remoteStatic, known);
  });

  Deno.test(`${pattern}: one changed bit anywhere is refused, and the right message still passes`, () => {
    const [initiator, responder] = pair({ pattern });
    while (!initiator.isFinished) {
      const [writer, reader] = initiator.isWriter ? [initiator, responder] : [responder, initiator];
      const message = writer.writeMessage(utf8("hi"), systemRandom);
      // XX's first message is all in clear: a change to it shows in the second one.
      const inClear = pattern.startsWith("XX") && reader.messageIndex === 0;
      // Those of a hybrid are long, and each try of one is slow.
      const step = (inClear ? 9 : 3) * (message.length > 1000 ? 29 : 1);
      for (let bit = 0; bit < 8 * message.length; bit += step) {
        const changed = message.slice();
        changed[bit >> 3] ^= 1 << (bit & 7);
        if (!inClear) assertStrictEquals(reader.readMessage(changed), undefined);
        else assert(!readsOn(reader.clone(), writer.clone(), changed), `bit ${bit}`);
      }
      for (const length of [0, 1, 31, 32, 47, message.length - 1]) {
        const cut = message.subarray(0, length);
        if (length < message.length && !(inClear && length >= message.length - 2)) {
          assertStrictEquals(reader.readMessage(cut), undefined, `${length} bytes`);
        }
      }
      assertStrictEquals(reader.readMessage(new Uint8Array(NOISE_MESSAGE_BYTES_MAX + 1)), undefined);
      assertEquals(reader.readMessage(message), utf8("hi"));
    }
    assertEquals(initiator.split(), responder.split());
  });

  Deno.test(`${pattern}: another prologue, key or psk ends in refusal`, () => {
    assert(!run(pair({ pattern, prologues: [utf8("a"), utf8("b")] })));
    const stranger = Handshake.start(nativeEngine, {
      pattern,
      initiator: false,
      prologue: NONE,
      staticPrivate: systemRandom(32),
      psk: pattern.includes("psk") ? psk : undefined,
    });
    const [initiator, responder] = pair({ pattern });
    if (pattern.startsWith("XX")) assert(run([initiator, stranger]));
    else assert(!run([initiator, stranger]));
    assertNotEquals(initiator.handshakeHash, responder.handshakeHash);
    if (pattern.includes("psk")) assert(!run(pair({ pattern, psks: [psk, staticOfI] })));
  });
}

/** Whether a handshake goes on after the reader took a changed message. */
function readsOn(reader: Handshake, writer: Handshake, changed: Uint8Array): boolean {
  if (reader.readMessage(changed) === undefined) return false;
  return writer.readMessage(reader.writeMessage(NONE, systemRandom)) !== undefined;
}

Deno.test("keys of low order and non-canonical ones are refused wherever they stand", () => {
  const bad = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0900000000000000000000000000000000000000000000000000000000000080",
  ].map(hex);
  for (const key of bad) {
    for (const engine of [nativeEngine, portableEngine]) {
      assertStrictEquals(engine.x25519.sharedSecret(staticOfI, key), undefined);
    }
    const [initiator, responder] = pair({ pattern: "XX" });
    assertStrictEquals(responder.readMessage(key), undefined);
    assertEquals(responder.readMessage(initiator.writeMessage(NONE, systemRandom)), NONE);
    const second = responder.writeMessage(NONE, systemRandom);
    assertStrictEquals(initiator.readMessage(concatBytes(key, second.subarray(32))), undefined);
    const options = { pattern: "IK", initiator: true, prologue: NONE, staticPrivate: staticOfI } as const;
    assertThrows(() => Handshake.start(nativeEngine, { ...options, remoteStatic: key }), TypeError, "usable");
  }
});

Deno.test("a low-order static key sent by a party that holds the right keys is refused too", () => {
  // An engine that claims a static key of zeros.
  const zeros = new Uint8Array(32);
  const liar: Engine = {
    ...nativeEngine,
    x25519: {
      publicKey: (key) => key.every((byte) => byte === 1) ? zeros : nativeEngine.x25519.publicKey(key),
      sharedSecret: (mine, theirs) => nativeEngine.x25519.sharedSecret(mine, theirs) ?? zeros,
    },
  };
  const initiator = Handshake.start(liar, {
    pattern: "XX",
    initiator: true,
    prologue: NONE,
    staticPrivate: new Uint8Array(32).fill(1),
  });
  const [, responder] = pair({ pattern: "XX" });
  responder.readMessage(initiator.writeMessage(NONE, systemRandom));
  initiator.readMessage(responder.writeMessage(NONE, systemRandom));
  assertStrictEquals(responder.readMessage(initiator.writeMessage(NONE, systemRandom)), undefined);
});

Deno.test("a message takes in each private key once, and lets it go; also one that is not right", () => {
  const { x25519 } = nativeEngine;
  const taken: string[] = [];
  let held = 0;
  const engine: Engine = {
    ...nativeEngine,
    x25519: {
      ...x25519,
      open: (key) => {
        taken.push(key.toHex());
        held++;
        return {
          publicKey: () => x25519.publicKey(key),
          sharedSecret: (theirs) => x25519.sharedSecret(key, theirs),
          [Symbol.dispose]: () => void held--,
        };
      },
    },
  };
  const staticPublic = x25519.publicKey(staticOfR);
  const own = { pattern: "IK", prologue: NONE } as const;
  const initiator = Handshake.start(engine, {
    ...{ ...own, initiator: true, staticPrivate: staticOfI, remoteStatic: staticPublic },
  });
  const responder = Handshake.start(engine, {
    ...{ ...own, initiator: false, staticPrivate: staticOfR, staticPublic },
  });
  const keysOf = (message: () => unknown) => {
    taken.length = 0;
    message();
    assertEquals(held, 0);
    return taken.length;
  };
  let message: Uint8Array = NONE;
  // Ephemeral and static; the static one, for two Diffie-Hellmans; an ephemeral one; both of the initiator's.
  assertEquals(keysOf(() => message = initiator.writeMessage(NONE, systemRandom)), 2);
  assertEquals(keysOf(() => responder.readMessage(message.with(-1, message.at(-1)! ^ 1))), 1);
  assertEquals(keysOf(() => responder.readMessage(message)), 1);
  assertEquals(taken, [staticOfR.toHex()]);
  assertEquals(keysOf(() => message = responder.writeMessage(NONE, systemRandom)), 1);
  assertEquals(keysOf(() => initiator.readMessage(message)), 2);
  assertEquals(initiator.split(), responder.split());
});

Deno.test("a stateless responder goes on from an exported state, as often as the last message comes", () => {
  const [initiator, responder] = pair({ pattern: "XX" });
  responder.readMessage(initiator.writeMessage(NONE, systemRandom));
  assertThrows(() => responder.exportState(), RgtpError, "not our turn to export");
  initiator.readMessage(responder.writeMessage(NONE, systemRandom));
  const state = responder.exportState();
  assertEquals(state.length, 4 + 5 * 32);
  const last = initiator.writeMessage(utf8("who I am"), systemRandom);
  for (let i = 0; i < 3; i++) {
    const resumed = Handshake.importState(nativeEngine, state, { staticPrivate: staticOfR }) ?? fail();
    assertEquals([resumed.pattern, resumed.messageIndex, resumed.isReader], ["XX", 2, true]);
    assertEquals(resumed.readMessage(last), utf8("who I am"));
    assertEquals(resumed.split(), initiator.split());
    assertEquals(resumed.handshakeHash, initiator.handshakeHash);
    assertThrows(() => resumed.exportState(), RgtpError);
  }
});

Deno.test("a hybrid handshake is that of other implementations: a published vector, to its hash and keys", () => {
  // libp2p/specs#727, vector 1 of js-libp2p-noise#665 for Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256: all keys and
  // seeds are one byte again and again. The hash covers every byte that both sides send.
  const of = (byte: number) => (length: number) => new Uint8Array(length).fill(byte);
  const options = { pattern: "XXhfs", prologue: NONE } as const;
  for (const engine of [nativeEngine, portableEngine]) {
    const initiator = Handshake.start(engine, { ...options, initiator: true, staticPrivate: of(0x11)(32) });
    const responder = Handshake.start(engine, { ...options, initiator: false, staticPrivate: of(0x12)(32) });
    const first = initiator.writeMessage(NONE, (length) => of(length === 64 ? 0x15 : 0x13)(length));
    assertEquals(responder.readMessage(first), NONE);
    const bytes = [of(0x14), of(0x16)];
    const second = responder.writeMessage(NONE, (length) => bytes.shift()!(length));
    assertEquals(initiator.readMessage(second), NONE);
    const third = initiator.writeMessage(NONE, systemRandom);
    assertEquals(responder.readMessage(third), NONE);
    assertEquals([first.length, second.length, third.length], [1216, 1200, 64]);
    const hash = "b5a3c9854777aa5dad0a633c769bcc6662713f20f14e0371e4bfd253e1869eef";
    assertEquals([initiator, responder].map((side) => side.handshakeHash.toHex()), [hash, hash]);
    const { initiatorKey, responderKey } = responder.split();
    assertEquals(initiatorKey.toHex(), "0a825d67cbf14170dcccf6f5c54d50f46a9a23541122654f5bec41ef0a5657e5");
    assertEquals(responderKey.toHex(), "f8546817671a440fd8df45b26fd6b45ebbf39e4207455ca12bc6d56ac0b35ebc");
  }
});

Deno.test("a hybrid handshake rests on both: who knows all of X25519 and not the secret of ML-KEM has other keys, and so the other way", () => {
  for (const pattern of HYBRIDS) {
    // The same randomness on all sides but for one seed: first that of the KEM, then that of the curve.
    const runs = [undefined, 64, 32].map((changed) => {
      const [initiator, responder] = pair({ pattern });
      const seed = (value: number) => (length: number) =>
        new Uint8Array(length).fill(length === changed ? value + 1 : value);
      assert(responder.readMessage(initiator.writeMessage(NONE, seed(1))));
      assert(initiator.readMessage(responder.writeMessage(NONE, (length) => new Uint8Array(length).fill(9))));
      if (!initiator.isFinished) assert(responder.readMessage(initiator.writeMessage(NONE, systemRandom)));
      assertEquals(initiator.split(), responder.split());
      return initiator.split().responderKey.toHex();
    });
    assertEquals(new Set(runs).size, 3, pattern);
  }
});

Deno.test("a key of ML-KEM with a coefficient beyond the prime is refused, wherever it stands in clear", () => {
  const [initiator, responder] = pair({ pattern: "XXhfs" });
  const message = initiator.writeMessage(NONE, systemRandom);
  for (const at of [32, 32 + 1149]) {
    const changed = message.slice();
    changed.set([0xff, 0xff, 0xff], at);
    assertStrictEquals(responder.readMessage(changed), undefined);
  }
  assertEquals(responder.readMessage(message), NONE);
  assert(initiator.readMessage(responder.writeMessage(NONE, systemRandom)));
});

Deno.test("every state that awaits a message survives export, in every pattern and on both sides", () => {
  for (const pattern of PATTERNS) {
    const sides: Handshake[] = pair({ pattern });
    while (!sides[0].isFinished) {
      const writer = sides[0].isWriter ? 0 : 1;
      const message = sides[writer].writeMessage(utf8("x"), systemRandom);
      const secrets = {
        staticPrivate: writer === 0 ? staticOfR : pattern === "NK" ? undefined : staticOfI,
        psk: pattern.includes("psk") ? psk : undefined,
      };
      // A key of ML-KEM stays where it was made.
      if (HYBRIDS.includes(pattern) && writer === 1) {
        assertThrows(() => sides[0].exportState(), RgtpError, "not our turn to export");
        assertEquals(sides[0].readMessage(message), utf8("x"));
        continue;
      }
      const bytes = sides[1 - writer].exportState();
      sides[1 - writer] = Handshake.importState(nativeEngine, bytes, secrets) ?? fail();
      assertEquals(sides[1 - writer].readMessage(message), utf8("x"));
    }
    assertEquals(sides[0].split(), sides[1].split());
  }
});

Deno.test("bytes that are not a state that awaits a message are refused", () => {
  const [initiator] = pair({ pattern: "XX" });
  initiator.writeMessage(NONE, systemRandom);
  const state = initiator.exportState();
  const secrets = { staticPrivate: staticOfI };
  assert(Handshake.importState(nativeEngine, state, secrets));
  for (let length = 0; length < state.length; length++) {
    assertStrictEquals(Handshake.importState(nativeEngine, state.subarray(0, length), secrets), undefined);
  }
  assertStrictEquals(
    Handshake.importState(nativeEngine, concatBytes(state, Uint8Array.of(0)), secrets),
    undefined,
  );
  for (
    const [at, value] of [[0, 0], [0, 11], [1, 0], [1, 2], [1, 3], [1, 255], [2, 0], [2, 0x82], [2, 0x80]]
  ) {
    const changed = state.slice();
    changed[at] = value;
    assertStrictEquals(Handshake.importState(nativeEngine, changed, secrets), undefined, `${at}: ${value}`);
  }
});

Deno.test("a reader tries one psk after the other, on clones or by replacing it", () => {
  const [initiator, responder] = pair({ pattern: "XXpsk3", psks: [psk, undefined] });
  responder.readMessage(initiator.writeMessage(NONE, systemRandom));
  initiator.readMessage(responder.writeMessage(NONE, systemRandom));
  const last = initiator.writeMessage(NONE, systemRandom);
  assertThrows(() => responder.readMessage(last), TypeError, "needs its psk");
  const wrong = responder.clone();
  wrong.usePsk(staticOfI);
  assertStrictEquals(wrong.readMessage(last), undefined);
  const right = responder.clone();
  right.usePsk(psk);
  assertEquals(right.readMessage(last), NONE);
  assert(!responder.isFinished);
  wrong.usePsk(psk);
  assertEquals(wrong.readMessage(last), NONE);
  assertEquals(wrong.split(), initiator.split());
});

Deno.test("a responder chooses the psk by what the first message says", () => {
  const [initiator, responder] = pair({ pattern: "IKpsk2", psks: [psk, undefined] });
  assertEquals(
    responder.readMessage(initiator.writeMessage(utf8("ticket 7"), systemRandom)),
    utf8("ticket 7"),
  );
  responder.usePsk(psk);
  assertEquals(initiator.readMessage(responder.writeMessage(NONE, systemRandom)), NONE);
  assertEquals(initiator.split(), responder.split());
});

Deno.test("mistakes of the caller throw", () => {
  const [initiator, responder] = pair({ pattern: "XX" });
  assertThrows(() => responder.writeMessage(NONE, systemRandom), RgtpError, "not our turn to write");
  assertThrows(() => initiator.readMessage(NONE), RgtpError, "not our turn to read");
  assertThrows(() => initiator.usePsk(psk), TypeError, "has no psk");
  assertThrows(
    () => initiator.writeMessage(new Uint8Array(65504), systemRandom),
    RangeError,
    "at most 65535",
  );
  assertEquals(initiator.writeMessage(new Uint8Array(65503), systemRandom).length, 65535);
  const start = (options: object) =>
    Handshake.start(nativeEngine, { pattern: "XX", initiator: true, prologue: NONE, ...options });
  assertThrows(() => start({}), TypeError, "needs a static key");
  assertThrows(() => start({ staticPrivate: NONE }), RangeError, "32 bytes");
  assertThrows(() => start({ staticPrivate: psk, psk }), TypeError, "has no psk");
  assertThrows(() => start({ pattern: "NK", initiator: false }), TypeError, "needs a static key");
  assertThrows(() => start({ pattern: "IK", staticPrivate: psk }), TypeError, "responder's static key");
  assertThrows(
    () => start({ pattern: "XXpsk3", staticPrivate: psk, psk: NONE }),
    RangeError,
    "psk must be 32",
  );
  assertThrows(() => new CipherState(nativeEngine, NONE), RangeError);
  const spent = new CipherState(nativeEngine, psk, Number.MAX_SAFE_INTEGER);
  assertThrows(() => spent.encrypt(NONE, NONE), RangeError, "no message numbers");
});
