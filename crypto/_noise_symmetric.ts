import { concatBytes, utf8 } from "../core/mod.ts";
import { expectLength } from "./_checks.ts";
import { type Engine, HASH_BYTES, KEY_BYTES } from "./engine.ts";

/** Noise §3: no message is longer. */
export const NOISE_MESSAGE_BYTES_MAX = 65535;

const NO_BYTES = new Uint8Array(0);

/** Encrypts the messages of one direction in their order (Noise §5.1). Never more than 2^53 of them. */
export class CipherState {
  readonly #engine: Engine;
  readonly #key: Uint8Array;
  #n: number;

  /**
   * A cipher whose next message has the number `n`.
   *
   * @throws {RangeError} when the key is not 32 bytes
   */
  constructor(engine: Engine, key: Uint8Array, n = 0) {
    expectLength("key", key, KEY_BYTES);
    this.#engine = engine;
    this.#key = Uint8Array.from(key);
    this.#n = n;
  }

  /** The number of the next message. */
  get n(): number {
    return this.#n;
  }

  /** A copy of the 32-byte key. */
  get key(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#key);
  }

  /** A cipher in the same state that goes its own way. Never encrypt with both. */
  clone(): CipherState {
    return new CipherState(this.#engine, this.#key, this.#n);
  }

  /** Noise §5.1 EncryptWithAd: ciphertext and tag. */
  encrypt(associatedData: Uint8Array, plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
    const aead = this.#engine.aead("chacha20-poly1305");
    const sealed = aead.seal(this.#key, this.#nonce(), associatedData, plaintext);
    this.#n++;
    return sealed;
  }

  /**
   * Noise §5.1 DecryptWithAd: the plaintext; `undefined` when it is not authentic, and then the number does
   * not move.
   */
  decrypt(associatedData: Uint8Array, sealed: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const aead = this.#engine.aead("chacha20-poly1305");
    const plaintext = aead.open(this.#key, this.#nonce(), associatedData, sealed);
    if (plaintext !== undefined) this.#n++;
    return plaintext;
  }

  // Noise §12.3: 32 bits of zeros and n as 64 bits, little-endian.
  #nonce(): Uint8Array {
    if (this.#n >= Number.MAX_SAFE_INTEGER) throw new RangeError("this cipher has no message numbers left");
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setBigUint64(4, BigInt(this.#n), true);
    return nonce;
  }
}

/** What a handshake has mixed together so far (Noise §5.2). */
export class SymmetricState {
  readonly #engine: Engine;
  /** Chaining key. */
  ck: Uint8Array;
  /** Hash of everything sent and received. */
  h: Uint8Array;
  /** `undefined` until the first key is mixed in. */
  cipher: CipherState | undefined;

  /** A state of known parts, which are not copied. */
  constructor(engine: Engine, ck: Uint8Array, h: Uint8Array, cipher: CipherState | undefined) {
    this.#engine = engine;
    this.ck = ck;
    this.h = h;
    this.cipher = cipher;
  }

  // Noise §5.2 InitializeSymmetric: a name of up to 32 bytes is padded with zeros, a longer one hashed.
  static initialize(engine: Engine, protocolName: string): SymmetricState {
    const name = utf8(protocolName);
    const h = name.length <= HASH_BYTES
      ? concatBytes(name, new Uint8Array(HASH_BYTES - name.length))
      : engine.sha256.digest(name);
    return new SymmetricState(engine, h, h, undefined);
  }

  clone(): SymmetricState {
    return new SymmetricState(this.#engine, this.ck, this.h, this.cipher?.clone());
  }

  // Noise §5.2 MixHash.
  mixHash(data: Uint8Array): void {
    this.h = this.#engine.sha256.digest(this.h, data);
  }

  // Noise §5.2 MixKey.
  mixKey(inputKeyMaterial: Uint8Array): void {
    const [ck, key] = this.#hkdf(inputKeyMaterial, 2);
    this.ck = ck;
    this.cipher = new CipherState(this.#engine, key);
  }

  // Noise §5.2 MixKeyAndHash, for psks.
  mixKeyAndHash(inputKeyMaterial: Uint8Array): void {
    const [ck, hashed, key] = this.#hkdf(inputKeyMaterial, 3);
    this.ck = ck;
    this.mixHash(hashed);
    this.cipher = new CipherState(this.#engine, key);
  }

  // Noise §5.2 EncryptAndHash: in clear as long as there is no key.
  encryptAndHash(plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
    const sealed = this.cipher?.encrypt(this.h, plaintext) ?? Uint8Array.from(plaintext);
    this.mixHash(sealed);
    return sealed;
  }

  // Noise §5.2 DecryptAndHash.
  decryptAndHash(sealed: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const plaintext = this.cipher ? this.cipher.decrypt(this.h, sealed) : Uint8Array.from(sealed);
    if (plaintext !== undefined) this.mixHash(sealed);
    return plaintext;
  }

  // Noise §5.2 Split.
  split(): [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] {
    const [initiatorKey, responderKey] = this.#hkdf(NO_BYTES, 2);
    return [initiatorKey, responderKey];
  }

  // Noise §4.3 HKDF is that of RFC 5869 with the chaining key as salt and no info.
  #hkdf(inputKeyMaterial: Uint8Array, outputs: number): Uint8Array<ArrayBuffer>[] {
    const temporary = this.#engine.hkdfExtract(this.ck, inputKeyMaterial);
    const all = this.#engine.hkdfExpand(temporary, NO_BYTES, outputs * HASH_BYTES);
    return Array.from({ length: outputs }, (_, i) => all.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES));
  }
}
