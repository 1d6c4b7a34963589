/*
 * Direct memory between processes: which road a pull takes and what it says of it, what is left when a side is killed, and other namespaces.
 */
import { assert, assertEquals, assertGreater, assertStringIncludes } from "../_assert.ts";
import { doorsOf, linksOf, stillThere } from "../_doors.ts";
import { addresses, Lab, whyNoLab } from "../lab/_lab.ts";
import { makeFile, sha256Of, TestFolder } from "./_files.ts";
import type { MadeFile } from "./_files.ts";
import { startExposer, startPuller } from "./_processes.ts";
import type { ExposerOptions, RgtpProcess, StartOptions } from "./_processes.ts";

const HOST = "127.0.0.1";
const BYTES = 21_000_000;
const noFfi = Deno.build.os === "linux" ? "" : "needs Linux";
const noLab = noFfi || await whyNoLab();

interface Scene {
  readonly folder: TestFolder;
  readonly made: MadeFile;
  readonly exposer: RgtpProcess;
  readonly ticket: string;
}

function test(
  what: string,
  skipped: string,
  run: (scene: Scene) => Promise<void>,
  options: Partial<ExposerOptions> = {},
): void {
  const name = `direct memory: ${what}${skipped && ` [skipped: ${skipped}]`}`;
  Deno.test({
    name,
    ignore: skipped !== "",
    fn: async () => {
      await using folder = await TestFolder.make();
      const made = await makeFile(folder.file("source"), BYTES, 28);
      const { exposer, ready: { ticket } } = await startExposer(made.path, {
        ...{ host: HOST, stateDir: folder.file("state"), isShared: true },
        ...options,
      });
      await using _exposer = exposer;
      await run({ folder, made, exposer, ticket });
    },
  });
}

/** Pulls, and says how much of it was shared. */
async function pulled(
  { folder, made, ticket }: Scene,
  flags: readonly string[] = [],
  options: StartOptions = {},
): Promise<number> {
  const out = folder.file("out");
  await using puller = startPuller(ticket, out, ["--force", ...flags], options);
  const done = await puller.done();
  assertEquals([done.bytes, done.sha256], [made.bytes, made.sha256]);
  assertEquals(await sha256Of(out), made.sha256);
  await Deno.remove(out);
  return done.shared;
}

test("a file comes as memory, and both sides say so", noFfi, async (scene) => {
  assertEquals(await pulled(scene), BYTES);
  assertEquals(await pulled(scene, ["--no-shared"]), 0);
  assertEquals(await pulled(scene, ["--link", "node_dgram"]), 0);
  await scene.exposer.kill("SIGINT");
  const served = scene.exposer.last("served")!;
  assertEquals(served.shared, BYTES);
  assert(served.bytes > BYTES && served.bytes < 3 * BYTES, `${served.bytes}`);
});

test("an exposer that wants none of it", noFfi, async (scene) => {
  assertEquals(await pulled(scene), 0);
}, { flags: ["--no-shared"] });

test("where foreign functions are not permitted, at either side, it is the network", noFfi, async (scene) => {
  const permissions = ["--allow-net", "--allow-read", "--allow-write", "--allow-env"];
  assertEquals(await pulled(scene, [], { permissions }), 0);
});

test("an exposer without the permission has no door", noFfi, async (scene) => {
  assertEquals(await pulled(scene), 0);
}, { permissions: ["--allow-net", "--allow-read", "--allow-write", "--allow-env"] });

test("killed, an exposer leaves nothing behind, and the next one shares again", noFfi, async (scene) => {
  const names = await doorsOf(scene.exposer.pid);
  assertEquals(names.length, 1);
  assertEquals(await pulled(scene), BYTES);
  // All that it holds has no name in any folder.
  const held = await linksOf(scene.exposer.pid);
  assertGreater(held.filter((link) => link.startsWith("/memfd:rgtp-shared")).length, 5);
  assertEquals(held.filter((link) => link.startsWith("/dev/shm")), []);
  const port = Number(new URL(scene.ticket.replace("rgtp:", "http:")).port);
  await scene.exposer.kill("SIGKILL");
  assertEquals(await stillThere(names), []);
  const options = { host: HOST, stateDir: scene.folder.file("state"), isShared: true, port };
  const { exposer } = await startExposer(scene.made.path, options);
  await using _exposer = exposer;
  assertEquals(await pulled(scene), BYTES);
});

test("killed while it holds memory, a puller leaves nothing behind", noFfi, async (scene) => {
  const reader = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-A", new URL("../../cli/main.ts", import.meta.url).pathname],
      ...["pull", scene.ticket, "-"],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  // Nobody reads what it writes: it waits with memory in its hands.
  let mapped = 0;
  for (let round = 0; round < 600 && mapped === 0; round++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const maps = await Deno.readTextFile(`/proc/${reader.pid}/maps`).catch(() => "");
    mapped = maps.split("\n").filter((line) => line.includes("memfd:rgtp-shared")).length;
  }
  assertGreater(mapped, 0);
  const names = await doorsOf(reader.pid);
  assertEquals(names.length, 1);
  reader.kill("SIGKILL");
  await reader.status;
  await reader.stdout.cancel();
  assertEquals(await stillThere(names), []);
  assertEquals(await pulled(scene), BYTES);
});

Deno.test({
  name: `direct memory: between network namespaces there is none${noLab && ` [skipped: ${noLab}]`}`,
  ignore: noLab !== "",
  fn: async () => {
    await using folder = await TestFolder.make();
    const made = await makeFile(folder.file("source"), BYTES, 29);
    await using lab = await Lab.make();
    const { exposer, ready: { ticket } } = await startExposer(made.path, {
      ...{ host: addresses.IPv4.exposer, stateDir: folder.file("state"), isShared: true },
      via: lab.via("exposer"),
    });
    await using _exposer = exposer;
    assertEquals(await pulled({ folder, made, exposer, ticket }, [], { via: lab.via("puller") }), 0);
    assertEquals(await pulled({ folder, made, exposer, ticket }, [], { via: lab.via("exposer") }), BYTES);
  },
});

Deno.test({
  name: `direct memory: flags that contradict each other${noFfi && ` [skipped: ${noFfi}]`}`,
  ignore: noFfi !== "",
  fn: async () => {
    await using folder = await TestFolder.make();
    const made = await makeFile(folder.file("source"), 10, 1);
    const options = { host: HOST, stateDir: folder.file("state"), flags: ["--all-users"] };
    const started = await startExposer(made.path, options).then(() => "", (error) => String(error));
    assertStringIncludes(started, "--all-users shares memory, and --no-shared does not");
  },
});
