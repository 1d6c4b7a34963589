/*
 * What can be learned of a passphrase by somebody who takes part without knowing it, listens, or passes messages on. Each of them keeps all
 * that he ever had in hand, and then tries a dictionary at home: whatever he multiplies with whatever, under whichever guess.
 */
import { assert, assertEquals } from "../../tests/_assert.ts";
import { exposedOf, simExposure } from "../../tests/sim/transfer.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { AskKind } from "../../codec/grant.ts";
import {
  decodeHandshake,
  encodeHandshake,
  HandshakeMessage,
  handshakePrologue,
} from "../../codec/handshake.ts";
import type { Handshake as HandshakePacket } from "../../codec/handshake.ts";
import { PROTOCOL_VERSION } from "../../codec/packet.ts";
import {
  decodeChallenge,
  decodePassphraseAsk,
  encodeChallenge,
  encodePassphraseAsk,
} from "../../codec/passphrase.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { Random } from "../../core/machine.ts";
import { cpaceGenerator, cpaceKey, cpaceShare } from "../../crypto/cpace.ts";
import { openGrant, sealGrant } from "../../crypto/grant_seal.ts";
import { ticketId, ticketPsk } from "../../crypto/key_schedule.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { Handshake } from "../../crypto/noise.ts";
import { passphraseExchange, passphraseKeys } from "../../crypto/passphrase.ts";
import { TokenMint } from "../../crypto/tokens.ts";
import { Initiator } from "./initiator.ts";
import { GRANT_AAD_BYTES } from "./handshake_shape.ts";
import { passphraseProver } from "./passphrase_prover.ts";
import { Responder } from "./responder.ts";

const DICTIONARY = [
  "password",
  "12345678",
  "correct horse",
  "letmein!",
  "red giant",
  "trustno1",
  "opensesame",
];
const RIGHT = "red giant";

const { bytes: random } = seededRandom(1, "secrecy");
const exposure = await simExposure(1, 5000);
const from = { host: "198.51.100.2", port: 4000 };
const none = new Uint8Array(0);

/** Stands in for the slow hash, which would only make the search slower. */
function stretched(passphrase: string, exposerKey: Uint8Array): Uint8Array {
  return engine.sha256.digest(new TextEncoder().encode(passphrase), exposerKey);
}

/** All that somebody holds after one exchange. */
interface Loot {
  /** Whose salt it is. */
  readonly exposerKey: Uint8Array;
  readonly exchange: Uint8Array;
  readonly handshakeHash: Uint8Array;
  /** Of the puller and of the exposer. */
  readonly shares: readonly [Uint8Array, Uint8Array];
  readonly proof: Uint8Array;
  /** Private keys of all kinds. */
  readonly scalars: readonly Uint8Array[];
  /** Public keys of all kinds. */
  readonly points: readonly Uint8Array[];
}

/** How many of the values that can be computed under the guess are what proves the passphrase. */
function hits({ exposerKey, exchange, handshakeHash, shares, proof, ...more }: Loot, guess: string): number {
  const inputs = passphraseExchange(stretched(guess, exposerKey), exposerKey, exchange);
  const points = [...shares, ...more.points, cpaceGenerator(inputs)];
  const [puller, exposer] = shares.map((share) => ({ share }));
  let found = 0;
  for (const scalar of more.scalars) {
    for (const point of points) {
      const product = engine.x25519.sharedSecret(scalar, point);
      // As if the product were a private key or a point again, too.
      for (const [secret, theirs] of [[scalar, point], [product ?? scalar, exposer.share]]) {
        const key = cpaceKeyOf(secret, theirs, { exchange, shares: [puller.share, exposer.share] });
        if (key && equalBytes(passphraseKeys(engine, key, handshakeHash).proof, proof)) found++;
      }
    }
  }
  return found;
}

/** CPace's key for scalar × point, with the transcript that the puller saw. */
function cpaceKeyOf(
  scalar: Uint8Array,
  point: Uint8Array,
  { exchange, shares }: Pick<Loot, "exchange" | "shares">,
): Uint8Array | undefined {
  // The product is what an engine says it is: so the transcript stays the true one.
  const product = engine.x25519.sharedSecret(scalar, point);
  if (!product) return undefined;
  const fixed = { ...engine, x25519: { ...engine.x25519, sharedSecret: () => Uint8Array.from(product) } };
  return cpaceKey(fixed, exchange, { scalar, share: shares[0] }, { share: shares[1] }, "initiator");
}

/** Random bytes, and all that it ever gave out. */
function recorded(): { random: Random; given: Uint8Array[] } {
  const given: Uint8Array[] = [];
  return { given, random: (length) => (given.push(random(length).slice()), given.at(-1)!) };
}

function pullerOf(passphrase: string, source: Random = random): Initiator {
  return new Initiator({
    engine,
    random: source,
    staticPrivate: source(32),
    ask: { kind: AskKind.NAME, name: "simulated" },
    passphrase: passphraseProver(engine, source, (key) => stretched(passphrase, key)),
  });
}

/** The exposer of a first contact, by somebody who has a key of his own: what he answers with `challenge`, and what he has then. */
class Rogue {
  readonly key = random(32).slice();
  readonly publicKey = engine.x25519.publicKey(this.key);
  readonly mine = recorded();
  readonly noise: Handshake;
  readonly #head: HandshakePacket;

  /** Reads XX1. */
  constructor(packet: Uint8Array) {
    const message = decodeHandshake(packet)!;
    const prologue = handshakePrologue(PROTOCOL_VERSION, "XX", message.offers);
    this.noise = Handshake.start(engine, {
      pattern: "XX",
      initiator: false,
      prologue,
      staticPrivate: this.key,
    });
    assert(this.noise.readMessage(message.body));
    this.#head = { ...message, offers: [], retryCookie: none, stateCookie: none, body: none };
  }

  /** The whole exchange; `share` makes his share. */
  takeProof(puller: Initiator, share: (ask: { share: Uint8Array; exchange: Uint8Array }) => Uint8Array) {
    const second = this.noise.writeMessage(Uint8Array.of(1), this.mine.random);
    const packet = { ...this.#head, message: HandshakeMessage.XX2, stateCookie: random(8), body: second };
    assertEquals(puller.handle(encodeHandshake(packet)), "next");
    const asked = decodePassphraseAsk(this.noise.readMessage(decodeHandshake(puller.packet)!.body)!)!;
    const theirs = share({ share: asked.share, exchange: puller.exchange });
    const answer = { ...this.#head, message: HandshakeMessage.XX_GRANT };
    const aad = encodeHandshake(answer).subarray(0, GRANT_AAD_BYTES);
    const { responderKey } = this.noise.split();
    const sealed = sealGrant(engine, responderKey, random, aad, encodeChallenge(theirs, random(8)));
    assertEquals(puller.handle(encodeHandshake({ ...answer, body: sealed })), "next");
    const loot: Loot = {
      exposerKey: this.publicKey,
      exchange: puller.exchange,
      handshakeHash: this.noise.handshakeHash,
      shares: [asked.share, theirs],
      proof: openProof(puller.packet, this.noise.split().initiatorKey),
      scalars: [this.key, ...this.mine.given],
      points: [this.publicKey, this.noise.remoteStatic!],
    };
    return { loot, asked };
  }
}

function openProof(packet: Uint8Array, initiatorKey: Uint8Array): Uint8Array {
  return openGrant(engine, initiatorKey, packet.subarray(0, GRANT_AAD_BYTES), decodeHandshake(packet)!.body)!;
}

/** A rogue exposer with one guess, against a puller that knows better. */
function rogueExchange(guess: string, passphrase: string): Loot {
  const puller = pullerOf(passphrase);
  const rogue = new Rogue(puller.packet);
  return rogue.takeProof(puller, ({ exchange }) => {
    const inputs = passphraseExchange(stretched(guess, rogue.publicKey), rogue.publicKey, exchange);
    return cpaceShare(engine, inputs, rogue.mine.random).share;
  }).loot;
}

Deno.test("a rogue exposer learns whether its one guess was right, and nothing about any other", () => {
  for (const guess of DICTIONARY) {
    const loot = rogueExchange(guess, RIGHT);
    for (const tried of DICTIONARY) {
      const found = hits(loot, tried);
      // A right guess shows, else this search would find nothing in anything.
      if (guess === RIGHT) assert(found > 0, tried);
      else assertEquals(found, 0, `sent a share of '${guess}', tried '${tried}'`);
    }
  }
});

Deno.test("a rogue exposer whose share is no multiple of a generator, but a point that it chose, learns nothing", () => {
  const points = [new Uint8Array(32).with(0, 9), random(32).with(31, 0), engine.x25519.publicKey(random(32))];
  for (const point of points) {
    const puller = pullerOf(RIGHT);
    const { loot } = new Rogue(puller.packet).takeProof(puller, () => point);
    for (const tried of DICTIONARY) assertEquals(hits(loot, tried), 0, tried);
    // Its own share back at the puller: the oldest trick.
    const mirrored = pullerOf(RIGHT);
    const reflected = new Rogue(mirrored.packet).takeProof(mirrored, ({ share }) => share);
    for (const tried of DICTIONARY) assertEquals(hits(reflected.loot, tried), 0, tried);
  }
});

/** What an honest exposer and an honest puller said, and all of their keys but the scalars of CPace. */
function honestExchange(): { loot: Loot; ownScalar: Uint8Array } {
  const mine = recorded();
  const puller = pullerOf(RIGHT, mine.random);
  // The exposer's part is played by somebody who then tells all.
  const teller = new Rogue(puller.packet);
  const scalar = random(32);
  const { loot } = teller.takeProof(puller, ({ exchange }) => {
    const inputs = passphraseExchange(stretched(RIGHT, teller.publicKey), teller.publicKey, exchange);
    return cpaceShare(engine, inputs, () => scalar).share;
  });
  const ownScalar = mine.given.findLast(({ length }) => length === 32)!;
  const inputs = passphraseExchange(stretched(RIGHT, teller.publicKey), teller.publicKey, puller.exchange);
  assertEquals(cpaceShare(engine, inputs, () => ownScalar).share, loot.shares[0]);
  const others = mine.given.filter((bytes) => bytes.length === 32 && bytes !== ownScalar);
  assertEquals(others.length, 2, "static and ephemeral key");
  return { loot: { ...loot, scalars: [...loot.scalars, ...others] }, ownScalar };
}

Deno.test("who listens, and later comes by every key of both sides, cannot try the passphrase either", () => {
  const { loot, ownScalar } = honestExchange();
  for (const tried of DICTIONARY) assertEquals(hits(loot, tried), 0, tried);
  // The search would see it: with a scalar, which either side forgets at once, it does.
  assert(hits({ ...loot, scalars: [ownScalar] }, RIGHT) > 0);
});

const secret = random(16);
const id = ticketId(engine, ticketPsk(engine, secret));

function exposer(passphrase: string, source: Random): Responder {
  const exposed = {
    ...exposedOf(exposure, () => "denied"),
    passphrase: { stretched: stretched(passphrase, exposure.staticKey), ticketSecret: secret, ticketId: id },
  };
  return new Responder({
    engine,
    staticPrivate: exposure.staticPrivate,
    random: source,
    mint: new TokenMint(engine, source, 0),
    pullRateMax: 0,
    find: () => exposed,
    findNamed: () => [exposed],
  });
}

Deno.test("a rogue puller: what comes after a wrong proof is the same bytes whatever the passphrase is", () => {
  const answers = DICTIONARY.map((passphrase) => {
    // The same chances for all of them; so what differs, differs by the passphrase.
    const machine = exposer(passphrase, seededRandom(7, "exposer").bytes);
    const { bytes: source } = seededRandom(8, "puller");
    const puller = new Initiator({
      engine,
      random: source,
      staticPrivate: new Uint8Array(32).fill(8),
      exposerKey: exposure.staticKey,
      ask: { kind: AskKind.NAME, name: "simulated" },
      passphrase: passphraseProver(engine, source, () => stretched("a guess", exposure.staticKey)),
    });
    assertEquals(puller.handle(machine.answer(0, from, puller.packet).bytes!), "next");
    const { bytes, drop } = machine.answer(0, from, puller.packet);
    assertEquals(drop, "no proof of a passphrase");
    return bytes!.toHex();
  });
  assertEquals(new Set(answers).size, 1);
});

Deno.test("who passes both sides' shares and the proof on, in handshakes of his own, is refused by both", () => {
  const puller = pullerOf(RIGHT);
  const middle = new Rogue(puller.packet);
  const machine = exposer(RIGHT, random);
  const towards = Handshake.start(engine, {
    pattern: "IK",
    initiator: true,
    prologue: handshakePrologue(PROTOCOL_VERSION, "IK", [1]),
    staticPrivate: middle.key,
    remoteStatic: exposure.staticKey,
  });
  let cookie = none;
  const { loot } = middle.takeProof(puller, ({ share, exchange }) => {
    // The puller's share becomes his, under the same name of the exchange.
    const ask = encodePassphraseAsk(share, { kind: AskKind.NAME, name: "simulated" }, 1071);
    const packet = { message: HandshakeMessage.IK1, fragment: 0, fragments: 1, exchange, offers: [1] };
    const body = towards.writeMessage(ask, random);
    const first = encodeHandshake({ ...packet, retryCookie: none, stateCookie: none, body });
    const second = machine.answer(0, from, first).bytes!;
    const { body: answer } = decodeHandshake(second)!;
    assert(towards.readMessage(answer.subarray(0, 49)));
    const { responderKey } = towards.split();
    const plain = openGrant(engine, responderKey, second.subarray(0, GRANT_AAD_BYTES), answer.subarray(49))!;
    const challenge = decodeChallenge(plain)!;
    cookie = Uint8Array.from(challenge.cookie);
    return challenge.share;
  });
  const proof = {
    message: HandshakeMessage.PASS_PROOF,
    fragment: 0,
    fragments: 1,
    exchange: puller.exchange,
  };
  const relayed = { ...proof, offers: [], retryCookie: none, stateCookie: cookie, body: none };
  // As it came it is of another handshake; so he opens it and seals it anew.
  const asItCame = { ...relayed, body: decodeHandshake(puller.packet)!.body };
  assertEquals(machine.answer(0, from, encodeHandshake(asItCame)), { drop: "bad cookie" });
  const aad = encodeHandshake(relayed).subarray(0, GRANT_AAD_BYTES);
  const body = sealGrant(engine, towards.split().initiatorKey, random, aad, loot.proof);
  const { bytes, drop, granted } = machine.answer(0, from, encodeHandshake({ ...relayed, body }));
  assertEquals([drop, granted], ["no proof of a passphrase", undefined]);
  assertEquals(puller.handle(bytes!), undefined);
  for (const tried of DICTIONARY) assertEquals(hits(loot, tried), 0, tried);
});

Deno.test("a passphrase that were a psk would be found at home: by a rogue exposer in XXpsk3, by any puller in IKpsk2", () => {
  const find = (opens: (psk: Uint8Array) => boolean) =>
    DICTIONARY.filter((guess) => opens(stretched(guess, exposure.staticKey)));
  const pair = (pattern: "XXpsk3" | "IKpsk2") => {
    const common = { pattern, prologue: none, psk: stretched(RIGHT, exposure.staticKey) } as const;
    const { staticPrivate, staticKey } = exposure;
    const known = pattern === "IKpsk2" && { remoteStatic: staticKey };
    return {
      puller: Handshake.start(engine, { ...common, initiator: true, staticPrivate: random(32), ...known }),
      exposer: Handshake.start(engine, { ...common, initiator: false, staticPrivate }),
    };
  };
  const xx = pair("XXpsk3");
  xx.exposer.readMessage(xx.puller.writeMessage(none, random));
  xx.puller.readMessage(xx.exposer.writeMessage(none, random));
  const third = xx.puller.writeMessage(none, random);
  const triesThird = (psk: Uint8Array) => {
    const noise = xx.exposer.clone();
    noise.usePsk(psk);
    return noise.readMessage(third) !== undefined;
  };
  assertEquals(find(triesThird), [RIGHT]);
  const ik = pair("IKpsk2");
  ik.exposer.readMessage(ik.puller.writeMessage(none, random));
  const second = ik.exposer.writeMessage(none, random);
  const triesSecond = (psk: Uint8Array) => {
    const noise = ik.puller.clone();
    noise.usePsk(psk);
    return noise.readMessage(second) !== undefined;
  };
  assertEquals(find(triesSecond), [RIGHT]);
});
