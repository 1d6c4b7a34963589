/*
 * What both sides of a handshake know of its messages: by Noise pattern, which ones open and answer it, and how long they are.
 */
import {
  encodeHandshake,
  HANDSHAKE_HEAD_BYTES,
  HandshakeMessage,
  HYBRID_FRAGMENTS,
  Offer,
  RETRY_COOKIE_BYTES,
} from "../../codec/handshake.ts";
import type { Handshake as HandshakePacket } from "../../codec/handshake.ts";
import { limits } from "../../core/limits.ts";
import {
  AEAD_TAG_BYTES,
  KEM_CIPHERTEXT_BYTES,
  KEM_PUBLIC_KEY_BYTES,
  KEY_BYTES,
} from "../../crypto/engine.ts";
import type { NoisePattern } from "../../crypto/noise.ts";

/** First messages are padded to this, less room for a RETRY cookie: an answer is never larger than what it answers. */
export const FIRST_MESSAGE_BYTES = limits.controlPacketBytesMax;
/** Bytes of a packet that are bound to the grant as associated data: word and exchange. */
export const GRANT_AAD_BYTES = 12;
/** The psk of a denial: it says who denies, and needs no ticket. */
export const NO_PSK: Uint8Array = new Uint8Array(32);

/** How a handshake is opened. */
export interface HandshakeShape {
  /** By which Noise pattern. */
  readonly pattern: "XX" | "IK" | "IKpsk2" | "XXhfs" | "IKhfs" | "IKhfs+psk2";
  /** What is known beforehand. */
  readonly way: HandshakeWay;
  /** The choice among the offers. */
  readonly offer: number;
  /** The puller's first message, and its answer. */
  readonly first: number;
  readonly answer: number;
  /** Packets of each. */
  readonly fragments: number;
  /** Bytes of the first Noise message without its payload, and of the one that answers it where a sealed grant follows. */
  readonly firstBytes: number;
  readonly answerBytes: number;
}

/** What is known when a handshake begins: nothing; the exposer's key; that, and a ticket's secret. */
export type HandshakeWay = "XX" | "IK" | "IKpsk2";

const SEALED_KEY_BYTES = KEY_BYTES + AEAD_TAG_BYTES;
// e, s and the tag of the payload; e, and the choice with its tag.
const IK_BYTES = {
  firstBytes: KEY_BYTES + SEALED_KEY_BYTES + AEAD_TAG_BYTES,
  answerBytes: KEY_BYTES + 1 + AEAD_TAG_BYTES,
};
// The same with a key of ML-KEM, and a ciphertext.
const HYBRID_IK_BYTES = {
  firstBytes: IK_BYTES.firstBytes + KEM_PUBLIC_KEY_BYTES + AEAD_TAG_BYTES,
  answerBytes: IK_BYTES.answerBytes + KEM_CIPHERTEXT_BYTES + AEAD_TAG_BYTES,
};
// All in clear; no sealed grant follows the answer.
const XX_BYTES = { firstBytes: KEY_BYTES, answerBytes: 0 };
const HYBRID_XX_BYTES = { firstBytes: KEY_BYTES + KEM_PUBLIC_KEY_BYTES, answerBytes: 0 };
const plain = { offer: Offer.X25519, fragments: 1 };
const hybrid = { offer: Offer.X25519_MLKEM768, fragments: HYBRID_FRAGMENTS };

const { XX1, XX2, IK1, IK2, IK_PSK1, IK_PSK2 } = HandshakeMessage;
const { HYBRID_XX1, HYBRID_XX2, HYBRID_IK1, HYBRID_IK2, HYBRID_IK_PSK1, HYBRID_IK_PSK2 } = HandshakeMessage;

const SHAPES: readonly HandshakeShape[] = [
  { pattern: "XX", way: "XX", ...plain, first: XX1, answer: XX2, ...XX_BYTES },
  { pattern: "IK", way: "IK", ...plain, first: IK1, answer: IK2, ...IK_BYTES },
  { pattern: "IKpsk2", way: "IKpsk2", ...plain, first: IK_PSK1, answer: IK_PSK2, ...IK_BYTES },
  { pattern: "XXhfs", way: "XX", ...hybrid, first: HYBRID_XX1, answer: HYBRID_XX2, ...HYBRID_XX_BYTES },
  { pattern: "IKhfs", way: "IK", ...hybrid, first: HYBRID_IK1, answer: HYBRID_IK2, ...HYBRID_IK_BYTES },
  {
    pattern: "IKhfs+psk2",
    way: "IKpsk2",
    ...hybrid,
    first: HYBRID_IK_PSK1,
    answer: HYBRID_IK_PSK2,
    ...HYBRID_IK_BYTES,
  },
];

/** The shape that a first message opens; `undefined` for every other message. */
export function shapeOfFirst(message: number): HandshakeShape | undefined {
  return SHAPES.find(({ first }) => first === message);
}

/** The shape of a way, by what was offered and chosen. */
export function shapeOf(way: HandshakeWay, offer: number): HandshakeShape {
  return SHAPES.find((shape) => shape.way === way && shape.offer === offer)!;
}

/** Whether a pattern proves a ticket's secret. */
export function provesSecret(pattern: NoisePattern): boolean {
  return pattern === "IKpsk2" || pattern === "IKhfs+psk2";
}

/** Bytes of the payload that fill a first message, with room for a RETRY cookie. */
export function firstPayloadBytes(
  { fragments, firstBytes }: HandshakeShape,
  offers: readonly number[],
): number {
  const room = FIRST_MESSAGE_BYTES - HANDSHAKE_HEAD_BYTES - offers.length - RETRY_COOKIE_BYTES;
  return fragments * room - firstBytes;
}

/** Associated data of what is sealed in a message: word and exchange of its first packet. */
export function sealedAad(message: HandshakePacket): Uint8Array {
  const bare = { ...message, offers: [], retryCookie: NONE, stateCookie: NONE, body: NONE };
  return encodeHandshake(bare).subarray(0, GRANT_AAD_BYTES);
}

/** A message that has nothing yet but its name. */
export function bareMessage(message: number, exchange: Uint8Array, fragments = 1): HandshakePacket {
  return {
    message,
    fragment: 0,
    fragments,
    exchange,
    offers: [],
    retryCookie: NONE,
    stateCookie: NONE,
    body: NONE,
  };
}

const NONE = new Uint8Array(0);

/**
 * Whether handshakes are hybrid, X25519 and ML-KEM-768 together: where both sides can (`auto`), or else not at all (`require`); or never
 * (`off`).
 */
export type PostQuantum = "auto" | "require" | "off";

/** What each of them has a puller offer, and an exposer take. */
export const OFFERS: Readonly<Record<PostQuantum, readonly number[]>> = {
  auto: [Offer.X25519, Offer.X25519_MLKEM768],
  require: [Offer.X25519_MLKEM768],
  off: [Offer.X25519],
};

/** All of them. */
export const postQuantumModes = Object.keys(OFFERS) as readonly PostQuantum[];

/** A choice that both sides may make of their own. */
export interface HandshakeChoice {
  /** Whether handshakes are to withstand a quantum computer to come; absent: `auto`, where the other side can. */
  readonly postQuantum?: PostQuantum;
}

/** What the keys of a handshake were made with. */
export type HandshakeName = "x25519" | "x25519-mlkem768";

/** The name of a handshake. */
export function handshakeName(isHybrid: boolean): HandshakeName {
  return isHybrid ? "x25519-mlkem768" : "x25519";
}
