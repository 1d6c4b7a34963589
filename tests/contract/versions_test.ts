import { assert, assertEquals, assertMatch } from "../_assert.ts";
import { denoVersion, projectFiles, projectText } from "../../tools/project_files.ts";

/*
 * Versions are written once and copied by hand where a reader wants to see them. These tests hold the copies equal.
 */

Deno.test("the Deno version is one, wherever it is written", () => {
  const version = denoVersion();
  assertMatch(version, /^\d+\.\d+\.\d+$/);
  const wrong = projectFiles().flatMap((file) =>
    projectText(file).split("\n").flatMap((text, i) =>
      Array.from(text.matchAll(/\b[Dd]eno[@ -]v?(\d+\.\d+\.\d+)/g))
        .filter(([, found]) => found !== version)
        .map(([found]) => `${file}:${i + 1}: ${found}, not ${version}`)
    )
  );
  assertEquals(wrong, []);
});

Deno.test("the README names the two commands with that version, first of all", () => {
  const commands = Array.from(projectText("README.md").matchAll(/^npx .*$/gm), ([line]) => line);
  assertEquals(commands.slice(0, 2), [
    `npx -y deno@${denoVersion()} task demo`,
    `npx -y deno@${denoVersion()} task test`,
  ]);
});

Deno.test("CI takes the version from where it is written", () => {
  assert(projectText(".ci/run").includes('"deno@$(cat .deno-version)"'));
});

Deno.test("the changelog's newest entry is the version of deno.json", () => {
  const { version } = JSON.parse(projectText("deno.json")) as { version: string };
  assertEquals(/^## (\d+\.\d+\.\d+)/m.exec(projectText("CHANGELOG.md"))?.[1], version);
});

Deno.test("every package is pinned exactly, and the ledger names it with this version", () => {
  const { imports } = JSON.parse(projectText("deno.json")) as { imports: Record<string, string> };
  const ledger = projectText("docs/dependencies.md");
  const missing = Object.values(imports).filter((target) => {
    const found = /^npm:\/?(.+)@(\d+\.\d+\.\d+)\/?$/.exec(target);
    return !found || !new RegExp(`^\\| \`${found[1]}\` +\\| ${found[2]} +\\|`, "m").test(ledger);
  });
  assertEquals(missing, []);
});
