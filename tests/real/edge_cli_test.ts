/*
 * `rgtp edge` and `rgtp pull --edge --from` as people run them: processes of their own, with the permissions that their help names.
 */
import { assert, assertEquals, assertLess, assertStringIncludes } from "../_assert.ts";
import { makeFile, sha256Of, TestFolder } from "./_files.ts";
import { portOf, RgtpProcess, startExposer, startPuller, stopExposer } from "./_processes.ts";
import { rgtp } from "./_rgtp.ts";

const HOST = "127.0.0.1";
const READY_MS = 30_000;

Deno.test("an edge in its own process: its ticket feeds pullers, and it is told when its exposer goes", async () => {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), 48_000_000, 31);
  const { exposer, ready } = await startExposer(made.path, { host: HOST, stateDir: folder.file("state") });
  await using _exposer = exposer;
  const [stateDir, cache] = [folder.file("edge state"), folder.file("cache")];
  await Deno.mkdir(cache);
  await Deno.writeTextFile(folder.file("ticket"), `${ready.ticket}\n`);
  const permissions = [
    "--allow-net",
    `--allow-read=${stateDir},${cache},${folder.file("ticket")}`,
    `--allow-write=${stateDir},${cache}`,
  ];
  const where = [
    "--host",
    HOST,
    "--port",
    "0",
    "--state-dir",
    stateDir,
    "--folder",
    cache,
    "--disk",
    "64MiB",
  ];
  await using edge = new RgtpProcess(["edge", `@${folder.file("ticket")}`, ...where, "--json"], {
    permissions,
  });
  const { ticket } = await edge.next("ready", READY_MS);
  assertEquals([...Deno.readDirSync(cache)], []);
  for (const out of ["one", "other"]) {
    await using puller = startPuller(ready.ticket, folder.file(out), ["--edge", ticket]);
    const done = await puller.done();
    assertEquals(done.sha256, made.sha256);
    assertEquals(await sha256Of(folder.file(out)), made.sha256);
    assert(puller.events.some((event) => JSON.stringify(event).includes(`${HOST}:${portOf(ticket)}`)));
  }
  assertLess(await stopExposer(exposer), 1.05 * made.bytes);
  const error = await edge.failed();
  assertEquals(error.name, "WITHDRAWN");
});

Deno.test("two pulls, one of which serves the other meanwhile: the exposer sends the file about once", async () => {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), 48_000_000, 34);
  const flags = ["--limit-rate", "12MB/s"];
  const { exposer, ready } = await startExposer(made.path, {
    host: HOST,
    stateDir: folder.file("state"),
    flags,
  });
  await using _exposer = exposer;
  await using first = startPuller(ready.ticket, folder.file("first"), ["--serve-while-pulling"]);
  const { ticket } = await first.next("serving", READY_MS);
  await using second = startPuller(ready.ticket, folder.file("second"), ["--edge", ticket]);
  assertEquals((await first.done()).sha256, made.sha256);
  assertEquals((await second.done()).sha256, made.sha256);
  // What the second one lacked when the first had ended it took from the exposer.
  assertLess(await stopExposer(exposer), 1.5 * made.bytes);
});

Deno.test("what cannot be is refused: two audiences, no upstream, a ticket of something else", async () => {
  await using folder = await TestFolder.make();
  const stateDir = folder.file("state");
  const made = await makeFile(folder.file("source"), 100_000, 32);
  const one = await startExposer(made.path, { host: HOST, stateDir });
  await using _one = one.exposer;
  const other = await startExposer((await makeFile(folder.file("other"), 100_000, 33)).path, {
    host: HOST,
    stateDir,
  });
  await using _other = other.exposer;
  const both = await rgtp(["edge", one.ready.ticket, "--open", "--allow", "x"], ["--allow-net"]);
  assertEquals(both.code, 2, both.err);
  const silent = one.ready.ticket.replace(`:${portOf(one.ready.ticket)}/`, ":9/");
  const alone = ["--host", HOST, "--port", "0", "--state-dir", stateDir, "--timeout", "1s"];
  const late = await rgtp(["edge", silent, ...alone], ["-A"]);
  assertEquals(late.code, 12, late.err);
  const mixed = await rgtp(["pull", one.ready.ticket, folder.file("out"), "--edge", other.ready.ticket], [
    "-A",
  ]);
  assertEquals(mixed.code, 2, mixed.err);
  assertStringIncludes(mixed.err, "another exposure");
  const bare = await rgtp(["edge", one.ready.ticket, "--state-dir", stateDir], []);
  assertStringIncludes(bare.err, "--allow-net");
});
