// Bytes that nothing can guess, and a comparison of many.
import { assertEquals } from "../_assert.ts";

/** Random bytes, however many: `getRandomValues` gives 65,536 at once. */
export function noise(bytes: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(all.subarray(at, at + 65_536));
  return all;
}

/** Fails with a difference that can be read: `assertEquals` would print megabytes. */
export function assertSame(got: Uint8Array, expected: Uint8Array): void {
  assertEquals(got.length, expected.length);
  assertEquals(got.findIndex((byte, i) => byte !== expected[i]), -1);
}
