/*
 * One pull from two exposers that stand on lines of their own: it gets what both lines carry, and goes on when one of them is killed.
 */
import { Bridge } from "../../bench/_bridge.ts";
import { assertEquals, assertGreater, assertLess } from "../_assert.ts";
import { makeFile, sha256Of, TestFolder } from "../real/_files.ts";
import type { MadeFile } from "../real/_files.ts";
import { startExposer, startPuller } from "../real/_processes.ts";
import type { DoneEvent, RgtpProcess } from "../real/_processes.ts";
import { whyNoLab } from "./_lab.ts";

const BYTES = 40_000_000;
const MBITS = 50;
const skipped = await whyNoLab();

interface Scene {
  readonly folder: TestFolder;
  readonly made: MadeFile;
  readonly bridge: Bridge;
  readonly exposers: readonly RgtpProcess[];
  /** Starts the pull from both. */
  pull(): RgtpProcess;
  /** Bytes that the line of each exposer has carried. */
  carried(): Promise<number[]>;
}

function test(name: string, fn: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name: `several sources: ${name}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn: async () => {
      await using stack = new AsyncDisposableStack();
      const folder = stack.use(await TestFolder.make());
      const made = await makeFile(folder.file("source"), BYTES, 30);
      const bridge = stack.use(await Bridge.make(3));
      const [puller, ...hosts] = bridge.hosts;
      const exposers: RgtpProcess[] = [];
      const tickets: string[] = [];
      for (const host of hosts) {
        await bridge.shape(host, MBITS);
        const { exposer, ready } = await startExposer(made.path, {
          host: host.address,
          // One identity and one catalog: the same file is the same exposure.
          stateDir: folder.file("state"),
          via: host.via,
        });
        exposers.push(stack.use(exposer));
        tickets.push(ready.ticket);
      }
      const [first, second] = tickets;
      await fn({
        folder,
        made,
        bridge,
        exposers,
        pull: () =>
          stack.use(startPuller(first, folder.file("out"), ["--from", second], { via: puller.via })),
        carried: () => Promise.all(hosts.map((host) => bridge.sentBytes(host))),
      });
    },
  });
}

async function assertWhole({ folder, made }: Scene, { sha256 }: DoneEvent): Promise<void> {
  assertEquals([sha256, await sha256Of(folder.file("out"))], [made.sha256, made.sha256]);
}

test("two lines bring more than one of them could, and hardly anything twice", async (scene) => {
  const before = await scene.carried();
  const done = await scene.pull().done();
  const [one, other] = (await scene.carried()).map((bytes, i) => bytes - before[i]);
  await assertWhole(scene, done);
  // Alone each would carry all of it, at the rate of its line.
  for (const bytes of [one, other]) assertGreater(bytes, 0.3 * BYTES);
  assertLess(one + other, 1.15 * BYTES);
  assertGreater(8 * BYTES / done.seconds / 1e6, 1.2 * MBITS);
});

test("one that is killed half-way is done without, and the file is whole", async (scene) => {
  const puller = scene.pull();
  await puller.until(() => puller.progress > BYTES / 2, "half of the file");
  const [one] = scene.exposers;
  await one.kill("SIGKILL");
  const [killedAt] = await scene.carried();
  await assertWhole(scene, await puller.done());
  const [one_, other] = await scene.carried();
  // What it had begun to send is all that still came of it.
  assertLess(one_ - killedAt, 0.1 * BYTES);
  assertGreater(other, 0.4 * BYTES);
});

test("one whose interface goes is done without, and the file is whole", async (scene) => {
  const puller = scene.pull();
  await puller.until(() => puller.progress > BYTES / 2, "half of the file");
  await scene.bridge.unplug(scene.bridge.hosts[1]);
  await assertWhole(scene, await puller.done());
});
