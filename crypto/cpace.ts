/*
 * CPace, a password-authenticated key exchange (draft-irtf-cfrg-cpace-20), in the suite CPACE-X25519-SHA512 with an initiator and a
 * responder. Each side sends one share. Both come to the same key only if they started from the same secret; whoever takes part with a
 * guess learns whether that one guess was right, and whoever listens learns nothing.
 */
import { _map_to_curve_elligator2_curve25519 as elligator2, ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { concatBytes, type Random, RgtpError, utf8 } from "../core/mod.ts";
import { type Engine, KEY_BYTES } from "./engine.ts";

/** What both sides must agree on, or their keys differ. */
export interface CPaceInputs {
  /** What only those who may know (PRS in the draft); it may be weak. */
  readonly secret: Uint8Array;
  /** Who talks to whom, as both see it (CI). */
  readonly channel: Uint8Array;
  /** Names this exchange and no other (sid); public. */
  readonly session: Uint8Array;
}

/** What one side sends, in clear. */
export interface CPaceMessage {
  /** 32 bytes; they say nothing of the secret. */
  readonly share: Uint8Array;
  /** What goes with it, and is as authentic as the share (ADa, ADb); absent: nothing. */
  readonly data?: Uint8Array;
}

/** One side's part of one exchange. */
export interface CPaceShare extends CPaceMessage {
  /** 32 random bytes. Secret, and never used twice. */
  readonly scalar: Uint8Array;
}

/** Bytes of a share. */
export const CPACE_SHARE_BYTES = 32;

/** Bytes of the key that comes of it. */
export const CPACE_KEY_BYTES = 64;

const DSI = utf8("CPace255");
const DSI_KEY = utf8("CPace255_ISK");
const SHA512_BLOCK_BYTES = 128;

/** sample_scalar and scalar_mult of the draft: a fresh scalar, and the share that it makes of the generator. */
export function cpaceShare(engine: Engine, inputs: CPaceInputs, random: Random): CPaceShare {
  const scalar = Uint8Array.from(random(KEY_BYTES));
  const share = engine.x25519.sharedSecret(scalar, cpaceGenerator(inputs));
  // One hash in 2^252 leads to such a point.
  if (share === undefined) throw new RgtpError("INTERNAL", "CPace: the generator is of low order; try again");
  return { scalar, share };
}

/**
 * The key of 64 bytes (ISK), or `undefined` when the other share is not 32 bytes, not canonical, or of low order, which must end the
 * exchange (scalar_mult_vfy). The draft would let a share pass that is merely not canonical; no honest side sends one.
 */
export function cpaceKey(
  engine: Engine,
  session: Uint8Array,
  own: CPaceShare,
  theirs: CPaceMessage,
  role: "initiator" | "responder",
): Uint8Array<ArrayBuffer> | undefined {
  const shared = engine.x25519.sharedSecret(own.scalar, theirs.share);
  if (shared === undefined) return undefined;
  const messages = role === "initiator" ? [own, theirs] : [theirs, own];
  // transcript_ir: the initiator's message comes first.
  const transcript = messages.flatMap(({ share, data = NONE }) => [share, data]);
  return Uint8Array.from(sha512(withLengths(DSI_KEY, session, shared, ...transcript)));
}

/**
 * calculate_generator: a point, by its u-coordinate, that looks random to whoever lacks the secret, and whose discrete logarithm nobody
 * knows.
 */
export function cpaceGenerator({ secret, channel, session }: CPaceInputs): Uint8Array<ArrayBuffer> {
  // Zeros fill the first block of the hash: its time does not tell how long the secret is.
  const filled = 1 + withLengths(DSI, secret).length;
  const padding = new Uint8Array(Math.max(0, SHA512_BLOCK_BYTES - filled));
  const hash = sha512(withLengths(DSI, secret, padding, channel, session)).subarray(0, KEY_BYTES);
  // RFC 7748 §5 decodeUCoordinate, RFC 9380 §6.7.1.
  const { Fp } = ed25519.Point;
  const { xMn, xMd } = elligator2(Fp.create(littleEndian(hash) & (2n ** 255n - 1n)));
  return Uint8Array.from(Fp.toBytes(Fp.div(xMn, xMd)));
}

/** lv_cat: all parts, each with its length in front, as LEB128. */
function withLengths(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatBytes(...parts.flatMap((part) => [leb128(part.length), part]));
}

function leb128(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0 || bytes.length === 0; rest >>>= 7) {
    bytes.push((rest & 127) | (rest > 127 ? 128 : 0));
  }
  return Uint8Array.from(bytes);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt("0x" + Uint8Array.from(bytes).reverse().toHex());
}

const NONE = new Uint8Array(0);
