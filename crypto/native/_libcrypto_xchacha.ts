/*
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) of what OpenSSL has: ChaCha20 and ChaCha20-Poly1305.
 */
import { concatBytes } from "../../core/bytes.ts";
import { expectKeyAndNonce } from "../_checks.ts";
import { type Aead, NONCE_BYTES, type XAead, XNONCE_BYTES } from "../engine.ts";
import type { Libcrypto } from "./_libcrypto.ts";
import { cString, expectSuccess } from "./_libcrypto_chunks.ts";

const BLOCK = new Uint8Array(64);
/** "expand 32-byte k" (RFC 8439 §2.3). */
const CONSTANTS = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);
/** Of the nonce: what makes the key, and what is left for the message. */
const KEY_NONCE_BYTES = 16;

/** See {@linkcode XAead}; `chacha` is the library's. */
export function libcryptoXChacha(library: Libcrypto, chacha: Aead): XAead {
  const cipher = library.EVP_CIPHER_fetch(null, cString("ChaCha20"), null);
  const context = library.EVP_CIPHER_CTX_new();
  const written = new Uint8Array(4);

  /**
   * HChaCha20 (§2.2): of the block's 16 words the first and the last four, before the state that it began with is added. OpenSSL's nonce is
   * the counter and the nonce: all of those last four.
   */
  const hchacha = (key: Uint8Array, nonce: Uint8Array): Uint8Array => {
    const block = new Uint8Array(BLOCK.length);
    try {
      expectSuccess(library.EVP_CipherInit_ex2(context, cipher, key, nonce, 1, null));
      expectSuccess(library.EVP_CipherUpdate(context, block, written, BLOCK, BLOCK.length));
    } finally {
      library.EVP_CIPHER_CTX_reset(context);
    }
    const view = new DataView(block.buffer);
    const given = new DataView(nonce.buffer, nonce.byteOffset);
    for (let i = 0; i < 4; i++) {
      view.setUint32(4 * i, view.getUint32(4 * i, true) - CONSTANTS[i], true);
      view.setUint32(16 + 4 * i, view.getUint32(48 + 4 * i, true) - given.getUint32(4 * i, true), true);
    }
    return block.subarray(0, 32);
  };

  const part = (key: Uint8Array, nonce: Uint8Array): [key: Uint8Array, nonce: Uint8Array] => {
    expectKeyAndNonce(key, nonce, XNONCE_BYTES);
    const rest = nonce.subarray(KEY_NONCE_BYTES);
    const padding = new Uint8Array(NONCE_BYTES - rest.length);
    return [hchacha(key, nonce.subarray(0, KEY_NONCE_BYTES)), concatBytes(padding, rest)];
  };

  return Object.freeze({
    seal: (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) =>
      chacha.seal(...part(key, nonce), aad, plaintext),
    open: (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array) =>
      chacha.open(...part(key, nonce), aad, sealed),
  });
}
