/**
 * MessagePack, with bounds that are checked before anything is decoded. `deno-std` on npm carries no types, so this is the one place
 * that imports it.
 *
 * @module
 */
// @ts-types="./_msgpack.d.ts"
import { decode, encode } from "@std/msgpack/mod.js";

/** What is written and read: no maps, floats and extensions, which nothing here needs. An integer of 64 bits is a bigint. */
export type MessagePackValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly MessagePackValue[];

/** How much a value may be. */
export interface MessagePackBounds {
  /** Arrays inside each other; 0 for a value that is none. */
  readonly depthMax: number;
  /** Values, arrays and what is in them counted. */
  readonly valuesMax: number;
  /** Bytes of the whole. */
  readonly bytesMax: number;
}

/** The bytes of a value: one form for each, as short as can be. @throws {RangeError} when an integer has more than 64 bits */
export function encodeMessagePack(value: MessagePackValue): Uint8Array<ArrayBuffer> {
  return encode(wide(value));
}

/**
 * Where the value that begins at `at` ends, found without decoding or allocating; `undefined` when the bytes end before it does, it holds
 * what is not taken or could be written shorter, or it is beyond a bound. What an array claims to hold is not believed: each value takes a byte at least.
 */
export function messagePackEnd(
  bytes: Uint8Array,
  at: number,
  { depthMax, valuesMax, bytesMax }: MessagePackBounds,
): number | undefined {
  const end = Math.min(bytes.length, at + bytesMax);
  // Values that are still to come in each array that is open.
  const left = [1];
  let values = 0;
  while (left.length > 0) {
    if (left[left.length - 1]-- === 0) {
      left.pop();
      continue;
    }
    const head = at < end && ++values <= valuesMax ? headAt(bytes, at, end) : undefined;
    if (!head || (head.values > 0 && left.length > depthMax)) return undefined;
    at = head.end;
    if (head.values > 0) left.push(head.values);
  }
  return at;
}

/** The value that is all of `bytes`, or `undefined` when it is none within the bounds. */
export function decodeMessagePack(
  bytes: Uint8Array,
  bounds: MessagePackBounds,
): MessagePackValue | undefined {
  return messagePackEnd(bytes, 0, bounds) === bytes.length ? decode(bytes) : undefined;
}

/** The value that begins at `at`, and where it ends; `undefined` when there is none within the bounds. */
export function messagePackAt(
  bytes: Uint8Array,
  at: number,
  bounds: MessagePackBounds,
): { readonly value: MessagePackValue; readonly end: number } | undefined {
  const end = messagePackEnd(bytes, at, bounds);
  return end === undefined ? undefined : { value: decode(bytes.subarray(at, end)), end };
}

/** The head of an array with `count` values, which follow one by one. */
export function messagePackArrayHead(count: number): Uint8Array<ArrayBuffer> {
  if (count < 16) return Uint8Array.of(0x90 | count);
  if (count < 65_536) return Uint8Array.of(0xdc, count >> 8, count);
  return Uint8Array.of(0xdd, count >>> 24, count >>> 16, count >>> 8, count);
}

/** How many values the array at `at` claims, and where the first begins; `undefined` when there is none. */
export function messagePackArrayAt(
  bytes: Uint8Array,
  at: number,
): { readonly count: number; readonly end: number } | undefined {
  const first = bytes[at];
  if (first >= 0x90 && first < 0xa0) return { count: first & 15, end: at + 1 };
  const size = first === 0xdc ? 2 : first === 0xdd ? 4 : 0;
  const count = size === 0 ? undefined : unsigned(bytes, at + 1, size, bytes.length);
  const isShortest = count !== undefined && count >= (size === 2 ? 16 : 0x10000);
  return isShortest ? { count, end: at + 1 + size } : undefined;
}

/** The library writes only a bigint as an integer of 64 bits, and would write such a number as a float. */
function wide(value: MessagePackValue): MessagePackValue {
  if (Array.isArray(value)) return value.map(wide);
  if (typeof value !== "number" || (value >= -(2 ** 31) && value < 2 ** 32)) return value;
  return BigInt(value);
}

/** What follows the first byte of a value: where the value itself ends, and how many values an array has behind that. */
interface Head {
  readonly end: number;
  readonly values: number;
}

/** Bytes after the first one, for those of fixed size: nil, false and true, then integers. */
const fixed: Readonly<Record<number, number>> = {
  0xc0: 0,
  0xc2: 0,
  0xc3: 0,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
};

/** Bytes of the length that follows the first byte, for bytes and texts; and from which length on there is no shorter form. */
const sized: Readonly<Record<number, readonly [bytes: number, least: number]>> = {
  0xc4: [1, 0],
  0xc5: [2, 0x100],
  0xc6: [4, 0x10000],
  0xd9: [1, 32],
  0xda: [2, 0x100],
  0xdb: [4, 0x10000],
};

function headAt(bytes: Uint8Array, at: number, end: number): Head | undefined {
  const first = bytes[at];
  if (first < 0x80 || first >= 0xe0) return { end: at + 1, values: 0 };
  const array = messagePackArrayAt(bytes, at);
  if (array) return array.end > end ? undefined : { end: array.end, values: array.count };
  const last = first >= 0xa0 && first < 0xc0
    ? at + 1 + (first & 31)
    : first in sized
    ? sizedEnd(bytes, at, end)
    : fixedEnd(bytes, at, end);
  return last > end ? undefined : { end: last, values: 0 };
}

/** Where bytes or a text end; Infinity for a length that could be written shorter, or is not there. */
function sizedEnd(bytes: Uint8Array, at: number, end: number): number {
  const [size, least] = sized[bytes[at]];
  const length = unsigned(bytes, at + 1, size, end) ?? -1;
  return length < least ? Infinity : at + 1 + size + length;
}

/** Where nil, a boolean or an integer ends; Infinity for one that could be written shorter, and for what is not taken. */
function fixedEnd(bytes: Uint8Array, at: number, end: number): number {
  const size = fixed[bytes[at]] ?? Infinity;
  if (at + 1 + size > end) return Infinity;
  return size > 0 && !isShortest(bytes, at + 1, size, bytes[at] >= 0xd0) ? Infinity : at + 1 + size;
}

/** Whether an integer needs all of its bytes: at half of them it would not fit. */
function isShortest(bytes: Uint8Array, at: number, size: number, isSigned: boolean): boolean {
  if (size === 1) return isSigned ? bytes[at] >= 0x80 && bytes[at] < 0xe0 : bytes[at] >= 0x80;
  const half = size / 2;
  const upper = bytes.subarray(at, at + half);
  if (!isSigned) return upper.some((byte) => byte !== 0);
  // Those that are not negative are written unsigned.
  return upper[0] >= 0x80 && (upper.some((byte) => byte !== 0xff) || bytes[at + half] < 0x80);
}

function unsigned(bytes: Uint8Array, at: number, size: number, end: number): number | undefined {
  if (at + size > end) return undefined;
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + bytes[at + i];
  return value;
}
