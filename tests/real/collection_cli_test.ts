/*
 * Folders on the command line: no more permissions than the help names, what is printed, and how it ends.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../_assert.ts";
import { isThere, TestFolder } from "./_files.ts";
import { whyNoMounts, withTmpfs } from "./_mounts.ts";
import { rgtp } from "./_rgtp.ts";
import { RgtpProcess, startExposer, startPuller } from "./_processes.ts";

const HOST = "127.0.0.1";
const noMounts = await whyNoMounts();
const isUnix = Deno.build.os !== "windows";

interface Scene {
  readonly folder: TestFolder;
  readonly ticket: string;
}

/** `docs/a.txt`, `docs/b.txt`, `big` (4 MB) and, if asked for, a link. */
async function withScene(check: (scene: Scene) => Promise<void>, withLink = false): Promise<void> {
  await using folder = await TestFolder.make();
  const source = folder.file("source");
  await Deno.mkdir(`${source}/docs`, { recursive: true });
  await Deno.writeTextFile(`${source}/docs/a.txt`, "a");
  await Deno.writeTextFile(`${source}/docs/\u202eb.txt`, "b");
  const big = new Uint8Array(4_000_000);
  for (let at = 0; at < big.length; at += 50_000) crypto.getRandomValues(big.subarray(at, at + 50_000));
  await Deno.writeFile(`${source}/big`, big);
  if (withLink) await Deno.symlink("docs/a.txt", `${source}/link`);
  const stateDir = folder.file("state");
  const permissions = ["--allow-net", `--allow-read=${source},${stateDir}`, `--allow-write=${stateDir}`];
  const { exposer, ready } = await startExposer(source, { host: HOST, stateDir, permissions });
  await using _exposer = exposer;
  await check({ folder, ticket: ready.ticket });
}

const scoped = (folder: TestFolder) => ({
  permissions: ["--allow-net", `--allow-read=${folder.path}`, `--allow-write=${folder.path}`],
  cwd: folder.path,
});

/** What a command prints on both streams, and its status. */
async function run(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const root = new URL("../../", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `--config=${root}deno.json`, `${root}cli/main.ts`, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("cli: a folder is pulled with the permission for its folder alone: named, not there, and there", () =>
  withScene(async ({ folder, ticket }) => {
    for (const out of ["new", "deep-slash/", "."]) {
      await Deno.mkdir(folder.file("in"), { recursive: true });
      const options = { ...scoped(folder), cwd: folder.file("in") };
      await using puller = startPuller(ticket, out, [], options);
      const { files } = await puller.done();
      assertEquals(files, 3);
      assert(await isThere(folder.file(`in/${out}/docs/a.txt`)), out);
    }
    await using named = new RgtpProcess(["pull", ticket, "--json"], scoped(folder));
    assertEquals((await named.done()).path, "source");
    assert(await isThere(folder.file("source/big")));
  }));

Deno.test({
  name: "cli: symbolic links take more permission, which is said before anything moves",
  ignore: !isUnix,
  fn: () =>
    withScene(async ({ folder, ticket }) => {
      await using refused = startPuller(ticket, folder.file("out"), [], scoped(folder));
      const { message, code } = await refused.failed();
      assertEquals(code, -20);
      assertStringIncludes(message, "--allow-read --allow-write");
      assertEquals(await isThere(folder.file("out")), false);
      await using puller = startPuller(
        ticket,
        folder.file("out"),
        ["--files", "docs", "--files", "b*"],
        scoped(folder),
      );
      assertEquals((await puller.done()).files, 3);
    }, true),
});

Deno.test("cli: --list for people shows names as text, and what is pulled is told without a sum", () =>
  withScene(async ({ folder, ticket }) => {
    const { code, out, err } = await run(["pull", ticket, "--list"]);
    assertEquals(code, 0);
    assertMatch(out, /^4000000 {2}20\d\d-\d\d-\d\d \d\d:\d\d {2}big\n +20.* {2}docs\/\n/);
    assertStringIncludes(out, "docs/\\u{202e}b.txt\n");
    assertEquals(err, "3 files, 4.00 MB (4000002 bytes)\n");
    const some = await run(["pull", ticket, "--list", "--files", "docs"]);
    assertEquals(some.out.trim().split("\n").length, 3);
    const pulled = await run(["pull", ticket, folder.file("out"), "--files", "docs"]);
    assertEquals([pulled.code, pulled.out], [0, `${folder.file("out")}\n`]);
    assertMatch(pulled.err, /is complete: 2 B \(2 bytes\), 2 files in/);
    const none = await run(["pull", ticket, folder.file("out"), "--files", "nothing"]);
    assertEquals(none.code, 16);
    assertStringIncludes(none.err, "--list shows what there is");
  }));

Deno.test("cli: another pull into the same folder says so; Ctrl-C leaves what the next one goes on with", () =>
  withScene(async ({ folder, ticket }) => {
    const out = folder.file("out");
    await using slow = startPuller(ticket, out, ["--limit-rate", "1MB/s"]);
    await slow.until(() => slow.progress > 500_000, "its first bytes");
    await using second = startPuller(ticket, out);
    assertEquals((await second.failed()).name, "BUSY");
    const { code } = await slow.kill("SIGINT");
    assertEquals(code, 130);
    assertStringIncludes(slow.last("error")?.message ?? "", `are kept in '${out}/.rgtp-part'`);
    await using rest = startPuller(ticket, out);
    const { wireBytes } = await rest.done();
    assert(wireBytes < 3_900_000, `${wireBytes}`);
    assertEquals(await isThere(`${out}/.rgtp-part`), false);
  }));

Deno.test({
  name: `cli: the disk is full in the middle: NO_SPACE, what came is kept, and with more space it completes${
    noMounts && ` [skipped: ${noMounts}]`
  }`,
  ignore: noMounts !== "",
  fn: () =>
    withScene(({ folder, ticket }) =>
      withTmpfs(folder.file("disk"), "2m", async (disk) => {
        // The disk's own root, and a folder in it.
        for (const out of [disk.path, `${disk.path}/out`]) {
          await disk.remount("size=2m");
          for (let times = 0; times < 2; times++) {
            await using full = startPuller(ticket, out);
            assertEquals((await full.failed()).name, "NO_SPACE");
            assert(await isThere(`${out}/.rgtp-part`));
          }
          const permissions = ["--allow-net", "--allow-read", "--allow-write", "--allow-sys"];
          await using seen = startPuller(ticket, out, [], { permissions });
          assertMatch((await seen.failed()).message, /bytes free where \d+ are needed/);
          await disk.remount("size=16m");
          await using rest = startPuller(ticket, out);
          assert((await rest.done()).wireBytes < 3_900_000);
          for (const { name } of Deno.readDirSync(out)) {
            await Deno.remove(`${out}/${name}`, { recursive: true });
          }
        }
      })
    ),
});

Deno.test("cli: verify says of each file of a folder whether it is right, and moves the index alone", () =>
  withScene(async ({ folder, ticket }) => {
    const out = folder.file("copy");
    await using puller = startPuller(ticket, out);
    await puller.done();
    const permissions = ["--allow-net", `--allow-read=${out}`];
    const verify = async (...flags: string[]) => {
      const end = await rgtp(["verify", ticket, out, ...flags], permissions);
      return { ...end, event: flags.includes("--json") ? end.events()[0] : undefined };
    };
    const same = await verify("--json");
    assertEquals(
      [same.code, same.event?.same, same.event?.files, same.event?.right],
      [0, true, 3, 4],
      same.err,
    );
    assert(Number(same.event?.wireBytes) < 80_000, `${same.event?.wireBytes}`);
    assertStringIncludes((await verify()).out, "is the same: 3 files, 4.00 MB");

    await Deno.writeTextFile(`${out}/docs/a.txt`, "b");
    await Deno.remove(`${out}/docs/\u202eb.txt`);
    await Deno.writeTextFile(`${out}/docs/\x1b[2J`, "");
    const before = [...Deno.readDirSync(out)].length;
    const other = await verify();
    assertEquals(other.code, 8);
    assertEquals(other.out.split("\n"), [
      "extra    docs/\\u{1b}[2J",
      "wrong    docs/a.txt: other bytes",
      "missing  docs/\\u{202e}b.txt",
    ]);
    assertStringIncludes(other.err, "1 wrong, 1 missing, 1 extra; 2 of what is exposed is right");
    const { event } = await verify("--json");
    assertEquals([event?.wrong, event?.missing, event?.extra], [1, 1, 1]);
    assertEquals([...Deno.readDirSync(out)].length, before);

    const file = await rgtp(["verify", ticket, `${out}/big`], permissions);
    assertEquals(file.code, 14);
    assertStringIncludes(file.err, "is a collection: name the folder");
    assertEquals((await rgtp(["verify", ticket, `${out}/none`], permissions)).code, 16);
  }));

Deno.test("cli: a folder and files beside each other are one collection, and a trap among them is named", async () => {
  await using folder = await TestFolder.make();
  await Deno.mkdir(folder.file("d"));
  await Deno.writeTextFile(folder.file("d/x"), "x");
  await Deno.writeTextFile(folder.file("f"), "f");
  const stateDir = folder.file("state");
  const flags = [folder.file("f")];
  const { exposer, ready } = await startExposer(folder.file("d"), { host: HOST, stateDir, flags });
  await using _exposer = exposer;
  assertStringIncludes(ready.ticket, "/d-and-1-more/");
  await using puller = startPuller(ready.ticket, folder.file("out"));
  await puller.done();
  assertEquals(await Deno.readTextFile(folder.file("out/d/x")), "x");
  assertEquals(await Deno.readTextFile(folder.file("out/f")), "f");
  await Deno.writeTextFile(folder.file("d/NUL.txt"), "");
  const { code, err } = await run(["expose", folder.file("d"), "--host", HOST, "--state-dir", stateDir]);
  assertEquals(code, 14);
  assertStringIncludes(err, "'NUL.txt' is that of a device on Windows: rename it");
});
