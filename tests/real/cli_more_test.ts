/*
 * `rgtp id`, `info`, `doctor` and `completions` as people run them: processes of their own, with the permissions that their help names
 * and no prompt.
 */
import { openLink } from "../../transport/link/open_link.ts";
import { assert, assertEquals, assertGreater, assertMatch, assertStringIncludes } from "../_assert.ts";
import { isThere, makeFile, TestFolder } from "./_files.ts";
import { portOf, startExposer, startPuller, stopExposer } from "./_processes.ts";
import { rgtp } from "./_rgtp.ts";
import type { End } from "./_rgtp.ts";

const HOST = "127.0.0.1";

/** The three ways to use `rgtp id`, each with what its help says that it takes. */
function identityOf(stateDir: string) {
  const where = ["--state-dir", stateDir];
  return {
    show: (...flags: string[]) => rgtp(["id", ...where, ...flags], [`--allow-read=${stateDir}`]),
    backup: (file: string) =>
      rgtp(["id", "backup", file, ...where], [`--allow-read=${stateDir}`, `--allow-write=${file}`]),
    restore: (file: string, ...flags: string[]) =>
      rgtp(["id", "restore", file, ...where, ...flags], [
        `--allow-read=${stateDir},${file}`,
        `--allow-write=${stateDir}`,
      ]),
  };
}

Deno.test("id: shown, backed up for nobody else to read, lost, and restored: the ticket is good again", async () => {
  await using folder = await TestFolder.make();
  const { path, bytes } = await makeFile(folder.file("source"), 300_000, 4);
  const stateDir = folder.file("state");
  const id = identityOf(stateDir);
  const none = await id.show();
  assertEquals([none.code, await isThere(stateDir)], [16, false]);
  const first = await startExposer(path, { host: HOST, stateDir });
  const { ticket } = first.ready;
  await stopExposer(first.exposer);

  const shown = await id.show("--json");
  assertEquals([shown.code, shown.events()[0].path], [0, `${stateDir}/identity`], shown.err);
  assertEquals(shown.events()[0].key, ticket.split("/")[3].split(".")[1]);
  const fingerprint = String(shown.events()[0].fingerprint);
  assertStringIncludes((await id.show()).out, fingerprint);

  const backup = folder.file("backup");
  const saved = await id.backup(backup);
  assertEquals(saved.code, 0, saved.err);
  if (Deno.build.os !== "windows") assertEquals((Deno.statSync(backup).mode ?? 0) & 0o777, 0o600);
  const before = await Deno.readTextFile(backup);
  assertEquals((await id.backup(backup)).code, 19);
  assertEquals(await Deno.readTextFile(backup), before);
  const seed = (await Deno.readFile(`${stateDir}/identity`)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  assertStringIncludes(before, seed);
  for (const end of [none, shown, saved]) assert(!`${end.out}${end.err}`.includes(seed));

  await Deno.remove(`${stateDir}/identity`);
  const restored = await id.restore(backup);
  assertEquals(restored.code, 0, restored.err);
  assertStringIncludes(restored.out, fingerprint);
  assertMatch((await id.restore(backup)).out, /already/);
  const second = await startExposer(path, { host: HOST, stateDir, port: portOf(ticket) });
  await using _exposer = second.exposer;
  await using puller = startPuller(ticket, folder.file("out"));
  assertEquals((await puller.done()).bytes, bytes);
});

Deno.test("id: another identity is replaced by force alone; its tickets are good again only when it comes back", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), 20_000, 5);
  const [stateDir, backup] = [folder.file("state"), folder.file("backup")];
  const id = identityOf(stateDir);
  // A copy of an identity file is a backup too.
  await Deno.writeFile(backup, crypto.getRandomValues(new Uint8Array(32)), { mode: 0o600 });
  const { exposer, ready } = await startExposer(path, { host: HOST, stateDir });
  await stopExposer(exposer);
  const mine = (await id.show()).out;

  const own = folder.file("own");
  assertEquals((await id.backup(own)).code, 0);

  const refused = await id.restore(backup);
  assertEquals(refused.code, 19);
  assertMatch(refused.err, /tickets.*fail.*rgtp id backup FILE.*--force/);
  assertEquals((await id.show()).out, mine);

  const forced = await id.restore(backup, "--force", "--json");
  assertEquals([forced.code, forced.events()[0].already], [0, false], forced.err);
  assertStringIncludes(mine, String(forced.events()[0].replaced));
  assert((await id.show()).out !== mine);
  // The older ticket names another exposer: nobody answers to it.
  const other = folder.file("other-state");
  await Deno.mkdir(other);
  await Deno.copyFile(`${stateDir}/identity`, `${other}/identity`);
  const port = portOf(ready.ticket);
  {
    const again = await startExposer(path, { host: HOST, stateDir: other, port });
    await using _exposer = again.exposer;
    assert(again.ready.id !== ready.id);
    await using stranger = startPuller(ready.ticket, folder.file("out"), ["--timeout", "3s"]);
    assertGreater(0, (await stranger.failed()).code);
    await using puller = startPuller(again.ready.ticket, folder.file("out"));
    assertEquals((await puller.done()).bytes, 20_000);
  }
  assertEquals((await id.restore(own, "--force")).code, 0);
  assertEquals((await id.show()).out, mine);
  const back = await startExposer(path, { host: HOST, stateDir, port });
  await using _back = back.exposer;
  assertEquals(back.ready.id, ready.id);
  await using puller = startPuller(ready.ticket, folder.file("back"));
  assertEquals((await puller.done()).bytes, 20_000);
});

Deno.test("id: wrong words and damaged backups are refused, and change nothing", async () => {
  await using folder = await TestFolder.make();
  const [stateDir, backup] = [folder.file("state"), folder.file("backup")];
  const id = identityOf(stateDir);
  await Deno.writeTextFile(backup, "no backup");
  assertEquals((await id.restore(backup)).code, 2);
  assertEquals((await id.restore(folder.file("nothing"))).code, 16);
  assertEquals((await rgtp(["id", "eat", "--state-dir", stateDir], [])).code, 2);
  assertEquals((await rgtp(["id", "backup", "--state-dir", stateDir], [])).code, 2);
  // Without a permission it says which one it needs.
  const bare = await rgtp(["id", "--state-dir", stateDir], []);
  assertEquals(bare.code, 20);
  assertStringIncludes(bare.err, `--allow-read=${stateDir}`);
  assertEquals(await isThere(stateDir), false);
});

Deno.test("info: a ticket from an argument, a file and standard input; its secret is nowhere", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), 1000, 6);
  const stateDir = folder.file("state");
  const { exposer, ready: { ticket, id } } = await startExposer(path, { host: HOST, stateDir });
  // Nobody is contacted: the exposer has gone.
  await stopExposer(exposer);
  const file = folder.file("ticket.txt");
  await Deno.writeTextFile(file, `\n${ticket}\n`);
  const secret = ticket.split("/")[3].split(".")[2];
  const ends = [
    await rgtp(["info", ticket, "--json"], []),
    await rgtp(["info", `@${file}`, "--json"], [`--allow-read=${file}`]),
    await rgtp(["info", "-", "--json"], [], `${ticket}\n`),
  ];
  for (const end of ends) {
    assertEquals(end.code, 0, end.err);
    assert(!end.out.includes(secret));
    const { event, name, id: shown, addresses, hasSecret, hasExposureKey } = end.events()[0];
    assertEquals([event, name, shown, hasSecret, hasExposureKey], ["info", "source", id, true, false]);
    assertEquals(addresses, [`${HOST}:${portOf(ticket)}`]);
  }
  const shown = await rgtp(["info", ticket], []);
  assert(!shown.out.includes(secret) && shown.err === "");
  const { fingerprint, ticketId } = ends[0].events()[0];
  assertStringIncludes(shown.out, String(fingerprint));
  assertStringIncludes((await identityOf(stateDir).show()).out, String(fingerprint));
  // The ID is the one that the exposer knows the ticket by.
  const permissions = [`--allow-read=${stateDir}`, `--allow-write=${stateDir}`];
  const status = await rgtp(["status", "--state-dir", stateDir], permissions);
  assertStringIncludes(status.out, String(ticketId));

  const cut = await rgtp(["info", ticket.slice(0, -3)], []);
  assertEquals(cut.code, 10);
  assert(!cut.err.includes(secret));
  assertEquals((await rgtp(["info", "ticket"], [])).code, 2);
});

const statesOf = (end: End) =>
  new Map(end.events().filter(({ event }) => event === "check").map((check) => [check.name, check]));

Deno.test("doctor: with its permissions nothing fails here; a taken port is said; nothing is left behind", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), 1000, 7);
  const stateDir = folder.file("state");
  const permissions = [
    "--allow-net",
    `--allow-read=.,${stateDir}`,
    `--allow-write=${stateDir}`,
    "--allow-sys=networkInterfaces,statfs",
    "--allow-ffi=/lib,/lib64",
  ];
  const { exposer, ready: { ticket } } = await startExposer(path, { host: HOST, stateDir });
  await using _exposer = exposer;
  const files = () => [...Deno.readDirSync(stateDir)].map(({ name }) => name).sort();
  const before = files();
  const args = ["doctor", "--state-dir", stateDir, "--port", `${portOf(ticket)}`];
  const end = await rgtp([...args, "--json"], permissions);
  assertEquals(end.code, 0, end.out);
  const checks = statesOf(end);
  const wellHere = [
    "sockets",
    "network",
    "system",
    "UDP over IPv4",
    "state folder",
    "identity",
    "engine",
    "clock",
  ];
  for (const name of wellHere) assertEquals(checks.get(name)?.state, "ok", name);
  assertMatch(String(checks.get(`port ${portOf(ticket)}`)?.what), /taken/);
  if (Deno.build.os === "linux") {
    assertMatch(String(checks.get("MTU")?.what), /^\d+ bytes/);
    assertMatch(String(checks.get("receive buffer")?.what), /^\d+ packets at once/);
  }
  for (const [name, { state, todo }] of checks) assert(state === "ok" || todo !== undefined, String(name));
  const { event, ok, warn, fail } = end.events().at(-1)!;
  assertEquals([event, fail, Number(ok) + Number(warn)], ["checked", 0, checks.size]);
  assertEquals(files(), before);
  const shown = await rgtp(args, permissions);
  assertMatch(shown.out, /^ok +engine +(libcrypto|native), seals /m);
  assertMatch(shown.err, /^\d+ ok, \d+ warnings?, 0 failures\n$/);
});

Deno.test("doctor: without any permission it runs to its end, and says which flags it lacks", async () => {
  const end = await rgtp(["doctor", "--json"], []);
  assertEquals(end.code, 3, end.err);
  const checks = statesOf(end);
  assertEquals(checks.get("network")?.todo, "run it with --allow-net");
  assertMatch(String(checks.get("state folder")?.what), /--allow-env=/);
  assertEquals([checks.get("engine")?.state, checks.get("UDP over IPv4")?.state], ["ok", "warn"]);
});

Deno.test("doctor: with foreign functions it sees what Deno hides", async () => {
  await using folder = await TestFolder.make();
  const state = ["--state-dir", folder.path];
  // As narrow as may be.
  const flags = ["--allow-net", "--allow-ffi=/lib,/lib64,/usr/lib", "--allow-sys=networkInterfaces"];
  const checks = statesOf(await rgtp(["doctor", "--json", ...state], flags));
  if (Deno.build.os !== "linux") return assertEquals(checks.get("system calls")?.state, "ok");
  // Where the C library stands elsewhere, it says so.
  if (checks.get("system calls")?.state !== "ok") {
    return assertMatch(String(checks.get("system calls")?.what), /C library/);
  }
  assertMatch(String(checks.get("receive buffer")?.what), /^\d+ packets at once/);
  assertMatch(String(checks.get("MTU of lo")?.what), /^\d+ bytes/);
  using link = await openLink({ host: HOST, port: 0 });
  const where = `${HOST}:${link.local.port}`;
  link.close();
  const closed = statesOf(await rgtp(["doctor", where, "--json"], flags));
  assertMatch(String(closed.get(where)?.what), /nobody listens on this UDP port/);
});

Deno.test("doctor TICKET and HOST:PORT: an exposer that answers, and a port at which none does", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), 1000, 7);
  const { exposer, ready: { ticket } } = await startExposer(path, {
    host: HOST,
    stateDir: folder.file("state"),
  });
  await using _exposer = exposer;
  const where = `${HOST}:${portOf(ticket)}`;
  const flags = [`--allow-net=${where},0.0.0.0:0`];
  const file = folder.file("ticket.txt");
  await Deno.writeTextFile(file, `${ticket}\n`);
  for (const target of [ticket, `@${file}`, where]) {
    const end = await rgtp(["doctor", target, "--json"], [...flags, `--allow-read=${file}`]);
    assertEquals([end.code, statesOf(end).get(where)?.state], [0, "ok"], end.out);
    assert(!end.out.includes(ticket.split("/")[3].split(".")[2]), "the secret is not shown");
  }
  await stopExposer(exposer);
  const silent = await rgtp(["doctor", where], flags);
  assertEquals(silent.code, 12);
  assertMatch(silent.out, /^fail .*it answers TCP.*a firewall drops UDP\n +to do: see that the exposer runs/);
  const other = await rgtp(["doctor", "nowhere"], flags);
  assertEquals(other.code, 2);
  assertStringIncludes((await rgtp(["doctor", where], [])).err, "--allow-net=");
});

Deno.test("doctor: a state folder that cannot be one, and one that is not there", async () => {
  await using folder = await TestFolder.make();
  const flags = ["--allow-net", `--allow-read=${folder.path}`, `--allow-write=${folder.path}`];
  await Deno.writeTextFile(folder.file("file"), "");
  const file = await rgtp(["doctor", "--state-dir", folder.file("file"), "--json"], flags);
  assertEquals([file.code, statesOf(file).get("state folder")?.state], [20, "fail"]);
  const absent = await rgtp(["doctor", "--state-dir", folder.file("a/b"), "--json"], flags);
  assertEquals([absent.code, statesOf(absent).get("state folder")?.state], [0, "ok"]);
  assertEquals(await isThere(folder.file("a")), false);
});

Deno.test("completions and all help need no permission, and help names those of its command", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, out, err } = await rgtp(["completions", shell], []);
    assertEquals([code, err], [0, ""]);
    for (const word of ["expose", "doctor", "limit-rate"]) assertStringIncludes(out, word);
    assertGreater(out.length, 1000);
  }
  assertEquals((await rgtp(["completions", "csh"], [])).code, 2);
  for (const command of ["id", "info", "doctor", "completions"]) {
    const { code, out } = await rgtp([command, "--help"], []);
    assertEquals(code, 0);
    assertMatch(out, /\n\nDeno permissions:\n {2}\S/);
  }
});
