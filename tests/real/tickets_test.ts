/*
 * What one process says about the exposures of another: `rgtp status`, `ticket new`, `revoke`, and `verify` from the other side. Run as
 * people run them, with the permissions that their help names.
 */
import { assert, assertEquals, assertLess, assertMatch } from "../_assert.ts";
import { makeFile, TestFolder } from "./_files.ts";
import { startExposer, startPuller, stopExposer } from "./_processes.ts";
import { rgtp } from "./_rgtp.ts";

const HOST = "127.0.0.1";
const BYTES = 8_000_000;

async function withExposer(
  play: (scene: {
    folder: TestFolder;
    path: string;
    ticket: string;
    admin: (...args: string[]) => ReturnType<typeof rgtp>;
  }) => Promise<void>,
): Promise<void> {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), BYTES, 3);
  const stateDir = folder.file("state");
  const { exposer, ready: { ticket } } = await startExposer(path, { host: HOST, stateDir });
  await using _exposer = exposer;
  const permissions = [`--allow-read=${stateDir},${path}`, `--allow-write=${stateDir}`];
  const admin = (...args: string[]) => rgtp([...args, "--state-dir", stateDir], permissions);
  await play({ folder, path, ticket, admin });
}

Deno.test("a ticket made by another process is good, is listed, and ends in the middle of a pull", () =>
  withExposer(async ({ folder, path, ticket, admin }) => {
    const made = await admin("ticket", "new", path, "--label", "for Bob", "--expires", "1h");
    assertEquals(made.code, 0, made.err);
    const listed = await admin("status");
    assertMatch(listed.out, /ticket \S{11} 'for Bob', made .*, good until /);
    assert(listed.out.includes(path) && listed.out.includes(`${BYTES} bytes`));
    const secret = made.out.split("/")[3].split(".")[2];
    assert(!listed.out.includes(secret));
    const exposures = (await admin("status", "--json")).out.split("\n").map((line) => JSON.parse(line));
    assertEquals([exposures.length, exposures[0].event, exposures[0].tickets.length], [1, "exposure", 2]);

    // As long as the exposer has not looked, the ticket is denied.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await using puller = startPuller(made.out, folder.file("out"), ["--limit-rate", "1MB/s"]);
    await puller.until(() => puller.progress > BYTES / 20, "a twentieth of the file");
    const at = performance.now();
    const revoked = await admin("revoke", "for Bob");
    assertEquals(revoked.code, 0, revoked.err);
    assertMatch(revoked.out, /^revoked \S{11} 'for Bob'/);
    assertEquals((await puller.failed()).code, -17);
    assertLess(performance.now() - at, 5000);
    await using other = startPuller(ticket, folder.file("other"));
    assertEquals((await other.done()).bytes, BYTES);
  }));

Deno.test("what there is not is said, with the status of its error", () =>
  withExposer(async ({ admin, ticket }) => {
    assertEquals((await admin("revoke", "nobody")).code, 16);
    assertEquals((await admin("ticket", "new", "nothing")).code, 16);
    assertEquals((await admin("ticket", "old", "nothing")).code, 2);
    assertEquals((await admin("revoke", ticket)).code, 0);
    assertEquals((await admin("revoke", ticket)).code, 16);
  }));

Deno.test("a ticket made after the identity was replaced would be dead: it is refused until the file is exposed again", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), 100_000, 3);
  const stateDir = folder.file("state");
  const permissions = [`--allow-read=${folder.path}`, `--allow-write=${folder.path}`];
  const admin = (...args: string[]) => rgtp([...args, "--state-dir", stateDir], permissions);
  const first = await startExposer(path, { host: HOST, stateDir });
  await stopExposer(first.exposer);
  assertEquals((await admin("ticket", "new", path)).code, 0);

  const backup = folder.file("backup");
  await rgtp(["id", "create", "--state-dir", folder.file("other")], permissions);
  await rgtp(["id", "backup", backup, "--state-dir", folder.file("other")], permissions);
  const restored = await admin("id", "restore", backup, "--force");
  assertEquals(restored.code, 0, restored.err);
  const refused = await admin("ticket", "new", path);
  assertEquals([refused.code, refused.out], [16, ""]);
  assertMatch(refused.err, /under another identity.*Expose it again/);

  const { exposer, ready } = await startExposer(path, { host: HOST, stateDir });
  await using _exposer = exposer;
  assert(ready.id !== first.ready.id);
  const made = await admin("ticket", "new", path);
  assertEquals(made.code, 0, made.err);
  // The exposer looks once a second.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await using puller = startPuller(made.out, folder.file("out"));
  assertEquals((await puller.done()).bytes, 100_000);
});

Deno.test("verify: the same, other bytes, shorter, longer, absent; nothing is pulled or written", () =>
  withExposer(async ({ folder, path, ticket }) => {
    const copy = folder.file("copy");
    const permissions = ["--allow-net", `--allow-read=${copy}`];
    const verify = async (...flags: string[]) => {
      const end = await rgtp(["verify", ticket, copy, ...flags], permissions);
      return { ...end, event: flags.includes("--json") ? JSON.parse(end.out) : undefined };
    };
    await Deno.copyFile(path, copy);
    const same = await verify("--json");
    assertEquals([same.code, same.event.same, same.event.differences], [0, true, []]);
    assertLess(same.event.wireBytes, 10_000);
    assertMatch((await verify()).out, /is the same/);

    const bytes = await Deno.readFile(copy);
    for (const at of [70_000, 140_000, 5_000_000]) bytes[at] ^= 1;
    await Deno.writeFile(copy, bytes);
    const other = await verify("--json");
    assertEquals([other.code, other.event.chunksDifferent], [8, 3]);
    assertEquals(other.event.differences, [{ from: 65_536, to: 196_608 }, {
      from: 4_980_736,
      to: 5_046_272,
    }]);
    assertMatch((await verify()).out, /^differs: bytes 65536 to 196607\ndiffers: bytes 4980736 to 5046271$/);

    await Deno.copyFile(path, copy);
    await Deno.truncate(copy, BYTES - 1);
    const shorter = await verify("--json");
    assertEquals([shorter.code, shorter.event.chunksDifferent, shorter.event.fileBytes], [8, 1, BYTES - 1]);
    await Deno.copyFile(path, copy);
    await Deno.writeFile(copy, Uint8Array.of(1), { append: true });
    const longer = await verify();
    assertEquals(longer.code, 8);
    assertMatch(longer.out, /it has 8000001 bytes, what is exposed has 8000000/);
    await Deno.remove(copy);
    assertEquals((await verify()).code, 16);
  }));
