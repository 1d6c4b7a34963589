import { limits } from "../core/limits.ts";
import { RgtpError } from "../core/errors.ts";
import { aeadNames } from "../crypto/engine.ts";
import schema from "../schemas/serve.schema.json" with { type: "json" };
import { assertEquals, assertStringIncludes, assertThrows } from "../tests/_assert.ts";
import { parseServiceConfig } from "./_service_config.ts";

const whole = (exposure: string) =>
  `{
  "listen": [{
    "port": 9000,
    "exposures": [${exposure}]
  }]
}`;

/** What is wrong, where, and what is said about it. */
const refusals: readonly (readonly [name: string, text: string, where: string, said: string])[] = [
  ["nothing", "", "1:1", "no JSON"],
  ["a comma too few", '{\n  "drain": "5s"\n  "listen": []\n}', "3:3", "comma expected"],
  ["no end", '{"listen": [', "1:13", "bracket"],
  ["a list", "[]", "1:1", "not: object"],
  ["no ports", "{}", "1:1", "'listen' is missing"],
  ["an unknown key", whole('{"name": "a", "pahh": "x"}'), "4:33", "did you mean 'path'?"],
  [
    "a key that is like none",
    whole('{"name": "a", "path": "x", "qqqqq": 1}'),
    "4:46",
    "there are name, path,",
  ],
  ["a key of the prototype", whole('{"name": "a", "path": "x", "__proto__": {}}'), "4:46", "no such key"],
  ["a key twice", whole('{"name": "a", "path": "x", "path": "y"}'), "4:46", "stands here twice"],
  ["a name twice", whole('{"name": "a", "path": "x"}, {"name": "a", "path": "y"}'), "4:56", "4:28 already"],
  ["no name", whole('{"path": "x"}'), "4:19", "'name' is missing"],
  ["a number as path", whole('{"name": "a", "path": 7}'), "4:41", "string or array"],
  ["a size without sense", whole('{"name": "a", "path": "x", "memory": "lots"}'), "4:56", "not a size"],
  ["too little memory", whole('{"name": "a", "path": "x", "memory": "1MiB"}'), "4:56", "at least 16MiB"],
  ["an unknown profile", whole('{"name": "a", "path": "x", "profile": "moon"}'), "4:57", "lan, wan"],
  ["two audiences", whole('{"name": "a", "path": "x", "open": true, "allow": ["k"]}'), "4:19", "say one"],
  ["a key that is none", whole('{"name": "a", "path": "x", "allow": ["k"]}'), "4:55", "key"],
  [
    "a port too high",
    '{"listen": [{"port": 70000, "exposures": [{"name": "a", "path": "x"}]}]}',
    "1:22",
    "65535",
  ],
  [
    "a port twice",
    '{"listen": [{"port": 1, "exposures": [{"name": "a", "path": "x"}]},\n{"port": 1, "exposures": [{"name": "b", "path": "x"}]}]}',
    "2:10",
    "1:22 already",
  ],
];

for (const [name, text, where, said] of refusals) {
  Deno.test(`a configuration with ${name} is refused, with its place`, () => {
    const error = assertThrows(() => parseServiceConfig(text, "serve.jsonc"), RgtpError) as RgtpError;
    assertEquals(error.condition, "INVALID_ARG");
    assertStringIncludes(error.message, `serve.jsonc:${where}: `);
    assertStringIncludes(error.message, said);
  });
}

Deno.test("brackets without end in each other are refused", () => {
  for (const text of ["[".repeat(500_000), '{"a":'.repeat(200_000)]) {
    const error = assertThrows(() => parseServiceConfig(text, "deep.jsonc"), RgtpError) as RgtpError;
    assertEquals(error.condition, "INVALID_ARG");
  }
});

Deno.test("comments, trailing commas and all keys are understood; paths count from the file's folder", () => {
  const config = parseServiceConfig(
    `{
      "$schema": "../schemas/serve.schema.json",
      "stateDir": "state", /* here */ "drain": "5s",
      "listen": [{
        "host": "127.0.0.1", "port": 9001, "advertise": ["example.org"], "limitRate": "8Mbit/s", "pullRate": "1kB/s",
        "postQuantum": "require",
        "exposures": [{
          "name": "a", "path": ["x", "/y"], "profile": "lan", "aead": "aes-256-gcm", "memory": "32MiB", "spill": "s", "open": true,
          "reproducible": true, "announce": false, "shared": "off", "ticketFile": "t", // the last
        },],
      }],
    }`,
    "/etc/rgtp/serve.jsonc",
  );
  const [{ exposures: [exposure], ...port }, ...others] = config.ports;
  assertEquals(others, []);
  assertEquals([config.stateDir, config.drainMs], ["/etc/rgtp/state", 5000]);
  assertEquals(port.options, {
    port: 9001,
    host: "127.0.0.1",
    advertise: ["example.org"],
    limitRate: 1_000_000,
    pullRateMax: 1000,
    postQuantum: "require",
  });
  assertEquals(exposure.paths, ["/etc/rgtp/x", "/y"]);
  assertEquals(exposure.ticketFile, "/etc/rgtp/t");
  assertEquals(exposure.options, {
    name: "a",
    profile: "lan",
    aead: "aes-256-gcm",
    open: true,
    reproducible: true,
    announce: false,
    shared: "off",
    memoryBytesMax: 33_554_432,
    spill: "/etc/rgtp/s",
  });
});

Deno.test("the schema has the limits of the code", () => {
  const { port } = schema.$defs;
  assertEquals(schema.properties.listen.maxItems, limits.servicePortsMax);
  assertEquals(port.properties.exposures.maxItems, limits.serviceExposuresMax);
  assertEquals(port.properties.advertise.maxItems, limits.ticketAddressesMax);
  assertEquals(schema.$defs.exposure.properties.name.maxLength, limits.nameBytesMax);
  assertEquals(schema.$defs.exposure.properties.aead.enum, [...aeadNames]);
});
