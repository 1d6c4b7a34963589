import { ADDRESS_BYTES } from "./address.ts";
import { bytes, type Layout, layout, u32, u8 } from "./layout.ts";

/*
 * A pull token. To everybody but the exposer that minted it, it is 104 opaque bytes.
 *
 *    0   1  epoch: number of the secret that it is sealed with
 *    1  24  nonce, random
 *   25  63  body, sealed (XChaCha20-Poly1305):
 *              0  32  exposure ID
 *             32   8  ticket ID
 *             40  18  address and port that may use it
 *             58   1  flags
 *             59   4  expiry: seconds on the exposer's monotonic clock
 *   88  16  tag
 */

/** What a token says to the exposer that minted it. */
export interface TokenBody {
  /** Which exposure may be pulled: 32 bytes. */
  readonly exposureId: Uint8Array;
  /** By which ticket, so that it can be revoked: 8 bytes; zeros without one. */
  readonly ticketId: Uint8Array;
  /** Who may use it: the 18 bytes of `addressBytes`. */
  readonly address: Uint8Array;
  /** What else the exposer wants to remember, 0 to 255: which state of its policy has granted it. */
  readonly flags: number;
  /** The exposer's monotonic clock in whole seconds (u32) at which the token ends. */
  readonly expirySeconds: number;
}

/** A token's body before it is sealed. */
export const tokenBodyLayout: Layout<TokenBody> = layout<TokenBody>({
  exposureId: bytes(32),
  ticketId: bytes(8),
  address: bytes(ADDRESS_BYTES),
  flags: u8,
  expirySeconds: u32,
});

/** Bytes of the epoch in front of a token. */
export const TOKEN_EPOCH_BYTES = 1;

/** Bytes of the nonce behind it. */
export const TOKEN_NONCE_BYTES = 24;

/** Bytes of the tag at the end. */
export const TOKEN_TAG_BYTES = 16;

/** Bytes of a whole token. */
export const TOKEN_BYTES: number = TOKEN_EPOCH_BYTES + TOKEN_NONCE_BYTES + tokenBodyLayout.size +
  TOKEN_TAG_BYTES;

/**
 * The 63 bytes of a body.
 *
 * @throws {RangeError} when a field does not fit
 */
export function encodeTokenBody(body: TokenBody): Uint8Array<ArrayBuffer> {
  const encoded = new Uint8Array(tokenBodyLayout.size);
  tokenBodyLayout.write(encoded, 0, body);
  return encoded;
}

/** The body of 63 bytes, in arrays of its own; `undefined` for another length. */
export function decodeTokenBody(encoded: Uint8Array): TokenBody | undefined {
  return encoded.length === tokenBodyLayout.size ? tokenBodyLayout.read(encoded) : undefined;
}
