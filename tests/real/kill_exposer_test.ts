/*
 * `kill -9` of an exposer at twenty moments, each time started again on its port and with its state: the ticket of its first life
 * goes on to work, and the one puller goes on by itself.
 *
 * What a killed exposer has sent is not to be asked of it any more, so bytes are counted where they arrive: the puller's `wireBytes`, of
 * CHUNK_DATA wanted or not, in the one run that it makes. Added to them is, for each kill, a full receive buffer: what may
 * have been sent and never read. What is lost under way in both pulls is counted in neither.
 */
import { assertEquals, assertLessOrEqual } from "../_assert.ts";
import { allocatedBytes, makeFile, sha256Of, TestFolder } from "./_files.ts";
import { COST_MAX, KILL_BYTES, KILLS, killShares, partReaches, percent } from "./_kills.ts";
import { portOf, startExposer, startPuller } from "./_processes.ts";

const SEED = 20_250_102;
/** Linux's default receive buffer for UDP, which counts more than a packet's own bytes. */
const RECEIVE_BUFFER_BYTES = 212_992;

Deno.test(`an exposer of 1 GB is killed 20 times, and a pull of it completes`, async () => {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), KILL_BYTES, SEED);
  const host = "127.0.0.1";
  const stateDir = folder.file("state");
  let { exposer, ready } = await startExposer(made.path, { host, stateDir });
  try {
    const { ticket, id } = ready;
    const port = portOf(ticket);
    const plainOut = folder.file("plain");
    await using plainPuller = startPuller(ticket, plainOut);
    const plain = await plainPuller.done();
    assertEquals(plain.sha256, made.sha256);
    await Deno.remove(plainOut);

    const out = folder.file("out");
    const part = `${out}.part`;
    await using puller = startPuller(ticket, out);
    const moments: string[] = [];
    for (const share of killShares(SEED)) {
      await partReaches(part, await allocatedBytes(part) + share * KILL_BYTES, puller);
      assertEquals((await exposer.kill("SIGKILL")).signal, "SIGKILL");
      moments.push(percent(await allocatedBytes(part), KILL_BYTES));
      ({ exposer, ready } = await startExposer(made.path, { host, stateDir, port }));
      assertEquals(ready.id, id, "the same file is the same exposure again");
    }
    const { sha256, wireBytes, seconds } = await puller.done();
    assertEquals(sha256, made.sha256);
    assertEquals(await sha256Of(out), made.sha256);
    const sentAtMost = wireBytes + KILLS * RECEIVE_BUFFER_BYTES;
    console.log(`killed when so much was written: ${moments.join(", ")}`);
    console.log(`received: ${wireBytes} bytes in ${seconds.toFixed(1)} s, uninterrupted ${plain.wireBytes}`);
    console.log(
      `${percent(wireBytes, plain.wireBytes)}, with ${KILLS} full buffers at most ${
        percent(sentAtMost, plain.wireBytes)
      }`,
    );
    assertLessOrEqual(sentAtMost, COST_MAX * plain.wireBytes);
  } finally {
    await exposer[Symbol.asyncDispose]();
  }
});
