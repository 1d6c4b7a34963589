import { concatBytes, equalBytes, utf8 } from "../core/bytes.ts";
import type { ChunkEngine } from "./engine.ts";

const hex = Uint8Array.fromHex.bind(Uint8Array);

/** Whether an engine gives the published answers for what chunks need of it, and refuses what was changed. */
export const CHUNK_ANSWERS: readonly ((engine: ChunkEngine) => boolean)[] = [
  // FIPS 180-4, example "abc".
  ({ sha256 }) =>
    equalBytes(
      sha256.digest(utf8("abc")),
      hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ),

  // RFC 8439 §2.8.2: the tag depends on every byte of the ciphertext.
  (engine) => {
    const aead = engine.aead("chacha20-poly1305");
    const [key, nonce] = [CHACHA_KEY, hex("070000004041424344454647")];
    const sealed = aead.seal(key, nonce, AAD, SUNSCREEN);
    if (!equalBytes(sealed.subarray(-16), hex("1ae10b594f09e26a7e902ecbd0600691"))) return false;
    const inPlace = concatBytes(SUNSCREEN, new Uint8Array(16));
    aead.sealInto(key, nonce, AAD, inPlace.subarray(0, SUNSCREEN.length), inPlace);
    if (!equalBytes(inPlace, sealed) || !aead.openInto(key, nonce, AAD, inPlace, inPlace)) return false;
    const opened = aead.open(key, nonce, AAD, sealed);
    sealed[0] ^= 1;
    return opened !== undefined && equalBytes(opened, SUNSCREEN) &&
      equalBytes(inPlace.subarray(0, SUNSCREEN.length), SUNSCREEN) &&
      aead.open(key, nonce, AAD, sealed) === undefined && !aead.openInto(key, nonce, AAD, sealed, sealed);
  },

  // GCM specification (McGrew and Viega), test case 14: AES-256, one block of zeros.
  (engine) => {
    const aead = engine.aead("aes-256-gcm");
    const [key, nonce, block] = [new Uint8Array(32), new Uint8Array(12), new Uint8Array(16)];
    const sealed = hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    return equalBytes(aead.seal(key, nonce, utf8(""), block), sealed) &&
      aead.open(key, nonce, utf8("x"), sealed) === undefined;
  },
];

// Shared by RFC 8439 §2.8.2 and draft-irtf-cfrg-xchacha-03 §A.3.1.
export const CHACHA_KEY = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
export const AAD = hex("50515253c0c1c2c3c4c5c6c7");
export const SUNSCREEN = utf8(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
);
