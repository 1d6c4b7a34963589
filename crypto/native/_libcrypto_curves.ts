/*
 * What OpenSSL does for handshakes and signatures: X25519 and Ed25519, with keys as the 32 bytes that they are. `node:crypto` does the same,
 * but takes a process longer to load than a handshake takes.
 */
import { expectLength } from "../_checks.ts";
import { isPlausibleSignature, isUsableX25519Key } from "../points.ts";
import { type Ed25519, KEY_BYTES, SIGNATURE_BYTES, type X25519, type X25519Key } from "../engine.ts";
import type { Libcrypto } from "./_libcrypto.ts";
import { expectSuccess } from "./_libcrypto_chunks.ts";

// openssl/obj_mac.h: NID_X25519 and NID_ED25519.
const CURVES = { x25519: 1034, ed25519: 1087 } as const;

type Curve = keyof typeof CURVES;

/** Something of the library's, for one call. */
interface Held extends Disposable {
  readonly pointer: Deno.PointerValue;
}

/** See {@linkcode X25519}. */
export function libcryptoX25519(library: Libcrypto): X25519 {
  const keys = rawKeys(library, "x25519");
  const derive = (own: Held, publicRaw: Uint8Array) => {
    if (!isUsableX25519Key(publicRaw)) return undefined;
    using theirs = keys.ofPublic(publicRaw);
    using context = held(library.EVP_PKEY_CTX_new(own.pointer, null), library.EVP_PKEY_CTX_free);
    expectSuccess(library.EVP_PKEY_derive_init(context.pointer));
    expectSuccess(library.EVP_PKEY_derive_set_peer(context.pointer, theirs.pointer));
    const secret = new Uint8Array(KEY_BYTES);
    expectSuccess(library.EVP_PKEY_derive(context.pointer, secret, lengthOf(secret)));
    return secret;
  };
  const sharedSecret = (privateRaw: Uint8Array, publicRaw: Uint8Array) => {
    using own = keys.ofPrivate("private key", privateRaw);
    return derive(own, publicRaw);
  };
  // The library makes the public key of each private one that it is given: nearly as much work as a Diffie-Hellman.
  const open = (privateRaw: Uint8Array): X25519Key => {
    const own = keys.ofPrivate("private key", privateRaw);
    return {
      publicKey: () => keys.publicFrom(own),
      sharedSecret: (publicRaw) => derive(own, publicRaw),
      [Symbol.dispose]: () => own[Symbol.dispose](),
    };
  };
  return Object.freeze({
    publicKey: (privateRaw: Uint8Array) => keys.publicOf("private key", privateRaw),
    sharedSecret,
    open,
  });
}

/** See {@linkcode Ed25519}. */
export function libcryptoEd25519(library: Libcrypto): Ed25519 {
  const keys = rawKeys(library, "ed25519");
  const newContext = () => held(library.EVP_MD_CTX_new(), library.EVP_MD_CTX_free);
  const sign = (seed: Uint8Array, message: Uint8Array) => {
    using key = keys.ofPrivate("seed", seed);
    using context = newContext();
    expectSuccess(library.EVP_DigestSignInit(context.pointer, null, null, null, key.pointer));
    const signature = new Uint8Array(SIGNATURE_BYTES);
    const { length } = message;
    expectSuccess(
      library.EVP_DigestSign(context.pointer, signature, lengthOf(signature), message, BigInt(length)),
    );
    return signature;
  };
  const verify = (publicRaw: Uint8Array, message: Uint8Array, signature: Uint8Array) => {
    if (!isPlausibleSignature(publicRaw, signature)) return false;
    using key = keys.ofPublic(publicRaw);
    using context = newContext();
    expectSuccess(library.EVP_DigestVerifyInit(context.pointer, null, null, null, key.pointer));
    const [size, length] = [signature, message].map((bytes) => BigInt(bytes.length));
    // Less than 0 when the key is not on the curve.
    return library.EVP_DigestVerify(context.pointer, signature, size, message, length) === 1;
  };
  return Object.freeze({ publicKey: (seed: Uint8Array) => keys.publicOf("seed", seed), sign, verify });
}

/** Keys of a curve from their bytes. Where the library frees one, it overwrites it. */
function rawKeys(library: Libcrypto, curve: Curve) {
  const size = BigInt(KEY_BYTES);
  const ofPrivate = (what: string, raw: Uint8Array): Held => {
    expectLength(what, raw, KEY_BYTES);
    return held(library.EVP_PKEY_new_raw_private_key(CURVES[curve], null, raw, size), library.EVP_PKEY_free);
  };
  const ofPublic = (raw: Uint8Array): Held =>
    held(library.EVP_PKEY_new_raw_public_key(CURVES[curve], null, raw, size), library.EVP_PKEY_free);
  const publicFrom = (key: Held) => {
    const raw = new Uint8Array(KEY_BYTES);
    expectSuccess(library.EVP_PKEY_get_raw_public_key(key.pointer, raw, lengthOf(raw)));
    return raw;
  };
  const publicOf = (what: string, privateRaw: Uint8Array) => {
    using key = ofPrivate(what, privateRaw);
    return publicFrom(key);
  };
  return { ofPrivate, ofPublic, publicFrom, publicOf };
}

function held(pointer: Deno.PointerValue, free: (pointer: Deno.PointerValue) => void): Held {
  expectSuccess(Number(pointer !== null));
  return { pointer, [Symbol.dispose]: () => free(pointer) };
}

/** A `size_t` that says how much room there is, and that the library writes to. */
function lengthOf(room: Uint8Array): BigUint64Array<ArrayBuffer> {
  return BigUint64Array.of(BigInt(room.length));
}
