/*
 * What goes wrong in people's hands, each as its own small story between real processes: the message says what and what to do, the exit
 * status is the error's, what had arrived is kept, and no half-written file stands where the whole one belongs.
 */
import { formatTicket, parseTicket } from "../../codec/ticket.ts";
import { RgtpError } from "../../core/errors.ts";
import { systemRandom } from "../../core/machine.ts";
import { expose } from "../../transport/expose.ts";
import { formatStaticKey } from "../../transport/exposure/access.ts";
import { assert, assertEquals, assertGreater, assertLess, assertMatch, assertThrows } from "../_assert.ts";
import { whyNoMounts, withTmpfs } from "./_mounts.ts";
import { isThere, makeFile, sha256Of, TestFolder } from "./_files.ts";
import type { MadeFile } from "./_files.ts";
import { portOf, RgtpProcess, startExposer, startPuller } from "./_processes.ts";
import type { ErrorEvent } from "./_processes.ts";

const HOST = "127.0.0.1";
const BYTES = 16_000_000;
/** With this, a pull of the file lasts for four seconds. */
const SLOWLY = ["--limit-rate", "4MB/s"];

/** An exposed file, and where it may be pulled to. */
interface Scene {
  readonly folder: TestFolder;
  readonly made: MadeFile;
  readonly exposer: RgtpProcess;
  readonly ticket: string;
  readonly port: number;
  readonly stateDir: string;
  readonly out: string;
}

async function withScene(play: (scene: Scene) => Promise<void>): Promise<void> {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), BYTES, 5);
  const stateDir = folder.file("state");
  const { exposer, ready: { ticket } } = await startExposer(made.path, { host: HOST, stateDir });
  await using _exposer = exposer;
  await play({ folder, made, exposer, ticket, port: portOf(ticket), stateDir, out: folder.file("out") });
}

Deno.test("a ticket with another secret: ACCESS_DENIED, and nothing on disk", () =>
  withScene(async ({ ticket, out }) => {
    const wrong = formatTicket({ ...parseTicket(ticket), secret: systemRandom(16) });
    await refused(wrong, out, { code: -17, name: "ACCESS_DENIED", says: /ask for a new ticket/ });
    const none = formatTicket(withoutSecret(ticket));
    await refused(none, out, { code: -17, name: "ACCESS_DENIED", says: /ask for a new ticket/ });
    await assertNothingAt(out);
  }));

Deno.test("a revoked ticket: ACCESS_DENIED now, in the middle of a pull, and after a restart; other tickets hold", async () => {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), BYTES, 6);
  const options = { host: HOST, port: 0, stateDir: folder.file("state") };
  const out = folder.file("out");
  const denied = { code: -17, name: "ACCESS_DENIED", says: /revoked/ };
  const tickets = { good: "", bad: "" };
  {
    await using exposure = await expose(made.path, options);
    tickets.good = exposure.ticket;
    tickets.bad = exposure.newTicket({ label: "for a while" });
    await using puller = startPuller(tickets.bad, out, SLOWLY);
    await puller.until(() => puller.progress > BYTES / 8, "an eighth of the file");
    assert(exposure.revokeTicket(tickets.bad));
    assertIs(await puller.failed(), denied);
    assert(!await isThere(out));
    assert(await isThere(`${out}.part`), "what had arrived is kept");
    await refused(tickets.bad, folder.file("other"), denied);
    await assertNothingAt(folder.file("other"));
  }
  await using again = await expose(made.path, options);
  await refused(movedTo(tickets.bad, again.address.port), folder.file("other"), denied);
  await using puller = startPuller(movedTo(tickets.good, again.address.port), out);
  const { sha256, wireBytes } = await puller.done();
  assertEquals(sha256, made.sha256);
  assertLess(wireBytes, 0.95 * BYTES, "a good ticket goes on from what the revoked one brought");
});

Deno.test("a ticket that names another exposer's key: AUTH_FAIL, and nothing on disk", () =>
  withScene(async ({ ticket, out }) => {
    const key = systemRandom(32);
    // The top bit of a key is clear; else it is no key that somebody else may hold, but a damaged ticket.
    key[31] &= 0x7f;
    const wrong = formatTicket({ ...parseTicket(ticket), exposerKey: key });
    await refused(wrong, out, {
      code: -7,
      name: "AUTH_FAIL",
      says: /does not hold the key that the ticket names/,
    });
    key[31] |= 0x80;
    const damaged = formatTicket({ ...parseTicket(ticket), exposerKey: key });
    await refused(damaged, out, { code: -2, name: "INVALID_ARG", says: /not a key; copy it again/ });
    await assertNothingAt(out);
  }));

Deno.test("a ticket cut off anywhere: TRUNCATED or INVALID_ARG, and the secret is not repeated", () =>
  withScene(async ({ ticket, out }) => {
    for (let length = 0; length < ticket.length; length++) {
      const error = assertThrows(() => parseTicket(ticket.slice(0, length)), RgtpError);
      assert(["TRUNCATED", "INVALID_ARG"].includes(error.condition), `at ${length}: ${error.condition}`);
    }
    await refused(ticket.slice(0, -1), out, { code: -10, name: "TRUNCATED", says: /copy it again/ });
    const half = ticket.slice(0, ticket.lastIndexOf(".") + 10);
    const { message } = await refused(half, out, { code: -10, name: "TRUNCATED", says: /copy it again/ });
    assert(!message.includes(half.slice(-10)), "a message may be shown to others");
    await assertNothingAt(out);
  }));

Deno.test("nobody exposes there: TIMEOUT that names the address, and nothing on disk", () =>
  withScene(async ({ exposer, ticket, port, out }) => {
    await exposer.kill("SIGKILL");
    const says = new RegExp(`no answer from ${HOST}:${port}`);
    await refused(ticket, out, { code: -12, name: "TIMEOUT", says }, ["--timeout", "2s"]);
    await assertNothingAt(out);
  }));

Deno.test("nobody answers there: said seconds before it is an error, also for a list, a name and a comparison", () =>
  withScene(async ({ made, exposer, ticket, port, stateDir, out }) => {
    await exposer.kill("SIGKILL");
    const where = `${HOST}:${port}`;
    const key = formatStaticKey(parseTicket(ticket).exposerKey);
    const says = new RegExp(`no answer from ${where}: .*'rgtp doctor ${where}'`);
    const asks = [
      ["pull", ticket, out],
      ["pull", ticket, "--list"],
      ["pull", where, "name", "--key", key],
      ["ls", where, "--state-dir", stateDir, "--key", key],
      ["verify", ticket, made.path],
    ];
    await Promise.all(asks.map(async (words) => {
      await using process = new RgtpProcess([...words, "--json", "--timeout", "5s"]);
      assertMatch((await process.next("stalled")).reason, says);
      assertEquals(process.last("error"), undefined, "it is not over yet");
      assertIs(await process.failed(), { code: -12, name: "TIMEOUT", says });
    }));
    await assertNothingAt(out);
  }));

Deno.test("the exposer is gone in the middle: TIMEOUT, what came is kept, and a later run completes", () =>
  withScene(async ({ made, exposer, ticket, port, stateDir, out }) => {
    await using puller = startPuller(ticket, out, ["--timeout", "2s", ...SLOWLY]);
    await puller.until(() => puller.progress > BYTES / 4, "a quarter of the file");
    await exposer.kill("SIGKILL");
    const killedAt = performance.now();
    assertIs(await puller.failed(), {
      code: -12,
      name: "TIMEOUT",
      says: /no longer answers.*run the same pull again/,
    });
    // Two seconds, and what a busy machine needs to end a process.
    assertLess(performance.now() - killedAt, 12_000);
    assert(!await isThere(out));
    const again = await startExposer(made.path, { host: HOST, port, stateDir });
    await using _again = again.exposer;
    await resumes({ made, ticket, out });
  }));

Deno.test("the exposer is stopped in the middle: WITHDRAWN at once, what came is kept, and a later run completes", () =>
  withScene(async ({ made, exposer, ticket, port, stateDir, out }) => {
    await using puller = startPuller(ticket, out, SLOWLY);
    await puller.until(() => puller.progress > BYTES / 4, "a quarter of the file");
    assertEquals((await exposer.kill("SIGINT")).code, 130);
    assertIs(await puller.failed(), { code: -24, name: "WITHDRAWN", says: /run the same pull again/ });
    const again = await startExposer(made.path, { host: HOST, port, stateDir });
    await using _again = again.exposer;
    await resumes({ made, ticket, out });
  }));

Deno.test("Ctrl-C at the puller: status 130, what came is kept, and a later run completes", () =>
  withScene(async ({ made, ticket, out }) => {
    await using puller = startPuller(ticket, out, SLOWLY);
    await puller.until(() => puller.progress > BYTES / 4, "a quarter of the file");
    assertEquals((await puller.kill("SIGINT")).code, 130);
    await resumes({ made, ticket, out });
  }));

Deno.test("OUT holds something else: EXISTS, and it stays as it is; the same bytes: already complete", () =>
  withScene(async ({ made, ticket, out }) => {
    const exists = { code: -19, name: "EXISTS", says: /--force/ };
    for (const bytes of [10, BYTES]) {
      await using other = await TestFolder.make();
      const there = await makeFile(other.file("out"), bytes, 99);
      await refused(ticket, there.path, exists);
      assertEquals(await sha256Of(there.path), there.sha256);
      assert(!await isThere(`${there.path}.part`));
    }
    await Deno.copyFile(made.path, out);
    await using puller = startPuller(ticket, out);
    const { sha256, wireBytes } = await puller.done();
    assertEquals(sha256, made.sha256);
    assertLess(wireBytes, BYTES / 10, "nothing of an identical file is pulled but hashes");
    await Deno.writeTextFile(out, "something else");
    await using forced = startPuller(ticket, out, ["--force"]);
    assertEquals((await forced.done()).sha256, made.sha256);
    assertEquals(await sha256Of(out), made.sha256);
  }));

Deno.test("two pulls into one OUT: the second is BUSY, and the first completes", () =>
  withScene(async ({ made, ticket, out }) => {
    await using first = startPuller(ticket, out, SLOWLY);
    await first.until(() => first.progress > 0, "some progress");
    const busy = { code: -22, name: "BUSY", says: /another pull is writing to/ };
    await refused(ticket, out, busy);
    // Whoever may overwrite OUT may still not write into another pull's part.
    await refused(ticket, out, busy, ["--force"]);
    assertEquals((await first.done()).sha256, made.sha256);
    assertEquals(await sha256Of(out), made.sha256);
  }));

Deno.test("the port is taken: ADDRESS_IN_USE when it was asked for", () =>
  withScene(async ({ folder, made, port }) => {
    await using second = secondExposer(made.path, port, folder.file("state-2"));
    assertIs(await second.failed(), {
      code: -23,
      name: "ADDRESS_IN_USE",
      says: new RegExp(`UDP port ${port} of ${HOST} is taken: choose another port`),
    });
  }));

Deno.test("no such file, and a folder with a trap, to expose: NOT_FOUND and NOT_SUPPORTED", async () => {
  await using folder = await TestFolder.make();
  await using none = secondExposer(folder.file("none"), 0, folder.file("state"));
  assertIs(await none.failed(), { code: -16, name: "NOT_FOUND", says: /none/ });
  await Deno.mkdir(folder.file("dir"));
  await Deno.writeTextFile(folder.file("dir/nul"), "");
  await using dir = secondExposer(folder.file("dir"), 0, folder.file("state"));
  assertIs(await dir.failed(), { code: -14, name: "NOT_SUPPORTED", says: /'nul'.*device/ });
});

Deno.test("a folder that does not exist: an error that says so, and nothing made", () =>
  withScene(async ({ folder, ticket }) => {
    await refused(ticket, folder.file("none/out"), { code: -20, name: "IO", says: /no such folder/ });
    assert(!await isThere(folder.file("none")));
  }));

Deno.test("Deno does not permit the output: IO that names the flag", () =>
  withScene(async ({ folder, ticket, out }) => {
    await using puller = startPuller(ticket, out, [], {
      permissions: ["--allow-net", `--allow-read=${folder.path}`],
    });
    assertIs(await puller.failed(), { code: -20, name: "IO", says: /--allow-write=/ });
    await assertNothingAt(out);
  }));

const noUser = Deno.uid() === 0 ? "root may write anywhere" : "";
Deno.test({
  name: `a folder without write permission: IO, and nothing made${noUser && ` [skipped: ${noUser}]`}`,
  ignore: noUser !== "",
  fn: () =>
    withScene(async ({ folder, ticket }) => {
      const closed = folder.file("closed");
      await Deno.mkdir(closed, { mode: 0o500 });
      await refused(ticket, `${closed}/out`, {
        code: -20,
        name: "IO",
        says: /the system does not permit it/,
      });
      await Deno.chmod(closed, 0o700);
      await assertNothingAt(`${closed}/out`);
    }),
});

const noMounts = await whyNoMounts();
const mark = noMounts && ` [skipped: ${noMounts}]`;

Deno.test({
  name: `a read-only file system: IO, and nothing made${mark}`,
  ignore: noMounts !== "",
  fn: () =>
    withScene(({ folder, ticket }) =>
      withTmpfs(folder.file("disk"), "1m", async (disk) => {
        await disk.remount("ro");
        const out = `${disk.path}/out`;
        await refused(ticket, out, { code: -20, name: "IO", says: /read-only/ });
        await assertNothingAt(out);
      })
    ),
});

Deno.test({
  name:
    `the disk is full in the middle: NO_SPACE, what came is kept, and with more space it completes${mark}`,
  ignore: noMounts !== "",
  fn: () =>
    withScene(({ folder, made, ticket }) =>
      withTmpfs(folder.file("disk"), "3m", async (disk) => {
        const out = `${disk.path}/out`;
        const full = { code: -21, name: "NO_SPACE", says: /disk is full; free some space/ };
        // It may not ask how much room there is: otherwise it would not have begun.
        const permissions = ["--allow-net", `--allow-read=${disk.path}`, `--allow-write=${disk.path}`];
        const refusedHere = () => refused(ticket, out, full, [], permissions);
        await refusedHere();
        assert(!await isThere(out));
        assertGreater((await Deno.stat(`${out}.part`)).blocks ?? 0, 0);
        // Twice, since a pull that finds a part begins in another way.
        await refusedHere();
        await disk.remount("size=32m");
        await resumes({ made, ticket, out });
      })
    ),
});

Deno.test({
  name: `a disk that is seen to be too small: NO_SPACE before anything is pulled${mark}`,
  ignore: noMounts !== "",
  fn: () =>
    withScene(({ folder, made, ticket }) =>
      withTmpfs(folder.file("disk"), "3m", async (disk) => {
        const out = `${disk.path}/out`;
        const permissions = [
          "--allow-net",
          `--allow-read=${disk.path}`,
          `--allow-write=${disk.path}`,
          "--allow-sys",
        ];
        await using puller = startPuller(ticket, out, [], { permissions });
        assertIs(await puller.failed(), {
          code: -21,
          name: "NO_SPACE",
          says: /bytes free where \d+ are needed/,
        });
        await assertNothingAt(out);
        await disk.remount("size=32m");
        await using again = startPuller(ticket, out, [], { permissions });
        assertEquals((await again.done()).sha256, made.sha256);
      })
    ),
});

/** What an error must be. */
interface Expected {
  readonly code: number;
  readonly name: string;
  readonly says: RegExp;
}

/** A pull that is to fail. */
async function refused(
  ticket: string,
  out: string,
  expected: Expected,
  flags: readonly string[] = [],
  permissions?: readonly string[],
): Promise<ErrorEvent> {
  await using puller = startPuller(ticket, out, flags, permissions && { permissions });
  const error = await puller.failed();
  assertIs(error, expected);
  return error;
}

function assertIs(error: ErrorEvent, { code, name, says }: Expected): void {
  assertEquals({ code: error.code, name: error.name }, { code, name }, error.message);
  assertMatch(error.message, says);
}

/** The same pull again completes from what is in the part: less is moved than the whole. */
async function resumes(
  { made, ticket, out }: { made: MadeFile; ticket: string; out: string },
): Promise<void> {
  assert(await isThere(`${out}.part`), "what came is kept");
  await using puller = startPuller(ticket, out);
  const { sha256, wireBytes, bytes } = await puller.done();
  assertEquals({ sha256, bytes }, { sha256: made.sha256, bytes: made.bytes });
  assertEquals(await sha256Of(out), made.sha256);
  assertLess(wireBytes, 0.95 * bytes, "what was kept is not pulled again");
  assert(!await isThere(`${out}.part`));
  assert(!await isThere(`${out}.part.rgtp`));
}

async function assertNothingAt(out: string): Promise<void> {
  for (const path of [out, `${out}.part`, `${out}.part.rgtp`]) assert(!await isThere(path), path);
}

function secondExposer(path: string, port: number, stateDir: string): RgtpProcess {
  return new RgtpProcess([
    "expose",
    path,
    "--json",
    "--host",
    HOST,
    "--port",
    `${port}`,
    "--state-dir",
    stateDir,
  ]);
}

function withoutSecret(ticket: string): Parameters<typeof formatTicket>[0] {
  const { addresses, exposureId, exposerKey, name } = parseTicket(ticket);
  return { addresses, exposureId, exposerKey, name };
}

/** The same ticket, with the port that its exposer has got now. */
function movedTo(ticket: string, port: number): string {
  return formatTicket({ ...parseTicket(ticket), addresses: [{ host: HOST, port }] });
}
