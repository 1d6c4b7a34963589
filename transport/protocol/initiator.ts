import { encodeAsk } from "../../codec/grant.ts";
import type { Answer, Ask } from "../../codec/grant.ts";
import { decodeAnswer } from "../../codec/grant.ts";
import {
  decodeHandshake,
  encodeHandshake,
  HANDSHAKE_HEAD_BYTES,
  HandshakeMessage,
  handshakePrologue,
  Offer,
  RETRY_COOKIE_BYTES,
} from "../../codec/handshake.ts";
import type { Handshake as HandshakePacket } from "../../codec/handshake.ts";
import { PROTOCOL_VERSION } from "../../codec/packet.ts";
import { decodeChallenge, encodePassphraseAsk } from "../../codec/passphrase.ts";
import type { Challenge } from "../../codec/passphrase.ts";
import type { Random } from "../../core/machine.ts";
import { cpaceKey, cpaceShare } from "../../crypto/cpace.ts";
import type { CPaceShare } from "../../crypto/cpace.ts";
import type { Engine } from "../../crypto/engine.ts";
import { AEAD_TAG_BYTES } from "../../crypto/engine.ts";
import { openGrant, sealGrant } from "../../crypto/grant_seal.ts";
import { Handshake } from "../../crypto/noise.ts";
import { passphraseExchange, passphraseKeys } from "../../crypto/passphrase.ts";
import { FIRST_MESSAGE_BYTES, GRANT_AAD_BYTES, IK2_NOISE_BYTES, NO_PSK } from "./responder.ts";

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
  /**
   * For what a passphrase opens, and without a psk: what the slow hash makes of it for the exposer with that key. It is called once for each
   * handshake, as soon as the key is known. Then nobody is believed who does not know the passphrase as well.
   */
  readonly passphrase?: (exposerKey: Uint8Array) => Uint8Array;
  /** What is asked for. */
  readonly ask: Ask;
}

/** What an answer says, and by whom. */
export interface HandshakeResult {
  /** Grant or denial. */
  readonly answer: Answer;
  /** The exposer's static key, proved. */
  readonly exposerKey: Uint8Array;
}

interface Proved {
  readonly grantKey: Uint8Array;
  readonly denialKey: Uint8Array;
  readonly exposerKey: Uint8Array;
}

const OFFERS = [Offer.X25519];
const MESSAGES: Readonly<Record<"XX" | "IK" | "IKpsk2", readonly [number, number]>> = {
  XX: [HandshakeMessage.XX1, HandshakeMessage.XX2],
  IK: [HandshakeMessage.IK1, HandshakeMessage.IK2],
  IKpsk2: [HandshakeMessage.IK_PSK1, HandshakeMessage.IK_PSK2],
};
const NONE = new Uint8Array(0);

/** The puller's side of one handshake with one address. Packets are made once and may be sent again as they are. */
export class Initiator {
  /** 8 random bytes that name this handshake. */
  readonly exchange: Uint8Array;
  readonly #options: InitiatorOptions;
  readonly #pattern: "XX" | "IK" | "IKpsk2";
  readonly #noise: Handshake;
  #message: HandshakePacket;
  /** Our share of CPace, from the ask on. */
  #share: CPaceShare | undefined;
  /** What the answer to our proof may be sealed under: known with the passphrase, or without. */
  #proved: Proved | undefined;

  /** Makes the first message. */
  constructor(options: InitiatorOptions) {
    this.#options = options;
    this.#pattern = options.exposerKey === undefined ? "XX" : options.psk === undefined ? "IK" : "IKpsk2";
    this.exchange = options.random(8);
    this.#noise = Handshake.start(options.engine, {
      pattern: this.#pattern,
      initiator: true,
      prologue: handshakePrologue(PROTOCOL_VERSION, this.#pattern, OFFERS),
      staticPrivate: options.staticPrivate,
      ...(options.exposerKey && { remoteStatic: options.exposerKey }),
    });
    this.#message = this.#packet(MESSAGES[this.#pattern][0], { offers: OFFERS, body: this.#firstBody() });
  }

  /** Whether {@linkcode packet} holds a cookie of the exposer, which dies: the last message of XX, or a proof. */
  get isLast(): boolean {
    return this.#noise.isFinished || this.#proved !== undefined;
  }

  /** The packet to send now, and again while no answer comes. */
  get packet(): Uint8Array {
    return encodeHandshake(this.#message);
  }

  /** The exposer is busy and wants proof of our address: the same message goes again with its cookie. */
  handleRetry(cookie: Uint8Array): void {
    this.#message = { ...this.#message, retryCookie: cookie };
  }

  /** Takes a HANDSHAKE packet of our exchange: the result, `"next"` when {@linkcode packet} has changed, or `undefined` when it is not right. */
  handle(packet: Uint8Array): HandshakeResult | "next" | undefined {
    const message = decodeHandshake(packet);
    if (!message) return undefined;
    if (this.#proved) {
      return message.message === HandshakeMessage.PASS_GRANT
        ? this.#finishProof(this.#proved, packet, message.body)
        : undefined;
    }
    if (this.#noise.isFinished) {
      return message.message === HandshakeMessage.XX_GRANT
        ? this.#open(this.#noise, packet, message.body)
        : undefined;
    }
    if (message.message !== MESSAGES[this.#pattern][1]) return undefined;
    return this.#pattern === "XX" ? this.#continueXX(message) : this.#finishIK(packet, message);
  }

  #firstBody(): Uint8Array {
    const { exposerKey, random } = this.#options;
    const noiseBytes = exposerKey ? 32 + 32 + AEAD_TAG_BYTES + AEAD_TAG_BYTES : 32;
    const room = FIRST_MESSAGE_BYTES - HANDSHAKE_HEAD_BYTES - OFFERS.length - RETRY_COOKIE_BYTES - noiseBytes;
    return this.#noise.writeMessage(exposerKey ? this.#ask(exposerKey, room) : new Uint8Array(room), random);
  }

  #ask(exposerKey: Uint8Array, paddedBytes = 0): Uint8Array {
    const { engine, random, ask, passphrase } = this.#options;
    if (!passphrase) return encodeAsk(ask, paddedBytes);
    const inputs = passphraseExchange(passphrase(exposerKey), exposerKey, this.exchange);
    this.#share = cpaceShare(engine, inputs, random);
    return encodePassphraseAsk(this.#share.share, ask, paddedBytes);
  }

  #continueXX(message: HandshakePacket): "next" | undefined {
    const choice = this.#noise.readMessage(message.body);
    if (!choice || choice[0] !== Offer.X25519) return undefined;
    const body = this.#noise.writeMessage(this.#ask(this.#noise.remoteStatic!), this.#options.random);
    this.#message = this.#packet(HandshakeMessage.XX3, { stateCookie: message.stateCookie.slice(), body });
    return "next";
  }

  #finishIK(packet: Uint8Array, message: HandshakePacket): HandshakeResult | "next" | undefined {
    // A denial is made without the ticket's psk: the exposer may not know the ticket.
    const psks = this.#options.psk ? [this.#options.psk, NO_PSK] : [undefined];
    for (const psk of psks) {
      const noise = this.#noise.clone();
      if (psk) noise.usePsk(psk);
      const choice = noise.readMessage(message.body.subarray(0, IK2_NOISE_BYTES));
      if (!choice || choice[0] !== Offer.X25519) continue;
      const result = this.#open(noise, packet, message.body.subarray(IK2_NOISE_BYTES));
      // Whoever answers without our psk can deny, never grant.
      const isGrant = result !== undefined && result !== "next" && result.answer.granted;
      return isGrant && psk === NO_PSK ? undefined : result;
    }
    return undefined;
  }

  #open(noise: Handshake, packet: Uint8Array, sealed: Uint8Array): HandshakeResult | "next" | undefined {
    const { responderKey } = noise.split();
    const exposerKey = noise.remoteStatic!;
    const plain = openGrant(this.#options.engine, responderKey, packet.subarray(0, GRANT_AAD_BYTES), sealed);
    const challenge = plain && this.#share && decodeChallenge(plain);
    if (challenge) return this.#prove(noise, challenge);
    const answer = plain && decodeAnswer(plain);
    // A passphrase works both ways: who has not shown that he knows it can deny, never grant.
    return answer && !(this.#share && answer.granted) ? { answer, exposerKey } : undefined;
  }

  #prove(noise: Handshake, challenge: Challenge): "next" | undefined {
    const { engine, random } = this.#options;
    const key = cpaceKey(engine, this.exchange, this.#share!, challenge, "initiator");
    if (!key) return undefined;
    const { proof, grantKey } = passphraseKeys(engine, key, noise.handshakeHash);
    const { initiatorKey, responderKey: denialKey } = noise.split();
    this.#proved = { grantKey, denialKey, exposerKey: noise.remoteStatic! };
    const message = this.#packet(HandshakeMessage.PASS_PROOF, { stateCookie: challenge.cookie });
    const aad = encodeHandshake(message).subarray(0, GRANT_AAD_BYTES);
    this.#message = { ...message, body: sealGrant(engine, initiatorKey, random, aad, proof) };
    return "next";
  }

  #finishProof(
    { grantKey, denialKey, exposerKey }: Proved,
    packet: Uint8Array,
    sealed: Uint8Array,
  ): HandshakeResult | undefined {
    const { engine } = this.#options;
    const aad = packet.subarray(0, GRANT_AAD_BYTES);
    const granted = openGrant(engine, grantKey, aad, sealed);
    const plain = granted ?? openGrant(engine, denialKey, aad, sealed);
    const answer = plain && decodeAnswer(plain);
    return answer && (granted || !answer.granted) ? { answer, exposerKey } : undefined;
  }

  #packet(message: number, parts: Partial<HandshakePacket>): HandshakePacket {
    return {
      message,
      fragment: 0,
      fragments: 1,
      exchange: this.exchange,
      offers: [],
      retryCookie: NONE,
      stateCookie: NONE,
      body: NONE,
      ...parts,
    };
  }
}
