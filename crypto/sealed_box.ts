import { RETRY_COOKIE_BYTES } from "../codec/handshake.ts";
import { concatBytes, equalBytes, limits, type Random, utf8 } from "../core/mod.ts";
import { RotatingKeys } from "./_rotating_keys.ts";
import { AEAD_TAG_BYTES, type Engine, KEY_BYTES, XNONCE_BYTES } from "./engine.ts";

const NUMBER_BYTES = 1;

/** How much longer a box is than its plaintext: key number, nonce, tag. */
export const COOKIE_SEAL_BYTES: number = NUMBER_BYTES + XNONCE_BYTES + AEAD_TAG_BYTES;

/**
 * Hands state to the other side for safekeeping, so that this side keeps none: number of the key (1 byte),
 * random nonce (24 bytes), XChaCha20-Poly1305. Keys live in memory only, rotate after
 * `limits.cookieKeyRotateMs` and are overwritten after `limits.cookieKeyLifeMs`; a box can be opened for the
 * difference at least. The same box opens any number of times.
 */
export class CookieJar {
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #keys: RotatingKeys;

  /** A jar whose boxes nobody else can open, not even the next jar of this program. */
  constructor(engine: Engine, random: Random) {
    this.#engine = engine;
    this.#random = random;
    this.#keys = new RotatingKeys(random, limits.cookieKeyRotateMs, limits.cookieKeyLifeMs);
  }

  /**
   * A box of `plaintext.length + COOKIE_SEAL_BYTES` bytes. `aad` says whose it is, e.g. address and version.
   */
  seal(now: number, aad: Uint8Array, plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
    const key = this.#keys.current(now);
    const nonce = this.#random(XNONCE_BYTES);
    const sealed = this.#engine.xchacha20Poly1305.seal(key.bytes, nonce, aad, plaintext);
    return concatBytes(Uint8Array.of(key.number), nonce, sealed);
  }

  /** What was sealed; `undefined` when it was not sealed here with that `aad`, or too long ago. */
  open(now: number, aad: Uint8Array, box: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    this.#keys.expire(now);
    const key = this.#keys.find(box[0]);
    if (key === undefined || box.length < COOKIE_SEAL_BYTES) return undefined;
    const nonce = box.subarray(NUMBER_BYTES, NUMBER_BYTES + XNONCE_BYTES);
    return this.#engine.xchacha20Poly1305.open(
      key.bytes,
      nonce,
      aad,
      box.subarray(NUMBER_BYTES + XNONCE_BYTES),
    );
  }

  /** Overwrites keys whose life is over. `seal` and `open` do it too; an exposer that is idle calls this. */
  expire(now: number): void {
    this.#keys.expire(now);
  }
}

/**
 * Proves that an address receives what is sent to it, without memory of it and before any Diffie-Hellman: 16
 * bytes of HMAC-SHA-256 over the epoch (`limits.retryEpochMs`) and the address. A cookie is good for one to
 * two epochs.
 */
export class RetryCookies {
  readonly #engine: Engine;
  readonly #key: Uint8Array;

  /** Cookies under a key that nobody else has. */
  constructor(engine: Engine, random: Random) {
    this.#engine = engine;
    this.#key = Uint8Array.from(random(KEY_BYTES));
  }

  /** The cookie for an address (`addressBytes` of the codec) at this time. */
  mint(now: number, addressBytes: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.#cookie(epochOf(now), addressBytes);
  }

  /** Whether the cookie was minted for that address in this epoch or the one before. */
  check(now: number, addressBytes: Uint8Array, cookie: Uint8Array): boolean {
    if (cookie.length !== RETRY_COOKIE_BYTES) return false;
    const epoch = epochOf(now);
    return equalBytes(this.#cookie(epoch, addressBytes), cookie) ||
      equalBytes(this.#cookie(epoch - 1, addressBytes), cookie);
  }

  #cookie(epoch: number, addressBytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const epochBytes = new Uint8Array(8);
    new DataView(epochBytes.buffer).setBigInt64(0, BigInt(epoch));
    return this.#engine.hmacSha256(this.#key, RETRY, epochBytes, addressBytes).slice(0, RETRY_COOKIE_BYTES);
  }
}

const RETRY: Uint8Array = utf8("rgtp2 retry");

function epochOf(now: number): number {
  return Math.floor(now / limits.retryEpochMs);
}
