import { layout, u16, u32, u8 } from "../../codec/layout.ts";
import type { Layout } from "../../codec/layout.ts";
import { limits } from "../../core/limits.ts";
import type { RnpFault } from "./errors.ts";

/** What a frame's flags say. All other bits are 0. */
export const FrameFlag = {
  /** The payload is LZ4: its length, then a block. */
  COMPRESSED: 1,
  /** The payload itself is encrypted, beside the link. */
  ENCRYPTED: 2,
  /** The sender keeps the message until it is acknowledged. */
  REQUIRES_ACK: 4,
  /** The payload acknowledges messages. */
  IS_ACK: 8,
} as const;

const KNOWN_FLAGS = 15;

/** First bytes of every frame: "RNP" and 1. */
export const FRAME_MAGIC = 0x524e5001;
/** This version of the protocol. Peers with the same first number understand each other. */
export const RNP_MAJOR = 1;
/** Grows with what older peers can do without. */
export const RNP_MINOR = 0;

/** What is in front of each payload. */
export interface FrameHeader {
  /** {@linkcode FRAME_MAGIC}. */
  readonly magic: number;
  /** {@linkcode RNP_MAJOR}. */
  readonly major: number;
  /** {@linkcode RNP_MINOR}. */
  readonly minor: number;
  /** Bytes of the payload. */
  readonly length: number;
  /** Of {@linkcode FrameFlag}. */
  readonly flags: number;
}

/** A frame's header on the wire. */
export const frameHeaderLayout: Layout<FrameHeader> = layout<FrameHeader>({
  magic: u32,
  major: u8,
  minor: u8,
  length: u32,
  flags: u16,
});

/** Bytes of a frame's header. */
export const FRAME_HEADER_BYTES: number = frameHeaderLayout.size;

/** A frame that has arrived whole. */
export interface Frame {
  /** Of {@linkcode FrameFlag}. */
  readonly flags: number;
  /** The sender's minor version. */
  readonly minor: number;
  /** As it came: perhaps a view of what was pushed. */
  readonly payload: Uint8Array;
}

/** Writes the header of a frame whose payload has `length` bytes into the first {@linkcode FRAME_HEADER_BYTES} of `frame`. */
export function writeFrameHeader(frame: Uint8Array, length: number, flags: number): void {
  frameHeaderLayout.write(frame, 0, {
    magic: FRAME_MAGIC,
    major: RNP_MAJOR,
    minor: RNP_MINOR,
    length,
    flags,
  });
}

/**
 * Cuts a stream of bytes into frames. After a fault it gives nothing more: where the next frame would begin is not known then.
 */
export class FrameReader {
  /** The longest payload that is taken. */
  payloadBytesMax: number = limits.rnpPayloadBytesMax;
  /** What was pushed and is in no frame yet: from `#at` to `#end`. */
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  /** Whether `#bytes` was made here and may be written to. */
  #own = false;
  #fault: RnpFault | undefined;

  /** Bytes of a frame that is not whole yet. */
  get heldBytes(): number {
    return this.#end - this.#at;
  }

  /** How many bytes the frame that has begun must have in all, as far as is known. */
  get wantedBytes(): number {
    const header = this.#header();
    return FRAME_HEADER_BYTES + (header?.length ?? 0);
  }

  /** More of the stream. Without a frame that is cut, it is not copied. */
  push(bytes: Uint8Array): void {
    if (this.heldBytes === 0) {
      this.#bytes = bytes;
      this.#at = 0;
      this.#end = bytes.length;
      this.#own = false;
      return;
    }
    const length = this.heldBytes + bytes.length;
    if (!this.#own || this.#end + bytes.length > this.#bytes.length) this.#grow(length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The next frame, the fault that ends the stream, or `undefined` when more bytes are needed. */
  next(): Frame | RnpFault | undefined {
    if (this.#fault) return this.#fault;
    const header = this.#header();
    if (!header) return this.#fault = this.#early();
    this.#fault = faultOf(header, this.payloadBytesMax);
    if (this.#fault) return this.#fault;
    const start = this.#at + FRAME_HEADER_BYTES;
    const end = start + header.length;
    if (end > this.#end) return undefined;
    this.#at = end;
    // A view that stays as it is: what comes later is written behind it, or elsewhere.
    return { flags: header.flags, minor: header.minor, payload: this.#bytes.subarray(start, end) };
  }

  #header(): FrameHeader | undefined {
    if (this.heldBytes < FRAME_HEADER_BYTES) return undefined;
    return frameHeaderLayout.read(this.#bytes, this.#at);
  }

  /** Whoever speaks another protocol shall hear it before a whole header has come. */
  #early(): RnpFault | undefined {
    for (let i = 0; i < Math.min(4, this.heldBytes); i++) {
      const expected = (FRAME_MAGIC >>> (24 - 8 * i)) & 255;
      if (this.#bytes[this.#at + i] !== expected) return noMagic;
    }
    return undefined;
  }

  /** A frame's length is believed as far as a sixteenth of it has come: so a large one is copied once or twice, and a lie costs little. */
  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, Math.min(16 * this.heldBytes, this.wantedBytes)));
    larger.set(this.#bytes.subarray(this.#at, this.#end));
    this.#end -= this.#at;
    this.#at = 0;
    this.#bytes = larger;
    this.#own = true;
  }
}

const noMagic: RnpFault = {
  code: "PROTOCOL_ERROR",
  message: "that is no RNP frame: it does not begin with 52 4e 50 01",
};

function faultOf(header: FrameHeader, payloadBytesMax: number): RnpFault | undefined {
  const { magic, major, minor, length, flags } = header;
  if (magic !== FRAME_MAGIC) return noMagic;
  if (major !== RNP_MAJOR) {
    return {
      code: "VERSION_MISMATCH",
      message: `a frame of version ${major}.${minor}: this node speaks ${RNP_MAJOR}.x`,
    };
  }
  if ((flags & ~KNOWN_FLAGS) !== 0) {
    return {
      code: "PROTOCOL_ERROR",
      message: `reserved flags are set: 0x${flags.toString(16).padStart(4, "0")}`,
    };
  }
  if ((flags & FrameFlag.ENCRYPTED) !== 0) {
    return {
      code: "PROTOCOL_ERROR",
      message: "a payload that is encrypted by itself, which was not agreed upon",
    };
  }
  if (length > payloadBytesMax) {
    return {
      code: "PROTOCOL_ERROR",
      message: `a payload of ${length} bytes where ${payloadBytesMax} are allowed`,
    };
  }
  return undefined;
}
