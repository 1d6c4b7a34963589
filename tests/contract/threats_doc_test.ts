import { assert, assertEquals, assertGreater } from "../_assert.ts";
import { projectFiles, projectText } from "../../tools/project_files.ts";

/*
 * docs/threats.md names a test for what it says. A test that is renamed or removed takes its sentence with it, or this fails.
 */

const NAMED = /`([\w/]+_test\.ts)`: "([^"]+)"/g;
const page = projectText("docs/threats.md");

/** Lines are broken anywhere on the page. */
const named = Array.from(
  page.replaceAll(/\s+/g, " ").matchAll(NAMED),
  ([, file, name]) => ({ file, name }),
);

Deno.test("docs/threats.md names tests that exist, by the names that they have", () => {
  const files = new Set(projectFiles());
  const wrong = named.filter(({ file, name }) => {
    if (!files.has(file)) return true;
    const text = projectText(file);
    return !['"', "`"].some((quote) => text.includes(`${quote}${name}${quote}`));
  });
  assertEquals(wrong, []);
  assertGreater(named.length, 40);
});

Deno.test("docs/threats.md misses no name of a test because it is spelt another way", () => {
  // A file that is mentioned once more in a sentence is followed by no name.
  const mentioned = page.replaceAll(/\s+/g, " ").matchAll(/`[\w/]+_test\.ts`(: "?)?/g);
  for (const [text, name] of mentioned) assert(name === ': "', text);
});

Deno.test("docs/threats.md says for each attacker what he can do all the same", () => {
  const attackers = page.split(/^## /m).filter((part) =>
    /^(Somebody|A malicious|Another user|Nodes)/.test(part)
  );
  assertEquals(
    attackers.filter((part) => !part.includes("**Gaps.**")).map((part) => part.split("\n")[0]),
    [],
  );
  assertEquals(attackers.length, 8);
});
