/** A step of a handshake message (Noise §5.3, §9.2); `e1` and `ekem1` are those of its extension for hybrid forward secrecy. */
export type Token = "e" | "s" | "ee" | "es" | "se" | "ss" | "psk" | "e1" | "ekem1";

/**
 * Handshakes that we can run; the first letter says how the initiator's static key is known, the second the
 * responder's. With `hfs` a secret of ML-KEM-768 takes part.
 */
export type NoisePattern =
  | "XX"
  | "IK"
  | "NK"
  | "XK"
  | "XXpsk3"
  | "IKpsk1"
  | "IKpsk2"
  | "XXhfs"
  | "IKhfs"
  | "IKhfs+psk2";

/** A handshake as data: the messages in turn, the initiator's first. */
export interface Pattern {
  /** Number of the pattern in an exported state. */
  readonly code: number;
  /** Whether the initiator has the responder's static key beforehand (the pre-message `<- s`). */
  readonly responderKnown: boolean;
  /** The tokens of each message. */
  readonly messages: readonly (readonly Token[])[];
}

/**
 * Noise §7.5 and §9.4, copied token by token. The rule of `hfs`: `e1` stands behind the first `e`, or behind the Diffie-Hellman that
 * follows it; `ekem1` behind the first `ee`.
 */
export const PATTERNS: Readonly<Record<NoisePattern, Pattern>> = {
  XX: { code: 1, responderKnown: false, messages: [["e"], ["e", "ee", "s", "es"], ["s", "se"]] },
  IK: { code: 2, responderKnown: true, messages: [["e", "es", "s", "ss"], ["e", "ee", "se"]] },
  NK: { code: 3, responderKnown: true, messages: [["e", "es"], ["e", "ee"]] },
  XK: { code: 4, responderKnown: true, messages: [["e", "es"], ["e", "ee"], ["s", "se"]] },
  XXpsk3: { code: 5, responderKnown: false, messages: [["e"], ["e", "ee", "s", "es"], ["s", "se", "psk"]] },
  IKpsk1: { code: 6, responderKnown: true, messages: [["e", "es", "s", "ss", "psk"], ["e", "ee", "se"]] },
  IKpsk2: { code: 7, responderKnown: true, messages: [["e", "es", "s", "ss"], ["e", "ee", "se", "psk"]] },
  XXhfs: {
    code: 8,
    responderKnown: false,
    messages: [["e", "e1"], ["e", "ee", "ekem1", "s", "es"], ["s", "se"]],
  },
  IKhfs: {
    code: 9,
    responderKnown: true,
    messages: [["e", "es", "e1", "s", "ss"], ["e", "ee", "ekem1", "se"]],
  },
  "IKhfs+psk2": {
    code: 10,
    responderKnown: true,
    messages: [["e", "es", "e1", "s", "ss"], ["e", "ee", "ekem1", "se", "psk"]],
  },
};

/** The pattern of a code, or `undefined` for an unknown one. */
export function patternOfCode(code: number): NoisePattern | undefined {
  const names = Object.keys(PATTERNS) as NoisePattern[];
  return names.find((name) => PATTERNS[name].code === code);
}

/** Noise §9.2: whether a psk takes part; then each "e" is mixed into the key as well. */
export function usesPsk(name: NoisePattern): boolean {
  return PATTERNS[name].messages.some((tokens) => tokens.includes("psk"));
}

/** Whether a secret of ML-KEM takes part. */
export function isHybrid(name: NoisePattern): boolean {
  return PATTERNS[name].messages.some((tokens) => tokens.includes("ekem1"));
}

/** Noise §8: the name of the whole protocol; that of a KEM stands beside the name of the Diffie-Hellman. */
export function protocolName(name: NoisePattern): string {
  return `Noise_${name}_25519${isHybrid(name) ? "+MLKEM768" : ""}_ChaChaPoly_SHA256`;
}
