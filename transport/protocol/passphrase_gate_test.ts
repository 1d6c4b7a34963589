/*
 * Who knows a passphrase and who does not, message by message: over XX, where the exposer's key is not known, and over IK.
 */
import { assert, assertEquals, assertLessOrEqual } from "../../tests/_assert.ts";
import { exposedOf, simExposure } from "../../tests/sim/transfer.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { AskKind, DenialReason, encodeAnswer } from "../../codec/grant.ts";
import type { Ask } from "../../codec/grant.ts";
import {
  decodeHandshake,
  encodeHandshake,
  HandshakeMessage,
  handshakePrologue,
  Offer,
} from "../../codec/handshake.ts";
import type { Handshake as HandshakePacket } from "../../codec/handshake.ts";
import { PROTOCOL_VERSION } from "../../codec/packet.ts";
import { decodeChallenge, encodeChallenge, encodePassphraseAsk } from "../../codec/passphrase.ts";
import { concatBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import { sealGrant } from "../../crypto/grant_seal.ts";
import { ticketId, ticketPsk } from "../../crypto/key_schedule.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { Handshake } from "../../crypto/noise.ts";
import { CookieJar } from "../../crypto/sealed_box.ts";
import { TokenMint } from "../../crypto/tokens.ts";
import type { Exposed } from "./exposed.ts";
import { Initiator } from "./initiator.ts";
import type { InitiatorOptions } from "./initiator.ts";
import { PassphraseGate } from "./passphrase_gate.ts";
import { passphraseProver } from "./passphrase_prover.ts";
import { GRANT_AAD_BYTES } from "./handshake_shape.ts";
import { Responder } from "./responder.ts";

const { bytes: random } = seededRandom(1, "passphrase");
const exposure = await simExposure(1, 5000);
const { sealed, staticPrivate, staticKey: exposerKey } = exposure;
const from = { host: "198.51.100.2", port: 4000 };
const OPEN_ID = new Uint8Array(32).fill(9);
const secret = random(16);
const id = ticketId(engine, ticketPsk(engine, secret));

const KEYS = { initiatorKey: new Uint8Array(32), responderKey: new Uint8Array(32) };

/** Stands in for the slow hash. */
const stretch = (passphrase: string) => (key: Uint8Array) =>
  engine.sha256.digest(new TextEncoder().encode(passphrase), key);
const right = stretch("right");

/** One that a passphrase opens, called `simulated`, and one that is open, called `open`. */
function responder(key = staticPrivate, passphrase = right): Responder {
  const publicKey = engine.x25519.publicKey(key);
  const secured: Exposed = {
    ...exposedOf(exposure, (ticket) => ticket.toHex() === id.toHex() ? ticketPsk(engine, secret) : "denied"),
    passphrase: { stretched: passphrase(publicKey), ticketSecret: secret, ticketId: id },
  };
  const open: Exposed = { ...exposedOf(exposure, () => "open"), id: OPEN_ID, name: "open" };
  return new Responder({
    engine,
    staticPrivate: key,
    random,
    mint: new TokenMint(engine, random, 0),
    pullRateMax: 0,
    find: (one) => [secured, open].find((exposed) => exposed.id.toHex() === one.toHex()),
    findNamed: (name) => [secured, open].filter((exposed) => exposed.name === name),
  });
}

const byId = (exposureId: Uint8Array): Ask => ({ kind: AskKind.ID, exposureId, ticketId: new Uint8Array(8) });
const byName = (name: string): Ask => ({ kind: AskKind.NAME, name });

function initiator(
  { knows = right, ask = byId(sealed.id), ...more }: Partial<InitiatorOptions> & { knows?: typeof right } =
    {},
): Initiator {
  const passphrase = passphraseProver(engine, random, knows);
  return new Initiator({ engine, random, staticPrivate: random(32), passphrase, ask, ...more });
}

/** Both sides until there is a result, with the sizes of all packets. */
function run(puller: Initiator, exposer = responder(), now = 0, address = from) {
  const sizes: number[] = [];
  for (let round = 0; round < 4; round++) {
    const { bytes, granted } = exposer.answer(now, address, puller.packet);
    assertEquals(granted, undefined, "a question is no pull");
    if (!bytes) return { sizes, result: undefined };
    if (round === 0) assertLessOrEqual(bytes.length, puller.packet.length);
    sizes.push(puller.packet.length, bytes.length);
    const result = puller.handle(bytes);
    if (result !== "next") return { sizes, result };
  }
  throw new Error("the handshake does not end");
}

const DENIED = { granted: false, reason: DenialReason.DENIED } as const;
const ways = { "XX": {}, "IK": { exposerKey } } as const;

for (const [way, known] of Object.entries(ways)) {
  Deno.test(`passphrase over ${way}: a wrong one, none, and one where none is needed or nothing is, are denied alike`, () => {
    const wrong = stretch("wrong");
    const seen = [
      run(initiator({ ...known, knows: wrong })),
      run(initiator({ ...known, knows: wrong, ask: byName("simulated") })),
      run(initiator({ ...known, ask: byId(random(32)) })),
      run(initiator({ ...known, ask: byId(OPEN_ID) })),
      run(initiator({ ...known, ask: byName("open") })),
      run(initiator({ ...known, ask: byName("nonsense") })),
      run(initiator({ ...known, ask: { kind: AskKind.LIST } })),
    ].map(({ sizes, result }) => {
      assert(result);
      assertEquals([result.answer, result.exposerKey], [DENIED, exposerKey]);
      // XX3 shows how long a name is, as it always does.
      return way === "XX" ? sizes.slice(3) : sizes;
    });
    for (const sizes of seen) assertEquals(sizes, seen[0]);
    const without = new Initiator({
      engine,
      random,
      staticPrivate: random(32),
      ...known,
      ask: byId(sealed.id),
    });
    assertEquals(run(without).result?.answer, DENIED);
  });

  Deno.test(`passphrase over ${way}: the right one leads to a grant and a ticket's secret, by ID and by name`, () => {
    for (const ask of [byId(sealed.id), byName("simulated")]) {
      const { result, sizes } = run(initiator({ ...known, ask }));
      assert(result?.answer.granted);
      assertEquals(sizes.length, way === "XX" ? 6 : 4);
      assertEquals(result.exposerKey, exposerKey);
      assertEquals(result.answer.grant.secret, secret);
      assertEquals(result.answer.grant.exposureKey, sealed.exposureKey);
    }
  });

  Deno.test(`passphrase over ${way}: an exposer that knows it not is not believed, whatever it grants`, () => {
    const rogueKey = "exposerKey" in known ? staticPrivate : random(32);
    // It has another passphrase, and says that any proof is the right one.
    const rogue = responder(rogueKey, stretch("guess"));
    const puller = initiator(known);
    const { result } = run(puller, rogue);
    assertEquals(result?.answer, DENIED);
    // It grants at once, without a challenge.
    const { result: real } = run(initiator(known));
    assert(real?.answer.granted);
    assertEquals(answerWith(initiator(known), rogueKey, encodeAnswer(real.answer)), undefined);
    // Denied is denied.
    const denial = answerWith(initiator(known), rogueKey, encodeAnswer(DENIED));
    assert(denial !== undefined && denial !== "next");
    assertEquals(denial.answer, DENIED);
  });

  Deno.test(`passphrase over ${way}: a share that everybody could have makes no challenge and no ask`, () => {
    const lowOrder = [new Uint8Array(32), new Uint8Array(32).with(0, 1), new Uint8Array(32).fill(255)];
    for (const share of lowOrder) {
      assertEquals(
        answerWith(initiator(known), staticPrivate, encodeChallenge(share, random(40))),
        undefined,
      );
    }
    for (const share of lowOrder) {
      const { drop, bytes } = askWith(way, encodePassphraseAsk(share, byId(sealed.id), 900));
      assertEquals([drop, bytes], ["malformed", undefined]);
    }
  });

  Deno.test(`passphrase over ${way}: any bit of proof, cookie or answer that is changed makes it worthless`, () => {
    const { integer } = seededRandom(4);
    const exposer = responder();
    const puller = initiator(known);
    while (decodeHandshake(puller.packet)!.message !== HandshakeMessage.PASS_PROOF) {
      assertEquals(puller.handle(exposer.answer(0, from, puller.packet).bytes!), "next");
    }
    const proof = decodeHandshake(puller.packet)!;
    for (let i = 0; i < 60; i++) {
      const cookie = proof.stateCookie.map((byte, at) =>
        at === i % proof.stateCookie.length ? byte ^ 16 : byte
      );
      const { drop, bytes } = exposer.answer(0, from, encodeHandshake({ ...proof, stateCookie: cookie }));
      assertEquals([drop, bytes], ["bad cookie", undefined]);
    }
    // Nobody else can guess in this puller's name, nor end what it does, nor use up its guesses.
    for (let i = 0; i < 2 * limits.guessesAtOnceMax; i++) {
      for (
        const body of [
          proof.body.with(i, proof.body[i] ^ 1),
          proof.body.subarray(1),
          random(64),
          new Uint8Array(0),
        ]
      ) {
        const { drop, bytes } = exposer.answer(0, from, encodeHandshake({ ...proof, body }));
        assertEquals([drop, bytes], ["bad cookie", undefined]);
      }
    }
    const { bytes } = exposer.answer(0, from, puller.packet);
    for (let i = 0; i < 200; i++) {
      const at = i < 20 ? i : integer(bytes!.length);
      assertEquals(puller.handle(bytes!.with(at, bytes![at] ^ (1 << integer(8)))), undefined, `byte ${at}`);
    }
    const result = puller.handle(bytes!);
    assert(result !== undefined && result !== "next" && result.answer.granted);
  });
}

Deno.test("passphrase: the same ask a second time gets another share, also where there is nothing to know", () => {
  const cookies = new CookieJar(engine, random);
  const gate = new PassphraseGate({ engine, random, staticPrivate, cookies, find: () => undefined });
  const handshake = { hash: random(32), keys: KEYS, exchange: random(8), aad: random(3) };
  const theirs = engine.x25519.publicKey(random(32));
  const passphrase = { stretched: random(32), ticketSecret: secret, ticketId: id };
  const shares = [undefined, { ...exposedOf(exposure, () => "open"), passphrase }].flatMap((exposed) =>
    Array.from({ length: 20 }, () => decodeChallenge(gate.challenge(0, handshake, theirs, exposed)!)!.share)
  );
  assertEquals(new Set(shares.map((share) => share.toHex())).size, 40);
});

Deno.test("passphrase: the cookie of a challenge is for its address, for a minute, and for proofs alone", () => {
  const exposer = responder();
  const puller = initiator({ exposerKey });
  assertEquals(puller.handle(exposer.answer(0, from, puller.packet).bytes!), "next");
  const { packet } = puller;
  for (const other of [{ ...from, port: 4001 }, { ...from, host: "198.51.100.3" }]) {
    assertEquals(exposer.answer(1, other, packet), { drop: "bad cookie" });
  }
  assertEquals(responder().answer(1, from, packet), { drop: "bad cookie" });
  const message = decodeHandshake(packet)!;
  const asLast = encodeHandshake({ ...message, message: HandshakeMessage.XX3 });
  assertEquals(exposer.answer(1, from, asLast), { drop: "bad cookie" });
  const first = initiator();
  assertEquals(first.handle(exposer.answer(0, from, first.packet).bytes!), "next");
  const asProof = encodeHandshake({
    ...decodeHandshake(first.packet)!,
    message: HandshakeMessage.PASS_PROOF,
  });
  assertEquals(exposer.answer(1, from, asProof), { drop: "bad cookie" });
  assert(exposer.answer(limits.cookieKeyRotateMs - 1, from, packet).bytes);
  assertEquals(exposer.answer(limits.cookieKeyLifeMs, from, packet), { drop: "bad cookie" });
});

Deno.test("passphrase: after too many wrong guesses the right one is denied too, as every other, until time has passed", () => {
  const exposer = responder();
  const wrong = stretch("wrong");
  const sizes = new Set<string>();
  for (let i = 0; i < limits.guessesAtOnceMax; i++) {
    const tried = run(initiator({ exposerKey, knows: wrong }), exposer, 0);
    assertEquals(tried.result?.answer, DENIED);
    sizes.add(`${tried.sizes}`);
  }
  const late = run(initiator({ exposerKey }), exposer, 0);
  assertEquals(late.result?.answer, DENIED);
  sizes.add(`${late.sizes}`);
  assertEquals(sizes.size, 1);
  // Not for others, and not for who was granted a ticket before: with its secret nothing is guessed.
  assert(run(initiator({ exposerKey }), exposer, 0, { ...from, host: "192.0.2.99" }).result?.answer.granted);
  const holder = new Initiator({
    engine,
    random,
    staticPrivate: random(32),
    exposerKey,
    psk: ticketPsk(engine, secret),
    ask: { kind: AskKind.ID, exposureId: sealed.id, ticketId: id },
  });
  const { bytes, granted } = exposer.answer(0, from, holder.packet);
  const result = holder.handle(bytes!);
  assert(granted && result !== undefined && result !== "next" && result.answer.granted);
  assert(run(initiator({ exposerKey }), exposer, limits.guessIntervalMs).result?.answer.granted);
});

Deno.test("passphrase: guesses from everywhere use up what all have together, and names of nothing do not", () => {
  const exposer = responder();
  const address = (i: number) => ({ host: `10.0.${i >> 8}.${i & 255}`, port: 1 });
  const guess = (i: number, ask: Ask) => {
    const guesser = initiator({ exposerKey, knows: stretch("wrong"), ask });
    assertEquals(run(guesser, exposer, i, address(i)).result?.answer, DENIED);
  };
  for (let i = 0; i < limits.guessesTotalAtOnceMax; i++) guess(i, byName("nothing of that name"));
  assert(run(initiator({ exposerKey }), exposer, 100).result?.answer.granted);
  for (let i = 0; i < limits.guessesTotalAtOnceMax; i++) guess(i, byId(sealed.id));
  assertEquals(run(initiator({ exposerKey }), exposer, 100).result?.answer, DENIED);
  assert(run(initiator({ exposerKey }), exposer, 100 + limits.guessTotalIntervalMs).result?.answer.granted);
});

/** Answers the ask with what somebody who holds a key likes to say, sealed as it should be. */
function answerWith(
  puller: Initiator,
  key: Uint8Array,
  plaintext: Uint8Array,
): ReturnType<Initiator["handle"]> {
  const { noise, message } = started(decodeHandshake(puller.packet)!, key);
  let body = noise.writeMessage(Uint8Array.of(Offer.X25519), random);
  let answer: number = HandshakeMessage.IK2;
  if (noise.pattern === "XX") {
    const second = { ...message, message: HandshakeMessage.XX2, stateCookie: random(8), body };
    assertEquals(puller.handle(encodeHandshake(second)), "next");
    assert(noise.readMessage(decodeHandshake(puller.packet)!.body));
    answer = HandshakeMessage.XX_GRANT;
    body = new Uint8Array(0);
  }
  const packet = { ...message, message: answer };
  const aad = encodeHandshake(packet).subarray(0, GRANT_AAD_BYTES);
  const sealed = sealGrant(engine, noise.split().responderKey, random, aad, plaintext);
  return puller.handle(encodeHandshake({ ...packet, body: concatBytes(body, sealed) }));
}

function started(message: HandshakePacket, staticPrivate: Uint8Array) {
  const pattern = message.message === HandshakeMessage.XX1 ? "XX" : "IK";
  const prologue = handshakePrologue(PROTOCOL_VERSION, pattern, message.offers);
  const noise = Handshake.start(engine, { pattern, initiator: false, prologue, staticPrivate });
  assert(noise.readMessage(message.body));
  const none = new Uint8Array(0);
  return { noise, message: { ...message, offers: [], retryCookie: none, stateCookie: none, body: none } };
}

/** Sends an exposer this payload where an ask belongs. */
function askWith(way: string, payload: Uint8Array): ReturnType<Responder["answer"]> {
  const exposer = responder();
  const pattern = way === "XX" ? "XX" : "IK";
  const prologue = handshakePrologue(PROTOCOL_VERSION, pattern, [Offer.X25519]);
  const noise = Handshake.start(engine, {
    pattern,
    initiator: true,
    prologue,
    staticPrivate: random(32),
    ...(pattern === "IK" && { remoteStatic: exposerKey }),
  });
  const none = new Uint8Array(0);
  const packet = {
    message: HandshakeMessage.IK1 as number,
    fragment: 0,
    fragments: 1,
    exchange: random(8),
    offers: [Offer.X25519],
  };
  const cookies = { retryCookie: none, stateCookie: none };
  if (pattern === "IK") {
    const body = noise.writeMessage(concatBytes(payload, new Uint8Array(1072 - payload.length)), random);
    return exposer.answer(0, from, encodeHandshake({ ...packet, ...cookies, body }));
  }
  const body = noise.writeMessage(new Uint8Array(1136), random);
  const first = encodeHandshake({ ...packet, ...cookies, message: HandshakeMessage.XX1, body });
  const second = decodeHandshake(exposer.answer(0, from, first).bytes!)!;
  assert(noise.readMessage(second.body));
  const third = {
    ...packet,
    ...cookies,
    message: HandshakeMessage.XX3,
    offers: [],
    stateCookie: second.stateCookie,
  };
  return exposer.answer(0, from, encodeHandshake({ ...third, body: noise.writeMessage(payload, random) }));
}
