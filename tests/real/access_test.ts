/*
 * Who may pull, as people say it: `rgtp id` on one side, `rgtp expose --allow` and `--open` on the other.
 */
import { formatTicket, parseTicket } from "../../codec/ticket.ts";
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

/** A file that holds a passphrase, as an editor leaves it. */
async function passwordFile(folder: TestFolder, name: string, passphrase: string): Promise<string> {
  await Deno.writeTextFile(folder.file(name), `${passphrase}\n`);
  return folder.file(name);
}

Deno.test("--password-file: refused without it and with a wrong one; pulled with it, by ticket and at a first contact by name", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), BYTES, 3);
  const right = await passwordFile(folder, "right", "four quiet words here");
  const wrong = await passwordFile(folder, "wrong", "four other words here");
  const flags = ["--password-file", right, "--name", "photos"];
  const { exposer, ready } = await startExposer(path, { host: HOST, stateDir: folder.file("state"), flags });
  await using _exposer = exposer;
  assertEquals([ready.access, parseTicket(ready.ticket).secret], ["passphrase", undefined]);
  await using none = startPuller(ready.ticket, folder.file("out"));
  const { code, message } = await none.failed();
  assertEquals(code, -17);
  assertStringIncludes(message, "--password-file");
  await using guess = startPuller(ready.ticket, folder.file("out"), ["--password-file", wrong]);
  assertEquals((await guess.failed()).code, -17);
  const mine = folder.file("mine");
  const where = `${HOST}:${portOf(ready.ticket)}`;
  const byName = (
    file: string,
    out: string,
  ) => ["pull", where, "photos", out, "--json", "--password-file", file, "--state-dir", mine];
  await using stranger = new RgtpProcess(byName(wrong, folder.file("out")));
  assertEquals((await stranger.failed()).code, -17);
  assertEquals(await exists(`${mine}/known_exposers`), false);
  await using byTicket = startPuller(ready.ticket, folder.file("one"), ["--password-file", right]);
  assertEquals((await byTicket.done()).bytes, BYTES);
  await using named = new RgtpProcess(byName(right, folder.file("two")));
  assertEquals((await named.done()).bytes, BYTES);
  const { key } = await nodeId(folder.file("state"));
  assertEquals(await Deno.readTextFile(`${mine}/known_exposers`), `${where} ${key}\n`);
  const { out } = await rgtp(
    ["ls", where, "--json", "--password-file", "-", "--key", key],
    ["-A"],
    "four quiet words here",
  );
  assertEquals(JSON.parse(out).name, "photos");
  // Nobody but who types it has it: not what is printed, not what is kept.
  const said = [...exposer.events, ...named.events].map((event) => JSON.stringify(event)).join() +
    exposer.stderr;
  const kept = (await rgtp(["status", "--state-dir", folder.file("state")], ["-A"])).out;
  assertEquals([said.includes("quiet"), kept.includes("quiet")], [false, false]);
  assertStringIncludes(kept, "policy: passphrase");
});

Deno.test("--password-file: another exposer in the place of a known one is refused, though it knows the passphrase", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), BYTES, 3);
  const file = await passwordFile(folder, "right", "four quiet words here");
  const options = {
    host: HOST,
    stateDir: folder.file("state"),
    flags: ["--password-file", file, "--name", "photos"],
  };
  const { exposer, ready } = await startExposer(path, options);
  await using _exposer = exposer;
  const { key } = await nodeId(folder.file("other"));
  const where = `${HOST}:${portOf(ready.ticket)}`;
  const mine = folder.file("mine");
  await Deno.mkdir(mine);
  await Deno.writeTextFile(`${mine}/known_exposers`, `${where} ${key}\n`);
  const pull = [
    "pull",
    where,
    "photos",
    folder.file("out"),
    "--json",
    "--password-file",
    file,
    "--state-dir",
    mine,
  ];
  await using puller = new RgtpProcess(pull);
  assertEquals((await puller.failed()).code, -7);
  const { exposerKey: _, ...ticket } = parseTicket(ready.ticket);
  const elsewhere = formatTicket({
    ...ticket,
    exposerKey: Uint8Array.fromBase64(key, { alphabet: "base64url" }),
  });
  await using byTicket = startPuller(elsewhere, folder.file("out"), ["--password-file", file]);
  assertEquals((await byTicket.failed()).code, -7);
  assertEquals(exposer.last("served")?.bytes ?? 0, 0);
});

Deno.test("--password-file: an exposer that is killed and starts anew is shown the passphrase again, and the pull goes on", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), 8_000_000, 3);
  const file = await passwordFile(folder, "right", "four quiet words here");
  const options = { host: HOST, stateDir: folder.file("state"), flags: ["--password-file", file] };
  const { exposer: first, ready } = await startExposer(path, {
    ...options,
    flags: [...options.flags, "--limit-rate", "2MB/s"],
  });
  await using _first = first;
  await using puller = startPuller(ready.ticket, folder.file("out"), ["--password-file", file]);
  await puller.until(() => puller.progress > 1_000_000, "its first megabyte");
  await first.kill("SIGKILL");
  const { exposer: second } = await startExposer(path, { ...options, port: portOf(ready.ticket) });
  await using _second = second;
  const { bytes, reused } = await puller.done();
  assertEquals(bytes, 8_000_000);
  assert(reused > 500_000, `${reused}`);
});

Deno.test("two policies at once, and what is no key and no passphrase, are wrong arguments", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), 10, 3);
  const short = await passwordFile(folder, "short", "1234");
  const cases = [
    ["--open", "--allow", "x"],
    ["--allow", "nobody"],
    ["--allow", "A".repeat(43)],
    ["--open", "--password-file", short],
    ["--password-file", short],
    ["--password-file", path],
    ["--password-file", "-"],
    ["--qr", "--json"],
  ];
  for (const flags of cases) {
    const { code, err } = await rgtp(["expose", path, ...flags, "--state-dir", folder.file("state")], ["-A"]);
    assertEquals(code, 2, err);
  }
  const absent = [
    "expose",
    path,
    "--password-file",
    folder.file("absent"),
    "--state-dir",
    folder.file("state"),
  ];
  assertEquals((await rgtp(absent, ["-A"])).code, 16);
  const twice = ["expose", "-", "--password-file", "-", "--state-dir", folder.file("state")];
  assertEquals((await rgtp(twice, ["-A"], "four quiet words here")).code, 2);
});

Deno.test("a ticket as a QR code: on request, from a file; what is no ticket, and flags of another kind, are refused", async () => {
  await using folder = await TestFolder.make();
  const ticket = formatTicket({
    addresses: [{ host: HOST, port: 9000 }],
    exposureId: new Uint8Array(32),
    exposerKey: new Uint8Array(32).fill(9),
    name: "x",
  });
  await Deno.writeTextFile(folder.file("ticket"), ticket);
  const none = await rgtp(["ticket", "qr", "nonsense"], []);
  assertEquals([none.code, none.out], [2, ""]);
  assertEquals((await rgtp(["ticket", "qr", ticket, "--label", "x"], [])).code, 2);
  const { code, out, err } = await rgtp(["ticket", "qr", `@${folder.file("ticket")}`], [
    `--allow-read=${folder.file("ticket")}`,
  ]);
  assertEquals(code, 0, err);
  assertEquals((await rgtp(["ticket", "qr", "-"], [], ticket)).out, out);
  assertMatch(out, /^█▀▀▀▀▀█ /);
});

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
