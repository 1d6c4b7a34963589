/*
 * Control packets of fixed size, as data. Each is the first word, the fields below, and a MAC of 8 bytes under the pull key;
 * a RETRY never has one, a REFUSAL only when its flag says so. What rides in the word's flags and field is named in the comment
 * of each.
 */
import { bytes, layout, u16, u32, u64 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { MAC_BYTES, PacketType, readWord, WORD_BYTES, wordOf, writeWord } from "./packet.ts";
import type { PacketMac } from "./packet.ts";
import { TOKEN_BYTES } from "./token.ts";

/** Why an exposer refuses; the field of a REFUSAL. */
export const RefusalReason = {
  /** The token is unknown, expired, or not of this address: shake hands again. */
  TOKEN: 1,
  /** Another protocol version; our own stands in the packet's first byte. */
  VERSION: 2,
  /** Busy: come back later. */
  BUSY: 3,
  /** The source has changed since it was sealed. */
  SOURCE_CHANGED: 4,
  /** A handshake that our key does not open: meant for another exposer, or for an old key. */
  KEY: 5,
} as const;

/** Why an exposure is complete; the field of an EXPOSURE_COMPLETE. */
export const CompleteReason = { ENDED: 0, WITHDRAWN: 1 } as const;

/** REFUSAL: field = reason, flag 1 = a MAC follows. */
export interface Refusal {
  /** 8 random bytes of what is refused: a flow tag, or a handshake's exchange number. */
  readonly echo: Uint8Array;
}
/** EXPOSURE_COMPLETE: field = reason. */
export interface Complete {
  /** The puller's flow tag. */
  readonly tag: Uint8Array;
  /** First 16 bytes of the exposure ID. */
  readonly label: Uint8Array;
}
/** KEEPALIVE, puller to exposer: flag 1 = please echo. */
export interface Keepalive {
  /** The puller's flow tag. */
  readonly tag: Uint8Array;
  /** Counts up. */
  readonly number: number;
  /** The token. */
  readonly token: Uint8Array;
}
/** KEEPALIVE, exposer to puller: flag 2 = an echo. */
export interface KeepaliveEcho {
  /** The puller's flow tag. */
  readonly tag: Uint8Array;
  /** The number that is echoed. */
  readonly number: number;
}
/** RETRY: answers a first handshake message under load. */
export interface Retry {
  /** The handshake's exchange number. */
  readonly exchange: Uint8Array;
  /** To be sent again with the same message. */
  readonly cookie: Uint8Array;
}
/** RATE_REPORT, multicast only. */
export interface RateReport {
  /** The token: one vote each. */
  readonly token: Uint8Array;
  /** Counts up. */
  readonly number: number;
  /** Loss in 1/65,536. */
  readonly loss: number;
  /** One-way delay above its minimum, in microseconds. */
  readonly delayUs: number;
  /** Wanted rate in bytes a second. */
  readonly wantedRate: number;
}
/** CHUNK_AVAILABLE, streams only: flag 1 = the stream has ended. */
export interface ChunkAvailable {
  /** The puller's flow tag. */
  readonly tag: Uint8Array;
  /** First 16 bytes of the exposure ID. */
  readonly label: Uint8Array;
  /** Sealed chunks. */
  readonly size: number;
  /** Root of the tree over them. */
  readonly root: Uint8Array;
  /** Ed25519 signature of (domain, ID, size, root, ended). */
  readonly signature: Uint8Array;
}

/** One kind of fixed control packet. */
export interface ControlPacket<T> {
  /** Packet type. */
  readonly type: number;
  /** Fields after the word. */
  readonly layout: Layout<T>;
  /** Bytes of the packet without its MAC. */
  readonly size: number;
  /**
   * Encodes word and fields; `mac` makes the last 8 bytes from the rest. A REFUSAL's flag for it is set here.
   *
   * @throws {TypeError} when a MAC is missing, or given where none belongs
   */
  encode(value: T, word?: { flags?: number; field?: number }, mac?: PacketMac): Uint8Array;
  /**
   * Fields, flags and the word's field; `undefined` when type or length is wrong. A MAC is there whenever it must be; whether it
   * is right is left to the caller.
   */
  decode(packet: Uint8Array): (T & { flags: number; field: number }) | undefined;
}

/** In a REFUSAL: a MAC follows. */
const MAC_FLAG = 1;

function control<T extends object>(
  type: number,
  fields: Layout<T>,
  authentication: "always" | "never" | "flagged" = "always",
): ControlPacket<T> {
  const size = WORD_BYTES + fields.size;
  const flagged = authentication === "flagged";
  return {
    type,
    layout: fields,
    size,
    encode(value, { flags = 0, field = 0 } = {}, mac) {
      if (!flagged && (mac !== undefined) !== (authentication === "always")) {
        throw new TypeError(`a packet of type ${type} ${mac ? "has no" : "needs a"} MAC`);
      }
      const packet = new Uint8Array(size + (mac ? MAC_BYTES : 0));
      writeWord(packet, type, flagged ? (flags & ~MAC_FLAG) | (mac ? MAC_FLAG : 0) : flags, field);
      fields.write(packet, WORD_BYTES, value);
      if (mac) packet.set(mac(packet.subarray(0, size)), size);
      return packet;
    },
    decode(packet) {
      // A refusal for the version comes from an exposer that speaks another one: its word has that version.
      const word = flagged ? readWord(packet) : wordOf(packet, type);
      if (word?.type !== type) return undefined;
      const hasMac = flagged ? (word.flags & MAC_FLAG) !== 0 : authentication === "always";
      if (packet.length !== size + (hasMac ? MAC_BYTES : 0)) return undefined;
      const value = fields.read(packet, WORD_BYTES);
      return value && { ...value, flags: word.flags, field: word.field };
    },
  };
}

/** REFUSAL. */
export const refusal: ControlPacket<Refusal> = control(
  PacketType.REFUSAL,
  layout<Refusal>({ echo: bytes(8) }),
  "flagged",
);
/** EXPOSURE_COMPLETE. */
export const complete: ControlPacket<Complete> = control(
  PacketType.EXPOSURE_COMPLETE,
  layout<Complete>({ tag: bytes(8), label: bytes(16) }),
);
/** KEEPALIVE from a puller. */
export const keepalive: ControlPacket<Keepalive> = control(
  PacketType.KEEPALIVE,
  layout<Keepalive>({ tag: bytes(8), number: u32, token: bytes(TOKEN_BYTES) }),
);
/** KEEPALIVE from an exposer. */
export const keepaliveEcho: ControlPacket<KeepaliveEcho> = control(
  PacketType.KEEPALIVE,
  layout<KeepaliveEcho>({ tag: bytes(8), number: u32 }),
);
/** RETRY. */
export const retry: ControlPacket<Retry> = control(
  PacketType.RETRY,
  layout<Retry>({ exchange: bytes(8), cookie: bytes(16) }),
  "never",
);
/** RATE_REPORT. */
export const rateReport: ControlPacket<RateReport> = control(
  PacketType.RATE_REPORT,
  layout<RateReport>({ token: bytes(TOKEN_BYTES), number: u32, loss: u16, delayUs: u32, wantedRate: u64 }),
);
/** CHUNK_AVAILABLE. */
export const chunkAvailable: ControlPacket<ChunkAvailable> = control(
  PacketType.CHUNK_AVAILABLE,
  layout<ChunkAvailable>({
    tag: bytes(8),
    label: bytes(16),
    size: u32,
    root: bytes(32),
    signature: bytes(64),
  }),
);
