/** What is used of `@std/msgpack/mod.js`, which has no types of its own on npm. */
import type { MessagePackValue } from "./msgpack.ts";

/** The bytes of a value. Integers of 2^32 and more are integers on the wire only as bigint. */
export function encode(value: MessagePackValue): Uint8Array<ArrayBuffer>;

/** The value that bytes hold, all of them. Throws what it likes for bytes that are none. */
export function decode(bytes: Uint8Array): MessagePackValue;
