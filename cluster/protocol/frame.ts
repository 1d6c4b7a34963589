import { layout, u16, u32, u8 } from "../../codec/layout.ts";
import type { Layout } from "../../codec/layout.ts";
import { concatBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import type { RnpFault } from "./errors.ts";
import { sizeFor } from "./frame_memory.ts";
import type { FrameMemory } from "./frame_memory.ts";

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
  /** What a large payload lies in, when nothing else does: for whoever has no more use of it. */
  readonly memory?: Uint8Array<ArrayBuffer>;
}

const emptyHeader = new Uint8Array(FRAME_HEADER_BYTES);
frameHeaderLayout.write(emptyHeader, 0, {
  magic: FRAME_MAGIC,
  major: RNP_MAJOR,
  minor: RNP_MINOR,
  length: 0,
  flags: 0,
});

/** Writes the header of a frame whose payload has `length` bytes into the first {@linkcode FRAME_HEADER_BYTES} of `frame`. */
export function writeFrameHeader(frame: Uint8Array, length: number, flags: number): void {
  frame.set(emptyHeader);
  // The hot path: no view, no object. A test holds it against the layout.
  frame[6] = length >>> 24;
  frame[7] = length >>> 16;
  frame[8] = length >>> 8;
  frame[9] = length;
  frame[10] = flags >>> 8;
  frame[11] = flags;
}

/** Frames from here on give their memory back; smaller ones are not worth it. */
const LARGE_BYTES = 65_536;
/** The first memory of a frame that comes in pieces: most frames fit in. */
const FIRST_BYTES = 512;
const nothing = new Uint8Array(0);

/**
 * Cuts a stream of bytes into frames. After a fault it gives nothing more: where the next frame would begin is not known then.
 *
 * A frame that came whole in what was pushed is a view of that. One that came in pieces is copied once, into memory of its own.
 */
export class FrameReader {
  /** The longest payload that is taken. */
  payloadBytesMax: number = limits.rnpPayloadBytesMax;
  readonly #memory: FrameMemory | undefined;
  /** What was pushed last, and from where on it is in no frame yet. */
  #rest: Uint8Array = nothing;
  #at = 0;
  /** The frame that comes in pieces: its first `#filled` bytes. Bytes are in `#rest` only when it is whole, or there is none. */
  #part: Uint8Array<ArrayBuffer> = nothing;
  #filled = 0;
  #fault: RnpFault | undefined;

  /** `memory`: where large frames that come in pieces find theirs. */
  constructor(memory?: FrameMemory) {
    this.#memory = memory;
  }

  /** Bytes of a frame that is not whole yet. */
  get heldBytes(): number {
    return this.#filled + this.#rest.length - this.#at;
  }

  /** How many bytes the frame that has begun must have in all, as far as is known. */
  get wantedBytes(): number {
    return FRAME_HEADER_BYTES + (this.#header()?.length ?? 0);
  }

  /** More of the stream. It must not change: what is given out may be a view of it. */
  push(bytes: Uint8Array): void {
    if (this.heldBytes === 0) {
      this.#rest = bytes;
      this.#at = 0;
      return;
    }
    const rest = this.#fill(this.#rest.subarray(this.#at));
    // Whoever pushes before all frames were taken out pays with a copy.
    this.#rest = rest.length === 0 ? this.#fill(bytes) : concatBytes(rest, bytes);
    this.#at = 0;
  }

  /** The next frame, the fault that ends the stream, or `undefined` when more bytes are needed. */
  next(): Frame | RnpFault | undefined {
    if (this.#fault) return this.#fault;
    const header = this.#header();
    if (!header) return this.#fault = this.#early();
    this.#fault = faultOf(header, this.payloadBytesMax);
    if (this.#fault) return this.#fault;
    const { flags, minor } = header;
    const end = FRAME_HEADER_BYTES + header.length;
    if (this.#filled > 0) {
      if (this.#filled < end) return undefined;
      const memory = this.#part;
      this.#part = nothing;
      this.#filled = 0;
      const payload = memory.subarray(FRAME_HEADER_BYTES, end);
      return { flags, minor, payload, ...(end >= LARGE_BYTES && { memory }) };
    }
    const start = this.#at;
    if (start + end > this.#rest.length) return undefined;
    this.#at = start + end;
    return { flags, minor, payload: this.#rest.subarray(start + FRAME_HEADER_BYTES, this.#at) };
  }

  /** Puts bytes into the part until it is a whole frame; gives those that are left. */
  #fill(bytes: Uint8Array): Uint8Array {
    for (;;) {
      const wanted = this.#filled < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : this.wantedBytes;
      const more = Math.min(wanted - this.#filled, bytes.length);
      if (more === 0) return bytes;
      this.#reserve(this.#filled + more, wanted);
      this.#part.set(bytes.subarray(0, more), this.#filled);
      this.#filled += more;
      bytes = bytes.subarray(more);
    }
  }

  /** A frame's length is believed as far as a sixteenth of it has come: so a large one is copied once or twice, and a lie costs little. */
  #reserve(needed: number, wanted: number): void {
    if (needed <= this.#part.length) return;
    const believed = Math.max(needed, Math.min(16 * needed, wanted), FIRST_BYTES);
    const larger = this.#memory?.take(wanted) ?? new Uint8Array(sizeFor(believed));
    larger.set(this.#part.subarray(0, this.#filled));
    this.#part = larger;
  }

  #header(): FrameHeader | undefined {
    if (this.#filled === 0) return frameHeaderLayout.read(this.#rest, this.#at);
    return this.#filled < FRAME_HEADER_BYTES ? undefined : frameHeaderLayout.read(this.#part);
  }

  /** Whoever speaks another protocol shall hear it before a whole header has come. */
  #early(): RnpFault | undefined {
    const [bytes, at] = this.#filled > 0 ? [this.#part, 0] : [this.#rest, this.#at];
    for (let i = 0; i < Math.min(4, this.heldBytes); i++) {
      const expected = (FRAME_MAGIC >>> (24 - 8 * i)) & 255;
      if (bytes[at + i] !== expected) return noMagic;
    }
    return undefined;
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
