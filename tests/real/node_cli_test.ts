/*
 * `rgtp node ca`: an authority and its nodes, from the command line, with the permissions that its help names.
 */
import { readNodeFolder } from "../../cluster/io/authority_folder.ts";
import { checkedCredentials } from "../../cluster/io/credentials.ts";
import { assert, assertEquals, assertStringIncludes } from "../_assert.ts";
import { rgtp } from "./_rgtp.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rnp-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function permissions(folder: string): string[] {
  return [`--allow-read=${folder}`, `--allow-write=${folder}`];
}

Deno.test("rgtp node ca: init, issue and rotate make folders that nodes can start with", async () => {
  await withFolder(async (folder) => {
    const ca = `${folder}/ca`;
    const run = async (...args: string[]) =>
      await rgtp(["node", "ca", ...args, "--ca", ca], permissions(folder));
    const made = await run("init", "--name", "harbour", "--json");
    assertEquals([made.code, made.events()], [0, [{ event: "authority", folder: ca }]]);

    const issued = await run("issue", "node-1", "node-2", "--json");
    assertEquals(issued.code, 0, issued.err);
    assertEquals(issued.events().map(({ event, node }) => [event, node]), [["issued", "node-1"], [
      "issued",
      "node-2",
    ]]);
    const { credentials, secret } = await readNodeFolder(`${ca}/nodes/node-1`);
    const { nodeId, expires } = checkedCredentials(credentials);
    assertEquals([nodeId, secret.length], ["node-1", 32]);
    assert(Math.abs(expires - Date.now() - 365 * 86_400_000) < 600_000, "365 days");

    const none = await run("rotate");
    assertEquals([none.code, none.out], [0, "no certificate is 300 days old"]);
    const forced = await run("rotate", "node-2", "--force");
    assertStringIncludes(forced.out, "node-2  until ");
    assertEquals((await readNodeFolder(`${ca}/nodes/node-1`)).credentials.cert, credentials.cert);
  });
});

Deno.test("rgtp node ca: says what is wrong, with the status of the error", async () => {
  await withFolder(async (folder) => {
    const table: [string[], number, string][] = [
      [["node", "ca", "make"], 2, "there is no 'node ca make'"],
      [["node", "ca"], 2, "init|issue|rotate is missing"],
      [["node", "ca", "issue"], 2, "NODE is missing"],
      [["node", "ca", "issue", "Node_1"], 2, "'Node_1' cannot be a node's ID"],
      [["node", "ca", "issue", "../../x"], 2, "cannot be a node's ID"],
      [["node", "ca", "init", "--name", "a b"], 2, "cannot be a cluster's name"],
      [["node", "ca", "init", "--force"], 2, "--force belongs to 'node ca rotate'"],
      [["node", "ca", "issue", "node-1"], 16, "cannot read"],
      [["node", "ca", "rotate", "node-1"], 16, "cannot read"],
    ];
    for (const [args, code, text] of table) {
      const end = await rgtp([...args, "--ca", `${folder}/ca`], permissions(folder));
      assertEquals(end.code, code, `${args}: ${end.err}`);
      assertStringIncludes(end.err, text);
    }
  });
});
