/**
 * MessagePack with maps and floats: what the payloads of RNP are made of. Whatever it is, its size, depth and number of values are
 * bounded before anything is decoded. The stricter MessagePack of collections is in `msgpack.ts`.
 *
 * @module
 */
import { Decoder, Encoder } from "@msgpack/msgpack";
import type { MessagePackBounds } from "./msgpack.ts";

/** What stands in a map. Integers beyond 2^53 lose their last digits: nothing here carries such. */
export type PackedValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly PackedValue[]
  | PackedMap;

/** A map whose keys are texts. `undefined` values are left out when it is written. */
export interface PackedMap {
  /** What stands under a key. */
  readonly [key: string]: PackedValue | undefined;
}

// Both keep a buffer to work in, and nothing of what went through them.
const encoder = new Encoder({ ignoreUndefined: true, maxDepth: 64, initialBufferSize: 65_536 });
const decoder = new Decoder({
  mapKeyConverter(key) {
    if (typeof key !== "string") throw new RangeError("a key that is no text");
    return key;
  },
});

/**
 * The bytes of a value, after `room` bytes that are left for the caller, and before `after` such bytes.
 *
 * @throws {RangeError} when it is nested more than 64 deep, or holds something that MessagePack cannot carry
 */
export function encodePacked(value: PackedValue, room = 0, after = 0): Uint8Array<ArrayBuffer> {
  let shared: Uint8Array;
  try {
    shared = encoder.encodeSharedRef(value);
  } catch (cause) {
    throw new RangeError(`this cannot be written as MessagePack: ${(cause as Error).message}`, { cause });
  }
  const bytes = new Uint8Array(room + shared.length + after);
  bytes.set(shared, room);
  return bytes;
}

/**
 * The value that is all of `bytes`; `undefined` when it is none within the bounds, a map has a key that is no text, or there is an
 * extension in it. Byte strings in it are views of `bytes`.
 */
export function decodePacked(bytes: Uint8Array, bounds: MessagePackBounds): PackedValue | undefined {
  if (packedEnd(bytes, bounds) !== bytes.length) return undefined;
  try {
    return decoder.decode(bytes) as PackedValue;
  } catch {
    // A key that is no text, `__proto__`, or a text that is no UTF-8.
    return undefined;
  }
}

/**
 * Where the value at the start of `bytes` ends, found without decoding; `undefined` when it is beyond a bound, cut off, or an extension.
 * What an array or a map claims to hold is not believed: each value takes a byte at least.
 */
export function packedEnd(
  bytes: Uint8Array,
  { depthMax, valuesMax, bytesMax }: MessagePackBounds,
): number | undefined {
  const end = Math.min(bytes.length, bytesMax);
  // Values that are still to come in each array and map that is open, the innermost last.
  const left: number[] = [];
  let open = 1;
  let at = 0;
  let values = 0;
  for (;;) {
    while (open === 0) {
      if (left.length === 0) return at;
      open = left.pop()!;
    }
    open--;
    if (at >= end || ++values > valuesMax) return undefined;
    const first = bytes[at++];
    let inside = 0;
    if (first < 0x80 || first >= 0xe0) continue;
    if (first < 0x90) inside = 2 * (first & 15);
    else if (first < 0xa0) inside = first & 15;
    else if (first < 0xc0) at += first & 31;
    else {
      const form = forms[first - 0xc0];
      if (form === undefined) return undefined;
      const [lengthBytes, more, each] = form;
      if (at + lengthBytes > end) return undefined;
      const length = lengthAt(bytes, at, lengthBytes);
      at += lengthBytes + more;
      if (each === 0) at += length;
      else inside = each * length;
    }
    if (at > end || inside > end - at) return undefined;
    if (inside === 0) continue;
    if (left.length >= depthMax) return undefined;
    left.push(open);
    open = inside;
  }
}

/** Bytes of the length behind the first byte, bytes of fixed size after them, and values for each unit of the length (0: it counts bytes). */
type Form = readonly [lengthBytes: number, more: number, each: number];

/** First bytes 0xc0 to 0xdf. */
const forms: readonly (Form | undefined)[] = [
  [0, 0, 0], // nil
  undefined, // never used
  [0, 0, 0], // false
  [0, 0, 0], // true
  [1, 0, 0], // bin 8, 16, 32
  [2, 0, 0],
  [4, 0, 0],
  undefined, // ext 8, 16, 32
  undefined,
  undefined,
  [0, 4, 0], // float 32, 64
  [0, 8, 0],
  [0, 1, 0], // uint 8, 16, 32, 64
  [0, 2, 0],
  [0, 4, 0],
  [0, 8, 0],
  [0, 1, 0], // int 8, 16, 32, 64
  [0, 2, 0],
  [0, 4, 0],
  [0, 8, 0],
  undefined, // fixext 1, 2, 4, 8, 16
  undefined,
  undefined,
  undefined,
  undefined,
  [1, 0, 0], // str 8, 16, 32
  [2, 0, 0],
  [4, 0, 0],
  [2, 0, 1], // array 16, 32
  [4, 0, 1],
  [2, 0, 2], // map 16, 32
  [4, 0, 2],
];

function lengthAt(bytes: Uint8Array, at: number, size: number): number {
  let length = 0;
  for (let i = 0; i < size; i++) length = length * 256 + bytes[at + i];
  return length;
}
