import { RgtpError } from "../core/errors.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../tests/_assert.ts";
import { linkKinds } from "../transport/link/open_link.ts";
import { allCommands } from "./commands.ts";
import { completionScript, shapeOf } from "./completions.ts";

async function isHere(shell: string): Promise<boolean> {
  try {
    return (await new Deno.Command(shell, { args: ["-c", "true"], stdout: "null", stderr: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

const lacking = new Map<string, string>();
for (const shell of ["bash", "zsh", "fish"]) {
  lacking.set(shell, await isHere(shell) ? "" : ` [skipped: no ${shell} here]`);
}

const commands = await allCommands();
const shape = (name: string) => shapeOf(name, commands.get(name)!);

Deno.test("a command's shape has all of its flags, as its help shows them, their choices, and the words that it starts with", () => {
  const expose = shape("expose");
  assertEquals(expose.flags.find(({ name }) => name === "profile")?.choices, [
    "lan",
    "wan",
    "mobile",
    "satellite",
  ]);
  assertEquals(expose.flags.find(({ name }) => name === "port")?.value, "PORT");
  // Its help calls the value KIND: what may stand there is known all the same.
  assertEquals(expose.flags.find(({ name }) => name === "link")?.choices, [...linkKinds]);
  assertEquals(expose.flags.find(({ name }) => name === "once")?.value, undefined);
  assertEquals(expose.actions, []);
  assertEquals(shape("id").actions, ["create", "backup", "restore"]);
  assertEquals(shape("ticket").actions, ["new", "qr"]);
  assertEquals(shape("completions").actions, ["bash", "zsh", "fish"]);
  for (const [name, command] of commands) {
    // Permissions look like flags, and stand in another part.
    const text = command.help("x").split("\n\n").find((part) => part.startsWith("Flags:")) ?? "";
    const shown = [...text.matchAll(/^ {2}--([a-z0-9-]+)/gm)].map(([, flag]) => flag);
    assertEquals(shape(name).flags.map((flag) => flag.name), shown, name);
    assert(shape(name).flags.some((flag) => flag.name === "help"), name);
  }
});

Deno.test("another shell is refused, with a guess", () => {
  const { condition, message } = assertThrows(() => completionScript("bsh", commands), RgtpError);
  assertEquals(condition, "INVALID_ARG");
  assertStringIncludes(message, "bash");
});

for (const [shell, why] of lacking) {
  Deno.test({
    name: `${shell} takes its script${why}`,
    ignore: why !== "",
    fn: async () => {
      const file = await Deno.makeTempFile();
      try {
        await Deno.writeTextFile(file, completionScript(shell, commands));
        const { success, stderr } = await new Deno.Command(shell, { args: ["-n", file] }).output();
        assert(success, new TextDecoder().decode(stderr));
      } finally {
        await Deno.remove(file);
      }
    },
  });
}

/** What bash offers for the last of these words. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `${completionScript("bash", commands)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rgtp
for word in "\${COMPREPLY[@]}"; do printf '%s\\n' "$word"; done`;
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["--noprofile", "--norc", "-uc", script, "bash", ...words],
  }).output();
  const told = new TextDecoder().decode(stderr);
  assert(success && told === "", told);
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

const noBash = lacking.get("bash") ?? "";
Deno.test({
  name: `bash completes commands, words, flags and values, and leaves paths to itself${noBash}`,
  ignore: noBash !== "",
  fn: async () => {
    assertEquals(await offered("rgtp", ""), [...commands.keys(), "help", "--help", "--version"]);
    assertEquals(await offered("rgtp", "do"), ["doctor"]);
    assertEquals(await offered("rgtp", "help", "co"), ["completions"]);
    assertEquals(await offered("rgtp", "id", ""), ["create", "backup", "restore"]);
    assertEquals(await offered("rgtp", "id", "backup", ""), []);
    assertEquals(await offered("rgtp", "expose", "--pro"), ["--profile"]);
    assertEquals(await offered("rgtp", "expose", "file", "--profile", "s"), ["satellite"]);
    assertEquals(await offered("rgtp", "expose", "--spill", ""), []);
    assertEquals(await offered("rgtp", "pull", ""), []);
    assertEquals(await offered("rgtp", "nothing", "--"), []);
  },
});
