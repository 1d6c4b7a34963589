import { type Random, RgtpError } from "../core/mod.ts";
import { type NoisePattern, PATTERNS, type Token, usesPsk } from "./_noise_patterns.ts";
import type { SymmetricState } from "./_noise_symmetric.ts";
import { isUsableX25519Key } from "./_points.ts";
import { AEAD_TAG_BYTES, type Engine, KEY_BYTES } from "./engine.ts";

/** Noise §5.3: the variables of a handshake, as data. Byte strings in it are never changed, only replaced. */
export interface HandshakeState {
  readonly pattern: NoisePattern;
  readonly initiator: boolean;
  /** Messages written and read so far. */
  messageIndex: number;
  symmetric: SymmetricState;
  staticPrivate: Uint8Array | undefined;
  psk: Uint8Array | undefined;
  ephemeralPrivate: Uint8Array | undefined;
  remoteEphemeral: Uint8Array | undefined;
  remoteStatic: Uint8Array | undefined;
}

/** A state that can be changed without changing this one. */
export function cloneState(state: HandshakeState): HandshakeState {
  return { ...state, symmetric: state.symmetric.clone() };
}

/** The tokens of the next message. */
export function nextTokens(state: HandshakeState): readonly Token[] {
  return PATTERNS[state.pattern].messages[state.messageIndex];
}

/** Noise §5.3 WriteMessage, one token: what it adds to the message. */
export function writeToken(engine: Engine, state: HandshakeState, token: Token, random: Random): Uint8Array {
  if (token === "e") {
    state.ephemeralPrivate = Uint8Array.from(random(KEY_BYTES));
    const publicKey = engine.x25519.publicKey(state.ephemeralPrivate);
    mixEphemeral(state, publicKey);
    return publicKey;
  }
  if (token === "s") {
    return state.symmetric.encryptAndHash(engine.x25519.publicKey(mustHave(state, state.staticPrivate)));
  }
  // Every key of the other side was checked when it came in.
  if (!mixSecret(engine, state, token)) {
    throw new RgtpError("INTERNAL", `Noise token ${token} gave no secret`);
  }
  return NO_BYTES;
}

/**
 * Noise §5.3 ReadMessage, one token: what is left of the message behind it, or `undefined` when it is wrong.
 */
export function readToken(
  engine: Engine,
  state: HandshakeState,
  token: Token,
  message: Uint8Array,
): Uint8Array | undefined {
  if (token !== "e" && token !== "s") return mixSecret(engine, state, token) ? message : undefined;
  const encrypted = token === "s" && state.symmetric.cipher !== undefined;
  const length = KEY_BYTES + (encrypted ? AEAD_TAG_BYTES : 0);
  if (message.length < length) return undefined;
  const field = message.subarray(0, length);
  const publicKey = token === "e" ? Uint8Array.from(field) : state.symmetric.decryptAndHash(field);
  // Noise §12.1 lets a low-order key through; we refuse it, so that no secret is ever chosen by the other
  // side alone.
  if (publicKey === undefined || !isUsableX25519Key(publicKey)) return undefined;
  if (token === "e") {
    state.remoteEphemeral = publicKey;
    mixEphemeral(state, publicKey);
  } else {
    state.remoteStatic = publicKey;
  }
  return message.subarray(length);
}

// Noise §9.2: where a psk takes part, ephemeral keys are mixed into the key too, so that no key depends on
// the psk alone.
function mixEphemeral(state: HandshakeState, publicKey: Uint8Array): void {
  state.symmetric.mixHash(publicKey);
  if (usesPsk(state.pattern)) state.symmetric.mixKey(publicKey);
}

/** Mixes in the psk or the result of a Diffie-Hellman; false when that has none. */
function mixSecret(engine: Engine, state: HandshakeState, token: Exclude<Token, "e" | "s">): boolean {
  if (token === "psk") {
    if (state.psk === undefined) throw new TypeError(`Noise ${state.pattern} needs its psk now`);
    state.symmetric.mixKeyAndHash(state.psk);
    return true;
  }
  // Noise §5.3: the first letter means a key of the initiator, the second one of the responder.
  const [ours, theirs] = state.initiator ? token : [token[1], token[0]];
  const shared = engine.x25519.sharedSecret(
    mustHave(state, ours === "e" ? state.ephemeralPrivate : state.staticPrivate),
    mustHave(state, theirs === "e" ? state.remoteEphemeral : state.remoteStatic),
  );
  if (shared === undefined) return false;
  state.symmetric.mixKey(shared);
  return true;
}

function mustHave(state: HandshakeState, key: Uint8Array | undefined): Uint8Array {
  if (key === undefined) {
    throw new RgtpError("INTERNAL", `Noise ${state.pattern} is missing a key of its own`);
  }
  return key;
}

const NO_BYTES = new Uint8Array(0);
