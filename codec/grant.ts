/*
 * What the two sides say to each other inside the handshake's encryption.
 *
 *   ask (puller: payload of IK1 and XX3)          answer (exposer: sealed under a key of its own)
 *    0   1  kind: 0 = by exposure ID               0    1  status: 0 = granted, else a refusal
 *    1  32  exposure ID                            1   88  manifest
 *   33   8  ticket ID, or zeros                   89   32  exposure key
 *   41   -  zeros, ignored                       121  104  token
 *   or: 0   1  kind: 1 = by name or label        225   32  pull key
 *       1   1  name, bytes                       257    4  first receipt
 *       2   -  name, UTF-8                       261    4  token's life, in seconds
 *   or: 0   1  kind: 2 = the list                265    4  bytes that one request may ask for
 *                                                269    8  bytes a second that it will send at most; 0 = not said
 *                                                277    1  name, bytes
 *                                                278    -  name, UTF-8
 *                                                  -    1  leaves (0 or all)
 *                                                  - 32n  leaf hashes
 *                                                  -    -  extensions: type (1), length (2), value; unknown ones are skipped
 */
import { limits } from "../core/limits.ts";
import { concatBytes, utf8 } from "../core/bytes.ts";
import { decodeGroup, encodeGroup, groupExtensionLayout } from "./group.ts";
import type { Group } from "./group.ts";
import { bytes, layout, u32, u64, u8 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { MANIFEST_BYTES } from "./manifest.ts";
import { ByteReader } from "./reader.ts";
import { TOKEN_BYTES } from "./token.ts";

/** What a puller asks for. */
export type Ask = IdAsk | NameAsk | ListAsk;

/** Kinds of asks. `PASSPHRASE` is one of the others, by somebody who knows a passphrase: see `passphrase.ts`. */
export const AskKind = { ID: 0, NAME: 1, LIST: 2, PASSPHRASE: 3, SEALED: 4 } as const;

/** Asks for what has an ID, as a ticket names it. */
export interface IdAsk {
  /** 0: by exposure ID; 4: the same, by somebody who is not to get its key. */
  readonly kind: number;
  /** 32 bytes. */
  readonly exposureId: Uint8Array;
  /** 8 bytes: which ticket's secret is the psk; zeros for none. */
  readonly ticketId: Uint8Array;
}

/** Asks for what is called so, without a ticket. */
export interface NameAsk {
  /** 1: by name or label. */
  readonly kind: number;
  /** The name, or the label in base64url or hexadecimal, as somebody typed it: 1 to 255 bytes of UTF-8. */
  readonly name: string;
}

/** Asks for the list of what the asker may pull without a ticket: one byte, its kind. */
export interface ListAsk {
  /** 2: the list. */
  readonly kind: number;
}

/** The fixed part of a {@linkcode NameAsk}. */
export interface NameAskHead extends Pick<NameAsk, "kind"> {
  /** Bytes of the name that follows. */
  readonly nameBytes: number;
}

/** Wire form of {@linkcode IdAsk}. */
export const askLayout: Layout<IdAsk> = layout<IdAsk>({
  kind: u8,
  exposureId: bytes(32),
  ticketId: bytes(8),
});

/** Wire form of {@linkcode NameAskHead}. */
export const nameAskLayout: Layout<NameAskHead> = layout<NameAskHead>({ kind: u8, nameBytes: u8 });

/** The ask payload, followed by zeros up to a size, so that IK1 has the full 1200. @throws {RangeError} when a name has no or too many bytes */
export function encodeAsk(ask: Ask, paddedBytes = 0): Uint8Array<ArrayBuffer> {
  const encoded = "exposureId" in ask ? encodeIdAsk(ask) : "name" in ask ? encodeNameAsk(ask) : [ask.kind];
  const payload = new Uint8Array(Math.max(paddedBytes, encoded.length));
  payload.set(encoded);
  return payload;
}

function encodeIdAsk(ask: IdAsk): Uint8Array {
  const payload = new Uint8Array(askLayout.size);
  askLayout.write(payload, 0, ask);
  return payload;
}

function encodeNameAsk(ask: NameAsk): Uint8Array {
  const name = utf8(ask.name);
  if (name.length < 1 || name.length > limits.nameBytesMax) {
    throw new RangeError(`a name of ${name.length} bytes, 1 to ${limits.nameBytesMax} can be asked for`);
  }
  const payload = new Uint8Array(nameAskLayout.size + name.length);
  nameAskLayout.write(payload, 0, { kind: ask.kind, nameBytes: name.length });
  payload.set(name, nameAskLayout.size);
  return payload;
}

/** The ask in a payload, or `undefined`. What follows it is ignored. */
export function decodeAsk(payload: Uint8Array): Ask | undefined {
  if (payload[0] === AskKind.ID || payload[0] === AskKind.SEALED) return askLayout.read(payload);
  if (payload[0] === AskKind.LIST) return { kind: AskKind.LIST };
  if (payload[0] !== AskKind.NAME) return undefined;
  const head = nameAskLayout.read(payload);
  if (!head || head.nameBytes === 0) return undefined;
  const reader = new ByteReader(payload, nameAskLayout.size);
  const name = reader.bytes(head.nameBytes);
  if (reader.failed) return undefined;
  return { kind: head.kind, name: new TextDecoder("utf-8", { ignoreBOM: true }).decode(name) };
}

/** Why a puller gets no grant. Absent and denied are one answer. */
export const DenialReason = { DENIED: 1, SOURCE_CHANGED: 2, BUSY: 3 } as const;

/** Extension types of a grant; two are reserved. */
export const GrantExtension = {
  SOURCES: 1,
  GROUP: 2,
  EDGE_PASS: 3,
  SHARE: 4,
  SECRET: 5,
  INSTANCE: 6,
} as const;

/** Bytes of a ticket's secret in an extension, and of the name of a door to shared memory. */
const SECRET_BYTES = 16;
const SHARE_BYTES = 16;
/** Bytes that tell running exposers apart. */
export const INSTANCE_BYTES = 8;

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
  /** 16 bytes: the secret of a ticket to this exposure, for whoever has proved that he knows its passphrase. */
  readonly secret?: Uint8Array;
  /** 16 bytes: behind which door of the exposer's machine the same bytes can be had as shared memory; see `share.ts`. */
  readonly share?: Uint8Array;
  /** A multicast group that carries the exposure too. */
  readonly group?: Group;
  /** 8 random bytes of the running exposer: at several addresses, the same one. */
  readonly instance?: Uint8Array;
}

/** Whether a grant holds no key: its exposer was given none, or keeps it back. */
export function holdsNoKey({ exposureKey }: GrantHead): boolean {
  return exposureKey.every((byte) => byte === 0);
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
  const { secret, instance, group, share } = grant;
  return concatBytes(
    head,
    Uint8Array.of(name.length),
    name,
    Uint8Array.of(leaves),
    grant.leaves,
    extension(GrantExtension.GROUP, group && encodeGroup(group), groupExtensionLayout.size),
    extension(GrantExtension.SHARE, share, SHARE_BYTES),
    extension(GrantExtension.SECRET, secret, SECRET_BYTES),
    extension(GrantExtension.INSTANCE, instance, INSTANCE_BYTES),
  );
}

function extension(type: number, value: Uint8Array | undefined, size: number): Uint8Array {
  if (value === undefined) return new Uint8Array(0);
  if (value.length !== size) throw new RangeError(`an extension of ${size} bytes, not ${value.length}`);
  return Uint8Array.of(type, 0, size, ...value);
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
  let secret: Uint8Array | undefined;
  let share: Uint8Array | undefined;
  let group: Group | undefined;
  let instance: Uint8Array | undefined;
  while (!reader.failed && reader.remaining > 0) {
    const type = reader.u8();
    const value = reader.bytes(reader.u16());
    if (type === GrantExtension.SECRET && value.length === SECRET_BYTES) secret = value.slice();
    if (type === GrantExtension.SHARE && value.length === SHARE_BYTES) share = value.slice();
    if (type === GrantExtension.GROUP) group = decodeGroup(value);
    if (type === GrantExtension.INSTANCE && value.length === INSTANCE_BYTES) instance = value.slice();
  }
  if (reader.failed || leafCount > limits.grantLeavesMax) return undefined;
  // ignoreBOM: the default would drop one at the front, and change the name.
  return {
    granted: true,
    grant: {
      ...head,
      name: new TextDecoder("utf-8", { ignoreBOM: true }).decode(name),
      leaves,
      ...(secret && { secret }),
      ...(share && { share }),
      ...(group && { group }),
      ...(instance && { instance }),
    },
  };
}
