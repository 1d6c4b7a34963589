import { RgtpError, utf8 } from "../../core/mod.ts";
import { assert, assertEquals, assertInstanceOf } from "../_assert.ts";
import { seededRandom } from "../sim/random.ts";
import { attempt, decoders, decodersOf, mutated, noise, total, valid } from "./_decoders.ts";
import type { Decoder } from "./_decoders.ts";

const SEED = 1;
const ROUNDS = 9000;

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
