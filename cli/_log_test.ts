import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../tests/_assert.ts";
import { RgtpError } from "../core/errors.ts";
import type { Io } from "./_io.ts";
import { logOptions, withLog } from "./_log.ts";

type Flags = Parameters<typeof logOptions>[0];

const NONE: Flags = {
  log: undefined,
  "log-level": undefined,
  "log-format": undefined,
  "log-size": undefined,
  "log-keep": undefined,
};

const TICKET = "rgtp://192.0.2.1:9000/" + "A".repeat(43) + "." + "B".repeat(43) + "." + "C".repeat(22) +
  "/x/";

function quietIo(): Io & { readonly said: string[] } {
  const said: string[] = [];
  return {
    said,
    out: (line) => said.push(line),
    err: (text) => said.push(text),
    errIsTerminal: false,
    columns: () => 80,
    readLine: () => Promise.resolve(""),
  };
}

async function inFolder(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(`${folder}/it.log`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("files take turns by size, and only so many old ones stay", () =>
  inFolder(async (path) => {
    const flags: Flags = { ...NONE, log: path, "log-size": 4096, "log-keep": "2" };
    await withLog(flags, quietIo(), (log) => {
      for (let i = 0; i < 400; i++) log("info", "turn", { i });
      return Promise.resolve();
    });
    const folder = path.slice(0, path.lastIndexOf("/"));
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assertEquals(names, ["it.log", "it.log.1", "it.log.2"]);
    const numbers = [".2", ".1", ""].flatMap((end) => {
      const text = Deno.readTextFileSync(path + end);
      assert(text.length <= 4096, `${text.length} bytes in ${end}`);
      return text.trim().split("\n").map((line) => JSON.parse(line).properties.i as number);
    });
    // The last ones, without a gap.
    assertEquals(numbers, Array.from(numbers, (_, i) => 400 - numbers.length + i));
  }));

Deno.test("what matters less than --log-level is left out, and text is one line each", () =>
  inFolder(async (path) => {
    const flags: Flags = { ...NONE, log: path, "log-level": "warning", "log-format": "text" };
    await withLog(flags, quietIo(), (log) => {
      for (const level of ["debug", "info", "warning", "error"] as const) log(level, level, { is: "a\nb" });
      return Promise.resolve();
    });
    const lines = Deno.readTextFileSync(path).trim().split("\n");
    assertEquals(lines.map((line) => /msg=(\w+)/.exec(line)?.[1]), ["warning", "error"]);
    assertStringIncludes(lines[0], String.raw`is="a\nb"`);
  }));

Deno.test("how it failed is logged, without the secret of a ticket in it", () =>
  inFolder(async (path) => {
    const failure = new RgtpError("NOT_FOUND", TICKET);
    await assertRejects(() => withLog({ ...NONE, log: path }, quietIo(), () => Promise.reject(failure)));
    const { level, properties } = JSON.parse(Deno.readTextFileSync(path));
    assertEquals([level, properties.name], ["ERROR", "NOT_FOUND"]);
    assert(!JSON.stringify(properties).includes("C".repeat(22)));
  }));

Deno.test("a log that there cannot be is refused; flags of none are too", async () => {
  const away: Flags = { ...NONE, log: "/nowhere/at/all/it.log" };
  const error = await assertRejects(() => withLog(away, quietIo(), () => Promise.resolve()), RgtpError);
  assertEquals(error.condition, "IO");
  for (const flags of [{ "log-size": 5000 }, { "log-keep": "2" }, { "log-level": "info" }] as const) {
    assertThrows(() => logOptions({ ...NONE, ...flags }), RgtpError, "belongs to --log");
  }
  for (const flags of [{ "log-size": 100 }, { "log-keep": "0" }, { "log-keep": "many" }]) {
    assertThrows(() => logOptions({ ...NONE, log: "x", ...flags }), RgtpError, "--log-");
  }
});

Deno.test({
  name: "a disk that is full is told once, and ends nothing (Linux: it takes /dev/full)",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const io = quietIo();
    const answer = await withLog({ ...NONE, log: "/dev/full" }, io, (log) => {
      for (let i = 0; i < 3; i++) log("info", "turn", { i });
      return Promise.resolve(7);
    });
    assertEquals([answer, io.said.length], [7, 1]);
    assertStringIncludes(io.said[0], "No space left");
  },
});
