import { assertEquals, assertMatch, assertStringIncludes } from "../_assert.ts";
import { projectRoot } from "../../tools/project_files.ts";

/*
 * The programs of examples/ run as their heads say, over the loopback.
 */

async function run(flags: readonly string[], file: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...flags, `${projectRoot}examples/${file}`, ...args],
    cwd: projectRoot,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(success, true, text);
  return text;
}

Deno.test("expose_and_pull: chunks, a file, a ticket that ends", async () => {
  const text = await run(
    ["--allow-net=127.0.0.1,0.0.0.0", "--allow-read", "--allow-write"],
    "expose_and_pull.ts",
  );
  assertStringIncludes(text, "pulled chunk by chunk: identical");
  assertStringIncludes(text, "already complete is true");
  assertStringIncludes(text, "ACCESS_DENIED (-17)");
});

Deno.test("range: parts of something large", async () => {
  const text = await run(["--allow-net=127.0.0.1,0.0.0.0"], "range.ts");
  assertStringIncludes(text, "the last line: line 999999\nless than 2 % of");
  assertMatch(text, /lines 400000 to 449999: 50000 lines in 1\d slices/);
  assertStringIncludes(text, "an empty range: 0 bytes\none byte too many: RangeError");
});

Deno.test("progress: events, numbers, and a pull that is ended", async () => {
  const text = await run(["--allow-net=127.0.0.1,0.0.0.0"], "progress.ts");
  assertMatch(text, /puller: 127\.0\.0\.1 gives 8000000 bytes in \d+ chunks/);
  assertMatch(text, /puller: \d\.\d of 8\.0 MB, \d+\.\d MB\/s, loss \d.*, sources 1/);
  assertStringIncludes(text, "puller: done\npuller: 8000000 bytes, state done");
  assertStringIncludes(text, "exposer: completed 127.0.0.1");
  assertStringIncludes(text, "puller: failed\npuller: -26 is CANCELLED");
});

Deno.test("stream: standard input to standard output in two processes", async () => {
  const data = new Uint8Array(3_000_000).map((_, i) => i % 251);
  const start = (flags: readonly string[], stdin: "piped" | "null", ...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", ...flags, `${projectRoot}examples/stream.ts`, ...args],
      cwd: projectRoot,
      stdin,
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  const exposer = start(["--allow-net", "--allow-read", "--allow-write"], "piped", "expose");
  try {
    await new Blob([data]).stream().pipeTo(exposer.stdin);
    const said = exposer.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value: ticket = "" } = await said.read();
    const pulled = await start(["--allow-net"], "null", "pull", ticket.trim()).output();
    assertEquals([pulled.code, pulled.stdout.length], [0, data.length]);
    assertEquals(pulled.stdout.findIndex((byte, i) => byte !== data[i]), -1);
    // It has served the one pull, and ends by itself.
    assertEquals((await said.read()).done, true);
    assertEquals((await exposer.status).code, 0);
  } finally {
    try {
      exposer.kill("SIGKILL");
    } catch {
      // It has ended, as it should.
    }
    await exposer.status;
  }
});

Deno.test("demo: a pull that is killed half-way is resumed, with 24 MiB", async () => {
  const text = await run(
    ["--allow-read", "--allow-write", "--allow-run"],
    "demo.ts",
    ...["--mib", "24", "--limit-rate", "12MB/s"],
  );
  assertStringIncludes(text, "killed about half-way");
  assertMatch(text, /\d+ % \(\d+\.\d MB\) was there and right/);
  assertStringIncludes(text, "Yes, byte for byte.");
});
