import { type Random, RgtpError } from "../core/mod.ts";
import { type NoisePattern, PATTERNS, type Token, usesPsk } from "./_noise_patterns.ts";
import type { MessageKeys } from "./_noise_keys.ts";
import type { SymmetricState } from "./_noise_symmetric.ts";
import { isUsableX25519Key } from "./points.ts";
import { isUsableKemKey } from "./_kem_keys.ts";
import {
  AEAD_TAG_BYTES,
  type Engine,
  KEM_CIPHERTEXT_BYTES,
  KEM_PUBLIC_KEY_BYTES,
  KEM_SEED_BYTES,
  KEY_BYTES,
} from "./engine.ts";

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
  /** Of ML-KEM: the initiator's secret key; and its public key as the responder got it, until `ekem1`. */
  kemSecret: Uint8Array | undefined;
  remoteKem: Uint8Array | undefined;
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
export function writeToken(
  engine: Engine,
  keys: MessageKeys,
  state: HandshakeState,
  token: Token,
  random: Random,
): Uint8Array {
  switch (token) {
    case "e": {
      state.ephemeralPrivate = Uint8Array.from(random(KEY_BYTES));
      const publicKey = keys.of(state.ephemeralPrivate).publicKey();
      mixEphemeral(state, publicKey);
      return publicKey;
    }
    case "s":
      return state.symmetric.encryptAndHash(keys.of(mustHave(state, state.staticPrivate)).publicKey());
    case "e1": {
      const { publicKey, secretKey } = engine.mlKem768.keyPair(random(KEM_SEED_BYTES));
      state.kemSecret = secretKey;
      return state.symmetric.encryptAndHash(publicKey);
    }
    case "ekem1": {
      // The key was checked when it came in.
      const { ciphertext, secret } = engine.mlKem768.encapsulate(
        mustHave(state, state.remoteKem),
        random(KEY_BYTES),
      )!;
      const sealed = state.symmetric.encryptAndHash(ciphertext);
      state.symmetric.mixKey(secret);
      state.remoteKem = undefined;
      return sealed;
    }
  }
  // Every key of the other side was checked when it came in.
  if (!mixSecret(keys, state, token)) {
    throw new RgtpError("INTERNAL", `Noise token ${token} gave no secret`);
  }
  return NO_BYTES;
}

/** Bytes of what stands in a message for itself. */
const FIELD_BYTES = {
  e: KEY_BYTES,
  s: KEY_BYTES,
  e1: KEM_PUBLIC_KEY_BYTES,
  ekem1: KEM_CIPHERTEXT_BYTES,
} as const;

function isField(token: Token): token is keyof typeof FIELD_BYTES {
  return token in FIELD_BYTES;
}

/**
 * Noise §5.3 ReadMessage, one token: what is left of the message behind it, or `undefined` when it is wrong.
 */
export function readToken(
  engine: Engine,
  keys: MessageKeys,
  state: HandshakeState,
  token: Token,
  message: Uint8Array,
): Uint8Array | undefined {
  if (!isField(token)) return mixSecret(keys, state, token) ? message : undefined;
  const encrypted = token !== "e" && state.symmetric.cipher !== undefined;
  const length = FIELD_BYTES[token] + (encrypted ? AEAD_TAG_BYTES : 0);
  if (message.length < length) return undefined;
  const field = message.subarray(0, length);
  const plain = token === "e" ? Uint8Array.from(field) : state.symmetric.decryptAndHash(field);
  return plain && takeField(engine, state, token, plain) ? message.subarray(length) : undefined;
}

/** Whether what a field says can be used; then it is. */
function takeField(
  engine: Engine,
  state: HandshakeState,
  token: keyof typeof FIELD_BYTES,
  plain: Uint8Array,
): boolean {
  switch (token) {
    // Noise §12.1 lets a low-order key through; we refuse it, so that no secret is ever chosen by the other
    // side alone.
    case "e":
      if (!isUsableX25519Key(plain)) return false;
      state.remoteEphemeral = plain;
      mixEphemeral(state, plain);
      return true;
    case "s":
      if (!isUsableX25519Key(plain)) return false;
      state.remoteStatic = plain;
      return true;
    case "e1":
      if (!isUsableKemKey(plain)) return false;
      state.remoteKem = plain;
      return true;
    case "ekem1": {
      const secret = engine.mlKem768.decapsulate(mustHave(state, state.kemSecret), plain);
      if (secret === undefined) return false;
      state.symmetric.mixKey(secret);
      return true;
    }
  }
}

// Noise §9.2: where a psk takes part, ephemeral keys are mixed into the key too, so that no key depends on
// the psk alone.
function mixEphemeral(state: HandshakeState, publicKey: Uint8Array): void {
  state.symmetric.mixHash(publicKey);
  if (usesPsk(state.pattern)) state.symmetric.mixKey(publicKey);
}

/** Mixes in the psk or the result of a Diffie-Hellman; false when that has none. */
function mixSecret(
  keys: MessageKeys,
  state: HandshakeState,
  token: Exclude<Token, keyof typeof FIELD_BYTES>,
): boolean {
  if (token === "psk") {
    if (state.psk === undefined) throw new TypeError(`Noise ${state.pattern} needs its psk now`);
    state.symmetric.mixKeyAndHash(state.psk);
    return true;
  }
  // Noise §5.3: the first letter means a key of the initiator, the second one of the responder.
  const [ours, theirs] = state.initiator ? token : [token[1], token[0]];
  const own = mustHave(state, ours === "e" ? state.ephemeralPrivate : state.staticPrivate);
  const remote = mustHave(state, theirs === "e" ? state.remoteEphemeral : state.remoteStatic);
  const shared = keys.of(own).sharedSecret(remote);
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
