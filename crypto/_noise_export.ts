import { concatBytes } from "../core/mod.ts";
import { patternOfCode, PATTERNS } from "./_noise_patterns.ts";
import { CipherState, SymmetricState } from "./_noise_symmetric.ts";
import type { HandshakeState } from "./_noise_tokens.ts";
import { type Engine, KEY_BYTES } from "./engine.ts";

// An exported handshake, before it is sealed into a cookie:
//
//   0  pattern code
//   1  messages so far
//   2  flags: what follows, and whose state it is
//   3  number of the cipher's next message
//   4  ck, h, and by flag: k, e (private), re, rs; 32 bytes each

const HEADER_BYTES = 4;
const FLAG_CIPHER = 1;
const FLAG_EPHEMERAL = 2;
const FLAG_REMOTE_EPHEMERAL = 4;
const FLAG_REMOTE_STATIC = 8;
const FLAG_INITIATOR = 16;
const FLAGS = 31;

/** The bytes of a state, without static key and psk. */
export function encodeState(state: HandshakeState): Uint8Array<ArrayBuffer> {
  const { cipher, ck, h } = state.symmetric;
  const optional: [number, Uint8Array | undefined][] = [
    [FLAG_CIPHER, cipher?.key],
    [FLAG_EPHEMERAL, state.ephemeralPrivate],
    [FLAG_REMOTE_EPHEMERAL, state.remoteEphemeral],
    [FLAG_REMOTE_STATIC, state.remoteStatic],
  ];
  let flags = state.initiator ? FLAG_INITIATOR : 0;
  const keys = [ck, h];
  for (const [flag, key] of optional) {
    if (key === undefined) continue;
    flags |= flag;
    keys.push(key);
  }
  const header = Uint8Array.of(PATTERNS[state.pattern].code, state.messageIndex, flags, cipher?.n ?? 0);
  return concatBytes(header, ...keys);
}

/**
 * A state from its bytes, to be completed by static key and psk; `undefined` when they are not those of a
 * state that awaits a message.
 */
export function decodeState(engine: Engine, bytes: Uint8Array): HandshakeState | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const [code, messageIndex, flags, n] = bytes;
  const pattern = patternOfCode(code);
  const initiator = (flags & FLAG_INITIATOR) !== 0;
  if (pattern === undefined || (flags & ~FLAGS) !== 0) return undefined;
  const isOurTurn = (messageIndex % 2 === 0) === initiator;
  if (messageIndex >= PATTERNS[pattern].messages.length || isOurTurn) return undefined;

  let at = HEADER_BYTES;
  const next = () => bytes.slice(at, at += KEY_BYTES);
  const optional = (flag: number) => (flags & flag) !== 0 ? next() : undefined;
  const [ck, h] = [next(), next()];
  const key = optional(FLAG_CIPHER);
  const ephemeralPrivate = optional(FLAG_EPHEMERAL);
  const remoteEphemeral = optional(FLAG_REMOTE_EPHEMERAL);
  const remoteStatic = optional(FLAG_REMOTE_STATIC);
  if (at !== bytes.length) return undefined;
  const symmetric = new SymmetricState(engine, ck, h, key && new CipherState(engine, key, n));
  return {
    pattern,
    initiator,
    messageIndex,
    symmetric,
    staticPrivate: undefined,
    psk: undefined,
    ephemeralPrivate,
    remoteEphemeral,
    remoteStatic,
    kemSecret: undefined,
    remoteKem: undefined,
  };
}
