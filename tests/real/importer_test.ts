/*
 * A program that imports us has its own `deno.json`, to which our `unstable: ["net"]` does not reach: `Deno.listenDatagram` is not there,
 * and everything works all the same, over `node:dgram`.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { assertEquals } from "../_assert.ts";
import { TestFolder } from "./_files.ts";
import { projectRoot } from "./_processes.ts";

const PROGRAM = `
import { expose, openLink, pull } from "@red-giant/rgtp";

const [folder] = Deno.args;
const source = crypto.getRandomValues(new Uint8Array(60_000));
const file = folder + "/source";
using writer = await Deno.open(file, { write: true, create: true });
for (let i = 0; i < 50; i++) writer.writeSync(source);

using link = await openLink({ host: "127.0.0.1", port: 0 });
await using exposure = await expose(file, { host: "127.0.0.1", port: 0, stateDir: folder + "/state" });
const bytes = await pull(exposure.ticket).bytes();
const saved = await pull(exposure.ticket).saveTo(folder + "/out");
const expected = await crypto.subtle.digest("SHA-256", bytes);
console.log(JSON.stringify({
  listenDatagram: typeof Reflect.get(Deno, "listenDatagram"),
  link: link.kind,
  bytes: bytes.length,
  isSame: bytes.every((byte, i) => byte === source[i % source.length]),
  saved: saved.sha256 === new Uint8Array(expected).toHex(),
}));
`;

const SECONDS_MAX = 60;

Deno.test("a program with a deno.json of its own exposes and pulls without Deno.listenDatagram", async () => {
  await using folder = await TestFolder.make();
  const { imports } = JSON.parse(await Deno.readTextFile(join(projectRoot, "deno.json"))) as {
    imports: Record<string, string>;
  };
  const own = { ...imports, "@red-giant/rgtp": pathToFileURL(join(projectRoot, "mod.ts")).href };
  await Deno.writeTextFile(folder.file("deno.json"), JSON.stringify({ imports: own }));
  await Deno.writeTextFile(folder.file("main.ts"), PROGRAM);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-lock",
      "--allow-net",
      `--allow-read=${folder.path}`,
      `--allow-write=${folder.path}`,
      folder.file("main.ts"),
      folder.path,
    ],
    cwd: folder.path,
    stdin: "null",
    signal: AbortSignal.timeout(SECONDS_MAX * 1000),
  }).output();
  const text = new TextDecoder();
  assertEquals(success, true, text.decode(stderr));
  assertEquals(JSON.parse(text.decode(stdout)), {
    listenDatagram: "undefined",
    link: "node_dgram",
    bytes: 3_000_000,
    isSame: true,
    saved: true,
  });
});
