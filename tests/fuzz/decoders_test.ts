import * as codec from "../../codec/mod.ts";
import { concatBytes, RgtpError, utf8 } from "../../core/mod.ts";
import { assert, assertEquals, assertInstanceOf, fail } from "../_assert.ts";
import { seededRandom } from "../sim/random.ts";
import type { SeededRandom } from "../sim/random.ts";
import { own } from "../vectors/_load.ts";

/** What is tried, and by what name a failure calls it. */
interface Decoder {
  readonly name: string;
  readonly run: (input: Uint8Array) => unknown;
}

const SEED = 1;
const ROUNDS = 9000;
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
function decodersOf(exports: Readonly<Record<string, unknown>>): Decoder[] {
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
const total: Decoder[] = [
  { name: "isChunkData", run: codec.isChunkData },
  { name: "wordOf", run: (input) => codec.wordOf(input, 4) },
  { name: "canonicalHost", run: (input) => codec.canonicalHost(latin1(input)) },
  { name: "isIpAddress", run: (input) => codec.isIpAddress(latin1(input)) },
  { name: "isIpv6", run: (input) => codec.isIpv6(latin1(input)) },
  { name: "redactTicket", run: (input) => codec.redactTicket(latin1(input)) },
];

const decoders = decodersOf(codec);

const valid: readonly Uint8Array[] = own<{ cases: { hex?: string; text?: string }[] }>("packets.json").cases
  .map(
    ({ hex, text }) => hex === undefined ? utf8(text!) : Uint8Array.fromHex(hex),
  );

/** Runs one decoder; fails when it throws anything but an `RgtpError` of a declared condition, or takes too long. */
function attempt(decoder: Decoder, input: Uint8Array): unknown {
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

function mutated(random: SeededRandom): Uint8Array {
  let input = valid[random.integer(valid.length)];
  for (let times = 1 + random.integer(3); times > 0 && input.length > 0; times--) {
    input = mutations[random.integer(mutations.length)](random, input);
  }
  return input;
}

function noise(random: SeededRandom): Uint8Array {
  const bytes = random.bytes(random.integer(random.chance(0.9) ? 200 : 3000));
  // Most noise would be turned away at its first byte.
  if (bytes.length > 0 && random.chance(0.7)) bytes[0] = 0x20 | random.integer(16);
  return bytes;
}

Deno.test("fuzz: the decoders are found", () => {
  const names = decoders.map((decoder) => decoder.name);
  for (const name of ["decodePullRequest", "decodeManifest", "parseTicket", "parseAddress", "readWord"]) {
    assert(names.includes(name), name);
  }
  for (const name of ["refusal.decode", "retry.decode", "manifestLayout.read"]) {
    assert(names.includes(name), name);
  }
  assertEquals(
    decodersOf({
      decodeNew: () => 1,
      encodeNew: () => 1,
      decoder: 1,
      newLayout: { fields: [], read: () => 2 },
    }).length,
    2,
  );
});

Deno.test("fuzz: each decoder accepts one of the vectors: without that, mutations of valid bytes would reach nothing", () => {
  for (const decoder of decoders) {
    assert(valid.some((input) => attempt(decoder, input) !== undefined), `no vector for ${decoder.name}`);
  }
});

Deno.test("fuzz: any bytes give a value, undefined or an RgtpError", () => {
  const random = seededRandom(SEED, "noise");
  for (let round = 0; round < ROUNDS / 6; round++) {
    const input = noise(random);
    for (const decoder of [...decoders, ...total]) attempt(decoder, input);
  }
});

Deno.test("fuzz: damaged valid bytes give a value, undefined or an RgtpError", () => {
  const random = seededRandom(SEED, "mutations");
  for (let round = 0; round < ROUNDS; round++) {
    const input = mutated(random);
    for (const decoder of [...decoders, ...total]) attempt(decoder, input);
  }
});

Deno.test("fuzz: inputs that are long or made to be slow take no time", () => {
  const units = [
    "\0",
    "\xff",
    "a",
    ":",
    "0:",
    "::",
    ".",
    "a.",
    "a-",
    "1.",
    "[",
    "%",
    "%41",
    "/",
    ",",
    "rgtp://",
    " ",
    "\n",
  ];
  for (const unit of units) {
    for (
      const [start, end] of [["", ""], ["rgtp://", ""], ["[", "]:1"], ["", ":1"], ["rgtp://a:1/", "/n/"], [
        "\x24\x00\x04\xb0",
        "",
      ]]
    ) {
      const input = utf8(start + unit.repeat(20_000 / unit.length) + end);
      for (const decoder of [...decoders, ...total]) attempt(decoder, input);
    }
  }
});

Deno.test("fuzz: a decoder that hangs, throws or writes would be found", () => {
  const wrong: [string, Decoder["run"]][] = [
    ["threw", () => new Uint8Array(-1)],
    ["threw", () => Uint8Array.fromHex("no hex")],
    ["changed", (input) => input[0]++],
  ];
  for (const [what, run] of wrong) {
    let caught: unknown;
    try {
      attempt({ name: "wrong", run }, Uint8Array.of(1, 2, 3));
    } catch (error) {
      caught = error;
    }
    assertInstanceOf(caught, Error);
    assert(caught.message.includes(what), caught.message);
  }
  const refuses = () => {
    throw new RgtpError("TRUNCATED", "short");
  };
  assertEquals(attempt({ name: "right", run: refuses }, new Uint8Array(3)), undefined);
});
