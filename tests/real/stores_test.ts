/*
 * Files that are larger than the memory that they may take: served in parts, changed while they are served, and pulled over older
 * versions of themselves.
 */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "../_assert.ts";
import { isThere, makeFile, sha256Of, TestFolder } from "./_files.ts";
import type { MadeFile } from "./_files.ts";
import { startExposer, startPuller } from "./_processes.ts";
import type { RgtpProcess } from "./_processes.ts";

const HOST = "127.0.0.1";
const CHUNK = 65_536;
const BYTES = 40_000_000;
/** Holds less than half of the file. */
const MEMORY = ["--memory", "16MiB"];

/** A file exposed in parts. */
interface Scene {
  readonly folder: TestFolder;
  readonly made: MadeFile;
  readonly exposer: RgtpProcess;
  readonly ticket: string;
  readonly out: string;
  again(): ReturnType<typeof startExposer>;
}

async function withScene(flags: readonly string[], play: (scene: Scene) => Promise<void>): Promise<void> {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), BYTES, 5);
  const options = { host: HOST, stateDir: folder.file("state"), flags: [...MEMORY, ...flags] };
  const again = () => startExposer(made.path, options);
  const { exposer, ready: { ticket } } = await again();
  await using _exposer = exposer;
  await play({ folder, made, exposer, ticket, out: folder.file("out"), again });
}

async function poke(path: string, offset: number): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(offset, Deno.SeekMode.Start);
  await file.write(Uint8Array.of(1, 2, 3, 4, 5));
}

/** The pull of a file that has changed: said as such, with nothing at its place, and nothing wrong in its part. */
async function assertSourceChanged({ ticket, out }: Scene): Promise<void> {
  await using puller = startPuller(ticket, out);
  const { code, message } = await puller.failed();
  assertEquals(code, -18, message);
  assertMatch(message, /has changed since it was exposed/);
  assert(!await isThere(out));
}

/** Exposed again, it is what stands there now, as another exposure. */
async function assertServedAnew({ made, ticket, exposer, folder, again }: Scene): Promise<void> {
  await exposer.kill("SIGINT");
  const { exposer: second, ready } = await again();
  await using _second = second;
  assert(!ticket.includes(ready.id));
  await using puller = startPuller(ready.ticket, folder.file("anew"));
  assertEquals((await puller.done()).sha256, await sha256Of(made.path));
}

Deno.test("a file larger than the memory: three pulls at once, all right", () =>
  withScene([], async ({ made, ticket, folder }) => {
    const pulls = [1, 2, 3].map(async (n) => {
      await using puller = startPuller(ticket, folder.file(`out${n}`));
      return (await puller.done()).sha256;
    });
    assertEquals(await Promise.all(pulls), [made.sha256, made.sha256, made.sha256]);
  }));

Deno.test("a byte changes in a part that memory does not hold: SOURCE_CHANGED; exposed again, the pull goes on", () =>
  withScene([], async (scene) => {
    const { made, exposer, folder, out, again } = scene;
    await poke(made.path, 35_000_000);
    await assertSourceChanged(scene);
    assertMatch(exposer.stderr, /was changed while it was exposed/);
    await assertSourceChanged({ ...scene, out: folder.file("other") });
    await exposer.kill("SIGINT");
    const { exposer: second, ready: { ticket } } = await again();
    await using _second = second;
    await using puller = startPuller(ticket, out);
    const { sha256, wireBytes } = await puller.done();
    assertEquals(sha256, await sha256Of(made.path));
    assertLess(wireBytes, BYTES, "what had come and is the same is not pulled again");
  }));

Deno.test("a file is cut short while it is pulled: SOURCE_CHANGED, and not a byte of what is not there", () =>
  withScene(["--limit-rate", "20MB/s"], async (scene) => {
    const { made, ticket, out } = scene;
    await using puller = startPuller(ticket, out);
    await puller.until(() => puller.progress > BYTES / 8, "an eighth of the file");
    await Deno.truncate(made.path, BYTES / 2);
    assertEquals((await puller.failed()).code, -18);
    assert(!await isThere(out));
    await assertServedAnew(scene);
  }));

Deno.test("another file takes the name of the exposed one: the pull gets the one that was exposed", () =>
  withScene([], async (scene) => {
    const { made, ticket, folder, out } = scene;
    await makeFile(folder.file("new"), BYTES, 6);
    await Deno.rename(folder.file("new"), made.path);
    await using puller = startPuller(ticket, out);
    assertEquals((await puller.done()).sha256, made.sha256);
    await assertServedAnew(scene);
  }));

Deno.test("with a spill file a change is harmless; killed, the exposer leaves nothing behind", async () => {
  await using spill = await TestFolder.make();
  await withScene(["--spill", spill.path], async ({ made, ticket, exposer, out }) => {
    await poke(made.path, 35_000_000);
    await using puller = startPuller(ticket, out);
    assertEquals((await puller.done()).sha256, made.sha256);
    await exposer.kill("SIGKILL");
  });
  assertEquals(await Array.fromAsync(Deno.readDir(spill.path)), []);
});

Deno.test("pulled over an older version, only what changed moves; over a touched one, only hashes", async () => {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), 400 * CHUNK, 7);
  const out = folder.file("out");
  await Deno.copyFile(made.path, out);
  for (const chunk of [10, 150, 399]) await poke(made.path, chunk * CHUNK + 5);
  const options = { host: HOST, stateDir: folder.file("state") };
  const pull = async () => {
    const { exposer, ready: { ticket } } = await startExposer(made.path, options);
    await using _exposer = exposer;
    await using puller = startPuller(ticket, out, ["--force"]);
    return await puller.done();
  };
  const changed = await pull();
  assertEquals(changed.sha256, await sha256Of(made.path));
  assertEquals(changed.reused, 397 * CHUNK);
  assertGreater(changed.wireBytes, 3 * CHUNK);
  assertLess(changed.wireBytes, 0.025 * 400 * CHUNK);
  await Deno.utime(made.path, 1_000_000, 1_000_000);
  const touched = await pull();
  assertEquals(touched.reused, 400 * CHUNK);
  assertLess(touched.wireBytes, 20_000);
});
