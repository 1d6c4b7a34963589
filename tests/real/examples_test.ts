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
