import { concatBytes, RgtpError } from "../core/mod.ts";
import { expectKeyAndNonce, expectLength, expectOpenRoom, expectRoom } from "./_checks.ts";
import { expand } from "./_hkdf.ts";
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
} from "./engine.ts";
import { portableEngine } from "./portable_engine.ts";

/**
 * The engine over `node:crypto` (OpenSSL, or what Deno has in its place). The fastest one that needs no
 * permission; {@linkcode libcryptoEngine} is faster. Where there is no `node:crypto`, every use throws `RgtpError("CRYPTO_INIT")`; {@linkcode
 * defaultEngine} tries that out.
 *
 * XChaCha20-Poly1305 and ML-KEM, which `node:crypto` lacks, come from the portable engine.
 */
export const nativeEngine: Engine = Object.freeze({
  name: "native",
  sha256: sha256(),
  xchacha20Poly1305: portableEngine.xchacha20Poly1305,
  x25519: x25519(),
  ed25519: ed25519(),
  mlKem768: portableEngine.mlKem768,
  aead: (name: AeadName): Aead => AEADS[name],
  hmacSha256,
  // RFC 5869 §2.2: the salt is the HMAC's key; HMAC pads an empty one to zeros by itself.
  hkdfExtract: (salt: Uint8Array, inputKeyMaterial: Uint8Array) => hmacSha256(salt, inputKeyMaterial),
  hkdfExpand: (pseudorandomKey: Uint8Array, info: Uint8Array, length: number) =>
    expand(hmacSha256, pseudorandomKey, info, length),
});

type NodeCrypto = typeof import("node:crypto");

let found: NodeCrypto | undefined;

/**
 * `node:crypto`, found without an import, which would keep a browser from loading this module at all; and when it is first used, since to
 * load it takes some 20 ms of processor time, which most have no use for.
 */
function node(): NodeCrypto {
  const host: { process?: { getBuiltinModule?: (name: string) => object | undefined } } = globalThis;
  found ??= host.process?.getBuiltinModule?.("node:crypto") as NodeCrypto | undefined;
  if (found === undefined) {
    throw new RgtpError("CRYPTO_INIT", "this platform has no node:crypto; use the portable engine");
  }
  return found;
}

/** The same bytes as a plain `Uint8Array`; `node:crypto` hands out Buffers, which other code must not see. */
function plain(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  // Small Buffers may share a pool: those are copied. One that fills its memory is nobody else's.
  const { buffer: memory } = buffer;
  return memory instanceof ArrayBuffer && memory.byteLength === buffer.length
    ? new Uint8Array(memory)
    : Uint8Array.from(buffer);
}

/** Gives a Buffer's memory back at once: tens of megabytes of them would wait for the next collection. */
function release({ buffer, byteLength }: Uint8Array): void {
  // One of a pool has neighbours.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

const AEADS: Readonly<Record<AeadName, Aead>> = Object.freeze({
  "chacha20-poly1305": aead("chacha20-poly1305"),
  "aes-256-gcm": aead("aes-256-gcm"),
});

function aead(name: AeadName): Aead {
  const options = { authTagLength: AEAD_TAG_BYTES };
  // Both kinds have the same methods; the types of node:crypto tell them apart by literal name.
  const type = name as "chacha20-poly1305";

  const sealInto = (
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
    out: Uint8Array,
  ): void => {
    expectKeyAndNonce(key, nonce, NONCE_BYTES);
    expectRoom(out, plaintext);
    const cipher = node().createCipheriv(type, key, nonce, options);
    cipher.setAAD(aad, { plaintextLength: plaintext.length });
    const ciphertext = cipher.update(plaintext);
    out.set(ciphertext);
    release(ciphertext);
    cipher.final();
    out.set(cipher.getAuthTag(), plaintext.length);
  };

  const seal = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) => {
    const sealed = new Uint8Array(plaintext.length + AEAD_TAG_BYTES);
    sealInto(key, nonce, aad, plaintext, sealed);
    return sealed;
  };

  /** What `node:crypto` has made of it, if it is authentic. */
  const opened = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array) => {
    expectKeyAndNonce(key, nonce, NONCE_BYTES);
    const length = sealed.length - AEAD_TAG_BYTES;
    if (length < 0) return undefined;
    const decipher = node().createDecipheriv(type, key, nonce, options);
    decipher.setAAD(aad, { plaintextLength: length });
    decipher.setAuthTag(sealed.subarray(length));
    const plaintext = decipher.update(sealed.subarray(0, length));
    try {
      decipher.final();
    } catch {
      release(plaintext);
      return undefined;
    }
    return plaintext;
  };

  const open = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array) => {
    const plaintext = opened(key, nonce, aad, sealed);
    return plaintext && plain(plaintext);
  };

  const openInto = (
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
    out: Uint8Array,
  ): boolean => {
    expectOpenRoom(out, sealed);
    const plaintext = opened(key, nonce, aad, sealed);
    if (!plaintext) return false;
    out.set(plaintext);
    release(plaintext);
    return true;
  };

  return Object.freeze({ name, seal, sealInto, open, openInto });
}

function sha256(): Hash {
  const create = (): Hasher => {
    const hash = node().createHash("sha256");
    const hasher: Hasher = {
      update(bytes) {
        hash.update(bytes);
        return hasher;
      },
      digest: () => Uint8Array.fromHex(hash.digest("hex")),
    };
    return hasher;
  };
  const digest = (...parts: Uint8Array[]) => {
    if (parts.length === 1) return oneShot(parts[0]);
    const hash = node().createHash("sha256");
    for (const part of parts) hash.update(part);
    return Uint8Array.fromHex(hash.digest("hex"));
  };
  return Object.freeze({ name: "sha-256", digest, create });
}

/** By way of hexadecimal: a Buffer costs twice as much as all the rest (Deno 2.9). */
function oneShot(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(node().hash("sha256", bytes, "hex"));
}

function hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hmac = node().createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return Uint8Array.fromHex(hmac.digest("hex"));
}

/**
 * RFC 8410 §4 and §7: what stands in DER before the 32 raw bytes of a public (SPKI) and a private key (PKCS
 * #8), by curve.
 */
const DER = {
  x25519: { spki: "302a300506032b656e032100", pkcs8: "302e020100300506032b656e04220420" },
  ed25519: { spki: "302a300506032b6570032100", pkcs8: "302e020100300506032b657004220420" },
} as const;

type Curve = keyof typeof DER;

type NodeBuffer = import("node:buffer").Buffer;

function der<Type extends "spki" | "pkcs8">(curve: Curve, type: Type, raw: Uint8Array) {
  const key = concatBytes(Uint8Array.fromHex(DER[curve][type]), raw);
  // The types of node:crypto name Buffer; its code takes any Uint8Array.
  return { key: key as NodeBuffer, format: "der" as const, type };
}

function privateKeyObject(curve: Curve, raw: Uint8Array) {
  expectLength("private key", raw, KEY_BYTES);
  return node().createPrivateKey(der(curve, "pkcs8", raw));
}

function publicKeyOf(curve: Curve, privateKey: Uint8Array): Uint8Array<ArrayBuffer> {
  const spki = node().createPublicKey(privateKeyObject(curve, privateKey)).export({
    format: "der",
    type: "spki",
  });
  return Uint8Array.from(spki.subarray(-KEY_BYTES));
}

function x25519(): X25519 {
  const sharedSecret = (privateRaw: Uint8Array, publicRaw: Uint8Array) => {
    const privateKey = privateKeyObject("x25519", privateRaw);
    if (!isUsableX25519Key(publicRaw)) return undefined;
    const publicKey = node().createPublicKey(der("x25519", "spki", publicRaw));
    return plain(node().diffieHellman({ privateKey, publicKey }));
  };
  return Object.freeze({
    publicKey: (privateKey: Uint8Array) => publicKeyOf("x25519", privateKey),
    sharedSecret,
  });
}

function ed25519(): Ed25519 {
  const sign = (seed: Uint8Array, message: Uint8Array) =>
    plain(node().sign(null, message, privateKeyObject("ed25519", seed)));
  const verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => {
    if (!isPlausibleSignature(publicKey, signature)) return false;
    try {
      return node().verify(
        null,
        message,
        node().createPublicKey(der("ed25519", "spki", publicKey)),
        signature,
      );
    } catch {
      // Some platforms throw for a key that is not on the curve.
      return false;
    }
  };
  return Object.freeze({ publicKey: (seed: Uint8Array) => publicKeyOf("ed25519", seed), sign, verify });
}
