import { initAuthority, issueNode } from "../cluster/io/authority_folder.ts";
import { lockFolder } from "../cluster/io/folder_lock.ts";
import { assertEquals, assertStringIncludes } from "../tests/_assert.ts";
import type { Io } from "./_io.ts";
import { runCommand } from "./_run.ts";
import { nodeCommand } from "./node.ts";

/** Runs `rgtp node` with arguments, and gives its exit status and what it has said. */
async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  let said = "";
  const io: Io = {
    out: (line) => said += `${line}\n`,
    err: (text) => said += text,
    errIsTerminal: false,
    columns: () => 80,
    readLine: () => Promise.resolve(""),
  };
  return { code: await runCommand(nodeCommand, "rgtp node", args, io), said };
}

const folder = await Deno.makeTempDir({ prefix: "rnp-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const ca = `${folder}/ca`;
await initAuthority(ca);
for (const id of ["controller", "node-1"]) await issueNode(ca, id);

Deno.test("rgtp node: every command names what is wrong before it contacts anybody", async () => {
  const as = ["--as", `${ca}/nodes/node-1`];
  const at = ["--at", "127.0.0.1:1"];
  const table: [string[], number, string][] = [
    [[], 2, "what to do is missing; there are ca, start, join"],
    [["joni"], 2, "did you mean 'join'?"],
    [["start"], 2, "--listen HOST[:PORT] is missing"],
    [["start", "--listen", "127.0.0.1:0"], 2, "--as FOLDER is missing"],
    [["start", "--listen", "0.0.0.0", ...as], 2, "others cannot find a node there"],
    [["start", "--listen", "127.0.0.1:0", "--pace", "0", ...as], 2, "--pace '0'"],
    [
      ["start", "--listen", "127.0.0.1:0", "--store", "nats://127.0.0.1", ...as],
      2,
      "--store is for controllers",
    ],
    [["start", "--listen", "127.0.0.1:0", "--as", `${folder}/none`], 16, "cannot read"],
    [["join"], 2, "HOST[:PORT] is missing"],
    [["ls", ...as], 2, "--at HOST:PORT is missing"],
    [["ls", ...at], 2, "--as FOLDER is missing"],
    [["ls", "ponies", ...as, ...at], 2, "'ponies' cannot be listed"],
    [["ls", ...as, ...at], 3, "127.0.0.1:1"],
    [["top", "--every", "soon", ...as, ...at], 2, "--every 'soon'"],
    [["run", ...as, ...at], 2, "PROGRAM is missing"],
    [["run", "a", "--cpu", "much", ...as, ...at], 2, "--cpu 'much'"],
    [["run", "a", "--service", "web", ...as, ...at], 2, "is not NAME:PORT"],
    [["run", "a", "--health", "/h", ...as, ...at], 2, "--health belongs to --service"],
    [["run", "a", "--env", "X", ...as, ...at], 2, "--env 'X' is not KEY=VALUE"],
    [["run", "a", "--strategy", "pile", ...as, ...at], 2, "--strategy 'pile' is not known"],
    [["stop", ...as, ...at], 2, "INSTANCE is missing"],
    [["services", "a", "b", ...as, ...at], 2, "one argument too many"],
    [["put", `${folder}/none`, ...as, ...at], 16, "is not there"],
    [["put", folder, ...as, ...at], 2, "is no file"],
    [["put", `${ca}/authority.pem`, "--copies", "0", ...as, ...at], 2, "--copies '0'"],
    [["get", "/a", `${ca}/authority.pem`, ...as, ...at], 19, "is there already"],
    [["leave", ...as, ...at], 2, "NODE is missing"],
  ];
  for (const [args, code, text] of table) {
    const end = await run(...args);
    assertEquals(end.code, code, `${args.join(" ")}: ${end.said}`);
    assertStringIncludes(end.said, text);
  }
});

Deno.test("rgtp node: a folder that another process uses is refused", async () => {
  using _lock = await lockFolder(`${ca}/nodes/node-1`);
  const { code, said } = await run("start", "--listen", "127.0.0.1:0", "--as", `${ca}/nodes/node-1`);
  assertEquals(code, 19);
  assertStringIncludes(said, "another process is this node already");
});

Deno.test("rgtp node: every command has its help, and the group lists them", async () => {
  const { said } = await run("--help");
  for (const [name, command] of nodeCommand.parts!) {
    assertStringIncludes(said, name);
    const { code, said: help } = await run(name, "--help");
    assertEquals(code, 0);
    assertStringIncludes(help, command.summary);
    assertStringIncludes(help, "Deno permissions:");
  }
});
