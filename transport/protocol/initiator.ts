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
import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { AEAD_TAG_BYTES } from "../../crypto/engine.ts";
import { openGrant } from "../../crypto/grant_seal.ts";
import { Handshake } from "../../crypto/noise.ts";
import { FIRST_MESSAGE_BYTES, GRANT_AAD_BYTES, NO_PSK } from "./responder.ts";

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

const OFFERS = [Offer.X25519];
const MESSAGES: Readonly<Record<"XX" | "IK" | "IKpsk2", readonly [number, number]>> = {
  XX: [HandshakeMessage.XX1, HandshakeMessage.XX2],
  IK: [HandshakeMessage.IK1, HandshakeMessage.IK2],
  IKpsk2: [HandshakeMessage.IK_PSK1, HandshakeMessage.IK_PSK2],
};
/** e, and its payload's choice with a tag: what comes before the sealed grant in IK2. */
const IK2_NOISE_BYTES = 32 + 1 + AEAD_TAG_BYTES;
const NONE = new Uint8Array(0);

/** The puller's side of one handshake with one address. Packets are made once and may be sent again as they are. */
export class Initiator {
  /** 8 random bytes that name this handshake. */
  readonly exchange: Uint8Array;
  readonly #options: InitiatorOptions;
  readonly #pattern: "XX" | "IK" | "IKpsk2";
  readonly #noise: Handshake;
  #message: HandshakePacket;

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

  /** Whether {@linkcode packet} is the last message of XX, which holds a cookie of the exposer that dies. */
  get isLast(): boolean {
    return this.#noise.isFinished;
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
    if (this.#noise.isFinished) {
      return message.message === HandshakeMessage.XX_GRANT
        ? this.#open(this.#noise, packet, message.body)
        : undefined;
    }
    if (message.message !== MESSAGES[this.#pattern][1]) return undefined;
    return this.#pattern === "XX" ? this.#continueXX(message) : this.#finishIK(packet, message);
  }

  #firstBody(): Uint8Array {
    const { ask, random } = this.#options;
    const noiseBytes = this.#pattern === "XX" ? 32 : 32 + 32 + AEAD_TAG_BYTES + AEAD_TAG_BYTES;
    const room = FIRST_MESSAGE_BYTES - HANDSHAKE_HEAD_BYTES - OFFERS.length - RETRY_COOKIE_BYTES - noiseBytes;
    return this.#noise.writeMessage(
      this.#pattern === "XX" ? new Uint8Array(room) : encodeAsk(ask, room),
      random,
    );
  }

  #continueXX(message: HandshakePacket): "next" | undefined {
    const choice = this.#noise.readMessage(message.body);
    if (!choice || choice[0] !== Offer.X25519) return undefined;
    const body = this.#noise.writeMessage(encodeAsk(this.#options.ask), this.#options.random);
    this.#message = this.#packet(HandshakeMessage.XX3, { stateCookie: message.stateCookie.slice(), body });
    return "next";
  }

  #finishIK(packet: Uint8Array, message: HandshakePacket): HandshakeResult | undefined {
    // A denial is made without the ticket's psk: the exposer may not know the ticket.
    const psks = this.#options.psk ? [this.#options.psk, NO_PSK] : [undefined];
    for (const psk of psks) {
      const noise = this.#noise.clone();
      if (psk) noise.usePsk(psk);
      const choice = noise.readMessage(message.body.subarray(0, IK2_NOISE_BYTES));
      if (!choice || choice[0] !== Offer.X25519) continue;
      const result = this.#open(noise, packet, message.body.subarray(IK2_NOISE_BYTES));
      // Whoever answers without our psk can deny, never grant.
      if (result && psk === NO_PSK && result.answer.granted) return undefined;
      return result;
    }
    return undefined;
  }

  #open(noise: Handshake, packet: Uint8Array, sealed: Uint8Array): HandshakeResult | undefined {
    const key = noise.split().responderKey;
    const plain = openGrant(this.#options.engine, key, packet.subarray(0, GRANT_AAD_BYTES), sealed);
    const answer = plain && decodeAnswer(plain);
    return answer && { answer, exposerKey: noise.remoteStatic! };
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
