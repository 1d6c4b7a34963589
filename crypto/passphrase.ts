/*
 * What is made of a passphrase. It is stretched once, by a slow hash that its exposer's key salts; what comes of that takes part in CPace
 * and never leaves either side. docs/decisions/0017 says what each step is good for.
 */
import { scrypt } from "@noble/hashes/scrypt.js";
import { concatBytes, limits, RgtpError, utf8 } from "../core/mod.ts";
import { expectLength } from "./_checks.ts";
import type { CPaceInputs } from "./cpace.ts";
import { type Engine, KEY_BYTES } from "./engine.ts";

/** scrypt (RFC 7914): 64 MiB, some 150 ms on a laptop. A constant: nobody can make another side work more. */
const COST = { N: 2 ** 16, r: 8, p: 1, dkLen: KEY_BYTES } as const;

const SALT = utf8("rgtp2 passphrase");
const CHANNEL = utf8("rgtp2 passphrase of exposer");
const PROOF = utf8("rgtp2 passphrase proof");
const GRANT = utf8("rgtp2 passphrase grant");

/**
 * A passphrase in the one form that it is compared in, as RFC 8265 §4.2 has it (OpaqueString): NFC, and every space is a plain one.
 *
 * @throws {RgtpError} INVALID_ARG when it is too short to withstand guessing, too long, or holds control characters
 */
export function normalPassphrase(text: string): string {
  const normal = text.replaceAll(/\p{Zs}/gu, " ").normalize("NFC");
  const { passphraseCharactersMin: least, passphraseBytesMax: most } = limits;
  if (/\p{Cc}/u.test(normal)) {
    throw new RgtpError("INVALID_ARG", "the passphrase holds a control character: nobody can type it");
  }
  if ([...normal].length < least) {
    throw new RgtpError(
      "INVALID_ARG",
      `the passphrase is too short: it needs ${least} characters at least, and four words that nobody would put together are better`,
    );
  }
  if (utf8(normal).length > most) {
    throw new RgtpError(
      "INVALID_ARG",
      `the passphrase is longer than ${most} bytes of UTF-8: take a shorter one`,
    );
  }
  return normal;
}

/**
 * 32 bytes by which a passphrase takes part with one exposer: slow to compute, and of no use with another exposer.
 *
 * @throws {RgtpError} INVALID_ARG, see {@linkcode normalPassphrase}
 * @throws {RangeError} when the exposer's X25519 key is not 32 bytes
 */
export function stretchPassphrase(passphrase: string, exposerKey: Uint8Array): Uint8Array<ArrayBuffer> {
  expectLength("exposer's key", exposerKey, KEY_BYTES);
  return Uint8Array.from(scrypt(utf8(normalPassphrase(passphrase)), concatBytes(SALT, exposerKey), COST));
}

/** What CPace starts from on both sides: a stretched passphrase, the exposer's key, and the 8 bytes that name the handshake. */
export function passphraseExchange(
  stretched: Uint8Array,
  exposerKey: Uint8Array,
  exchange: Uint8Array,
): CPaceInputs {
  return { secret: stretched, channel: concatBytes(CHANNEL, exposerKey), session: exchange };
}

/** What comes of CPace inside one handshake: only who has both, and the passphrase, has these. */
export interface PassphraseKeys {
  /** 32 bytes by which the puller shows that it knows the passphrase. */
  readonly proof: Uint8Array;
  /** 32 bytes: the key that the grant is sealed under, in place of the responder's transport key. */
  readonly grantKey: Uint8Array;
}

/**
 * HKDF over CPace's key, salted by the hash of the finished Noise handshake: a handshake that somebody relays through two of his own leads
 * to other keys on either side.
 */
export function passphraseKeys(
  engine: Engine,
  cpaceKey: Uint8Array,
  handshakeHash: Uint8Array,
): PassphraseKeys {
  const key = engine.hkdfExtract(handshakeHash, cpaceKey);
  return {
    proof: engine.hkdfExpand(key, PROOF, KEY_BYTES),
    grantKey: engine.hkdfExpand(key, GRANT, KEY_BYTES),
  };
}
