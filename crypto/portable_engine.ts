import { gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ed25519 as curve, x25519 as montgomery } from "@noble/curves/ed25519.js";
import { expand, extract } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 as nobleSha256, sha512 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes } from "../core/mod.ts";
import {
  expectExpandLength,
  expectKeyAndNonce,
  expectLength,
  expectOpenRoom,
  expectRoom,
} from "./_checks.ts";
import { portableKem } from "./_portable_kem.ts";
import { isPlausibleSignature, isUsableX25519Key } from "./points.ts";
import {
  type Aead,
  AEAD_TAG_BYTES,
  type AeadName,
  type Ed25519,
  type Engine,
  type Hash,
  type Hasher,
  KEY_BYTES,
  NONCE_BYTES,
  type X25519,
  type XAead,
  XNONCE_BYTES,
} from "./engine.ts";

/**
 * The engine in JavaScript alone (the noble libraries), for browsers and as the twin that the native one is
 * tested against.
 */
export const portableEngine: Engine = Object.freeze({
  name: "portable",
  sha256: sha256(),
  xchacha20Poly1305: box(xchacha20poly1305, XNONCE_BYTES),
  x25519: x25519(),
  ed25519: ed25519(),
  mlKem768: portableKem,
  aead: (name: AeadName): Aead => AEADS[name],
  hmacSha256,
  hkdfExtract: (salt: Uint8Array, inputKeyMaterial: Uint8Array) =>
    plain(extract(nobleSha256, inputKeyMaterial, salt)),
  hkdfExpand: (pseudorandomKey: Uint8Array, info: Uint8Array, length: number) => {
    expectExpandLength(length);
    // noble refuses to give no bytes; RFC 5869 does not.
    return length === 0 ? new Uint8Array(0) : plain(expand(nobleSha256, pseudorandomKey, info, length));
  },
});

/** noble's results are new arrays over memory of their own; only their types leave it open. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

/** What the ciphers of noble look like. */
type NobleCipher = (key: Uint8Array, nonce: Uint8Array, aad?: Uint8Array) => {
  encrypt(plaintext: Uint8Array): Uint8Array;
  decrypt(sealed: Uint8Array): Uint8Array;
};

const AEADS: Readonly<Record<AeadName, Aead>> = Object.freeze({
  "chacha20-poly1305": aead("chacha20-poly1305", chacha20poly1305),
  "aes-256-gcm": aead("aes-256-gcm", gcm),
});

function aead(name: AeadName, cipher: NobleCipher): Aead {
  const { seal, open } = box(cipher, NONCE_BYTES);
  const sealInto = (
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
    out: Uint8Array,
  ): void => {
    expectRoom(out, plaintext);
    out.set(seal(key, nonce, aad, plaintext));
  };
  const openInto = (
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
    out: Uint8Array,
  ): boolean => {
    expectOpenRoom(out, sealed);
    const plaintext = open(key, nonce, aad, sealed);
    if (plaintext) out.set(plaintext);
    return plaintext !== undefined;
  };
  return Object.freeze({ name, seal, sealInto, open, openInto });
}

function box(cipher: NobleCipher, nonceBytes: number): XAead {
  const seal = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) => {
    expectKeyAndNonce(key, nonce, nonceBytes);
    return plain(cipher(key, nonce, aad).encrypt(plaintext));
  };
  const open = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array) => {
    expectKeyAndNonce(key, nonce, nonceBytes);
    if (sealed.length < AEAD_TAG_BYTES) return undefined;
    try {
      return plain(cipher(key, nonce, aad).decrypt(sealed));
    } catch {
      // Lengths are checked above: what remains is a tag that does not fit.
      return undefined;
    }
  };
  return Object.freeze({ seal, open });
}

function sha256(): Hash {
  const create = (): Hasher => {
    const hash = nobleSha256.create();
    const hasher: Hasher = {
      update(bytes) {
        hash.update(bytes);
        return hasher;
      },
      digest: () => plain(hash.digest()),
    };
    return hasher;
  };
  const digest = (...parts: Uint8Array[]) => {
    const hash = nobleSha256.create();
    for (const part of parts) hash.update(part);
    return plain(hash.digest());
  };
  return Object.freeze({ name: "sha-256", digest, create });
}

function hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const mac = hmac.create(nobleSha256, key);
  for (const part of parts) mac.update(part);
  return plain(mac.digest());
}

function x25519(): X25519 {
  const publicKey = (privateKey: Uint8Array) => {
    expectLength("private key", privateKey, KEY_BYTES);
    return plain(montgomery.getPublicKey(privateKey));
  };
  const sharedSecret = (privateKey: Uint8Array, publicRaw: Uint8Array) => {
    expectLength("private key", privateKey, KEY_BYTES);
    return isUsableX25519Key(publicRaw)
      ? plain(montgomery.getSharedSecret(privateKey, publicRaw))
      : undefined;
  };
  return Object.freeze({ publicKey, sharedSecret });
}

function ed25519(): Ed25519 {
  const publicKey = (seed: Uint8Array) => {
    expectLength("seed", seed, KEY_BYTES);
    return plain(curve.getPublicKey(seed));
  };
  const sign = (seed: Uint8Array, message: Uint8Array) => {
    expectLength("seed", seed, KEY_BYTES);
    return plain(curve.sign(message, seed));
  };
  return Object.freeze({ publicKey, sign, verify });
}

/**
 * RFC 8032 §5.1.7 step 3 in its sufficient form, [S]B = R + [k]A compared as bytes, which is what native
 * engines check. noble's own `verify` multiplies by the cofactor, and so accepts some signatures that those
 * refuse.
 */
function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isPlausibleSignature(publicKey, signature)) return false;
  try {
    const { Point } = curve;
    const R = signature.subarray(0, KEY_BYTES);
    const S = littleEndian(signature.subarray(KEY_BYTES));
    const k = littleEndian(sha512(concatBytes(R, publicKey, message))) % Point.Fn.ORDER;
    const kA = Point.fromBytes(publicKey, false).multiplyUnsafe(k);
    return equalBytes(Point.BASE.multiplyUnsafe(S).subtract(kA).toBytes(), R);
  } catch {
    // The public key is not on the curve.
    return false;
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt("0x" + Uint8Array.from(bytes).reverse().toHex());
}
