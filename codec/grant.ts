/*
 * What the two sides say to each other inside the handshake's encryption.
 *
 *   ask (puller: payload of IK1 and XX3)          answer (exposer: sealed under a key of its own)
 *    0   1  kind: 0 = by exposure ID               0    1  status: 0 = granted, else a refusal
 *    1  32  exposure ID                            1   88  manifest
 *   33   8  ticket ID, or zeros                   89   32  exposure key
 *   41   -  zeros, ignored                       121  104  token
 *                                                225   32  pull key
 *                                                257    4  first receipt
 *                                                261    4  token's life, in seconds
 *                                                265    4  bytes that one request may ask for
 *                                                269    8  bytes a second that it will send at most; 0 = not said
 *                                                277    1  name, bytes
 *                                                278    -  name, UTF-8
 *                                                  -    1  leaves (0 or all)
 *                                                  - 32n  leaf hashes
 *                                                  -    -  extensions: type (1), length (2), value; unknown ones are skipped
 */
import { limits } from "../core/limits.ts";
import { concatBytes } from "../core/bytes.ts";
import { bytes, layout, u32, u64, u8 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { MANIFEST_BYTES } from "./manifest.ts";
import { ByteReader } from "./reader.ts";
import { TOKEN_BYTES } from "./token.ts";

/** What a puller asks for. */
export interface Ask {
  /** 0: by exposure ID. */
  readonly kind: number;
  /** 32 bytes. */
  readonly exposureId: Uint8Array;
  /** 8 bytes: which ticket's secret is the psk; zeros for none. */
  readonly ticketId: Uint8Array;
}

/** Wire form of {@linkcode Ask}. */
export const askLayout: Layout<Ask> = layout<Ask>({ kind: u8, exposureId: bytes(32), ticketId: bytes(8) });

/** Bytes of the ask payload in IK1, so that the packet has the full 1200. */
export function encodeAsk(ask: Ask, paddedBytes: number = askLayout.size): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(Math.max(paddedBytes, askLayout.size));
  askLayout.write(payload, 0, ask);
  return payload;
}

/** The ask in a payload, or `undefined`. What follows it is ignored. */
export function decodeAsk(payload: Uint8Array): Ask | undefined {
  const ask = askLayout.read(payload);
  return ask?.kind === 0 ? ask : undefined;
}

/** Why a puller gets no grant. Absent and denied are one answer. */
export const DenialReason = { DENIED: 1, SOURCE_CHANGED: 2, BUSY: 3 } as const;

/** Extension types of a grant that are reserved. */
export const GrantExtension = { SOURCES: 1, GROUP: 2, EDGE_PASS: 3, SHARE: 4 } as const;

/** The fixed part of a grant. */
export interface GrantHead {
  /** 88 bytes. */
  readonly manifest: Uint8Array;
  /** 32 bytes. */
  readonly exposureKey: Uint8Array;
  /** To be sent with every request. */
  readonly token: Uint8Array;
  /** 32 bytes: the MAC key of control packets. */
  readonly pullKey: Uint8Array;
  /** The first receipt to echo. */
  readonly receipt: number;
  /** How long the token lives. */
  readonly tokenLifeSeconds: number;
  /** Ceiling of one request. */
  readonly requestBytesMax: number;
  /** Ceiling of the rate in bytes a second; 0 = not said. */
  readonly pullRateMax: number;
}

/** A grant, with its parts of variable size. */
export interface Grant extends GrantHead {
  /** What the exposer calls it; not to be trusted as a path. */
  readonly name: string;
  /** All leaf hashes after each other when there are at most 16, else empty. */
  readonly leaves: Uint8Array;
}

/** Wire form of {@linkcode GrantHead}. */
export const grantHeadLayout: Layout<GrantHead> = layout<GrantHead>({
  manifest: bytes(MANIFEST_BYTES),
  exposureKey: bytes(32),
  token: bytes(TOKEN_BYTES),
  pullKey: bytes(32),
  receipt: u32,
  tokenLifeSeconds: u32,
  requestBytesMax: u32,
  pullRateMax: u64,
});

/** What an exposer answers: a grant, or the reason why not. */
export type Answer = { readonly granted: true; readonly grant: Grant } | {
  readonly granted: false;
  readonly reason: number;
};

/** Encodes an answer. @throws {RangeError} when the name or the leaves are too long, or a value does not fit its field */
export function encodeAnswer(answer: Answer): Uint8Array<ArrayBuffer> {
  if (!answer.granted) {
    // Status 0 would be a grant.
    if (!(answer.reason >= 1 && answer.reason <= 255)) {
      throw new RangeError(`no such reason: ${answer.reason}`);
    }
    return Uint8Array.of(answer.reason);
  }
  const { grant } = answer;
  const name = new TextEncoder().encode(grant.name);
  const leaves = grant.leaves.length / 32;
  if (name.length > limits.nameBytesMax || leaves > limits.grantLeavesMax) {
    throw new RangeError("grant too long");
  }
  if (!Number.isInteger(leaves)) {
    throw new RangeError(`${grant.leaves.length} bytes are not whole leaf hashes`);
  }
  const head = new Uint8Array(1 + grantHeadLayout.size);
  grantHeadLayout.write(head, 1, grant);
  return concatBytes(head, Uint8Array.of(name.length), name, Uint8Array.of(leaves), grant.leaves);
}

/** The answer that bytes hold (copied), or `undefined`. */
export function decodeAnswer(encoded: Uint8Array): Answer | undefined {
  if (encoded.length === 0) return undefined;
  if (encoded[0] !== 0) return { granted: false, reason: encoded[0] };
  const head = grantHeadLayout.read(encoded, 1);
  if (!head) return undefined;
  const reader = new ByteReader(encoded, 1 + grantHeadLayout.size);
  const name = reader.bytes(reader.u8());
  const leafCount = reader.u8();
  const leaves = reader.bytes(32 * leafCount).slice();
  while (!reader.failed && reader.remaining > 0) {
    reader.u8();
    reader.bytes(reader.u16());
  }
  if (reader.failed || leafCount > limits.grantLeavesMax) return undefined;
  // ignoreBOM: the default would drop one at the front, and change the name.
  return {
    granted: true,
    grant: { ...head, name: new TextDecoder("utf-8", { ignoreBOM: true }).decode(name), leaves },
  };
}
