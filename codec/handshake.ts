/*
 *   HANDSHAKE: field = message (8 bits) | fragment (4 bits) | fragments (4 bits)
 *    0   4  word
 *    4   8  exchange: random, chosen by the puller, the same in all messages of one handshake
 *   12   1  offers, count
 *   13   1  RETRY cookie, bytes (0 or 16)
 *   14   2  state cookie, bytes
 *   16   -  offers, RETRY cookie, state cookie
 *    -   -  Noise message, or the sealed grant that answers XX; of a fragment its part of it
 */
import { equalBytes } from "../core/bytes.ts";
import { limits } from "../core/limits.ts";
import { bytes, layout, u16, u8 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { PacketType, WORD_BYTES, wordOf, writeWord } from "./packet.ts";
import { ByteReader } from "./reader.ts";

/** Which message of which pattern a HANDSHAKE packet is. */
export const HandshakeMessage = {
  XX1: 1,
  XX2: 2,
  XX3: 3,
  XX_GRANT: 4,
  IK1: 5,
  IK2: 6,
  IK_PSK1: 7,
  IK_PSK2: 8,
  PASS_PROOF: 9,
  PASS_GRANT: 10,
  HYBRID_XX1: 11,
  HYBRID_XX2: 12,
  HYBRID_IK1: 13,
  HYBRID_IK2: 14,
  HYBRID_IK_PSK1: 15,
  HYBRID_IK_PSK2: 16,
} as const;

/** What a puller can offer; the exposer chooses one. */
export const Offer = { X25519: 1, X25519_MLKEM768: 2 } as const;

/** A HANDSHAKE packet. */
export interface Handshake {
  /** One of {@linkcode HandshakeMessage}. */
  readonly message: number;
  /** Which fragment this is, from 0. */
  readonly fragment: number;
  /** Fragments of the message: 1, or of a hybrid message {@linkcode HYBRID_FRAGMENTS}. */
  readonly fragments: number;
  /** 8 random bytes of the puller. */
  readonly exchange: Uint8Array;
  /** Offers in ascending order; in the puller's first message only. */
  readonly offers: readonly number[];
  /** The cookie of a RETRY, or empty. */
  readonly retryCookie: Uint8Array;
  /** The exposer's sealed state, or empty. */
  readonly stateCookie: Uint8Array;
  /** Noise message or sealed grant. */
  readonly body: Uint8Array;
}

/** The fixed part of a HANDSHAKE packet, after the word. */
export interface HandshakeHead {
  /** 8 random bytes of the puller. */
  readonly exchange: Uint8Array;
  /** Offers that follow. */
  readonly offerCount: number;
  /** Bytes of the RETRY cookie: 0 or 16. */
  readonly retryCookieBytes: number;
  /** Bytes of the state cookie. */
  readonly stateCookieBytes: number;
}

/** Wire form of {@linkcode HandshakeHead}. */
export const handshakeHeadLayout: Layout<HandshakeHead> = layout<HandshakeHead>({
  exchange: bytes(8),
  offerCount: u8,
  retryCookieBytes: u8,
  stateCookieBytes: u16,
});

/** Where a packet says how long its RETRY cookie is, in 8 bits: for whoever looks at nothing else. */
export const RETRY_COOKIE_SIZE_AT: number = WORD_BYTES + offsetOf("retryCookieBytes");
/** Where it says how long its state cookie is, in 16 bits. */
export const STATE_COOKIE_SIZE_AT: number = WORD_BYTES + offsetOf("stateCookieBytes");

function offsetOf(name: keyof HandshakeHead): number {
  return handshakeHeadLayout.fields.find((field) => field.name === name)!.offset;
}

/** Bytes before the variable parts. */
export const HANDSHAKE_HEAD_BYTES = 16;
/** Bytes of a RETRY cookie. */
export const RETRY_COOKIE_BYTES = 16;
/** Fragments of a hybrid message, of either side. */
export const HYBRID_FRAGMENTS = 2;
/** In the word of a RETRY: its exposer takes hybrid handshakes, and no others from whoever offers one. */
export const RETRY_HYBRID_FLAG = 1;

/** Encodes a handshake packet. @throws {RangeError} when it is longer than a control packet may be, or nobody could decode it */
export function encodeHandshake(handshake: Handshake): Uint8Array<ArrayBuffer> {
  const { message, fragment, fragments, exchange, offers, retryCookie, stateCookie, body } = handshake;
  const cookieAt = HANDSHAKE_HEAD_BYTES + offers.length;
  const length = cookieAt + retryCookie.length + stateCookie.length + body.length;
  if (length > limits.controlPacketBytesMax) {
    throw new RangeError(`a handshake of ${length} bytes is too long`);
  }
  if (message > 255 || fragments > 15 || fragment >= fragments) {
    throw new RangeError(`no field holds message ${message}, fragment ${fragment} of ${fragments}`);
  }
  if (!isAscending(offers) || !isRetryCookie(retryCookie.length)) {
    throw new RangeError("offers must ascend, and a RETRY cookie is whole or absent");
  }
  const packet = new Uint8Array(length);
  writeWord(packet, PacketType.HANDSHAKE, 0, (message << 8) | (fragment << 4) | fragments);
  handshakeHeadLayout.write(packet, WORD_BYTES, {
    exchange,
    offerCount: offers.length,
    retryCookieBytes: retryCookie.length,
    stateCookieBytes: stateCookie.length,
  });
  packet.set(offers, HANDSHAKE_HEAD_BYTES);
  packet.set(retryCookie, cookieAt);
  packet.set(stateCookie, cookieAt + retryCookie.length);
  packet.set(body, length - body.length);
  return packet;
}

function isAscending(offers: readonly number[]): boolean {
  return offers.every((offer, i) => i === 0 || offer > offers[i - 1]);
}

function isRetryCookie(length: number): boolean {
  return length === 0 || length === RETRY_COOKIE_BYTES;
}

/**
 * The handshake that a packet holds (its cookies and body are views into it), or `undefined`. The body is all that is left: a
 * packet cut off within it decodes, and fails as a Noise message.
 */
export function decodeHandshake(packet: Uint8Array): Handshake | undefined {
  const word = wordOf(packet, PacketType.HANDSHAKE);
  if (!word || packet.length > limits.controlPacketBytesMax) return undefined;
  const head = handshakeHeadLayout.read(packet, WORD_BYTES);
  if (!head) return undefined;
  const reader = new ByteReader(packet, HANDSHAKE_HEAD_BYTES);
  const offers = [...reader.bytes(head.offerCount)];
  const retryCookie = reader.bytes(head.retryCookieBytes);
  const stateCookie = reader.bytes(head.stateCookieBytes);
  const body = reader.rest();
  if (reader.failed || !isAscending(offers) || !isRetryCookie(retryCookie.length)) return undefined;
  const message = word.field >> 8;
  const fragment = (word.field >> 4) & 15;
  const fragments = word.field & 15;
  if (fragments === 0 || fragment >= fragments) return undefined;
  return { message, fragment, fragments, exchange: head.exchange, offers, retryCookie, stateCookie, body };
}

/**
 * The packets of a message of one or more fragments: `handshake.fragments` says how many. Each but the last is as long as a packet may
 * be. All have offers and RETRY cookie; the state cookie is in the first alone.
 *
 * @throws {RangeError} when they do not hold it
 */
export function encodeFragments(handshake: Handshake): Uint8Array<ArrayBuffer>[] {
  const { fragments, offers, retryCookie, stateCookie, body } = handshake;
  const room = limits.controlPacketBytesMax - HANDSHAKE_HEAD_BYTES - offers.length - retryCookie.length;
  // The first has the state cookie in place of so much of the body.
  const startOf = (fragment: number) => Math.max(0, fragment * room - stateCookie.length);
  return Array.from({ length: fragments }, (_, fragment) =>
    encodeHandshake({
      ...handshake,
      fragment,
      stateCookie: fragment === 0 ? stateCookie : NONE,
      body: body.subarray(startOf(fragment), fragment + 1 < fragments ? startOf(fragment + 1) : undefined),
    }));
}

/**
 * Collects the fragments of one message, in any order. Of one that comes twice the newer counts, and it takes the place of all that are
 * not of the same message: a forged one spoils nothing for good. What it keeps is its own.
 */
export class FragmentedMessage {
  #parts: Handshake[] = [];

  /** The whole message, with `fragment` 0, as soon as all are here. */
  add(part: Handshake): Handshake | undefined {
    const others = this.#parts.filter((one) => isBeside(one, part));
    this.#parts = [...others, ownCopy(part)].sort((a, b) => a.fragment - b.fragment);
    if (this.#parts.length < part.fragments) return undefined;
    const body = new Uint8Array(this.#parts.reduce((sum, one) => sum + one.body.length, 0));
    let at = 0;
    for (const one of this.#parts) {
      body.set(one.body, at);
      at += one.body.length;
    }
    return { ...this.#parts[0], body };
  }
}

/** Whether two parts can be of one message, and are not the same part of it. */
function isBeside(a: Handshake, b: Handshake): boolean {
  return a.message === b.message && a.fragments === b.fragments && a.fragment !== b.fragment &&
    equalBytes(Uint8Array.from(a.offers), Uint8Array.from(b.offers));
}

/** Decoded parts are views of a packet, which is the link's. */
function ownCopy(part: Handshake): Handshake {
  const { exchange, retryCookie, stateCookie, body } = part;
  return {
    ...part,
    exchange: exchange.slice(),
    retryCookie: retryCookie.slice(),
    stateCookie: stateCookie.slice(),
    body: body.slice(),
  };
}

const NONE = new Uint8Array(0);

/** What both sides mix into the Noise prologue, so that nobody can change it on the way. */
export function handshakePrologue(version: number, pattern: string, offers: readonly number[]): Uint8Array {
  const name = new TextEncoder().encode(pattern);
  return Uint8Array.of(0x52, 0x47, 0x54, 0x50, version, name.length, ...name, offers.length, ...offers);
}
