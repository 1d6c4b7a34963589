import { concatBytes, type Random, RgtpError } from "../core/mod.ts";
import { expectLength } from "./_checks.ts";
import { decodeState, encodeState } from "./_noise_export.ts";
import { isHybrid, type NoisePattern, PATTERNS, protocolName, usesPsk } from "./_noise_patterns.ts";
import { MessageKeys } from "./_noise_keys.ts";
import { NOISE_MESSAGE_BYTES_MAX, SymmetricState } from "./_noise_symmetric.ts";
import { cloneState, type HandshakeState, nextTokens, readToken, writeToken } from "./_noise_tokens.ts";
import { isUsableX25519Key } from "./points.ts";
import { type Engine, KEY_BYTES } from "./engine.ts";

export type { NoisePattern } from "./_noise_patterns.ts";
export { CipherState, NOISE_MESSAGE_BYTES_MAX } from "./_noise_symmetric.ts";

/** What a side keeps to itself. */
export interface NoiseSecrets {
  /** Its X25519 private key; only the initiator of NK has none. */
  readonly staticPrivate?: Uint8Array;
  /** The 32-byte secret of a psk pattern; may be given later, see {@linkcode Handshake.usePsk}. */
  readonly psk?: Uint8Array;
}

/** How a handshake starts. */
export interface HandshakeOptions extends NoiseSecrets {
  /** Which messages are exchanged. */
  readonly pattern: NoisePattern;
  /** Whether this side sends the first message. */
  readonly initiator: boolean;
  /** What both sides must agree on beforehand; the handshake fails unless they do. */
  readonly prologue: Uint8Array;
  /** The responder's static key, for the initiator of a pattern whose second letter is K. */
  readonly remoteStatic?: Uint8Array;
  /** The public key of `staticPrivate`, for a responder that has it at hand; else it is reckoned. */
  readonly staticPublic?: Uint8Array;
}

/** The 32-byte keys that a finished handshake gives to both sides. */
export interface TransportKeys {
  /** For what the initiator sends. */
  readonly initiatorKey: Uint8Array<ArrayBuffer>;
  /** For what the responder sends. */
  readonly responderKey: Uint8Array<ArrayBuffer>;
}

/**
 * One side of a Noise handshake (Noise Protocol Framework, revision 34) with 25519, ChaChaPoly and SHA256; in patterns with `hfs` with
 * ML-KEM-768 as well, by Noise's extension for hybrid forward secrecy.
 *
 * A message that is not right (damaged, forged, too short, with a key of low order) is refused with
 * `undefined` and changes *nothing*: the right one can still be read afterwards. Whose turn it is, the caller
 * knows: the wrong call throws.
 */
export class Handshake {
  readonly #engine: Engine;
  #state: HandshakeState;

  private constructor(engine: Engine, state: HandshakeState) {
    this.#engine = engine;
    this.#state = state;
  }

  /**
   * Noise §5.3 Initialize.
   *
   * @throws {TypeError} when a key that the pattern needs is missing, a psk is given that it does not need,
   * or `remoteStatic` is not a usable X25519 key
   * @throws {RangeError} when a key is not 32 bytes
   */
  static start(engine: Engine, options: HandshakeOptions): Handshake {
    const { pattern, initiator, prologue } = options;
    const symmetric = SymmetricState.initialize(engine, protocolName(pattern));
    symmetric.mixHash(prologue);
    const state: HandshakeState = {
      pattern,
      initiator,
      messageIndex: 0,
      symmetric,
      ...checkedSecrets(pattern, initiator, options),
      ephemeralPrivate: undefined,
      remoteEphemeral: undefined,
      remoteStatic: undefined,
      kemSecret: undefined,
      remoteKem: undefined,
    };
    if (PATTERNS[pattern].responderKnown) mixResponderStatic(engine, state, options);
    return new Handshake(engine, state);
  }

  /**
   * A handshake that goes on from {@linkcode Handshake.exportState}; `undefined` when the bytes are not such
   * a state. What is not in it, static key and psk, is given anew.
   *
   * @throws {TypeError} when a key that the pattern needs is missing, or a psk is given that it does not need
   * @throws {RangeError} when a key is not 32 bytes
   */
  static importState(engine: Engine, bytes: Uint8Array, secrets: NoiseSecrets): Handshake | undefined {
    const state = decodeState(engine, bytes);
    if (state === undefined) return undefined;
    return new Handshake(engine, { ...state, ...checkedSecrets(state.pattern, state.initiator, secrets) });
  }

  /** Which messages are exchanged. */
  get pattern(): NoisePattern {
    return this.#state.pattern;
  }

  /** Whether a secret of ML-KEM takes part. */
  get isHybrid(): boolean {
    return isHybrid(this.#state.pattern);
  }

  /** Messages written and read so far. */
  get messageIndex(): number {
    return this.#state.messageIndex;
  }

  /** Whether the last message has been written or read; then {@linkcode Handshake.split} gives the keys. */
  get isFinished(): boolean {
    return this.#state.messageIndex === PATTERNS[this.#state.pattern].messages.length;
  }

  /** Whether this side writes the next message. */
  get isWriter(): boolean {
    return !this.isFinished && (this.#state.messageIndex % 2 === 0) === this.#state.initiator;
  }

  /** Whether this side reads the next message. */
  get isReader(): boolean {
    return !this.isFinished && !this.isWriter;
  }

  /**
   * The other side's static key, once it is known. It is who it says once a message has been read that
   * depends on it.
   */
  get remoteStatic(): Uint8Array<ArrayBuffer> | undefined {
    return this.#state.remoteStatic && Uint8Array.from(this.#state.remoteStatic);
  }

  /**
   * Noise §11.2: 32 bytes that name this run of the handshake to both sides, for use after the last message.
   */
  get handshakeHash(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#state.symmetric.h);
  }

  /**
   * Sets or replaces the psk, at any time before the message that mixes it in; so a responder can choose it
   * by what it has read.
   *
   * @throws {TypeError} when the pattern has no psk
   * @throws {RangeError} when it is not 32 bytes
   */
  usePsk(psk: Uint8Array): void {
    this.#state.psk = checkedPsk(this.#state.pattern, psk);
  }

  /**
   * The same handshake a second time, to try a message with one psk and then with another. Only one of them
   * may write.
   */
  clone(): Handshake {
    return new Handshake(this.#engine, cloneState(this.#state));
  }

  /**
   * Noise §5.3 WriteMessage: the next message, with `payload` encrypted as far as the pattern has keys by
   * then.
   *
   * @throws {RgtpError} INTERNAL when it is not this side's turn
   * @throws {TypeError} when the psk is still missing
   * @throws {RangeError} when the message would be longer than {@linkcode NOISE_MESSAGE_BYTES_MAX}
   */
  writeMessage(payload: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
    if (!this.isWriter) throw this.#outOfTurn("write");
    const next = cloneState(this.#state);
    using keys = new MessageKeys(this.#engine.x25519);
    const parts = nextTokens(next).map((token) => writeToken(this.#engine, keys, next, token, random));
    const message = concatBytes(...parts, next.symmetric.encryptAndHash(payload));
    if (message.length > NOISE_MESSAGE_BYTES_MAX) {
      throw new RangeError(
        `a Noise message has at most ${NOISE_MESSAGE_BYTES_MAX} bytes, not ${message.length}`,
      );
    }
    next.messageIndex++;
    this.#state = next;
    return message;
  }

  /**
   * Noise §5.3 ReadMessage: the payload, or `undefined` when the message is not right; then the handshake is
   * as it was before.
   *
   * @throws {RgtpError} INTERNAL when it is not the other side's turn
   * @throws {TypeError} when the psk is still missing
   */
  readMessage(message: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (!this.isReader) throw this.#outOfTurn("read");
    if (message.length > NOISE_MESSAGE_BYTES_MAX) return undefined;
    const next = cloneState(this.#state);
    using keys = new MessageKeys(this.#engine.x25519);
    let rest: Uint8Array | undefined = message;
    for (const token of nextTokens(next)) {
      rest = readToken(this.#engine, keys, next, token, rest);
      if (rest === undefined) return undefined;
    }
    const payload = next.symmetric.decryptAndHash(rest);
    if (payload === undefined) return undefined;
    next.messageIndex++;
    this.#state = next;
    return payload;
  }

  /**
   * Noise §5.2 Split: the keys for what follows. They are the same each time.
   *
   * @throws {RgtpError} INTERNAL before the last message
   */
  split(): TransportKeys {
    if (!this.isFinished) throw new RgtpError("INTERNAL", `Noise ${this.pattern} is not finished`);
    const [initiatorKey, responderKey] = this.#state.symmetric.split();
    return { initiatorKey, responderKey };
  }

  /**
   * All that is needed to go on, except for static key and psk; 164 bytes or more. It holds secrets and must
   * be sealed. Possible only while a message is awaited: what can be imported twice must never write, or it
   * would encrypt twice under one key and nonce.
   *
   * @throws {RgtpError} INTERNAL when this side writes next, the handshake is finished, or it has a secret key of ML-KEM
   */
  exportState(): Uint8Array<ArrayBuffer> {
    if (!this.isReader || this.#state.kemSecret) throw this.#outOfTurn("export");
    return encodeState(this.#state);
  }

  /**
   * Overwrites the secrets that this side made for this run, those of its clones among them: they are of no use after the last message
   * that needs them. Keys that were split off stay good, and are the caller's.
   */
  wipe(): void {
    this.#state.ephemeralPrivate?.fill(0);
    this.#state.kemSecret?.fill(0);
  }

  #outOfTurn(verb: string): RgtpError {
    const { pattern, messageIndex } = this.#state;
    return new RgtpError(
      "INTERNAL",
      `Noise ${pattern}: not our turn to ${verb} after ${messageIndex} messages`,
    );
  }
}

/**
 * Noise §7.1, the pre-message `<- s`: the initiator brings the responder's static key, the responder its own.
 */
function mixResponderStatic(
  engine: Engine,
  state: HandshakeState,
  { remoteStatic, staticPublic }: HandshakeOptions,
): void {
  if (!state.initiator) {
    if (state.staticPrivate !== undefined) {
      state.symmetric.mixHash(staticPublic ?? engine.x25519.publicKey(state.staticPrivate));
    }
    return;
  }
  if (remoteStatic === undefined || !isUsableX25519Key(remoteStatic)) {
    throw new TypeError(`Noise ${state.pattern} needs the responder's static key, a usable X25519 key`);
  }
  state.remoteStatic = Uint8Array.from(remoteStatic);
  state.symmetric.mixHash(remoteStatic);
}

function checkedSecrets(
  pattern: NoisePattern,
  initiator: boolean,
  { staticPrivate, psk }: NoiseSecrets,
): Pick<HandshakeState, "staticPrivate" | "psk"> {
  if (staticPrivate !== undefined) expectLength("static key", staticPrivate, KEY_BYTES);
  else if (pattern !== "NK" || !initiator) {
    throw new TypeError(`this side of Noise ${pattern} needs a static key`);
  }
  return {
    staticPrivate: staticPrivate && Uint8Array.from(staticPrivate),
    psk: psk && checkedPsk(pattern, psk),
  };
}

function checkedPsk(pattern: NoisePattern, psk: Uint8Array): Uint8Array {
  if (!usesPsk(pattern)) throw new TypeError(`Noise ${pattern} has no psk`);
  expectLength("psk", psk, KEY_BYTES);
  return Uint8Array.from(psk);
}
