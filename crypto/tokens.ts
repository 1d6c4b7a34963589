import { MAC_BYTES } from "../codec/packet.ts";
import {
  decodeTokenBody,
  encodeTokenBody,
  TOKEN_BYTES,
  TOKEN_EPOCH_BYTES,
  TOKEN_NONCE_BYTES,
  type TokenBody,
} from "../codec/token.ts";
import { concatBytes, equalBytes, limits, type Random, utf8 } from "../core/mod.ts";
import { RotatingKeys } from "./_rotating_keys.ts";
import type { Engine } from "./engine.ts";

export { TOKEN_BYTES, type TokenBody } from "../codec/token.ts";

/** What a token is minted for; its expiry is the mint's matter. */
export type TokenGrant = Omit<TokenBody, "expirySeconds">;

/** A receipt's time is known to this. */
const RECEIPT_BUCKET_MS = 2000;

// A bucket's receipts are between 0 and one bucket's time older than its start: with three buckets none is
// older than 6 s.
const RECEIPT_BUCKETS = limits.receiptAgeMsMax / RECEIPT_BUCKET_MS;

const TOKEN = utf8("rgtp2 token");
const PULL_KEY = utf8("rgtp2 pull key");
const RECEIPT = utf8("rgtp2 receipt");

/**
 * Makes and reads the tokens that let an exposer serve pullers without memory of them. Secrets live in memory
 * only, are replaced at half of `limits.tokenLifeMsMax` and overwritten at the whole of it; a token ends with
 * its secret, so it lives for half to all of that time.
 *
 * Times are milliseconds on the exposer's own monotonic clock, from 0 to 2^32 seconds.
 */
export class TokenMint {
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #secrets: RotatingKeys;

  /**
   * A mint whose tokens nobody else can read, not even the next mint of this program. Its first secret is
   * born at `now`.
   */
  constructor(engine: Engine, random: Random, now: number) {
    this.#engine = engine;
    this.#random = random;
    this.#secrets = new RotatingKeys(random, limits.tokenLifeMsMax / 2, limits.tokenLifeMsMax);
    this.#secrets.current(now);
  }

  /**
   * A new token of {@linkcode TOKEN_BYTES} bytes.
   *
   * @throws {RangeError} when a field of `grant` does not fit
   */
  mint(now: number, grant: TokenGrant): Uint8Array<ArrayBuffer> {
    const secret = this.#secrets.current(now);
    const expirySeconds = Math.floor((secret.bornAt + limits.tokenLifeMsMax) / 1000);
    const nonce = this.#random(TOKEN_NONCE_BYTES);
    const body = encodeTokenBody({ ...grant, expirySeconds });
    const sealed = this.#engine.xchacha20Poly1305.seal(secret.bytes, nonce, TOKEN, body);
    return concatBytes(Uint8Array.of(secret.number), nonce, sealed);
  }

  /** What the token says; `undefined` when it was not minted here, is for another address than that given (if any), or has ended. */
  open(now: number, token: Uint8Array, addressBytes?: Uint8Array): TokenBody | undefined {
    this.#secrets.expire(now);
    const secret = this.#secretOf(token);
    if (secret === undefined) return undefined;
    const nonce = token.subarray(TOKEN_EPOCH_BYTES, TOKEN_EPOCH_BYTES + TOKEN_NONCE_BYTES);
    const sealed = token.subarray(TOKEN_EPOCH_BYTES + TOKEN_NONCE_BYTES);
    const plaintext = this.#engine.xchacha20Poly1305.open(secret, nonce, TOKEN, sealed);
    const body = plaintext && decodeTokenBody(plaintext);
    if (body === undefined || (addressBytes && !equalBytes(body.address, addressBytes))) return undefined;
    return now < body.expirySeconds * 1000 ? body : undefined;
  }

  /**
   * The 32-byte key of the MACs on control packets of that token: HMAC(token secret, "rgtp2 pull key" ||
   * token). `undefined` when its secret is not known (any more). It does not check the token: that is
   * {@linkcode TokenMint.open}'s.
   */
  pullKey(token: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const secret = this.#secretOf(token);
    return secret && this.#engine.hmacSha256(secret, PULL_KEY, token);
  }

  /**
   * The receipt (u32) to stamp into data now sent for that token: whoever can repeat it has received. 0 when
   * the token's secret is not known (any more), which no check accepts.
   */
  receipt(now: number, token: Uint8Array): number {
    this.#secrets.expire(now);
    const secret = this.#secretOf(token);
    return secret === undefined ? 0 : this.#receiptOf(secret, token, bucketOf(now));
  }

  /**
   * Whether the receipt was made for that token at most `limits.receiptAgeMsMax` ago; certain up to 2 s
   * before that.
   */
  receiptIsFresh(now: number, token: Uint8Array, receipt: number): boolean {
    this.#secrets.expire(now);
    const secret = this.#secretOf(token);
    if (secret === undefined) return false;
    const newest = bucketOf(now);
    for (let bucket = newest; bucket > newest - RECEIPT_BUCKETS && bucket >= 0; bucket--) {
      if (this.#receiptOf(secret, token, bucket) === receipt) return true;
    }
    return false;
  }

  /**
   * Overwrites secrets whose life is over. The other methods that take the time do it too; an exposer that is
   * idle calls this.
   */
  expire(now: number): void {
    this.#secrets.expire(now);
  }

  #secretOf(token: Uint8Array): Uint8Array | undefined {
    return token.length === TOKEN_BYTES ? this.#secrets.find(token[0])?.bytes : undefined;
  }

  #receiptOf(secret: Uint8Array, token: Uint8Array, bucket: number): number {
    const bucketBytes = new Uint8Array(4);
    new DataView(bucketBytes.buffer).setUint32(0, bucket);
    const mac = this.#engine.hmacSha256(secret, RECEIPT, token, bucketBytes);
    // Never 0: that stands for "none".
    return new DataView(mac.buffer).getUint32(0) || 1;
  }
}

function bucketOf(now: number): number {
  return Math.floor(now / RECEIPT_BUCKET_MS);
}

/**
 * The MAC of a control packet, over all bytes in front of it: the first 8 of HMAC-SHA-256 under the pull key.
 */
export function packetMac(
  engine: Engine,
  pullKey: Uint8Array,
  packetWithoutMac: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return engine.hmacSha256(pullKey, packetWithoutMac).slice(0, MAC_BYTES);
}

/** Whether a control packet, MAC included, ends in the right one. */
export function packetMacIsRight(engine: Engine, pullKey: Uint8Array, packet: Uint8Array): boolean {
  const end = packet.length - MAC_BYTES;
  return end >= 0 && equalBytes(packetMac(engine, pullKey, packet.subarray(0, end)), packet.subarray(end));
}

/** Makes the MACs of questions and answers about shared memory. They need the exposure's key too: a grant without it opens no door to plaintext. */
export function shareMac(
  engine: Engine,
  pullKey: Uint8Array,
  exposureKey: Uint8Array,
): (covered: Uint8Array) => Uint8Array {
  return (covered) => packetMac(engine, pullKey, concatBytes(covered, exposureKey));
}
