/*
 * What the two sides say to each other about a passphrase, inside the handshake's encryption.
 *
 *   ask (puller: in place of another ask)         challenge (exposer: sealed, in place of a grant)
 *    0   1  kind: 3 = by passphrase               0    1  status: 255
 *    1  32  share                                 1   32  share
 *   33   -  what is asked for: ID, name, list     33    -  state cookie, for PASS_PROOF
 */
import { concatBytes } from "../core/bytes.ts";
import { AskKind, decodeAsk, encodeAsk } from "./grant.ts";
import type { Ask } from "./grant.ts";
import { bytes, layout, u8 } from "./layout.ts";
import type { Layout } from "./layout.ts";

/** The fixed part of a {@linkcode PassphraseAsk}. */
export interface PassphraseAskHead {
  /** 3: by passphrase. */
  readonly kind: number;
  /** The puller's share of CPace, 32 bytes. */
  readonly share: Uint8Array;
}

/** Asks for something as one who knows its passphrase. */
export interface PassphraseAsk extends PassphraseAskHead {
  /** For what. */
  readonly ask: Ask;
}

/** The fixed part of a {@linkcode Challenge}. */
export interface ChallengeHead {
  /** 255. */
  readonly status: number;
  /** The exposer's share of CPace, 32 bytes. */
  readonly share: Uint8Array;
}

/** What an exposer answers to a {@linkcode PassphraseAsk}, whether there is such a thing or not. */
export interface Challenge extends ChallengeHead {
  /** The exposer's state, sealed by it for itself. */
  readonly cookie: Uint8Array;
}

/** Wire form of {@linkcode PassphraseAskHead}. */
export const passphraseAskLayout: Layout<PassphraseAskHead> = layout<PassphraseAskHead>({
  kind: u8,
  share: bytes(32),
});

/** Wire form of {@linkcode ChallengeHead}. */
export const challengeLayout: Layout<ChallengeHead> = layout<ChallengeHead>({ status: u8, share: bytes(32) });

/** No grant and no reason to deny has this status. */
const CHALLENGE = 255;

/** The ask payload, followed by zeros up to a size. @throws {RangeError} when the share is not 32 bytes, or a name has no or too many */
export function encodePassphraseAsk(
  share: Uint8Array,
  ask: Ask,
  paddedBytes = 0,
): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(passphraseAskLayout.size);
  passphraseAskLayout.write(head, 0, { kind: AskKind.PASSPHRASE, share });
  return concatBytes(head, encodeAsk(ask, paddedBytes - head.length));
}

/** The ask in a payload, or `undefined` when it is another one. What follows it is ignored. */
export function decodePassphraseAsk(payload: Uint8Array): PassphraseAsk | undefined {
  const head = passphraseAskLayout.read(payload);
  if (head?.kind !== AskKind.PASSPHRASE) return undefined;
  const ask = decodeAsk(payload.subarray(passphraseAskLayout.size));
  return ask && { ...head, ask };
}

/** The challenge of a share and a cookie. @throws {RangeError} when the share is not 32 bytes */
export function encodeChallenge(share: Uint8Array, cookie: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(challengeLayout.size);
  challengeLayout.write(head, 0, { status: CHALLENGE, share });
  return concatBytes(head, cookie);
}

/** The challenge that bytes hold (copied), or `undefined` when they are another answer. */
export function decodeChallenge(encoded: Uint8Array): Challenge | undefined {
  const head = challengeLayout.read(encoded);
  if (head?.status !== CHALLENGE) return undefined;
  return { ...head, cookie: encoded.slice(challengeLayout.size) };
}
