/*
 * Who may pull, as people say it: `rgtp id` on one side, `rgtp expose --allow` and `--open` on the other.
 */
import { parseTicket } from "../../codec/ticket.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../_assert.ts";
import { makeFile, TestFolder } from "./_files.ts";
import { portOf, RgtpProcess, startExposer, startPuller } from "./_processes.ts";
import { rgtp } from "./_rgtp.ts";

const HOST = "127.0.0.1";
const BYTES = 300_000;

async function nodeId(stateDir: string): Promise<{ key: string; fingerprint: string }> {
  const permissions = [`--allow-read=${stateDir}`, `--allow-write=${stateDir}`];
  const { code, out, err } = await rgtp(["id", "create", "--json", "--state-dir", stateDir], permissions);
  assertEquals(code, 0, err);
  return JSON.parse(out);
}

Deno.test("--allow: refused to a stranger and to another node, pulled by the node that it names", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), BYTES, 3);
  const [bob, eve] = [folder.file("bob"), folder.file("eve")];
  const { key, fingerprint } = await nodeId(bob);
  assertEquals((await nodeId(bob)).key, key);
  assertMatch(fingerprint, /^([a-z2-7]{4}-){7}[a-z2-7]{4}$/);
  for (const name of [key, fingerprint]) {
    const { exposer, ready } = await startExposer(path, {
      host: HOST,
      stateDir: folder.file("state"),
      flags: ["--allow", name],
    });
    await using _exposer = exposer;
    assertEquals(parseTicket(ready.ticket).secret, undefined);
    await using stranger = startPuller(ready.ticket, folder.file("out"));
    const { code, message } = await stranger.failed();
    assertEquals(code, -17);
    assertStringIncludes(message, "rgtp id");
    await using other = startPuller(ready.ticket, folder.file("out"), ["--state-dir", eve]);
    assertEquals((await other.failed()).code, -17);
    await using meant = startPuller(ready.ticket, folder.file(name), ["--state-dir", bob]);
    assertEquals((await meant.done()).bytes, BYTES);
  }
});

Deno.test("--open: a ticket without a secret, and one file for two audiences has two IDs", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), BYTES, 3);
  const stateDir = folder.file("state");
  const ids: string[] = [];
  for (const flags of [["--open"], []]) {
    const { exposer, ready } = await startExposer(path, { host: HOST, stateDir, flags });
    await using _exposer = exposer;
    ids.push(ready.id);
    const { secret } = parseTicket(ready.ticket);
    assertEquals(secret === undefined, flags.length > 0);
    await using puller = startPuller(ready.ticket, folder.file(`out${ids.length}`));
    assertEquals((await puller.done()).bytes, BYTES);
  }
  assert(ids[0] !== ids[1]);
  const permissions = [`--allow-read=${stateDir}`, `--allow-write=${stateDir}`];
  const { out } = await rgtp(["status", "--state-dir", stateDir], permissions);
  assertStringIncludes(out, "policy: open");
});

Deno.test("by name: refused without --key where nobody looks, and with a wrong one; pulled with the right one, and once it is known", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), BYTES, 3);
  const { exposer, ready } = await startExposer(path, {
    host: HOST,
    stateDir: folder.file("state"),
    flags: ["--open", "--name", "a name"],
  });
  await using _exposer = exposer;
  const { key } = await nodeId(folder.file("state"));
  const other = await nodeId(folder.file("other"));
  const where = `${HOST}:${portOf(ready.ticket)}`;
  const byName = (out: string, ...flags: string[]) =>
    new RgtpProcess(["pull", where, "a name", folder.file(out), "--json", ...flags]);
  const mine = ["--state-dir", folder.file("mine")];
  await using unknown = byName("out", ...mine);
  assertStringIncludes((await unknown.failed()).message, "--key");
  await using wrong = byName("out", "--key", other.key, ...mine);
  assertEquals((await wrong.failed()).code, -7);
  const permissions = [`--allow-net=${where},0.0.0.0:0`];
  const { code: status, out, err } = await rgtp(["ls", where, "--json", "--key", key], permissions);
  assertEquals(status, 0, err);
  const { event, name, id, bytes } = JSON.parse(out);
  assertEquals([event, name, id, bytes], ["exposed", "a name", ready.id, BYTES]);
  // With a key no state folder is needed; nor is that of whoever runs this touched.
  const scoped = ["--allow-net", `--allow-read=${folder.path}`, `--allow-write=${folder.path}`];
  const words = ["pull", where, "a name", folder.file("out"), "--json", "--key", key];
  await using right = new RgtpProcess(words, { permissions: scoped });
  assertEquals((await right.done()).bytes, BYTES);
  // A key that was given once is known from then on.
  await using kept = byName("kept", "--key", key, ...mine);
  assertEquals((await kept.done()).bytes, BYTES);
  await using known = byName("again", ...mine);
  assertEquals((await known.done()).bytes, BYTES);
  await Deno.writeTextFile(`${folder.file("mine")}/known_exposers`, `${where} ${other.key}\n`);
  await using changed = byName("changed", ...mine);
  const { code, message } = await changed.failed();
  assertEquals(code, -7);
  assertStringIncludes(message, "known_exposers");
});

Deno.test("two policies at once, and what is no key, are wrong arguments", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), 10, 3);
  const cases = [["--open", "--allow", "x"], ["--allow", "nobody"], ["--allow", "A".repeat(43)]];
  for (const flags of cases) {
    const { code, err } = await rgtp(["expose", path, ...flags, "--state-dir", folder.file("state")], ["-A"]);
    assertEquals(code, 2, err);
  }
});
