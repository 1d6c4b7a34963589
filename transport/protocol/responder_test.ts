import { assert, assertEquals, assertLess, assertLessOrEqual, assertNotEquals } from "../../tests/_assert.ts";
import { exposedOf, simExposure } from "../../tests/sim/transfer.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { RefusalReason, retry } from "../../codec/control.ts";
import { DenialReason } from "../../codec/grant.ts";
import { decodeHandshake, encodeHandshake, HandshakeMessage } from "../../codec/handshake.ts";
import { limits } from "../../core/limits.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { TokenMint } from "../../crypto/tokens.ts";
import type { Exposed } from "./exposed.ts";
import { FIRST_MESSAGE_BYTES } from "./handshake_shape.ts";
import { Initiator } from "./initiator.ts";
import type { InitiatorOptions } from "./initiator.ts";
import { outcomeOf, Responder } from "./responder.ts";

const { bytes: random } = seededRandom(1, "responder");
const exposure = await simExposure(1, 5000);
const { sealed, staticPrivate, staticKey: exposerKey, psk } = exposure;
const from = { host: "198.51.100.2", port: 4000 };
const knownTicket = ticketId(engine, psk);
const OPEN_ID = new Uint8Array(32).fill(9);

/** Ticketed under its own ID, open to all under another. */
function responder(): Responder {
  const ticketed = exposedOf(exposure, (id) => id.toHex() === knownTicket.toHex() ? psk : "denied");
  const open: Exposed = { ...exposedOf(exposure, () => "open"), id: OPEN_ID };
  return new Responder({
    engine,
    staticPrivate,
    random,
    mint: new TokenMint(engine, random, 0),
    pullRateMax: 0,
    find: (id) => [ticketed, open].find((one) => one.id.toHex() === id.toHex()),
  });
}

const ask = (exposureId: Uint8Array, id: Uint8Array = new Uint8Array(8)) => ({
  kind: 0,
  exposureId,
  ticketId: id,
});

function initiator(options: Partial<InitiatorOptions>): Initiator {
  return new Initiator({ engine, random, staticPrivate: random(32), ask: ask(OPEN_ID), ...options });
}

/** Both sides until there is a result. Each answer is at most as long as the message, but after a cookie has proved the address. */
function run(puller: Initiator, exposer = responder(), now = 0) {
  const sizes: number[] = [];
  for (let round = 0; round < 3; round++) {
    const packet = puller.packet;
    const { bytes } = exposer.answer(now, from, packet);
    if (!bytes) return { sizes, result: undefined };
    if (round === 0) assertLessOrEqual(bytes.length, packet.length);
    sizes.push(packet.length, bytes.length);
    const result = puller.handle(bytes);
    if (result !== "next") return { sizes, result };
  }
  throw new Error("the handshake does not end");
}

const ticketed = { exposerKey, psk, ask: ask(sealed.id, knownTicket) };

Deno.test("handshake: XX, IK and IKpsk2 end in a grant by the exposer's key", () => {
  for (const options of [{}, { exposerKey }, ticketed]) {
    const { result } = run(initiator(options));
    assert(result?.answer.granted);
    assertEquals(result.exposerKey, exposerKey);
    assertEquals(result.answer.grant.exposureKey, sealed.exposureKey);
    assertEquals(result.answer.grant.manifest, sealed.manifest);
    assertEquals(result.answer.grant.leaves, sealed.leaves);
  }
});

Deno.test("handshake: a wrong exposer key is refused with a hint, and nothing is encrypted", () => {
  const wrong = engine.x25519.publicKey(random(32));
  for (const options of [{ exposerKey: wrong }, { ...ticketed, exposerKey: wrong }]) {
    const puller = initiator(options);
    const reply = responder().answer(0, from, puller.packet);
    assertEquals([reply.bytes, reply.drop], [undefined, "handshake not for this key"]);
    assertEquals(reply.refuse, { reason: RefusalReason.KEY, echo: puller.exchange });
  }
});

Deno.test("handshake: a ticket counts only where its secret is proved", () => {
  const stolenName = ask(sealed.id, knownTicket);
  for (const options of [{ ask: stolenName }, { ask: stolenName, exposerKey }]) {
    const { result } = run(initiator(options));
    assertEquals(result?.answer, { granted: false, reason: DenialReason.DENIED });
  }
  // With another secret the exposer answers, and nobody but the holder of the right one can read it.
  const reply = run(initiator({ ...ticketed, psk: random(32) }));
  assertEquals(reply.result, undefined);
  // The secret of zeros, which denials use, opens nothing either.
  assertEquals(run(initiator({ ...ticketed, psk: new Uint8Array(32) })).result, undefined);
});

Deno.test("handshake: a secret where none is needed is denied by the exposer's word, not left without an answer", () => {
  const reply = responder().answer(0, from, initiator({ exposerKey, psk: random(32) }).packet);
  assertEquals(reply.granted, undefined);
  const { result } = run(initiator({ exposerKey, psk: random(32), ask: ask(OPEN_ID, random(8)) }));
  assertEquals(result?.answer, { granted: false, reason: DenialReason.DENIED });
});

Deno.test("handshake: absent, denied and unknown tickets get answers of one length and one content, proved by the exposer's key", () => {
  const cases = {
    absent: ask(random(32), knownTicket),
    "absent without a ticket": ask(random(32)),
    "of an unknown ticket": ask(sealed.id, random(8)),
    "without a ticket": ask(sealed.id),
  };
  for (const options of [{}, { exposerKey }, { exposerKey, psk: random(32) }]) {
    const seen = Object.entries(cases).map(([name, one]) => {
      const { sizes, result } = run(initiator({ ...options, ask: one }));
      assert(result, name);
      assertEquals(result.exposerKey, exposerKey);
      return { sizes, answer: result.answer };
    });
    assertEquals(seen[0].answer, { granted: false, reason: DenialReason.DENIED });
    for (const one of seen) assertEquals(one, seen[0]);
  }
});

Deno.test("handshake: offers are bound: one that is changed on the way fails", () => {
  for (const options of [{ exposerKey }, ticketed, {}]) {
    const puller = initiator(options);
    const message = decodeHandshake(puller.packet)!;
    const changed = encodeHandshake({ ...message, offers: [1, 3], body: message.body.slice(0, -1) });
    const { bytes, drop } = responder().answer(0, from, changed);
    // In XX the first message is in clear: the exposer answers, and the puller sees that something is wrong.
    if (options.exposerKey) assertEquals([bytes, drop], [undefined, "handshake not for this key"]);
    else assertEquals(puller.handle(bytes!), undefined);
    const none = responder().answer(0, from, encodeHandshake({ ...message, offers: [3] }));
    assertEquals([none.bytes, none.refuse?.reason], [undefined, RefusalReason.VERSION]);
  }
});

Deno.test("handshake: any bit of a last answer that is changed makes it worthless", () => {
  const { integer } = seededRandom(3);
  for (const options of [{}, { exposerKey }, ticketed]) {
    const exposer = responder();
    const puller = initiator(options);
    let { bytes } = exposer.answer(0, from, puller.packet);
    if (!("exposerKey" in options)) {
      // In XX2 the cookie is the exposer's own matter; the rest is not.
      const length = bytes!.length;
      assertEquals(puller.handle(bytes!.with(length - 1, bytes![length - 1] ^ 1)), undefined);
      assertEquals(puller.handle(bytes!), "next");
      bytes = exposer.answer(0, from, puller.packet).bytes;
    }
    for (let i = 0; i < 300; i++) {
      const at = i < 20 ? i : integer(bytes!.length);
      assertEquals(puller.handle(bytes!.with(at, bytes![at] ^ (1 << integer(8)))), undefined, `byte ${at}`);
    }
    const result = puller.handle(bytes!);
    assert(result !== undefined && result !== "next" && result.answer.granted);
  }
});

Deno.test("handshake: first messages that are too short, fragments and answers are turned away", () => {
  const exposer = responder();
  const { packet } = initiator({ exposerKey });
  const message = decodeHandshake(packet)!;
  assertLessOrEqual(packet.length + 16, FIRST_MESSAGE_BYTES);
  const short = encodeHandshake({ ...message, body: message.body.slice(0, -1) });
  assertEquals(exposer.answer(0, from, short), { drop: "handshake too short" });
  for (const [fragment, fragments] of [[0, 2], [1, 2], [3, 15]]) {
    const piece = encodeHandshake({ ...message, fragment, fragments });
    assertEquals(exposer.answer(0, from, piece), { drop: "unexpected" });
  }
  for (const kind of [HandshakeMessage.XX2, HandshakeMessage.IK2, HandshakeMessage.XX_GRANT, 0, 99]) {
    const other = encodeHandshake({ ...message, message: kind });
    assertEquals(exposer.answer(0, from, other), { drop: "unexpected" });
  }
  assertEquals(exposer.answer(0, from, new Uint8Array(3)), { drop: "malformed" });
});

Deno.test("handshake: the cookie of XX is for its address and for a minute", () => {
  const exposer = responder();
  const puller = initiator({});
  assertEquals(puller.handle(exposer.answer(0, from, puller.packet).bytes!), "next");
  const last = puller.packet;
  assert(exposer.answer(1, from, last).granted);
  for (const other of [{ ...from, port: 4001 }, { ...from, host: "198.51.100.3" }]) {
    assertEquals(exposer.answer(1, other, last), { drop: "bad cookie" });
  }
  assert(exposer.answer(limits.cookieKeyRotateMs - 1, from, last).granted);
  assertEquals(exposer.answer(limits.cookieKeyLifeMs, from, last), { drop: "bad cookie" });
  assertEquals(responder().answer(1, from, last), { drop: "bad cookie" });
});

/** Uses up what is answered without a question in the second that begins at `now`. */
function load(exposer: Responder, now: number): void {
  const { packet } = initiator({});
  for (let i = 0; i < limits.handshakesPerSecondBeforeRetry; i++) {
    const { bytes } = exposer.answer(now, { host: "203.0.113.1", port: i + 1 }, packet);
    assertEquals(decodeHandshake(bytes!)!.message, HandshakeMessage.XX2);
  }
}

Deno.test("under load: from one more on, an address proves itself first, for less than it sent", () => {
  const exposer = responder();
  load(exposer, 0);
  const puller = initiator(ticketed);
  const { bytes } = exposer.answer(1, from, puller.packet);
  assertLess(bytes!.length, 49);
  const message = retry.decode(bytes!)!;
  assertEquals(message.exchange, puller.exchange);
  puller.handleRetry(message.cookie.slice());
  assertLessOrEqual(puller.packet.length, FIRST_MESSAGE_BYTES);
  assert(run(puller, exposer, 2).result?.answer.granted);
  // A second later nothing is asked for.
  assert(run(initiator(ticketed), exposer, 1000).result?.answer.granted);
});

Deno.test("under load: a cookie of another address, a stale or an invented one is worth no Diffie-Hellman, and gets a new one", () => {
  const exposer = responder();
  load(exposer, 0);
  const puller = initiator(ticketed);
  const first = retry.decode(exposer.answer(0, from, puller.packet).bytes!)!;
  puller.handleRetry(first.cookie.slice());
  const { packet } = puller;
  const refused = (now: number, address = from, one = packet) => {
    const reply = exposer.answer(now, address, one);
    assertEquals([reply.drop, reply.granted], ["bad cookie", undefined]);
    return retry.decode(reply.bytes!)!.cookie.slice();
  };
  refused(0, { ...from, port: 1 });
  refused(0, { ...from, host: "198.51.100.9" });
  // It is good for one to two epochs, under whatever load.
  load(exposer, limits.retryEpochMs + 5000);
  assert(exposer.answer(limits.retryEpochMs + 5000, from, packet).granted);
  load(exposer, 2 * limits.retryEpochMs);
  const renewed = refused(2 * limits.retryEpochMs);
  assertNotEquals(renewed, first.cookie);
  puller.handleRetry(renewed);
  assert(run(puller, exposer, 2 * limits.retryEpochMs).result?.answer.granted);
  const invented = initiator(ticketed);
  invented.handleRetry(random(16));
  refused(2 * limits.retryEpochMs, from, invented.packet);
});

Deno.test("what came of a handshake packet is one word", () => {
  const exposer = responder();
  const outcome = (packet: Uint8Array, now = 0) => outcomeOf(exposer.answer(now, from, packet));
  const { packet } = initiator(ticketed);
  assertEquals(outcome(packet), "granted");
  assertEquals(
    outcome(initiator({ ...ticketed, ask: ask(new Uint8Array(32), knownTicket) }).packet),
    "denied",
  );
  assertEquals(outcome(packet.subarray(0, 100)), "dropped");
  load(exposer, 2000);
  assertEquals(outcome(packet, 2000), "answered");
});
