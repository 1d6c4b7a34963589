/*
 * `kill -9` of a puller at twenty moments, each time followed by the same command: in the end every byte is right, and next to nothing
 * was sent twice.
 *
 * Counted is what the exposer says that it has sent, over all runs: it lives through all of them, and is asked at the end.
 */
import { assertEquals, assertLessOrEqual } from "../_assert.ts";
import { allocatedBytes, makeFile, sha256Of, TestFolder } from "./_files.ts";
import { COST_MAX, KILL_BYTES, killShares, partReaches, percent } from "./_kills.ts";
import { startExposer, startPuller, stopExposer } from "./_processes.ts";

const SEED = 20_250_101;
/** Every fifth run dies while it still looks at what the run before has left: nothing of that may be lost. */
const EARLY_EVERY = 5;

Deno.test(`a puller of 1 GB is killed 20 times and completes`, async () => {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), KILL_BYTES, SEED);
  const plain = await pullOnce(folder, made.path, made.sha256);
  const { exposer, ready } = await startExposer(made.path, {
    host: "127.0.0.1",
    stateDir: folder.file("state"),
  });
  await using _exposer = exposer;
  const out = folder.file("out");
  const part = `${out}.part`;
  const moments: string[] = [];
  for (const [i, share] of killShares(SEED).entries()) {
    await using puller = startPuller(ready.ticket, out);
    if (i % EARLY_EVERY === EARLY_EVERY - 1) await puller.next("progress");
    else await partReaches(part, await allocatedBytes(part) + share * KILL_BYTES, puller);
    assertEquals((await puller.kill("SIGKILL")).signal, "SIGKILL");
    moments.push(percent(await allocatedBytes(part), KILL_BYTES));
  }
  await using last = startPuller(ready.ticket, out);
  const { sha256, wireBytes } = await last.done();
  assertEquals(sha256, made.sha256);
  assertEquals(await sha256Of(out), made.sha256);
  const sent = await stopExposer(exposer);
  console.log(`killed when so much was written: ${moments.join(", ")}`);
  console.log(
    `sent over all runs: ${sent} bytes, ${percent(sent, plain)} of an uninterrupted pull (${plain})`,
  );
  console.log(`of these in the last run: ${wireBytes}`);
  assertLessOrEqual(sent, COST_MAX * plain);
});

/** Bytes that an exposer sends for a pull that nothing interrupts. */
async function pullOnce(folder: TestFolder, path: string, expected: string): Promise<number> {
  const { exposer, ready } = await startExposer(path, {
    host: "127.0.0.1",
    stateDir: folder.file("state-plain"),
  });
  await using _exposer = exposer;
  const out = folder.file("plain");
  await using puller = startPuller(ready.ticket, out);
  const { seconds, bytes, sha256 } = await puller.done();
  assertEquals(sha256, expected);
  console.log(`uninterrupted: ${seconds.toFixed(1)} s, ${(bytes / seconds / 1e6).toFixed(1)} MB/s`);
  await Deno.remove(out);
  return await stopExposer(exposer);
}
