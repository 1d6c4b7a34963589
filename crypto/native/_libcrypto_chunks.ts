/*
 * What OpenSSL does for chunks: AEADs, which work in place and make no garbage, and SHA-256. A thread that needs no more loads this alone:
 * the whole engine, with the libraries under it, takes it another 9 MB.
 */
import { RgtpError } from "../../core/errors.ts";
import { utf8 } from "../../core/bytes.ts";
import { expectKeyAndNonce, expectOpenRoom, expectRoom } from "../_checks.ts";
import {
  type Aead,
  AEAD_TAG_BYTES,
  type AeadName,
  type ChunkEngine,
  type Hash,
  HASH_BYTES,
  type Hasher,
  NONCE_BYTES,
} from "../engine.ts";
import type { Libcrypto } from "./_libcrypto.ts";

/** See {@linkcode ChunkEngine}. */
export function libcryptoChunks(library: Libcrypto): ChunkEngine {
  const aeads = {
    "chacha20-poly1305": aead(library, "chacha20-poly1305", "ChaCha20-Poly1305"),
    "aes-256-gcm": aead(library, "aes-256-gcm", "AES-256-GCM"),
  };
  return { sha256: sha256(library), aead: (name: AeadName): Aead => aeads[name] };
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
  const tag = new Uint8Array(AEAD_TAG_BYTES);

  /** Of `bytes` the first `length`. Views are made only of what is too long for one call. */
  const update = (out: Uint8Array | null, bytes: Uint8Array, length = bytes.length): void => {
    for (let at = 0; at < length; at += UPDATE_BYTES_MAX) {
      const part = at === 0 ? bytes : bytes.subarray(at);
      const to = at === 0 || !out ? out : out.subarray(at);
      const partBytes = Math.min(UPDATE_BYTES_MAX, length - at);
      expectSuccess(library.EVP_CipherUpdate(context, to, written, part, partBytes));
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
      update(out, movedInto(out, plaintext, length), length);
      expectSuccess(library.EVP_CipherFinal_ex(context, nothing, written));
      expectSuccess(library.EVP_CIPHER_CTX_ctrl(context, GET_TAG, AEAD_TAG_BYTES, tag));
      out.set(tag, length);
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
      update(out, movedInto(out, sealed, length), length);
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

/** OpenSSL works in place or between places apart; bytes that overlap where they go, so many of them, are moved there first. */
function movedInto(out: Uint8Array, bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.buffer !== out.buffer || bytes.byteOffset === out.byteOffset) return bytes;
  out.set(bytes.subarray(0, length));
  return out;
}

function sha256(library: Libcrypto): Hash {
  const algorithm = library.EVP_MD_fetch(null, cString("SHA256"), null);
  const begin = (context: Deno.PointerValue) =>
    expectSuccess(library.EVP_DigestInit_ex2(context, algorithm, null));
  const update = (context: Deno.PointerValue, bytes: Uint8Array) =>
    expectSuccess(library.EVP_DigestUpdate(context, bytes, BigInt(bytes.length)));
  const end = (context: Deno.PointerValue) => {
    const hash = new Uint8Array(HASH_BYTES);
    expectSuccess(library.EVP_DigestFinal_ex(context, hash, null));
    return hash;
  };

  // One for all that is hashed at once.
  const shared = library.EVP_MD_CTX_new();
  const digest = (...parts: Uint8Array[]) => {
    begin(shared);
    for (const part of parts) update(shared, part);
    return end(shared);
  };
  /** Frees the contexts of hashes that were left before their end. */
  const left = new FinalizationRegistry<Deno.PointerValue>((context) => library.EVP_MD_CTX_free(context));
  const create = (): Hasher => {
    const context = library.EVP_MD_CTX_new();
    begin(context);
    const hasher: Hasher = {
      update(bytes) {
        update(context, bytes);
        return hasher;
      },
      digest() {
        const hash = end(context);
        left.unregister(hasher);
        library.EVP_MD_CTX_free(context);
        return hash;
      },
    };
    left.register(hasher, context, hasher);
    return hasher;
  };
  return Object.freeze({ name: "sha-256", digest, create });
}

/** A text as C has it. */
export function cString(text: string): Uint8Array {
  return utf8(`${text}\0`);
}

/** Every argument was checked before: what is left is a library without the algorithm, or without memory. */
export function expectSuccess(result: number): void {
  if (result !== 1) {
    throw new RgtpError("INTERNAL", "libcrypto failed; run without --allow-ffi to do without it");
  }
}
