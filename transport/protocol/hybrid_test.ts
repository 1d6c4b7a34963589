import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertNotEquals,
} from "../../tests/_assert.ts";
import { exposedOf, simExposure } from "../../tests/sim/transfer.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import type { Address } from "../../codec/address.ts";
import { RefusalReason, retry } from "../../codec/control.ts";
import type { Ask } from "../../codec/grant.ts";
import { decodeHandshake, encodeHandshake, HYBRID_FRAGMENTS } from "../../codec/handshake.ts";
import { PacketType, readWord } from "../../codec/packet.ts";
import { limits } from "../../core/limits.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { TokenMint } from "../../crypto/tokens.ts";
import { Attempts } from "./attempts.ts";
import type { Exposed } from "./exposed.ts";
import { handshakeName, OFFERS, postQuantumModes } from "./handshake_shape.ts";
import type { PostQuantum } from "./handshake_shape.ts";
import { Initiator } from "./initiator.ts";
import type { HandshakeResult, InitiatorOptions } from "./initiator.ts";
import { passphraseProver } from "./passphrase_prover.ts";
import { Responder } from "./responder.ts";
import type { HandshakeReply } from "./responder.ts";

const { bytes: random } = seededRandom(1, "hybrid");
const exposure = await simExposure(1, 5000);
const { sealed, staticPrivate, staticKey: exposerKey, psk } = exposure;
const us = { host: "198.51.100.2", port: 4000 };
const exposerAddress = { host: "192.0.2.1", port: 9000 };
const knownTicket = ticketId(engine, psk);
const openId = random(32).slice();
const securedId = random(32).slice();
const stretched = random(32).slice();

/** Ticketed under its own ID; open to all, and for who knows a passphrase, under others. */
function responder(postQuantum?: PostQuantum, by = engine): Responder {
  const ticketed = exposedOf(exposure, (id) => id.toHex() === knownTicket.toHex() ? psk : "denied");
  const open: Exposed = { ...exposedOf(exposure, () => "open"), id: openId };
  const passphrase = { stretched, ticketSecret: random(16), ticketId: knownTicket };
  const secured: Exposed = { ...exposedOf(exposure, () => "denied"), id: securedId, passphrase };
  return new Responder({
    engine: by,
    staticPrivate,
    random,
    mint: new TokenMint(engine, random, 0),
    pullRateMax: 0,
    find: (id) => [ticketed, open, secured].find((one) => one.id.toHex() === id.toHex()),
    ...(postQuantum && { postQuantum }),
  });
}

const byId = (exposureId: Uint8Array, id = new Uint8Array(8)): Ask => ({ kind: 0, exposureId, ticketId: id });
const ticketed = { exposerKey, psk, ask: byId(sealed.id, knownTicket) };
const passphrase = { ask: byId(securedId), passphrase: passphraseProver(engine, random, () => stretched) };

/** All ways to shake hands. */
const ways: Readonly<Record<string, Partial<InitiatorOptions>>> = {
  XX: {},
  IK: { exposerKey },
  IKpsk2: ticketed,
  "XX by passphrase": passphrase,
  "IK by passphrase": { ...passphrase, exposerKey },
};

function optionsOf(more: Partial<InitiatorOptions> = {}, mode: PostQuantum = "auto"): InitiatorOptions {
  const own = { engine, random, staticPrivate: random(32), ask: byId(openId) };
  return { ...own, offers: OFFERS[mode], ...more };
}

/** A hybrid's first message with a cookie for `address`. */
function hybrid(exposer: Responder, now = 0, address: Address = us, more: Partial<InitiatorOptions> = {}) {
  const question = exposer.answer(now, address, new Initiator(optionsOf(more, "require")).packet);
  const { cookie } = retry.decode(question.bytes!)!;
  const puller = new Initiator({ ...optionsOf(more, "require"), isHybrid: true });
  puller.handleRetry(cookie.slice());
  return puller;
}

function packetsOf({ bytes, more = [] }: HandshakeReply): Uint8Array[] {
  return bytes ? [bytes, ...more] : [];
}

interface Exchange {
  /** What the puller took for an answer. */
  readonly result?: HandshakeResult;
  /** Packets each way, with the type of each. */
  readonly sent: readonly string[];
  readonly refused: readonly number[];
}

/** What may happen to packets on their way. */
type Meddler = (packet: Uint8Array, fromPuller: boolean) => Uint8Array;

/** Both sides until there is a result, or nothing more happens. No answer is longer than what it answers. */
function run(
  options: InitiatorOptions,
  exposer: Responder,
  meddle: Meddler = (packet) => packet,
  rounds = 6,
): Exchange {
  const attempts = new Attempts(0, [exposerAddress], options);
  const sent: string[] = [];
  const refused: number[] = [];
  for (let now = 0, round = 0; round < rounds; round++) {
    const questions = [...attempts.due(now)].map(({ bytes }) => meddle(bytes, true));
    const replies = questions.map((bytes) => exposer.answer(now, us, bytes));
    const answers = replies.flatMap(packetsOf).map((bytes) => meddle(bytes, false));
    const total = (all: readonly Uint8Array[]) => all.reduce((sum, { length }) => sum + length, 0);
    // Once an address has proved itself the second message of XX may be shorter than its answer.
    if (round === 0 || questions.length > 1) assertLessOrEqual(total(answers), total(questions));
    sent.push(`${questions.length} -> ${answers.length}`);
    for (const { refuse } of replies) if (refuse) refused.push(refuse.reason);
    for (const bytes of answers) {
      assertLessOrEqual(bytes.length, limits.controlPacketBytesMax);
      if (readWord(bytes)!.type === PacketType.RETRY) attempts.handleRetry(now, retry.decode(bytes)!);
      else {
        const result = attempts.handle(now, bytes);
        if (result && result !== "next" && result !== "part") return { result, sent, refused };
      }
    }
    now = attempts.deadline;
  }
  return { sent, refused };
}

for (const [name, way] of Object.entries(ways)) {
  Deno.test(`hybrid, ${name}: a cookie, then fragments both ways, then the grant of a plain handshake`, () => {
    const { result, sent } = run(optionsOf(way, "require"), responder());
    assert(result?.answer.granted);
    assertEquals([result.exposerKey, result.isHybrid], [exposerKey, true]);
    const { exposureKey, manifest, leaves } = result.answer.grant;
    assertEquals([exposureKey, manifest, leaves], [sealed.exposureKey, sealed.manifest, sealed.leaves]);
    assertEquals(sent.slice(0, 2), ["1 -> 1", `${HYBRID_FRAGMENTS} -> ${HYBRID_FRAGMENTS}`]);
    // One round trip more than without, and no other.
    const plain = run(optionsOf(way, "off"), responder());
    assertEquals(sent.length, plain.sent.length + 1);
    assertEquals(plain.result?.isHybrid, false);
  });
}

Deno.test("hybrid: what both sides want decides: where both can it is hybrid, or a ticket's secret takes part; who requires it gets nothing less", () => {
  for (const puller of postQuantumModes) {
    for (const exposer of postQuantumModes) {
      for (const [name, way] of Object.entries(ways)) {
        const { result, refused } = run(optionsOf(way, puller), responder(exposer));
        const both = [puller, exposer];
        const isHybrid = both.includes("require") || !("psk" in way);
        const expected = both.includes("off") && both.includes("require")
          ? undefined
          : handshakeName(isHybrid && !both.includes("off"));
        const text = `${name}: puller ${puller}, exposer ${exposer}`;
        assertEquals(result && handshakeName(result.isHybrid), expected, text);
        if (expected === undefined) assertEquals(new Set(refused), new Set([RefusalReason.VERSION]), text);
      }
    }
  }
});

/** Lets the puller's offers pass as if it had others. */
function offering(offers: readonly number[]): Meddler {
  return (packet, fromPuller) => {
    const message = fromPuller ? decodeHandshake(packet) : undefined;
    if (!message || message.offers.length === 0) return packet;
    // As long as it was.
    const body = message.body.subarray(0, message.body.length + message.offers.length - offers.length);
    return encodeHandshake({ ...message, offers, body });
  };
}

/** RETRYs as those of an exposer that has no hybrids. */
const withoutFlag: Meddler = (packet, fromPuller) => {
  if (fromPuller || readWord(packet)?.type !== PacketType.RETRY) return packet;
  return retry.encode(retry.decode(packet)!, { flags: 0 });
};

Deno.test("downgrade: offers that are struck out on the way end in nothing, never in a plain handshake", () => {
  for (const [name, way] of Object.entries(ways)) {
    for (const mode of ["auto", "require"] as const) {
      for (const offers of [[1], [1, 2, 3], [1, 3]]) {
        const { result } = run(optionsOf(way, mode), responder(), offering(offers));
        assertEquals(result, undefined, `${name}, ${mode}, ${offers}`);
      }
    }
    // Added ones neither.
    assertEquals(run(optionsOf(way, "off"), responder(), offering([1, 2])).result, undefined, name);
  }
});

Deno.test("downgrade: a RETRY without its flag ends in nothing: whoever offers a hybrid has no plain handshake with who takes one", () => {
  for (const [name, way] of Object.entries(ways)) {
    const exposer = responder("psk" in way ? "require" : "auto");
    const { result, sent } = run(optionsOf(way), exposer, withoutFlag);
    assertEquals(result, undefined, name);
    assertEquals(new Set(sent), new Set(["1 -> 1"]));
  }
});

Deno.test("under load: a ticket's handshake is plain as ever, behind a cookie; what needs a hybrid is one", () => {
  const exposer = responder();
  const { packet } = new Initiator(optionsOf({ exposerKey }, "off"));
  for (let i = 0; i < limits.handshakesPerSecondBeforeRetry; i++) exposer.answer(0, us, packet);
  for (
    const [mode, isHybrid, packets] of [["auto", false, 1], ["require", true, HYBRID_FRAGMENTS]] as const
  ) {
    const { result, sent } = run(optionsOf(ticketed, mode), exposer);
    assert(result?.answer.granted);
    assertEquals(result.isHybrid, isHybrid);
    assertEquals(sent, ["1 -> 1", `${packets} -> ${packets}`]);
  }
  const { result } = run(optionsOf({ exposerKey }), exposer);
  assert(result?.answer.granted && result.isHybrid);
});

Deno.test("downgrade: a hybrid message that is called a plain one, or a plain one a hybrid, is neither", () => {
  const exposer = responder();
  for (const way of Object.values(ways)) {
    const puller = hybrid(exposer, 0, us, way);
    for (const packet of puller.packets) {
      const message = decodeHandshake(packet)!;
      for (const called of [1, 5, 7, 11, 13, 15].filter((number) => number !== message.message)) {
        const reply = exposer.answer(0, us, encodeHandshake({ ...message, message: called }));
        // As another hybrid it waits for its other half, which is of this one.
        assertEquals([reply.bytes, reply.granted], [undefined, undefined]);
      }
    }
    const one = decodeHandshake(new Initiator(optionsOf(way)).packet)!;
    for (const called of [11, 13, 15]) {
      const packet = encodeHandshake({ ...one, message: called });
      assertEquals(exposer.answer(0, us, packet), { drop: "unexpected" });
    }
  }
});

Deno.test("downgrade: a forged flag costs a few packets; an exposer without hybrids is spoken to all the same", () => {
  for (const [name, way] of Object.entries(ways)) {
    const attempts = new Attempts(0, [exposerAddress], optionsOf(way));
    const exposer = responder("off");
    const [first] = [...attempts.due(0)];
    const exchange = first.bytes.slice(4, 12);
    assert(attempts.handleRetry(1, { exchange, cookie: random(16), flags: 1 }));
    let result: HandshakeResult | undefined;
    for (let round = 0; round < 12 && !result; round++) {
      const now = attempts.deadline;
      for (const { bytes } of [...attempts.due(now)]) {
        const reply = exposer.answer(now, us, bytes);
        const taken = reply.bytes && attempts.handle(now, reply.bytes);
        if (taken && taken !== "next" && taken !== "part") result = taken;
      }
    }
    assertEquals(result?.answer.granted, true, name);
    assertEquals(result?.isHybrid, false);
  }
});

Deno.test("hybrid: any bit of either fragment that is changed makes an answer worthless, and the right one still counts", () => {
  const { integer } = seededRandom(3);
  for (const [name, way] of Object.entries(ways)) {
    const exposer = responder();
    for (let i = 0; i < 40; i++) {
      const puller = hybrid(exposer, 0, us, way);
      const [one, two] = puller.packets;
      exposer.answer(0, us, one);
      const [first, second] = packetsOf(exposer.answer(0, us, two));
      const isFirst = i % 2 === 0;
      const from = isFirst ? first : second;
      // In XX2 a cookie stands before the body, which is the exposer's own matter.
      const start = name.startsWith("XX") && isFirst ? first.length - 600 : 16;
      const at = start + integer(from.length - start);
      const changed = from.with(at, from[at] ^ (1 << integer(8)));
      const answers = isFirst ? [changed, second] : [first, changed];
      for (const bytes of answers) {
        assertEquals(puller.handle(bytes), undefined, `${name}, byte ${at}`);
      }
      assertNotEquals(puller.handle(isFirst ? first : second), undefined, name);
    }
  }
});

Deno.test("hybrid: fragments without a cookie of their address cost an exposer no memory, and get less than they are", () => {
  const exposer = responder();
  const [one, two] = hybrid(exposer).packets;
  const message = decodeHandshake(one)!;
  const without = encodeHandshake({ ...message, retryCookie: new Uint8Array(0) });
  const invented = encodeHandshake({ ...message, retryCookie: random(16) });
  for (let i = 0; i < 2000; i++) {
    const address = { host: `203.0.113.${i % 250}`, port: 1000 + i };
    for (const packet of [one, two, without, invented]) {
      const { bytes, more, drop, granted } = exposer.answer(0, address, packet);
      assertEquals([bytes?.length, more, drop, granted], [28, undefined, "bad cookie", undefined]);
    }
  }
  assertEquals(exposer.fragmented, 0);
  // The right address's own is good for one to two epochs, and no longer.
  exposer.answer(0, us, one);
  assertEquals(exposer.fragmented, 1);
  exposer.expire(limits.handshakeFragmentsMsMax + 1);
  assertEquals(exposer.fragmented, 0);
  assertEquals(exposer.answer(2 * limits.retryEpochMs, us, two).drop, "bad cookie");
});

Deno.test("hybrid: who has proved one network and fills an exposer with halves of messages crowds out himself", () => {
  const exposer = responder();
  const honest = hybrid(exposer, 0, us);
  exposer.answer(0, us, honest.packets[0]);
  for (let i = 0; i < 10 * limits.handshakeFragmentedMax; i++) {
    const address = { host: `2001:db8:1:2::${(i % 7) + 1}`, port: 5000 };
    exposer.answer(0, address, hybrid(exposer, 0, address).packets[0]);
    assertLessOrEqual(exposer.fragmented, limits.handshakeFragmentedMax);
  }
  assertEquals(exposer.fragmented, limits.handshakeFragmentedMax);
  assertEquals(packetsOf(exposer.answer(0, us, honest.packets[1])).length, HYBRID_FRAGMENTS);
});

Deno.test("hybrid: of what gets lost each fragment comes again by itself: one grant, one answer, no byte more than was asked with", () => {
  const exposer = responder();
  const puller = hybrid(exposer, 0, us, ticketed);
  const [one, two] = puller.packets;
  assertEquals(exposer.answer(0, us, one), {});
  assertEquals(exposer.answer(1, us, one), {});
  const whole = exposer.answer(2, us, two);
  assert(whole.granted?.isHybrid);
  const [first, second] = packetsOf(whole);
  for (let i = 0; i < 10; i++) {
    assertEquals(exposer.answer(3 + i, us, one), { bytes: first });
    assertEquals(exposer.answer(3 + i, us, two), { bytes: second });
  }
  assertEquals([puller.handle(second), puller.hasPart], [undefined, true]);
  const result = puller.handle(first);
  assert(result && typeof result === "object" && result.answer.granted);
  // After that it is a message like the first one was.
  const later = limits.handshakeFragmentsMsMax + 1;
  assertEquals(exposer.answer(later, us, one), {});
  const again = exposer.answer(later, us, two);
  assert(again.granted);
  assertNotEquals(again.bytes, first);
});

Deno.test("hybrid: a forged fragment in between, of either side, spoils nothing for good", () => {
  const exposer = responder();
  const puller = hybrid(exposer, 0, us, { exposerKey });
  const [one, two] = puller.packets;
  const forged = (packet: Uint8Array) => packet.with(packet.length - 1, packet[packet.length - 1] ^ 1);
  exposer.answer(0, us, forged(one));
  assertEquals(exposer.answer(0, us, two).drop, "handshake not for this key");
  exposer.answer(0, us, one);
  const [first, second] = packetsOf(exposer.answer(0, us, two));
  assertEquals([puller.handle(first), puller.hasPart], [undefined, true]);
  assertEquals([puller.handle(forged(second)), puller.hasPart], [undefined, false]);
  assert(typeof puller.handle(second) === "object");
});

Deno.test("handshakes of both kinds: the secrets that were made for one are overwritten when it is over, on both sides", () => {
  for (const [name, way] of Object.entries(ways)) {
    for (const mode of ["off", "require"] as const) {
      const secrets = new Set<Uint8Array>();
      const watched: typeof engine = {
        ...engine,
        x25519: {
          publicKey: (key) => {
            secrets.add(key);
            return engine.x25519.publicKey(key);
          },
          sharedSecret: (key, other) => engine.x25519.sharedSecret(key, other),
        },
        mlKem768: {
          ...engine.mlKem768,
          keyPair: (seed) => {
            const pair = engine.mlKem768.keyPair(seed);
            secrets.add(pair.secretKey);
            return pair;
          },
        },
      };
      const options = optionsOf({ ...way, engine: watched }, mode);
      const { result } = run(options, responder(undefined, watched));
      assert(result?.answer.granted, name);
      // Keys of nodes last; those of the exchange do not, but for the first question's, whose handshake never took place.
      const lasting = [options.staticPrivate, staticPrivate].map((key) => key.toHex());
      const left = [...secrets].filter((key) =>
        !lasting.includes(key.toHex()) && key.some((byte) => byte !== 0)
      );
      assertLessOrEqual(left.length, mode === "require" ? 1 : 0, `${name}, ${mode}`);
      assertGreater(secrets.size, mode === "require" ? 3 : 1);
    }
  }
});

Deno.test("hybrid: an exposer for another key says so, and remembers nothing of it", () => {
  const exposer = responder();
  const wrong = engine.x25519.publicKey(random(32));
  const puller = hybrid(exposer, 0, us, { ...ticketed, exposerKey: wrong });
  const replies = puller.packets.map((packet) => exposer.answer(0, us, packet));
  assertEquals(replies[1].refuse, { reason: RefusalReason.KEY, echo: puller.exchange });
  assertEquals(exposer.fragmented, 0);
});
