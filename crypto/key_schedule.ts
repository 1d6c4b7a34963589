import { concatBytes, utf8 } from "../core/mod.ts";
import { expectLength } from "./_checks.ts";
import { type AeadName, type Engine, HASH_BYTES, KEY_BYTES, NONCE_BYTES } from "./engine.ts";

/** Bytes of an exposure's salt. */
export const SALT_BYTES = 32;

/** Bytes of a ticket's secret. */
export const TICKET_SECRET_BYTES = 16;

/** Bytes of a ticket's ID. */
export const TICKET_ID_BYTES = 8;

const EXTRACT_SALT = utf8("rgtp2");

// One label for each AEAD: no key ever serves two algorithms. Neither label is the beginning of the other.
const KEY_LABELS: Readonly<Record<AeadName, Uint8Array>> = {
  "chacha20-poly1305": utf8("rgtp2 chunk key chacha20-poly1305"),
  "aes-256-gcm": utf8("rgtp2 chunk key aes-256-gcm"),
};

const KEY_CHECK = utf8("rgtp2 key check");
const EXPOSURE_ID = utf8("rgtp2 exposure id");
const TICKET_PSK = utf8("rgtp2 ticket psk");
const TICKET_ID = utf8("rgtp2 ticket id");

/**
 * The 32-byte key that seals the chunks of one exposure: HKDF-Expand(HKDF-Extract("rgtp2", secret), label of
 * the AEAD || parameters || salt).
 *
 * `parametersWithoutKeyCheck` are the manifest's bytes with root and key check zeroed. They are opaque here,
 * but their encoding must tell its own length, and the salt is 32 bytes, so that no two inputs run together
 * to one string. Whatever is in the AAD of the chunks must be in here as well: one key and nonce never
 * authenticate under two AADs.
 *
 * @throws {RangeError} when the secret or the salt is not 32 bytes
 */
export function exposureKey(
  engine: Engine,
  aead: AeadName,
  secret: Uint8Array,
  salt: Uint8Array,
  parametersWithoutKeyCheck: Uint8Array,
): Uint8Array<ArrayBuffer> {
  expectLength("exposer's secret", secret, KEY_BYTES);
  expectLength("salt", salt, SALT_BYTES);
  const info = concatBytes(KEY_LABELS[aead], parametersWithoutKeyCheck, salt);
  return engine.hkdfExpand(engine.hkdfExtract(EXTRACT_SALT, secret), info, KEY_BYTES);
}

/**
 * What the manifest says about the key without giving it away: HKDF-Expand(exposure key, "rgtp2 key check"),
 * 32 bytes. The AEADs do not commit to their key; this does, so one exposure ID means one key and one
 * plaintext.
 *
 * @throws {RangeError} when the key is not 32 bytes
 */
export function keyCheck(engine: Engine, exposureKey: Uint8Array): Uint8Array<ArrayBuffer> {
  expectLength("exposure key", exposureKey, KEY_BYTES);
  return engine.hkdfExpand(exposureKey, KEY_CHECK, HASH_BYTES);
}

/** The 32-byte name of an exposure: SHA-256("rgtp2 exposure id" || manifest). */
export function exposureId(engine: Engine, manifestBytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return engine.sha256.digest(EXPOSURE_ID, manifestBytes);
}

/**
 * The 32-byte Noise psk of a ticket: HKDF-Expand(HKDF-Extract("rgtp2", secret), "rgtp2 ticket psk").
 *
 * @throws {RangeError} when the secret is not 16 bytes
 */
export function ticketPsk(engine: Engine, secret: Uint8Array): Uint8Array<ArrayBuffer> {
  expectLength("ticket secret", secret, TICKET_SECRET_BYTES);
  return engine.hkdfExpand(engine.hkdfExtract(EXTRACT_SALT, secret), TICKET_PSK, KEY_BYTES);
}

/**
 * The 8 bytes that name a ticket in handshakes and tokens: the beginning of SHA-256("rgtp2 ticket id" ||
 * psk). They give nothing of the psk away.
 *
 * @throws {RangeError} when the psk is not 32 bytes
 */
export function ticketId(engine: Engine, psk: Uint8Array): Uint8Array<ArrayBuffer> {
  expectLength("psk", psk, KEY_BYTES);
  return engine.sha256.digest(TICKET_ID, psk).slice(0, TICKET_ID_BYTES);
}

/**
 * The nonce of a chunk: 8 zero bytes and its index as u32, big-endian. Safe only because an exposure's key
 * seals one content.
 *
 * @throws {RangeError} when the index is not an integer from 0 to 2^32 - 1
 */
export function chunkNonce(index: number): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(index) || index < 0 || index > 0xffffffff) {
    throw new RangeError(`a chunk index is an integer from 0 to 2^32 - 1, not ${index}`);
  }
  // Byte by byte: a view of so short an array has its memory moved out of the heap first.
  const nonce = new Uint8Array(NONCE_BYTES);
  for (let i = 0; i < 4; i++) nonce[8 + i] = index >>> (24 - 8 * i);
  return nonce;
}
