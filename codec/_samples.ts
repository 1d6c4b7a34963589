/*
 * What the tests of this room share: bytes that are easy to tell apart, a stand-in for the MAC, and the two questions that are
 * asked of every decoder.
 */
import fc from "fast-check";
import { RgtpError } from "../core/errors.ts";
import { assertEquals, assertInstanceOf, fail } from "../tests/_assert.ts";
import { MAC_BYTES } from "./packet.ts";

/** `length` bytes that count up from `from`. */
export function ramp(length: number, from = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (from + i) & 255);
}

/** Stands in for the MAC: depends on every byte, and on nothing else. */
export function fakeMac(packet: Uint8Array): Uint8Array {
  const mac = new Uint8Array(MAC_BYTES).fill(0xa5);
  packet.forEach((byte, i) => mac[i % MAC_BYTES] = (mac[i % MAC_BYTES] * 31 + byte) & 255);
  return mac;
}

/** Any `length` bytes. */
export function anyBytes(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

/** Any unsigned integer of `bits` bits. */
export function anyUnsigned(bits: 8 | 16 | 32): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 2 ** bits - 1 });
}

/** Any text whose UTF-8 form has at most `bytesMax` bytes; whole characters, of all planes. */
export function anyName(bytesMax = 255): fc.Arbitrary<string> {
  return fc.string({ unit: "binary", maxLength: Math.floor(bytesMax / 4) });
}

/** The same bytes at an odd place of a larger buffer, with others before and after. */
export function embedded(bytes: Uint8Array): Uint8Array {
  const buffer = new Uint8Array(bytes.length + 7).fill(0xee);
  buffer.set(bytes, 3);
  return buffer.subarray(3, 3 + bytes.length);
}

/** Checks that a decoder refuses each proper prefix of `encoded`: it returns `undefined` or throws an `RgtpError`. */
export function assertTruncationsRefused(
  decode: (encoded: Uint8Array) => unknown,
  encoded: Uint8Array,
  from = 0,
): void {
  for (let length = from; length < encoded.length; length++) {
    let value: unknown;
    try {
      value = decode(embedded(encoded.subarray(0, length)));
    } catch (error) {
      assertInstanceOf(error, RgtpError);
      continue;
    }
    if (value !== undefined) fail(`the first ${length} of ${encoded.length} bytes were accepted`);
  }
}

/** Checks that a packet's decoder refuses other versions, other types and a byte too many. */
export function assertForeignRefused(decode: (packet: Uint8Array) => unknown, packet: Uint8Array): void {
  for (let first = 0; first < 256; first++) {
    if (first === packet[0]) continue;
    const other = packet.slice();
    other[0] = first;
    assertEquals(decode(other), undefined, `first byte ${first}`);
  }
  const longer = new Uint8Array(packet.length + 1);
  longer.set(packet);
  assertEquals(decode(longer), undefined, "a byte too many");
}
