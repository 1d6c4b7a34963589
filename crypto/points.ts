import { KEY_BYTES, SIGNATURE_BYTES } from "./engine.ts";

/** 2^255 - 19, the prime of Curve25519 (RFC 7748 §4.1). */
const P = 2n ** 255n - 19n;

/** Order of the prime-order subgroup (RFC 8032 §5.1). */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/**
 * The u-coordinates below p of points of order 1, 2, 4 and 8, of the curve and of its twist (u^3 + 486662 u^2
 * + u = 0, u = ±1, and the two of order 8): whatever the private key, they lead to zero.
 */
const LOW_ORDER_U: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P - 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
]);

/**
 * Whether 32 bytes from outside may serve as an X25519 public key: the canonical encoding (below p, hence the
 * top bit clear) of a point that is not of low order. RFC 7748 §5 would mask and reduce instead; we refuse,
 * so that each key has one spelling.
 */
export function isUsableX25519Key(publicKey: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES) return false;
  const u = littleEndian(publicKey);
  return u < P && !LOW_ORDER_U.has(u);
}

/** A y-coordinate of order 8 on edwards25519; the other one is its negative. */
const ORDER_8_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;

/** The y-coordinates below p of the eight points of small order. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([0n, 1n, P - 1n, ORDER_8_Y, P - ORDER_8_Y]);

/** Whether both halves could belong to an honest signer; what is left to check is the equation. */
export function isPlausibleSignature(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  const y = littleEndian(publicKey) & ((1n << 255n) - 1n);
  // RFC 8032 §5.1.7 step 1: S below L, else a second signature is made from a first by adding L.
  return y < P && !SMALL_ORDER_Y.has(y) && littleEndian(signature.subarray(KEY_BYTES)) < L;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = bytes.length - 8; at >= 0; at -= 8) value = (value << 64n) | view.getBigUint64(at, true);
  return value;
}
