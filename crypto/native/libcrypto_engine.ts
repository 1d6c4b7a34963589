import { concatBytes, RgtpError, utf8 } from "../../core/mod.ts";
import { expectKeyAndNonce, expectOpenRoom, expectRoom } from "../_checks.ts";
import { expand } from "../_hkdf.ts";
import {
  type Aead,
  AEAD_TAG_BYTES,
  type AeadName,
  type Engine,
  type Hash,
  HASH_BYTES,
  NONCE_BYTES,
} from "../engine.ts";
import { nativeEngine } from "../native_engine.ts";
import { type Libcrypto, loadLibcrypto } from "./_libcrypto.ts";

/** A library in use is never unloaded, so it is loaded once. */
let loaded: Engine | undefined;

/**
 * The engine that calls OpenSSL 3 (`libcrypto.so.3`) for what there is much of: AEADs, which work in place and make no garbage, SHA-256
 * of bytes that are all there, and HMACs: an exposer makes some for each request, and what `node:crypto` makes for each waits for a
 * collection of garbage that does not see it. The rest comes from the native engine.
 *
 * `undefined` where it is not possible: not Deno on Linux with glibc, no such library, or no permission (`--allow-ffi=/lib,/lib64`), which
 * is never asked for. Like the others it is to be tried out first; {@linkcode defaultEngine} does that.
 */
export function libcryptoEngine(): Engine | undefined {
  return loaded ??= load();
}

function load(): Engine | undefined {
  const library = loadLibcrypto();
  if (!library) return undefined;
  const aeads = {
    "chacha20-poly1305": aead(library, "chacha20-poly1305", "ChaCha20-Poly1305"),
    "aes-256-gcm": aead(library, "aes-256-gcm", "AES-256-GCM"),
  };
  const hmacSha256 = hmac(library);
  return Object.freeze({
    ...nativeEngine,
    name: "libcrypto",
    sha256: sha256(library),
    aead: (name: AeadName): Aead => aeads[name],
    hmacSha256,
    // RFC 5869 §2.2: the salt is the HMAC's key; HMAC pads an empty one to zeros by itself.
    hkdfExtract: (salt: Uint8Array, inputKeyMaterial: Uint8Array) => hmacSha256(salt, inputKeyMaterial),
    hkdfExpand: (pseudorandomKey: Uint8Array, info: Uint8Array, length: number) =>
      expand(hmacSha256, pseudorandomKey, info, length),
  });
}

// openssl/evp.h: EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG.
const GET_TAG = 0x10;
const SET_TAG = 0x11;

const OPEN = 0;
const SEAL = 1;

/** The lengths of OpenSSL are signed 32-bit numbers. */
const UPDATE_BYTES_MAX = 2 ** 30;

function aead(library: Libcrypto, name: AeadName, opensslName: string): Aead {
  // One of each for all messages: a call never waits, so there are never two at once.
  const cipher = library.EVP_CIPHER_fetch(null, cString(opensslName), null);
  const context = library.EVP_CIPHER_CTX_new();
  const written = new Uint8Array(4);
  const nothing = new Uint8Array(AEAD_TAG_BYTES);

  const update = (out: Uint8Array | null, bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; at += UPDATE_BYTES_MAX) {
      const isAll = bytes.length <= UPDATE_BYTES_MAX;
      const part = isAll ? bytes : bytes.subarray(at, at + UPDATE_BYTES_MAX);
      const to = isAll || !out ? out : out.subarray(at);
      expectSuccess(library.EVP_CipherUpdate(context, to, written, part, part.length));
    }
  };

  const begin = (direction: number, key: Uint8Array, nonce: Uint8Array, aad: Uint8Array): void => {
    expectSuccess(library.EVP_CipherInit_ex2(context, cipher, key, nonce, direction, null));
    // Without a place for output they are associated data.
    update(null, aad);
  };

  /** Key and stream are overwritten. */
  const forget = () => void library.EVP_CIPHER_CTX_reset(context);

  const sealInto = (
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
    out: Uint8Array,
  ): void => {
    expectKeyAndNonce(key, nonce, NONCE_BYTES);
    expectRoom(out, plaintext);
    const { length } = plaintext;
    try {
      begin(SEAL, key, nonce, aad);
      update(out, movedInto(out, plaintext));
      expectSuccess(library.EVP_CipherFinal_ex(context, nothing, written));
      const tag = out.subarray(length, length + AEAD_TAG_BYTES);
      expectSuccess(library.EVP_CIPHER_CTX_ctrl(context, GET_TAG, AEAD_TAG_BYTES, tag));
    } finally {
      forget();
    }
  };

  const openInto = (
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
    out: Uint8Array,
  ): boolean => {
    expectKeyAndNonce(key, nonce, NONCE_BYTES);
    expectOpenRoom(out, sealed);
    const length = sealed.length - AEAD_TAG_BYTES;
    if (length < 0) return false;
    try {
      begin(OPEN, key, nonce, aad);
      expectSuccess(library.EVP_CIPHER_CTX_ctrl(context, SET_TAG, AEAD_TAG_BYTES, sealed.subarray(length)));
      update(out, movedInto(out, sealed.subarray(0, length)));
      const isAuthentic = library.EVP_CipherFinal_ex(context, nothing, written) === 1;
      if (!isAuthentic) out.fill(0, 0, length);
      return isAuthentic;
    } finally {
      forget();
    }
  };

  const seal = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) => {
    const sealed = new Uint8Array(plaintext.length + AEAD_TAG_BYTES);
    sealInto(key, nonce, aad, plaintext, sealed);
    return sealed;
  };

  const open = (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array) => {
    const plaintext = new Uint8Array(Math.max(0, sealed.length - AEAD_TAG_BYTES));
    return openInto(key, nonce, aad, sealed, plaintext) ? plaintext : undefined;
  };

  return Object.freeze({ name, seal, sealInto, open, openInto });
}

/** OpenSSL works in place or between places apart; bytes that overlap where they go are moved there first. */
function movedInto(out: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (bytes.buffer !== out.buffer || bytes.byteOffset === out.byteOffset) return bytes;
  out.set(bytes);
  return out.subarray(0, bytes.length);
}

function sha256(library: Libcrypto): Hash {
  const algorithm = fetchSha256(library);
  const context = library.EVP_MD_CTX_new();
  const digest = (...parts: Uint8Array[]) => {
    expectSuccess(library.EVP_DigestInit_ex2(context, algorithm, null));
    for (const part of parts) {
      expectSuccess(library.EVP_DigestUpdate(context, part, BigInt(part.length)));
    }
    const hash = new Uint8Array(HASH_BYTES);
    expectSuccess(library.EVP_DigestFinal_ex(context, hash, null));
    return hash;
  };
  // A hash over bytes that come later needs a context of its own, and somebody who frees it: those stay with node:crypto.
  return Object.freeze({ name: "sha-256", digest, create: nativeEngine.sha256.create });
}

function hmac(library: Libcrypto): Engine["hmacSha256"] {
  const algorithm = fetchSha256(library);
  return (key, ...parts) => {
    // What is authenticated is short: requests, tokens, and what keys are made of.
    const message = parts.length === 1 ? parts[0] : concatBytes(...parts);
    const mac = new Uint8Array(HASH_BYTES);
    const made = library.HMAC(algorithm, key, key.length, message, BigInt(message.length), mac, null);
    expectSuccess(Number(made !== null));
    return mac;
  };
}

function fetchSha256(library: Libcrypto): Deno.PointerValue {
  return library.EVP_MD_fetch(null, cString("SHA256"), null);
}

function cString(text: string): Uint8Array {
  return utf8(`${text}\0`);
}

/** Every argument was checked before: what is left is a library without the algorithm, or without memory. */
function expectSuccess(result: number): void {
  if (result !== 1) {
    throw new RgtpError("INTERNAL", "libcrypto failed; run without --allow-ffi to do without it");
  }
}
