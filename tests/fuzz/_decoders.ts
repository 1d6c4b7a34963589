/*
 * Every decoder of the room that meets bytes from outside, and what such bytes may look like.
 */
import * as codec from "../../codec/mod.ts";
import { concatBytes, RgtpError, utf8 } from "../../core/mod.ts";
import { assert, fail } from "../_assert.ts";
import type { SeededRandom } from "../sim/random.ts";
import { own } from "../vectors/_load.ts";

/** What is tried, and by what name a failure calls it. */
export interface Decoder {
  readonly name: string;
  readonly run: (input: Uint8Array) => unknown;
}

/** The longest that one call may take. Generous: it is to find what hangs, on a machine that does other things too. */
const CALL_MS_MAX = 1000;

/** One character for each byte: any byte may be part of a text from outside. */
function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/**
 * Every decoder that the room exports, found by looking: functions named decode…, parse… (of a text) or read…, and objects with a
 * `decode` (control packets) or a `read` (layouts). Whoever adds one gets it fuzzed.
 */
export function decodersOf(exports: Readonly<Record<string, unknown>>): Decoder[] {
  const found: Decoder[] = [];
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value === "function" && /^(decode|parse|read)[A-Z]/.test(name)) {
      const call = value as (input: unknown) => unknown;
      found.push({ name, run: (input) => call(name.startsWith("parse") ? latin1(input) : input) });
    }
    if (typeof value !== "object" || value === null) continue;
    // A field alone also has a `read`, but of a view whose length its layout has checked.
    for (const method of "fields" in value ? ["read"] : ["decode"]) {
      const call: unknown = Reflect.get(value, method);
      if (typeof call !== "function") continue;
      found.push({ name: `${name}.${method}`, run: (input) => Reflect.apply(call, value, [input]) });
    }
  }
  return found;
}

/** Functions with other names that also meet bytes from outside. They never throw. */
export const total: readonly Decoder[] = [
  { name: "isChunkData", run: codec.isChunkData },
  { name: "wordOf", run: (input) => codec.wordOf(input, 4) },
  { name: "canonicalHost", run: (input) => codec.canonicalHost(latin1(input)) },
  { name: "isIpAddress", run: (input) => codec.isIpAddress(latin1(input)) },
  { name: "isIpv6", run: (input) => codec.isIpv6(latin1(input)) },
  { name: "redactTicket", run: (input) => codec.redactTicket(latin1(input)) },
];

/** Those of the room. */
export const decoders: readonly Decoder[] = decodersOf(codec);

/** What the room writes: packets, tickets and all else that has a vector, and what has none. */
export const valid: readonly Uint8Array[] = [
  ...own<{ cases: { hex?: string; text?: string }[] }>("packets.json").cases.map(({ hex, text }) =>
    hex === undefined ? utf8(text!) : Uint8Array.fromHex(hex)
  ),
  // A frame of Ethernet.
  Uint8Array.fromHex("02005e10000102005e10000288b552472328c0000003010203"),
  codec.shareAsk.encode({ token: new Uint8Array(codec.TOKEN_BYTES), segment: 1 }, () => new Uint8Array(32)),
];

/** Runs one decoder; fails when it throws anything but an `RgtpError` of a declared condition, or takes too long. */
export function attempt(decoder: Decoder, input: Uint8Array): unknown {
  const before = input.slice();
  const start = performance.now();
  let value: unknown;
  try {
    value = decoder.run(input);
  } catch (error) {
    if (!(error instanceof RgtpError)) {
      throw new Error(`${decoder.name} threw on ${before.toHex().slice(0, 2400)}`, { cause: error });
    }
  }
  const took = performance.now() - start;
  if (took > CALL_MS_MAX) fail(`${decoder.name} took ${took} ms on ${input.length} bytes`);
  assert(same(input, before), `${decoder.name} changed its input`);
  return value;
}

/** Faster than `assertEquals`, which would be most of the time here. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}

type Mutation = (random: SeededRandom, input: Uint8Array) => Uint8Array;

/** Values at which counts and lengths go wrong. */
const BORDERS = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

const mutations: readonly Mutation[] = [
  // One bit.
  (random, input) => input.with(random.integer(input.length), random.integer(256)),
  // A border value, in the part where the fixed fields are.
  (random, input) =>
    input.with(random.integer(Math.min(160, input.length)), BORDERS[random.integer(BORDERS.length)]),
  // Four bytes at once: sizes and indexes.
  (random, input) => {
    const at = random.integer(input.length);
    return input.map((byte, i) => i >= at && i < at + 4 ? BORDERS[at % BORDERS.length] : byte);
  },
  // Cut off, at either end.
  (random, input) => input.slice(0, random.integer(input.length)),
  (random, input) => input.slice(random.integer(input.length)),
  // A tail.
  (random, input) => concatBytes(input, random.bytes(1 + random.integer(40))),
  // A piece of it twice, or of another in it.
  (random, input) => {
    const at = random.integer(input.length);
    return concatBytes(input.subarray(0, at), input.subarray(random.integer(at + 1)));
  },
  (random, input) => {
    const other = valid[random.integer(valid.length)];
    return concatBytes(
      input.subarray(0, random.integer(input.length)),
      other.subarray(random.integer(other.length)),
    );
  },
];

/** Something valid, damaged up to three times. */
export function mutated(random: SeededRandom): Uint8Array {
  return mutatedOf(random, valid[random.integer(valid.length)]);
}

/** These bytes, damaged up to three times. */
export function mutatedOf(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  let input = bytes;
  for (let times = 1 + random.integer(3); times > 0 && input.length > 0; times--) {
    input = mutations[random.integer(mutations.length)](random, input);
  }
  return input;
}

/** Bytes of any kind, most of them with a right first byte. */
export function noise(random: SeededRandom): Uint8Array {
  const bytes = random.bytes(random.integer(random.chance(0.9) ? 200 : 3000));
  // Most noise would be turned away at its first byte.
  if (bytes.length > 0 && random.chance(0.7)) bytes[0] = 0x20 | random.integer(16);
  return bytes;
}
