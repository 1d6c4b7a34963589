import { parseServiceConfig } from "../../cli/_service_config.ts";
import { commands } from "../../cli/commands.ts";
import { compileArgs, included, targets } from "../../tools/compile.ts";
import { projectFiles, projectText } from "../../tools/project_files.ts";
import { assert, assertEquals, assertGreater, assertStringIncludes } from "../_assert.ts";
import { makeFile, TestFolder } from "./_files.ts";
import { projectRoot } from "./_processes.ts";

/*
 * What stands in deploy/ and in docs/deploy.md is what works.
 */

const UNIT = "deploy/rgtp.service";
const ANALYZE = "/usr/bin/systemd-analyze";

/** The command that the unit runs, as words. */
function unitCommand(): string[] {
  return /^ExecStart=(.*)$/m.exec(projectText(UNIT))![1].split(" ");
}

Deno.test("the unit's command, with its permissions, accepts the configuration that stands beside it, and no other path", async () => {
  await using folder = await TestFolder.make();
  const moved = (text: string) =>
    text.replaceAll(/\/(etc\/rgtp|srv|var\/lib\/rgtp)/g, `${folder.path}/$1`)
      .replaceAll(/\/opt\/rgtp(?=\/)/g, projectRoot);
  for (const path of ["etc/rgtp", "srv/images", "srv/mirror", "var/lib/rgtp", "elsewhere"]) {
    await Deno.mkdir(folder.file(path), { recursive: true });
  }
  await makeFile(folder.file("srv/images/one"), 1000, 1);
  const config = moved(projectText("deploy/serve.jsonc"));
  const [, ...args] = unitCommand().map(moved);
  const run = async (text: string) => {
    await Deno.writeTextFile(folder.file("etc/rgtp/serve.jsonc"), text);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args: [...args, "--check"] }).output();
    return { code, err: new TextDecoder().decode(stderr) };
  };
  const right = await run(config);
  assertEquals(right.code, 0, right.err);
  const wrong = await run(config.replace("srv/mirror", "elsewhere"));
  assertEquals(wrong.code, 20);
  assertStringIncludes(wrong.err, `--allow-read=${folder.file("elsewhere")}`);
});

const why = await Deno.stat(ANALYZE).then(() => "", () => `${ANALYZE} is not there`);

Deno.test({
  name: `systemd understands the unit${why && ` [skipped: ${why}]`}`,
  ignore: why !== "",
  fn: async () => {
    await using folder = await TestFolder.make();
    const path = folder.file("rgtp-test.service");
    // Where Deno is on this machine; nothing else is touched.
    await Deno.writeTextFile(path, projectText(UNIT).replace("/usr/local/bin/deno", Deno.execPath()));
    const { code, stderr } = await new Deno.Command(ANALYZE, { args: ["verify", "--man=no", path] }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  },
});

Deno.test("the example's drain ends before systemd's patience does", () => {
  const { drainMs } = parseServiceConfig(projectText("deploy/serve.jsonc"), "/etc/rgtp/serve.jsonc");
  const [, seconds] = /^TimeoutStopSec=(\d+)s$/m.exec(projectText(UNIT))!;
  assertGreater(Number(seconds) * 1000, drainMs);
});

Deno.test("docs/deploy.md has the permissions of every command", () => {
  const text = projectText("docs/deploy.md");
  const missing = [...commands.keys()].filter((name) => !new RegExp(`^\\| \`${name}\``, "m").test(text));
  assertEquals(missing, []);
});

Deno.test("a compiled program has the task's permissions, and every module that only a thread starts", () => {
  const args = compileArgs(targets[1]);
  assert(args.includes("--target=aarch64-unknown-linux-gnu") && !args.includes("-A"));
  assert(args.includes("--allow-net") && args.includes("--allow-ffi=/lib,/lib64"));
  const started = projectFiles().filter((file) =>
    /^(transport|cluster|crypto|cli)\/.*(?<!_test)\.ts$/.test(file)
  )
    .flatMap((file) =>
      Array.from(
        projectText(file).matchAll(/new URL\("\.\/([\w.]+\.ts)", import\.meta\.url\)/g),
        ([, name]) => file.replace(/[^/]+$/, name),
      )
    );
  assertEquals(started.sort(), [...included].sort());
});
