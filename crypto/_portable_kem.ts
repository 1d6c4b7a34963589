import { ml_kem768 as kem } from "@noble/post-quantum/ml-kem.js";
import { expectLength } from "./_checks.ts";
import { KEM_CIPHERTEXT_BYTES, KEM_SEED_BYTES, KEY_BYTES, type MlKem768 } from "./engine.ts";
import { isUsableKemKey } from "./_kem_keys.ts";

/** ML-KEM-768 in JavaScript, which all engines share: neither `node:crypto` nor OpenSSL before 3.5 has it. */
export const portableKem: MlKem768 = Object.freeze({ keyPair, encapsulate, decapsulate });

function keyPair(seed: Uint8Array): ReturnType<MlKem768["keyPair"]> {
  expectLength("seed", seed, KEM_SEED_BYTES);
  const { publicKey, secretKey } = kem.keygen(seed);
  return { publicKey: plain(publicKey), secretKey: plain(secretKey) };
}

function encapsulate(publicKey: Uint8Array, random: Uint8Array): ReturnType<MlKem768["encapsulate"]> {
  expectLength("randomness", random, KEY_BYTES);
  if (!isUsableKemKey(publicKey)) return undefined;
  const { cipherText, sharedSecret } = kem.encapsulate(publicKey, random);
  return { ciphertext: plain(cipherText), secret: sharedSecret.slice() };
}

function decapsulate(secretKey: Uint8Array, ciphertext: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  return ciphertext.length === KEM_CIPHERTEXT_BYTES
    ? kem.decapsulate(ciphertext, secretKey).slice()
    : undefined;
}

/** noble's results are new arrays over memory of their own; only their types leave it open. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
