import { shareAsk } from "../codec/share.ts";
import { systemRandom } from "../core/machine.ts";
import { assert, assertEquals, assertGreater, assertRejects } from "../tests/_assert.ts";
import { doorsOf } from "../tests/_doors.ts";
import { expose } from "./expose.ts";
import type { ExposeOptions } from "./expose.ts";
import { shareAddress, ShareSocket } from "./link/share_socket.ts";
import { pull } from "./pull.ts";

const probe = ShareSocket.open(systemRandom(16));
probe?.close();
const why = probe ? "" : " (skipped: needs Linux and --allow-ffi)";
const test = (what: string, run: () => Promise<void>) =>
  Deno.test({ name: `shared memory${why}: ${what}`, ignore: !probe, fn: run });

const here = { host: "127.0.0.1", port: 0 } as const;
const BYTES = 9_700_001;
const noise = Uint8Array.from({ length: BYTES }, (_, i) => (i * 2_654_435_761) >>> 24);

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rgtp-shared-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("every way to pull gives the same bytes, and the source is read once", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/source`, noise);
    await using exposure = await expose(`${folder}/source`, here);
    const saved = pull(exposure.ticket);
    const result = await saved.saveTo(`${folder}/out`);
    assertEquals([result.bytes, result.sharedBytes, result.reusedBytes], [BYTES, BYTES, 0]);
    assertEquals(await Deno.readFile(`${folder}/out`), noise);
    assertGreater(result.seconds, 0);
    // Leaf pages alone went over the network.
    assert(result.wireBytes < BYTES / 500, `${result.wireBytes}`);
    assertEquals(await pull(exposure.ticket).view(), noise);
    assertEquals(await pull(exposure.ticket).bytes(), noise);
    assertEquals(new Uint8Array(await new Response(pull(exposure.ticket).readable).arrayBuffer()), noise);
    assertEquals(
      await pull(exposure.ticket).range(5_000_000, 9_000_001).bytes(),
      noise.slice(5_000_000, 9_000_001),
    );
    const chunks = new Uint8Array(BYTES);
    for await (const { index, bytes } of pull(exposure.ticket)) chunks.set(bytes, index * 65_536);
    assertEquals(chunks, noise);
    // The last packet of the last pull may still be on its way.
    for (let i = 0; i < 500 && exposure.stats().completed < 6; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { shared, bytesSent, completed } = exposure.stats();
    assertEquals(shared?.bytesRead, BYTES);
    assertGreater(shared!.bytesGiven, 5 * BYTES);
    assert(bytesSent < BYTES / 50, `${bytesSent}`);
    assertEquals(completed, 6);
    assertEquals(shared?.drops, {});
  }));

test("a view has no copy, holds still when the source changes, and outlives the exposure", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/source`, noise);
    const exposure = await expose(`${folder}/source`, here);
    const view = await pull(exposure.ticket).view();
    const text = Deno.readTextFileSync("/proc/self/maps");
    assertGreater(text.split("\n").filter((line) => line.includes("memfd:rgtp-shared")).length, 2);
    await Deno.writeFile(`${folder}/source`, new Uint8Array(BYTES));
    await exposure.close();
    assertEquals(view, noise);
    view.fill(1);
    assertEquals(view[BYTES - 1], 1);
  }));

test("a folder, a pull that goes on, and bytes in memory", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/source/deep`, { recursive: true });
    await Deno.writeFile(`${folder}/source/deep/a`, noise);
    await Deno.writeFile(`${folder}/source/b`, noise.subarray(0, 70_000));
    await using exposure = await expose(`${folder}/source`, here);
    const { files, sharedBytes } = await pull(exposure.ticket).saveTo(`${folder}/out`);
    assertEquals(files, 2);
    assertGreater(sharedBytes, BYTES);
    assertEquals(await Deno.readFile(`${folder}/out/deep/a`), noise);

    await using other = await expose(noise, here);
    await Deno.writeFile(`${folder}/half`, noise);
    const patch = await Deno.open(`${folder}/half`, { write: true });
    await patch.write(new Uint8Array(100_000));
    patch.close();
    const { reusedBytes, sharedBytes: rest } = await pull(other.ticket).saveTo(`${folder}/half`, {
      force: true,
    });
    assertEquals([reusedBytes, rest], [BYTES - 2 * 65_536, 2 * 65_536]);
    assertEquals(await Deno.readFile(`${folder}/half`), noise);
    const { same, wireBytes } = await pull(other.ticket).verify(`${folder}/half`);
    assert(same && wireBytes < 20_000);
    await using nothing = await expose(new Uint8Array(0), here);
    assertEquals(await pull(nothing.ticket).view(), new Uint8Array(0));
  }));

test("who wants the network has it: each side may, and what is said of the network means it", async () => {
  const table: readonly [ExposeOptions, Parameters<typeof pull>[1], boolean][] = [
    [{}, {}, true],
    [{ shared: "all" }, {}, true],
    [{ shared: "off" }, {}, false],
    [{}, { shared: false }, false],
    [{ link: "node_dgram" }, {}, false],
    [{ link: "node_dgram", shared: "user" }, {}, true],
    [{ limitRate: 50e6 }, {}, false],
    [{ pullRateMax: 50e6 }, {}, false],
    [{}, { limitRate: 50e6 }, false],
    [{}, { link: "node_dgram" }, false],
    [{}, { link: "node_dgram", shared: true }, true],
  ];
  const few = noise.subarray(0, 300_000);
  for (const [exposing, pulling, expected] of table) {
    await using exposure = await expose(few, { ...here, ...exposing });
    const one = pull(exposure.ticket, pulling);
    assertEquals(await one.view(), few);
    assertEquals(one.stats().sharedBytes > 0, expected, JSON.stringify([exposing, pulling]));
  }
});

test("what changed in the source is not taken: the network has it as it was sealed", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/source`, noise);
    await using exposure = await expose(`${folder}/source`, here);
    const file = await Deno.open(`${folder}/source`, { write: true });
    await file.seek(5_000_000, Deno.SeekMode.Start);
    await file.write(new Uint8Array(10));
    file.close();
    const one = pull(exposure.ticket);
    assertEquals(await one.view(), noise);
    assertEquals(one.stats().sharedBytes, BYTES - 65_536);
    await Deno.truncate(`${folder}/source`, 4_194_304);
    assertEquals(await pull(exposure.ticket).bytes(), noise);
  }));

test("a ticket that is revoked opens the door no longer", async () => {
  await using exposure = await expose(noise, here);
  const one = pull(exposure.ticket, { timeoutMs: 2000 });
  const chunks = one[Symbol.asyncIterator]();
  assertEquals((await chunks.next()).value?.bytes.length, 65_536);
  exposure.revokeTicket(exposure.ticket);
  const { bytesGiven } = exposure.stats().shared!;
  await assertRejects(async () => {
    for (let next = await chunks.next(); !next.done; next = await chunks.next());
  });
  assertEquals(exposure.stats().shared!.bytesGiven, bytesGiven);
});

test("without a grant nothing is learned at the door: not what is exposed, not one byte", async () => {
  await using exposure = await expose(noise, { ...here, shared: "all" });
  const doors = await doorsOf(Deno.pid);
  assertEquals(doors.length, 1);
  const stranger = ShareSocket.open(systemRandom(16))!;
  for (const name of doors) {
    const address = shareAddress(Uint8Array.fromBase64(name, { alphabet: "base64url" }));
    const ask = shareAsk.encode({ token: systemRandom(104), segment: 0 }, () => systemRandom(8));
    stranger.send(address, ask);
    stranger.send(address, new Uint8Array(3));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  stranger.close();
  const { bytesGiven, bytesRead, drops } = exposure.stats().shared!;
  assertEquals([bytesGiven, bytesRead], [0, 0]);
  assertEquals(drops, { "bad token": 1, malformed: 1 });
});

test("memory is kept for pullers to come, as much as may be", async () => {
  const many = new Uint8Array(40 * 1_048_576);
  await using exposure = await expose(many, { ...here, memoryBytesMax: 16 * 1_048_576 });
  assertEquals((await pull(exposure.ticket).view()).length, many.length);
  assertEquals(exposure.stats().shared!.memoryBytes, 16 * 1_048_576);
});
