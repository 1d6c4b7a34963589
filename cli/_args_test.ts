import { assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "../tests/_assert.ts";
import { RgtpError } from "../core/errors.ts";
import { type FlagTable, parseByTable } from "./_args.ts";

const table = {
  port: { kind: "port", help: "" },
  name: { kind: "string", help: "" },
  "chunk-size": { kind: "size", help: "" },
  for: { kind: "duration", help: "" },
  "limit-rate": { kind: "rate", help: "" },
  profile: { kind: "choice", choices: ["lan", "wan"], help: "" },
  json: { kind: "boolean", help: "" },
  files: { kind: "strings", help: "" },
} as const satisfies FlagTable;

const parse = (...argv: string[]) => parseByTable(argv, table, { required: ["PATH"], optional: ["OUT"] });

Deno.test("parseByTable() gives each flag the type of its kind, and undefined or false when it is not given", () => {
  const { flags, rest } = parse(
    "a",
    "--port=0",
    "--chunk-size",
    "64KiB",
    "--for",
    "5m",
    "--limit-rate",
    "1MB/s",
    "--json",
  );
  assertEquals({ ...flags }, {
    port: 0,
    name: undefined,
    "chunk-size": 65536,
    for: 300_000,
    "limit-rate": 1_000_000,
    profile: undefined,
    json: true,
    files: undefined,
  });
  assertEquals(rest, ["a"]);
});

Deno.test("parseByTable() leaves arguments as they are: numbers, a dash, what follows --, a value with = and -", () => {
  assertEquals(parse("007", "1e3").rest, ["007", "1e3"]);
  assertEquals(parse("-").rest, ["-"]);
  assertEquals(parse("--", "--json", "-x").rest, ["--json", "-x"]);
  assertEquals(parse("a", "--name=-x=y").flags.name, "-x=y");
});

Deno.test("parseByTable() gathers a flag that may stand several times, and operands that may be repeated", () => {
  assertEquals(parse("a", "--files", "*.x", "--files=-y", "b").flags.files, ["*.x", "-y"]);
  const many = (...argv: string[]) =>
    parseByTable(argv, table, { required: ["PATH"], optional: [], repeated: "PATH" }).rest;
  assertEquals(many("a", "b", "c"), ["a", "b", "c"]);
  for (const argv of [[], [""], ["a", ""]]) {
    assertStringIncludes(assertThrows(() => many(...argv), RgtpError).message, "PATH is missing");
  }
  assertStringIncludes(assertThrows(() => parse("a", "--files", ""), RgtpError).message, "lacks its value");
});

/** What is typed, and what the message must say. */
const refused: readonly (readonly [argv: readonly string[], says: readonly string[]])[] = [
  [["a", "--prot", "1"], ["--prot", "did you mean --port?"]],
  [["a", "--prot=1"], ["--prot;", "did you mean --port?"]],
  [["a", "--limit", "1"], ["did you mean --limit-rate?"]],
  [["a", "--zzz"], ["--zzz", "--help"]],
  [["a", "-5"], ["-5"]],
  [["a", "---json"], ["---json"]],
  [["a", "--_", "b"], ["--_"]],
  [["a", "--__proto__", "b"], ["--__proto__"]],
  [["a", "--no-json"], ["--no-json"]],
  [["a", "--json=perhaps"], ["--json takes no value", "perhaps"]],
  [["a", "--port"], ["--port lacks its value"]],
  [["a", "--port", "--json"], ["--port lacks its value"]],
  [["a", "--name", ""], ["--name lacks its value"]],
  [["a", "--port", "65536"], ["--port '65536'", "1 to 65535"]],
  [["a", "--port", "1", "--port", "2"], ["--port was given 2 times"]],
  [["a", "--chunk-size", "64kib"], ["--chunk-size '64kib'", "KiB"]],
  [["a", "--for", "0s"], ["--for '0s'", "30s"]],
  [["a", "--limit-rate", "10Mb/s"], ["--limit-rate '10Mb/s'", "100Mbit/s"]],
  [["a", "--profile", "lam"], ["--profile 'lam'", "lan, wan", "did you mean lan?"]],
  [[], ["PATH is missing"]],
  [[""], ["PATH is missing"]],
  [["a", "b", "c"], ["'c'", "PATH and OUT"]],
];

for (const [argv, says] of refused) {
  Deno.test(`parseByTable() turns away: ${JSON.stringify(argv)}`, () => {
    const error = assertThrows(() => parse(...argv), RgtpError);
    assertInstanceOf(error, RgtpError);
    assertEquals(error.condition, "INVALID_ARG");
    for (const part of says) assertStringIncludes(error.message, part);
  });
}

Deno.test("parseByTable() shows no control characters and no ticket's secret in its messages", () => {
  const ticket = `rgtp://127.0.0.1:9/${"A".repeat(43)}.${"A".repeat(43)}.c2VjcmV0c2VjcmV0c2VjcmE/n/`;
  const error = assertThrows(() => parse("a", "b", ticket), RgtpError);
  assertEquals(String(error).includes("c2VjcmV0"), false);
  const escape = assertThrows(() => parse("a", "b", "\x1b[2J"), RgtpError);
  assertStringIncludes(String(escape), "\\u{1b}[2J");
});

Deno.test("a key that begins with a dash is the value of its flag, and no flag of its own", () => {
  const table = {
    allow: { kind: "strings", isKey: true, help: "" },
    json: { kind: "boolean", help: "" },
  } as const;
  const key = "-" + "D-".repeat(21);
  const none = { required: [], optional: [] };
  const { flags } = parseByTable(["--allow", key, "--json", "--allow", "other"], table, none);
  assertEquals(flags, { allow: [key, "other"], json: true });
  assertThrows(() => parseByTable(["--allow", "--json"], table, none), RgtpError);
  assertThrows(() => parseByTable([key], table, none), RgtpError, "no flag");
});

Deno.test("a dash alone is standard input for a flag that takes a file, and an operand behind others", () => {
  const table = {
    "password-file": { kind: "string", isFile: true, help: "" },
    name: { kind: "string", help: "" },
  } as const;
  const operands = { required: ["SOURCE"], optional: [] };
  const { flags, rest } = parseByTable(["--password-file", "-", "-", "--name", "x"], table, operands);
  assertEquals([flags, rest], [{ "password-file": "-", name: "x" }, ["-"]]);
  assertThrows(
    () => parseByTable(["x", "--password-file", "--name", "y"], table, operands),
    RgtpError,
    "lacks",
  );
  assertThrows(() => parseByTable(["--password-file"], table, operands), RgtpError);
});
