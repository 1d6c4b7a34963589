/** The AEADs that an exposure may use; both take 32-byte keys, 12-byte nonces and end in a 16-byte tag. */
export const aeadNames = ["chacha20-poly1305", "aes-256-gcm"] as const;

/** One of {@linkcode aeadNames}. */
export type AeadName = typeof aeadNames[number];

/** Bytes of the tag at the end of everything that an AEAD here seals. */
export const AEAD_TAG_BYTES = 16;

/** Bytes of every symmetric key, private key, public key and seed here. */
export const KEY_BYTES = 32;

/** Bytes of a SHA-256 hash. */
export const HASH_BYTES = 32;

/** Bytes of the nonce of an {@linkcode Aead}. */
export const NONCE_BYTES = 12;

/** Bytes of the nonce of XChaCha20-Poly1305, long enough to be random. */
export const XNONCE_BYTES = 24;

/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64;

/** Bytes of what an ML-KEM-768 key pair is made of: FIPS 203's d and z. */
export const KEM_SEED_BYTES = 64;

/** Bytes of an ML-KEM-768 public (encapsulation) key. */
export const KEM_PUBLIC_KEY_BYTES = 1184;

/** Bytes of an ML-KEM-768 ciphertext. */
export const KEM_CIPHERTEXT_BYTES = 1088;

/** Authenticated encryption of one message at a time (RFC 5116). Inputs are never changed, but where they overlap `out`. */
export interface Aead {
  /** Which AEAD this is. */
  readonly name: AeadName;

  /**
   * The ciphertext of `plaintext` and the 16-byte tag in one new array.
   * The same key and nonce must never seal two different messages.
   *
   * @throws {RangeError} when the key is not 32 or the nonce not 12 bytes
   */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array<ArrayBuffer>;

  /**
   * {@linkcode Aead.seal} into the first `plaintext.length + 16` bytes of `out`, which may be larger and may
   * overlap `plaintext`. For the hot path: no array of the size of the result is made beyond what the
   * platform needs.
   *
   * @throws {RangeError} when `out` is too small, the key not 32 or the nonce not 12 bytes
   */
  sealInto(
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
    out: Uint8Array,
  ): void;

  /**
   * The plaintext, or `undefined` when `sealed` is not authentic: another key, nonce or aad, damage, or too
   * short.
   *
   * @throws {RangeError} when the key is not 32 or the nonce not 12 bytes
   */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array<ArrayBuffer> | undefined;

  /**
   * {@linkcode Aead.open} into the first `sealed.length - 16` bytes of `out`, which may be larger and may overlap
   * `sealed`. False when `sealed` is not authentic: then those bytes may have changed, but hold no plaintext.
   *
   * @throws {RangeError} when `out` is too small, the key not 32 or the nonce not 12 bytes
   */
  openInto(
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
    out: Uint8Array,
  ): boolean;
}

/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): like {@linkcode Aead}, with 24-byte nonces that may be
 * random. For small messages.
 */
export interface XAead {
  /**
   * The ciphertext of `plaintext` and the 16-byte tag in one new array.
   *
   * @throws {RangeError} when the key is not 32 or the nonce not 24 bytes
   */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array<ArrayBuffer>;

  /**
   * The plaintext, or `undefined` when `sealed` is not authentic.
   *
   * @throws {RangeError} when the key is not 32 or the nonce not 24 bytes
   */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array<ArrayBuffer> | undefined;
}

/** A hash over bytes that come in pieces. It can be used once. */
export interface Hasher {
  /** Takes in more bytes; returns itself. */
  update(bytes: Uint8Array): Hasher;
  /** The hash of everything taken in. Neither method may be called afterwards. */
  digest(): Uint8Array<ArrayBuffer>;
}

/** SHA-256 (FIPS 180-4). */
export interface Hash {
  /** Which hash this is. */
  readonly name: "sha-256";
  /** The 32-byte hash of all parts after each other. */
  digest(...parts: Uint8Array[]): Uint8Array<ArrayBuffer>;
  /** A hash over bytes that come later. */
  create(): Hasher;
}

/** Diffie-Hellman over Curve25519 (RFC 7748), strict about public keys. */
export interface X25519 {
  /**
   * The public key of a private one, which may be any 32 bytes: it is clamped.
   *
   * @throws {RangeError} when the key is not 32 bytes
   */
  publicKey(privateKey: Uint8Array): Uint8Array<ArrayBuffer>;

  /**
   * The 32-byte shared secret; `undefined` when `publicKey` is not 32 bytes, not the canonical encoding of
   * its point, or of low order (then the secret would be zero whoever computes it).
   *
   * @throws {RangeError} when the private key is not 32 bytes
   */
  sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array<ArrayBuffer> | undefined;

  /**
   * A private key of which several results are wanted, where to take it in is work that need not be done for each. Absent: it is none.
   *
   * @throws {RangeError} when the key is not 32 bytes
   */
  open?(privateKey: Uint8Array): X25519Key;
}

/** A private key that was taken in. Its end overwrites what an engine has made of it. */
export interface X25519Key extends Disposable {
  /** See {@linkcode X25519.publicKey}. */
  publicKey(): Uint8Array<ArrayBuffer>;

  /** See {@linkcode X25519.sharedSecret}. */
  sharedSecret(publicKey: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
}

/** Signatures over Curve25519 (RFC 8032, pure Ed25519). */
export interface Ed25519 {
  /**
   * The public key of a 32-byte seed.
   *
   * @throws {RangeError} when the seed is not 32 bytes
   */
  publicKey(seed: Uint8Array): Uint8Array<ArrayBuffer>;

  /**
   * The 64-byte signature; the same for the same seed and message.
   *
   * @throws {RangeError} when the seed is not 32 bytes
   */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer>;

  /**
   * Whether the signature is right. All engines agree on every input: the check is the one without cofactor,
   * and public keys that are not canonical or of small order are refused.
   */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** What an ML-KEM encapsulation gives: 1,088 bytes for the other side, 32 that both then have. */
export interface Encapsulated {
  /** To be sent. */
  readonly ciphertext: Uint8Array<ArrayBuffer>;
  /** The shared secret. */
  readonly secret: Uint8Array<ArrayBuffer>;
}

/** Agreement on a secret that a quantum computer does not find either: ML-KEM-768 (FIPS 203). */
export interface MlKem768 {
  /**
   * The key pair of a seed. The secret key is to be used here alone, and may be of any form.
   *
   * @throws {RangeError} when the seed is not 64 bytes
   */
  keyPair(seed: Uint8Array): { publicKey: Uint8Array<ArrayBuffer>; secretKey: Uint8Array<ArrayBuffer> };

  /**
   * A secret for whoever has the key, made of 32 random bytes; `undefined` when `publicKey` is not 1,184 bytes or fails the
   * modulus check (FIPS 203 §7.2).
   *
   * @throws {RangeError} when the random bytes are not 32
   */
  encapsulate(publicKey: Uint8Array, random: Uint8Array): Encapsulated | undefined;

  /**
   * The 32-byte secret of a ciphertext; `undefined` when that is not 1,088 bytes. One that was changed gives another secret, not
   * an error (FIPS 203 §6.3).
   */
  decapsulate(secretKey: Uint8Array, ciphertext: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
}

/**
 * All cryptography that the protocol needs, synchronous, from one platform. Every engine gives the same
 * bytes; they differ in speed. Results are plain `Uint8Array`s that nobody else holds.
 */
export interface Engine {
  /** `"libcrypto"` (OpenSSL, called directly), `"native"` (node:crypto) or `"portable"` (JavaScript alone). */
  readonly name: string;

  /** SHA-256. */
  readonly sha256: Hash;

  /** XChaCha20-Poly1305, for cookies and tokens. */
  readonly xchacha20Poly1305: XAead;

  /** X25519. */
  readonly x25519: X25519;

  /** Ed25519. */
  readonly ed25519: Ed25519;

  /** ML-KEM-768. */
  readonly mlKem768: MlKem768;

  /** One of the AEADs. */
  aead(name: AeadName): Aead;

  /** HMAC-SHA-256 (RFC 2104) of all parts after each other: 32 bytes. The key may have any length. */
  hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array<ArrayBuffer>;

  /** RFC 5869 §2.2: a 32-byte pseudorandom key. An empty salt stands for 32 zero bytes. */
  hkdfExtract(salt: Uint8Array, inputKeyMaterial: Uint8Array): Uint8Array<ArrayBuffer>;

  /**
   * RFC 5869 §2.3: `length` bytes of key material.
   *
   * @throws {RangeError} when `length` is not an integer from 0 to 8160
   */
  hkdfExpand(pseudorandomKey: Uint8Array, info: Uint8Array, length: number): Uint8Array<ArrayBuffer>;
}

/** What sealing, opening and hashing chunks needs of an engine. */
export type ChunkEngine = Pick<Engine, "sha256" | "aead">;
