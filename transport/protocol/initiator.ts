import { encodeAsk } from "../../codec/grant.ts";
import type { Answer, Ask } from "../../codec/grant.ts";
import { decodeAnswer } from "../../codec/grant.ts";
import {
  decodeHandshake,
  encodeFragments,
  FragmentedMessage,
  HandshakeMessage,
  handshakePrologue,
  Offer,
} from "../../codec/handshake.ts";
import type { Handshake as HandshakePacket } from "../../codec/handshake.ts";
import { PROTOCOL_VERSION } from "../../codec/packet.ts";
import { decodeChallenge, encodePassphraseAsk } from "../../codec/passphrase.ts";
import type { Challenge } from "../../codec/passphrase.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { Random } from "../../core/machine.ts";
import type { CPaceShare } from "../../crypto/cpace.ts";
import type { Engine } from "../../crypto/engine.ts";
import { openGrant, sealGrant } from "../../crypto/grant_seal.ts";
import { Handshake } from "../../crypto/noise.ts";
import {
  bareMessage,
  firstPayloadBytes,
  GRANT_AAD_BYTES,
  NO_PSK,
  OFFERS,
  sealedAad,
  shapeOf,
} from "./handshake_shape.ts";
import type { HandshakeShape } from "./handshake_shape.ts";
import type { PassphraseProver } from "./passphrase_prover.ts";

/** What a puller brings to a handshake. */
export interface InitiatorOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** Random bytes. */
  readonly random: Random;
  /** The puller's X25519 private key. */
  readonly staticPrivate: Uint8Array;
  /** The exposer's key when it is known: then Noise IK, and never anything less. */
  readonly exposerKey?: Uint8Array;
  /** From the ticket's secret; only with `exposerKey`. */
  readonly psk?: Uint8Array;
  /** For what a passphrase opens, and without a psk. Then nobody is believed who does not know the passphrase as well. */
  readonly passphrase?: PassphraseProver;
  /** What is offered, ascending; absent: X25519 alone. */
  readonly offers?: readonly number[];
  /** Whether the hybrid is begun with that the offers name: the exposer has said that it takes it. */
  readonly isHybrid?: boolean;
  /** What is asked for. */
  readonly ask: Ask;
}

/** What an answer says, and by whom. */
export interface HandshakeResult {
  /** Grant or denial. */
  readonly answer: Answer;
  /** The exposer's static key, proved. */
  readonly exposerKey: Uint8Array;
  /** Whether a secret of ML-KEM took part. */
  readonly isHybrid: boolean;
}

interface Proved {
  readonly grantKey: Uint8Array;
  readonly denialKey: Uint8Array;
  readonly exposerKey: Uint8Array;
}

/** The puller's side of one handshake with one address. Packets are made once and may be sent again as they are. */
export class Initiator {
  /** 8 random bytes that name this handshake. */
  readonly exchange: Uint8Array;
  readonly #options: InitiatorOptions;
  readonly #shape: HandshakeShape;
  readonly #offers: readonly number[];
  readonly #noise: Handshake;
  readonly #parts = new FragmentedMessage();
  #hasPart = false;
  /** Of the packet that is looked at, or its first fragment: bound to what is sealed in it. */
  #head: Uint8Array = new Uint8Array(0);
  #message: HandshakePacket;
  /** Our share of CPace, from the ask on. */
  #share: CPaceShare | undefined;
  /** What the answer to our proof may be sealed under: known with the passphrase, or without. */
  #proved: Proved | undefined;

  /** Makes the first message. */
  constructor(options: InitiatorOptions) {
    this.#options = options;
    this.#offers = options.offers ?? OFFERS.off;
    const way = options.exposerKey === undefined ? "XX" : options.psk === undefined ? "IK" : "IKpsk2";
    this.#shape = shapeOf(way, options.isHybrid ? Offer.X25519_MLKEM768 : Offer.X25519);
    const { pattern, first, fragments } = this.#shape;
    this.exchange = options.random(8);
    this.#noise = Handshake.start(options.engine, {
      pattern,
      initiator: true,
      prologue: handshakePrologue(PROTOCOL_VERSION, pattern, this.#offers),
      staticPrivate: options.staticPrivate,
      ...(options.exposerKey && { remoteStatic: options.exposerKey }),
    });
    const message = bareMessage(first, this.exchange, fragments);
    this.#message = { ...message, offers: this.#offers, body: this.#firstBody() };
  }

  /** Whether {@linkcode packet} holds a cookie of the exposer, which dies: the last message of XX, or a proof. */
  get isLast(): boolean {
    return this.#noise.isFinished || this.#proved !== undefined;
  }

  /** The packets to send now, and again while no answer comes: one, or the fragments of a hybrid's first message. */
  get packets(): Uint8Array[] {
    return encodeFragments(this.#message);
  }

  /** The first of them. */
  get packet(): Uint8Array {
    return this.packets[0];
  }

  /** The exposer wants proof of our address: the same message goes again with its cookie. Whether that is another one than before. */
  handleRetry(cookie: Uint8Array): boolean {
    if (equalBytes(this.#message.retryCookie, cookie)) return false;
    this.#message = { ...this.#message, retryCookie: cookie };
    return true;
  }

  /**
   * Takes a HANDSHAKE packet of our exchange: the result, `"next"` when {@linkcode packets} have changed, or `undefined` when it is not
   * right, or a fragment that waits for another ({@linkcode hasPart}).
   */
  handle(packet: Uint8Array): HandshakeResult | "next" | undefined {
    const result = this.#take(packet);
    if (result && result !== "next") this.#noise.wipe();
    return result;
  }

  #take(packet: Uint8Array): HandshakeResult | "next" | undefined {
    this.#hasPart = false;
    const part = decodeHandshake(packet);
    if (!part || part.message !== this.#awaited || part.fragments !== this.#awaitedFragments) {
      return undefined;
    }
    if (part.fragment === 0) this.#head = packet.slice(0, GRANT_AAD_BYTES);
    const message = part.fragments === 1 ? part : this.#parts.add(part);
    this.#hasPart = message === undefined;
    if (!message) return undefined;
    if (this.#proved) return this.#finishProof(this.#proved, message.body);
    if (this.#noise.isFinished) return this.#open(this.#noise, message.body);
    return this.#shape.way === "XX" ? this.#continueXX(message) : this.#finishIK(message);
  }

  /** Whether the packet that was taken last is a fragment that waits for another. */
  get hasPart(): boolean {
    return this.#hasPart;
  }

  /** Which message answers ours. */
  get #awaited(): number {
    if (this.#proved) return HandshakeMessage.PASS_GRANT;
    return this.#noise.isFinished ? HandshakeMessage.XX_GRANT : this.#shape.answer;
  }

  get #awaitedFragments(): number {
    return this.isLast ? 1 : this.#shape.fragments;
  }

  #firstBody(): Uint8Array {
    const { exposerKey, random } = this.#options;
    const room = firstPayloadBytes(this.#shape, this.#offers);
    return this.#noise.writeMessage(exposerKey ? this.#ask(exposerKey, room) : new Uint8Array(room), random);
  }

  #ask(exposerKey: Uint8Array, paddedBytes = 0): Uint8Array {
    const { ask, passphrase } = this.#options;
    if (!passphrase) return encodeAsk(ask, paddedBytes);
    this.#share = passphrase.share(exposerKey, this.exchange);
    return encodePassphraseAsk(this.#share.share, ask, paddedBytes);
  }

  #continueXX(message: HandshakePacket): "next" | undefined {
    const choice = this.#noise.readMessage(message.body);
    if (!choice || !this.#isOurs(choice[0])) return undefined;
    const body = this.#noise.writeMessage(this.#ask(this.#noise.remoteStatic!), this.#options.random);
    const last = bareMessage(HandshakeMessage.XX3, this.exchange);
    this.#message = { ...last, stateCookie: message.stateCookie.slice(), body };
    return "next";
  }

  /** Whether a choice is what this handshake is, and was offered. */
  #isOurs(choice: number): boolean {
    return choice === this.#shape.offer && this.#offers.includes(choice);
  }

  #finishIK(message: HandshakePacket): HandshakeResult | "next" | undefined {
    const { answerBytes } = this.#shape;
    // A denial is made without the ticket's psk: the exposer may not know the ticket.
    const psks = this.#options.psk ? [this.#options.psk, NO_PSK] : [undefined];
    for (const psk of psks) {
      const noise = this.#noise.clone();
      if (psk) noise.usePsk(psk);
      const choice = noise.readMessage(message.body.subarray(0, answerBytes));
      if (!choice || !this.#isOurs(choice[0])) continue;
      const result = this.#open(noise, message.body.subarray(answerBytes));
      // Whoever answers without our psk can deny, never grant.
      const isGrant = result !== undefined && result !== "next" && result.answer.granted;
      return isGrant && psk === NO_PSK ? undefined : result;
    }
    return undefined;
  }

  #open(noise: Handshake, sealed: Uint8Array): HandshakeResult | "next" | undefined {
    const { responderKey } = noise.split();
    const exposerKey = noise.remoteStatic!;
    const plain = openGrant(this.#options.engine, responderKey, this.#head, sealed);
    const challenge = plain && this.#share && decodeChallenge(plain);
    if (challenge) return this.#prove(noise, challenge);
    const answer = plain && decodeAnswer(plain);
    // A passphrase works both ways: who has not shown that he knows it can deny, never grant.
    if (!answer || (this.#share && answer.granted)) return undefined;
    return { answer, exposerKey, isHybrid: noise.isHybrid };
  }

  #prove(noise: Handshake, challenge: Challenge): "next" | undefined {
    const { engine, random, passphrase } = this.#options;
    const keys = passphrase!.keys(this.exchange, this.#share!, challenge, noise.handshakeHash);
    if (!keys) return undefined;
    const { proof, grantKey } = keys;
    const { initiatorKey, responderKey: denialKey } = noise.split();
    this.#proved = { grantKey, denialKey, exposerKey: noise.remoteStatic! };
    const message = {
      ...bareMessage(HandshakeMessage.PASS_PROOF, this.exchange),
      stateCookie: challenge.cookie,
    };
    this.#message = { ...message, body: sealGrant(engine, initiatorKey, random, sealedAad(message), proof) };
    return "next";
  }

  #finishProof(
    { grantKey, denialKey, exposerKey }: Proved,
    sealed: Uint8Array,
  ): HandshakeResult | undefined {
    const { engine } = this.#options;
    const granted = openGrant(engine, grantKey, this.#head, sealed);
    const plain = granted ?? openGrant(engine, denialKey, this.#head, sealed);
    const answer = plain && decodeAnswer(plain);
    if (!answer || (!granted && answer.granted)) return undefined;
    return { answer, exposerKey, isHybrid: this.#noise.isHybrid };
  }
}
