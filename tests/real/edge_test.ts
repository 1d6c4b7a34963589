/*
 * Edges over loopback: they serve what they cannot read, keep no plaintext, hold a bound of disk, and are believed in nothing.
 */
import { edge, expose, parseTicket, pull, RgtpError } from "../../mod.ts";
import type { PullEvent } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "../_assert.ts";
import { assertSame, noise } from "./_bytes.ts";
import { TestFolder } from "./_files.ts";
import { whyNoMounts, withTmpfs } from "./_mounts.ts";

const here = { host: "127.0.0.1", port: 0 };
const MIB = 1_048_576;
const noMounts = await whyNoMounts();

Deno.test("an edge without the key serves 8 pullers at once, and the exposer sends the file about once", async () => {
  const data = noise(24 * MIB);
  await using exposure = await expose(data, here);
  await using cache = await edge(exposure.ticket, here);
  const pulls = Array.from({ length: 8 }, () => pull(exposure.ticket, { edges: [cache.ticket] }));
  for (const got of await Promise.all(pulls.map((task) => task.bytes()))) assertSame(got, data);
  assertLess(exposure.stats().bytesSent, 1.05 * data.length);
  assertGreater(cache.stats().bytesSent, 8 * data.length);
  // A puller says "done" as it goes, and nobody answers: the word may still be in a socket's queue.
  const completed = () => exposure.stats().completed + cache.stats().completed;
  for (let i = 0; i < 250 && completed() === 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  assertGreater(completed(), 0);
});

Deno.test("its disk holds nothing readable", { ignore: Deno.build.os !== "linux" }, async () => {
  const line = "a line of known plaintext, over and over again; ";
  const data = new TextEncoder().encode(line.repeat(50_000));
  const folder = await Deno.makeTempDir();
  try {
    await using exposure = await expose(data, here);
    await using cache = await edge(exposure.ticket, { ...here, folder });
    assertSame(await pull(exposure.ticket, { edges: [cache.ticket] }).bytes(), data);
    const files = openFilesIn(folder);
    assertEquals(files.length, 1);
    const kept = new TextDecoder("latin1").decode(Deno.readFileSync(files[0]));
    assertGreater(kept.length, data.length);
    assert(!kept.includes(line.slice(0, 12)));
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Files of this process in a folder, which may have lost their names. */
function openFilesIn(folder: string): string[] {
  const all = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => `/proc/self/fd/${name}`);
  return all.filter((path) => {
    try {
      return Deno.readLinkSync(path).startsWith(folder);
    } catch {
      return false;
    }
  });
}

Deno.test("edges chain, and the ticket of one opens nothing", async () => {
  const data = noise(24 * MIB);
  await using exposure = await expose(data, here);
  await using first = await edge(exposure.ticket, here);
  await using second = await edge(first.ticket, here);
  assertSame(await pull(exposure.ticket, { edges: [second.ticket] }).bytes(), data);
  assertGreater(second.stats().bytesSent, data.length);
  assertLess(exposure.stats().bytesSent, 1.05 * data.length);
  const alone = await assertRejects(() => pull(second.ticket, { timeoutMs: 2000 }).bytes(), RgtpError);
  assertEquals(alone.condition, "ACCESS_DENIED");
});

Deno.test("with less disk than the exposure it still serves all of it, to pullers at different places", async () => {
  const data = noise(24 * MIB);
  await using exposure = await expose(data, here);
  await using cache = await edge(exposure.ticket, { ...here, diskBytesMax: 6 * MIB });
  const one = pull(exposure.ticket, { edges: [cache.ticket] }).bytes();
  const other = pull(exposure.ticket, { edges: [cache.ticket] }).range(12 * MIB, 20 * MIB).bytes();
  assertSame(await one, data);
  assertSame(await other, data.subarray(12 * MIB, 20 * MIB));
});

Deno.test("an edge that ends in the middle is done without: the exposer gives the rest", async () => {
  const data = noise(24 * MIB);
  await using exposure = await expose(data, here);
  const cache = await edge(exposure.ticket, { ...here, limitRate: 16 * MIB });
  const events: PullEvent[] = [];
  const task = pull(exposure.ticket, { edges: [cache.ticket], onEvent: (event) => events.push(event) });
  const got = new Uint8Array(data.length);
  let closing: Promise<void> | undefined;
  let bytes = 0;
  for await (const chunk of task) {
    got.set(chunk.bytes, chunk.index * 65_536);
    bytes += chunk.bytes.length;
    if (bytes > 8 * MIB) closing ??= cache.close();
  }
  await closing;
  assertSame(got, data);
  assertEquals(events.filter(({ kind }) => kind === "dropped").length, 1);
});

Deno.test("an edge ends with what its upstream gave: withdrawn, or refused from the start", async () => {
  const exposure = await expose(noise(2 * MIB), here);
  await using cache = await edge(exposure.ticket, here);
  const closed = assertRejects(() => cache.closed, RgtpError);
  await exposure.close();
  // Told so at once where the word arrives; it is not said twice.
  const { condition } = await Promise.race([
    closed,
    new Promise<RgtpError>((resolve) => setTimeout(() => resolve(new RgtpError("TIMEOUT", "late")), 5000)),
  ]);
  assertEquals(condition, "WITHDRAWN");
  await using other = await expose(noise(1000), here);
  const { secret: _, ...bare } = parseTicket(other.ticket);
  assertEquals((await assertRejects(() => edge(bare, here), RgtpError)).condition, "ACCESS_DENIED");
});

Deno.test("an edge through which nobody has pulled yet is told as well", async () => {
  // Its leaves ride in the grant: there is nothing to ask for.
  const exposure = await expose(noise(1000), here);
  await using cache = await edge(exposure.ticket, here);
  const closed = assertRejects(() => cache.closed, RgtpError);
  for (let i = 0; i < 250 && exposure.stats().memory.liveTokens === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals(exposure.stats().pullers, []);
  await exposure.close();
  const late = new Promise<RgtpError>((resolve) =>
    setTimeout(() => resolve(new RgtpError("TIMEOUT", "late")), 5000)
  );
  assertEquals((await Promise.race([closed, late])).condition, "WITHDRAWN");
});

Deno.test("an edge's own tickets: without one nothing comes, and a revoked one ends", async () => {
  const data = noise(2 * MIB);
  await using exposure = await expose(data, here);
  await using cache = await edge(exposure.ticket, here);
  const ticket = cache.newTicket();
  const { secret: _, ...bare } = parseTicket(ticket);
  const events: PullEvent[] = [];
  const onEvent = (event: PullEvent) => void events.push(event);
  // The exposer gives what the edge does not.
  assertSame(await pull(exposure.ticket, { edges: [bare], onEvent }).bytes(), data);
  assert(cache.revokeTicket(ticket));
  assertSame(await pull(exposure.ticket, { edges: [ticket], onEvent }).bytes(), data);
  assertEquals(cache.stats().bytesSent, 0);
  await using open = await edge(exposure.ticket, { ...here, open: true });
  assertEquals(parseTicket(open.ticket).secret, undefined);
  assertSame(await pull(exposure.ticket, { edges: [open.ticket] }).bytes(), data);
  assertGreater(open.stats().bytesSent, data.length);
});

Deno.test("nothing at all, one byte, few chunks, and several pages of small ones", async () => {
  for (const bytes of [0, 1, 50_000, 10 * MIB + 1]) {
    const data = noise(bytes);
    await using exposure = await expose(data, { ...here, chunkSize: 4096 });
    await using cache = await edge(exposure.ticket, here);
    assertSame(await pull(exposure.ticket, { edges: [cache.ticket] }).bytes(), data);
  }
});

Deno.test("a folder that is not there is refused, with its name", async () => {
  await using exposure = await expose(noise(1000), here);
  await using folder = await TestFolder.make();
  const refused = await assertRejects(
    () => edge(exposure.ticket, { ...here, folder: folder.file("absent") }),
    RgtpError,
    "absent",
  );
  assertEquals(refused.condition, "IO");
});

Deno.test({
  name: `a disk that is full ends the edge, and the exposer gives the rest${
    noMounts && ` [skipped: ${noMounts}]`
  }`,
  ignore: noMounts !== "",
  fn: async () => {
    const data = noise(8 * MIB);
    await using exposure = await expose(data, here);
    await using folder = await TestFolder.make();
    await withTmpfs(folder.file("disk"), "3m", async ({ path }) => {
      await using cache = await edge(exposure.ticket, { ...here, folder: path });
      const ended = assertRejects(() => cache.closed, RgtpError);
      assertSame(await pull(exposure.ticket, { edges: [cache.ticket] }).bytes(), data);
      assertEquals((await ended).condition, "NO_SPACE");
    });
  },
});
