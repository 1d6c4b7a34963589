import { concatBytes } from "../../core/mod.ts";
import { expand } from "../_hkdf.ts";
import { type Engine, HASH_BYTES } from "../engine.ts";
import { portableKem } from "../_portable_kem.ts";
import { type Libcrypto, loadLibcrypto } from "./_libcrypto.ts";
import { expectSuccess, fetchSha256, libcryptoChunks } from "./_libcrypto_chunks.ts";
import { libcryptoEd25519, libcryptoX25519 } from "./_libcrypto_curves.ts";
import { libcryptoXChacha } from "./_libcrypto_xchacha.ts";

/** A library in use is never unloaded, so it is loaded once. */
let loaded: Engine | undefined;

/**
 * The engine that calls OpenSSL 3 (`libcrypto.so.3`): AEADs, which work in place and make no garbage, SHA-256, curves, and HMACs: an exposer
 * makes some for each request, and what `node:crypto` makes for each waits for a collection of garbage that does not see it. What it lacks
 * is the portable engine's. `node:crypto` is not even loaded, which is a seventh of a small pull's processor time.
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
  const chunks = libcryptoChunks(library);
  const hmacSha256 = hmac(library);
  return Object.freeze({
    ...chunks,
    name: "libcrypto",
    xchacha20Poly1305: libcryptoXChacha(library, chunks.aead("chacha20-poly1305")),
    x25519: libcryptoX25519(library),
    ed25519: libcryptoEd25519(library),
    mlKem768: portableKem,
    hmacSha256,
    // RFC 5869 §2.2: the salt is the HMAC's key; HMAC pads an empty one to zeros by itself.
    hkdfExtract: (salt: Uint8Array, inputKeyMaterial: Uint8Array) => hmacSha256(salt, inputKeyMaterial),
    hkdfExpand: (pseudorandomKey: Uint8Array, info: Uint8Array, length: number) =>
      expand(hmacSha256, pseudorandomKey, info, length),
  });
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
