import { expand } from "../_hkdf.ts";
import type { Engine, Hash } from "../engine.ts";
import { portableKem } from "../_portable_kem.ts";
import { loadLibcrypto } from "./_libcrypto.ts";
import { libcryptoChunks } from "./_libcrypto_chunks.ts";
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
  const hmacSha256 = hmac(chunks.sha256);
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

/** Bytes that SHA-256 takes in at once: HMAC pads its key to so many. */
const BLOCK_BYTES = 64;
// RFC 2104 §2.
const [INNER_PAD, OUTER_PAD] = [0x36, 0x5c];

/** RFC 2104, from hashes: OpenSSL's own makes and frees three contexts for each, which takes twice as long as the hashes of a request. */
function hmac({ digest }: Hash): Engine["hmacSha256"] {
  const block = new Uint8Array(BLOCK_BYTES);
  const padded = (key: Uint8Array, pad: number) => {
    block.fill(pad);
    for (let i = 0; i < key.length; i++) block[i] ^= key[i];
    return block;
  };
  return (key, ...parts) => {
    const short = key.length > BLOCK_BYTES ? digest(key) : key;
    const inner = digest(padded(short, INNER_PAD), ...parts);
    const mac = digest(padded(short, OUTER_PAD), inner);
    block.fill(0);
    return mac;
  };
}
