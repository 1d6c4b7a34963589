import { compressLz4Block, decompressLz4Block } from "../../codec/lz4_block.ts";
import { decodePacked, encodePacked } from "../../codec/msgpack_map.ts";
import type { PackedMap } from "../../codec/msgpack_map.ts";
import { concatBytes, equalBytes, utf8 } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import type { Engine } from "../../crypto/engine.ts";
import { encodeEnvelope } from "./envelope.ts";
import { FRAME_HEADER_BYTES, FrameFlag, writeFrameHeader } from "./frame.ts";
import type { Frame } from "./frame.ts";
import type { RnpFault } from "./errors.ts";
import { isNodeId } from "./node_id.ts";
import { isMessageType } from "./message_types.ts";

/** A message: the map that a frame's payload holds. Fields that this version does not know are kept. */
export interface Message {
  /** What it is, such as `gossip.heartbeat`. */
  readonly type: string;
  /** A UUID: the same however often the message is sent. */
  readonly id: string;
  /** When it was sent, by the sender's clock: ms since 1970. */
  readonly timestamp: number;
  /** The node that sent it. */
  readonly sender: string;
  /** What it carries. */
  readonly data: PackedMap;
  /** The sequence that it belongs to; only with `seq`. */
  readonly channel?: string | undefined;
  /** Its place in the channel, from 1. */
  readonly seq?: number | undefined;
  /** The message that this one answers. */
  readonly reply_to?: string | undefined;
}

/** The cluster's secret, and what reckons with it. */
export interface Integrity {
  /** For HMAC-SHA-256. */
  readonly engine: Engine;
  /** The same on all nodes. */
  readonly secret: Uint8Array;
}

/** How a frame is made. */
export interface FrameOptions {
  /** Of {@linkcode FrameFlag}, without `COMPRESSED`. */
  readonly flags?: number;
  /** Whether a payload that gains by it is compressed. */
  readonly compress?: boolean;
  /** Adds an `hmac`. */
  readonly integrity?: Integrity | undefined;
}

/**
 * The frame of a message.
 *
 * @throws {RangeError} when it is too long, or holds what MessagePack cannot carry
 */
export function encodeMessage(message: Message, options: FrameOptions = {}): Uint8Array<ArrayBuffer> {
  const { flags = 0, compress = false, integrity } = options;
  const frame = integrity ? withHmac(message, integrity) : encoded(message);
  const length = frame.length - FRAME_HEADER_BYTES;
  checkLength(message, length);
  const smaller = compress && length > limits.rnpCompressBytesMin
    ? compressed(frame.subarray(FRAME_HEADER_BYTES))
    : undefined;
  const whole = smaller ?? frame;
  writeFrameHeader(whole, whole.length - FRAME_HEADER_BYTES, smaller ? flags | FrameFlag.COMPRESSED : flags);
  return whole;
}

function encoded(message: Message): Uint8Array<ArrayBuffer> {
  return encodeEnvelope(message, FRAME_HEADER_BYTES) ?? encodePacked(asMap(message), FRAME_HEADER_BYTES);
}

/** A frame that is written in parts, one after the other. */
export interface FrameParts {
  /** Bytes of all parts. */
  readonly length: number;
  /** In their order. Byte strings of the application stand among them as they are: they must not change before they are sent. */
  readonly parts: readonly Uint8Array[];
}

/**
 * The frame of a message, without a copy of a large byte string in its data that does not compress.
 *
 * @throws {RangeError} as {@linkcode encodeMessage}
 */
export function encodeParts(message: Message, options: FrameOptions = {}): FrameParts {
  const large = options.integrity ? undefined : largeBytes(message.data, options.compress ?? false);
  if (large) return encodeAround(message, large, options.flags ?? 0);
  const frame = encodeMessage(message, options);
  return { length: frame.length, parts: [frame] };
}

/** The message in a frame, or what is wrong with it. What a type demands of its data is not looked at. */
export function decodeMessage(frame: Frame, integrity?: Integrity): Message | RnpFault {
  const payload = frame.flags & FrameFlag.COMPRESSED ? decompressed(frame.payload) : frame.payload;
  if (!payload) return protocolError("a compressed payload that is damaged, or larger than is allowed");
  const map = decodePacked(payload, payloadBounds);
  if (typeof map !== "object" || map === null || Array.isArray(map) || map instanceof Uint8Array) {
    return protocolError("a payload that is no MessagePack map within the limits");
  }
  const fault = envelopeFault(map as PackedMap);
  if (fault !== undefined) return protocolError(fault);
  const message = map as unknown as Message;
  if (integrity && !isAuthentic(payload, integrity)) {
    return {
      code: "AUTH_FAILED",
      message: `the hmac of a '${message.type}' is ${
        "hmac" in map ? "wrong" : "missing"
      }: all nodes need the same cluster secret`,
    };
  }
  return message;
}

const payloadBounds = {
  depthMax: limits.rnpDepthMax,
  valuesMax: limits.rnpValuesMax,
  bytesMax: limits.rnpPayloadBytesMax,
};

function protocolError(message: string): RnpFault {
  return { code: "PROTOCOL_ERROR", message };
}

/** A message is a map with nothing but values that can be packed: its interface only says which. */
function asMap(message: Message): PackedMap {
  return message as unknown as PackedMap;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function isUuid(value: unknown): boolean {
  return typeof value === "string" && value.length === 36 && UUID.test(value);
}

/** Whether a text can be a channel's name. */
export function isChannel(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= limits.rnpChannelCharsMax;
}

function envelopeFault(map: PackedMap): string | undefined {
  const { type, id, timestamp, sender, data, channel, seq, reply_to: replyTo } = map;
  if (typeof type !== "string" || !isMessageType(type)) return "type is not the name of a message";
  if (!isUuid(id)) return `id of a '${type}' is no UUID in lower case`;
  if (!Number.isSafeInteger(timestamp) || Number(timestamp) < 0) return `timestamp of a '${type}' is no time`;
  if (typeof sender !== "string" || !isNodeId(sender)) return `sender of a '${type}' is no node ID`;
  if (typeof data !== "object" || data === null || Array.isArray(data) || data instanceof Uint8Array) {
    return `data of a '${type}' is no map`;
  }
  if ((channel === undefined) !== (seq === undefined)) {
    return `a '${type}' has one of channel and seq, not both`;
  }
  if (seq !== undefined && !(Number.isSafeInteger(seq) && Number(seq) > 0 && isChannel(channel))) {
    return `channel and seq of a '${type}' are no name and no number from 1`;
  }
  if (replyTo !== undefined && !isUuid(replyTo)) return `reply_to of a '${type}' is no UUID in lower case`;
  return undefined;
}

/** Byte strings from here on are not copied. */
const LARGE_BYTES = 65_536;
/** So much of one is compressed to see whether the whole would gain by it. */
const SAMPLE_BYTES = 8192;

/** A large byte string right in the data, and its key; `undefined` when there is none, or its middle gains by compression. */
function largeBytes(data: PackedMap, compress: boolean): readonly [string, Uint8Array] | undefined {
  // The hot path: no entries, no arrays.
  for (const key in data) {
    const value = data[key];
    if (!(value instanceof Uint8Array) || value.length < LARGE_BYTES) continue;
    return compress && compressed(sampleOf(value)) ? undefined : [key, value];
  }
  return undefined;
}

/** From the middle: what a file begins with says little of the rest. */
function sampleOf(large: Uint8Array): Uint8Array {
  const middle = large.length >> 1;
  return large.subarray(middle, middle + SAMPLE_BYTES);
}

/** Head and bytes of a byte string that is empty, and of one with a length of 32 bits. */
const EMPTY_BYTES_HEAD = 2;
const LONG_BYTES_HEAD = 5;

/** The byte string comes last in the data, and the data last in the map: so all else is one piece in front of it. */
function encodeAround(
  message: Message,
  [key, large]: readonly [string, Uint8Array],
  flags: number,
): FrameParts {
  const { data, ...envelope } = asMap(message) as PackedMap & { data: PackedMap };
  const { [key]: _moved, ...others } = data;
  const map = { ...envelope, data: { ...others, [key]: new Uint8Array(0) } };
  const encoded = encodePacked(map, FRAME_HEADER_BYTES);
  const end = encoded.length - EMPTY_BYTES_HEAD;
  const head = new Uint8Array(end + LONG_BYTES_HEAD);
  head.set(encoded.subarray(0, end));
  head[end] = 0xc6;
  new DataView(head.buffer).setUint32(end + 1, large.length);
  const length = head.length + large.length;
  checkLength(message, length - FRAME_HEADER_BYTES);
  writeFrameHeader(head, length - FRAME_HEADER_BYTES, flags);
  return { length, parts: [head, large] };
}

function checkLength({ type }: Message, length: number): void {
  if (length <= limits.rnpPayloadBytesMax) return;
  throw new RangeError(
    `a '${type}' of ${length} bytes, where ${limits.rnpPayloadBytesMax} are allowed: send it in parts, or as an exposure`,
  );
}

const LENGTH_BYTES = 4;

/** The frame with the payload as LZ4, when that saves a tenth. */
function compressed(payload: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const block = compressLz4Block(payload, Math.floor(payload.length * 0.9) - LENGTH_BYTES);
  if (!block) return undefined;
  const frame = new Uint8Array(FRAME_HEADER_BYTES + LENGTH_BYTES + block.length);
  new DataView(frame.buffer).setUint32(FRAME_HEADER_BYTES, payload.length);
  frame.set(block, FRAME_HEADER_BYTES + LENGTH_BYTES);
  return frame;
}

function decompressed(payload: Uint8Array): Uint8Array | undefined {
  if (payload.length < LENGTH_BYTES) return undefined;
  const length = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
  if (length > limits.rnpPayloadBytesMax) return undefined;
  return decompressLz4Block(payload.subarray(LENGTH_BYTES), length);
}

/** The entry that ends a payload with an hmac: its key, the head of a text of 71 bytes, and how that begins. */
const HMAC_HEAD = concatBytes(Uint8Array.of(0xa4), utf8("hmac"), Uint8Array.of(0xd9, 71), utf8("sha256:"));
const HMAC_HEX_BYTES = 64;
const HMAC_EMPTY = `sha256:${"0".repeat(HMAC_HEX_BYTES)}`;

/** The hmac is the last entry, and covers all bytes of the payload before its 64 digits. */
function withHmac(message: Message, integrity: Integrity): Uint8Array<ArrayBuffer> {
  const frame = encodeEnvelope(message, FRAME_HEADER_BYTES, 1, HMAC_HEAD.length + HMAC_HEX_BYTES) ??
    encodePacked({ ...asMap(message), hmac: HMAC_EMPTY }, FRAME_HEADER_BYTES);
  const end = frame.length - HMAC_HEX_BYTES;
  frame.set(HMAC_HEAD, end - HMAC_HEAD.length);
  frame.set(digitsOf(frame.subarray(FRAME_HEADER_BYTES, end), integrity), end);
  return frame;
}

function isAuthentic(payload: Uint8Array, integrity: Integrity): boolean {
  const end = payload.length - HMAC_HEX_BYTES;
  const start = end - HMAC_HEAD.length;
  if (start < 0 || !equalBytes(payload.subarray(start, end), HMAC_HEAD)) return false;
  return equalBytes(payload.subarray(end), digitsOf(payload.subarray(0, end), integrity));
}

const hexDigits = utf8("0123456789abcdef");
const digits = new Uint8Array(HMAC_HEX_BYTES);

/** The digits of an hmac, until the next one is made. */
function digitsOf(covered: Uint8Array, { engine, secret }: Integrity): Uint8Array {
  const mac = engine.hmacSha256(secret, covered);
  for (let i = 0; i < mac.length; i++) {
    digits[2 * i] = hexDigits[mac[i] >> 4];
    digits[2 * i + 1] = hexDigits[mac[i] & 15];
  }
  return digits;
}
