/*
 * One pull from several exposers over loopback: two that share an identity, so that the same bytes are one exposure.
 */
import { expose, formatTicket, parseTicket, pull, RgtpError } from "../../mod.ts";
import type { Exposure, PullEvent } from "../../mod.ts";
import { TestFolder } from "./_files.ts";
import { assert, assertEquals, assertGreater, assertLess, assertRejects, assertThrows } from "../_assert.ts";
import { assertSame, noise } from "./_bytes.ts";

const MIB = 1_048_576;

/** Two exposers of the same bytes, each with an address and a ticket of its own. */
async function two(
  stateDir: string,
  data: Uint8Array<ArrayBuffer>,
  limitRate: number,
): Promise<[Exposure, Exposure]> {
  const options = { host: "127.0.0.1", port: 0, stateDir, reproducible: true, limitRate };
  return [await expose(data, options), await expose(data, options)];
}

Deno.test("two exposers with limited rates: both are asked, about evenly, and nearly nothing comes twice", async () => {
  const data = noise(24 * MIB);
  await using folder = await TestFolder.make();
  const [one, other] = await two(folder.file("state"), data, 16 * MIB);
  await using _one = one;
  await using _other = other;
  assertEquals(one.id, other.id);
  const task = pull(one.ticket, { from: [other.ticket] });
  assertSame(await task.bytes(), data);
  const { sources, wireBytes } = task.stats();
  assertEquals(sources.map(({ address }) => address.port), [one.address.port, other.address.port]);
  for (const source of sources) assertGreater(source.wireBytes, 0.3 * wireBytes);
  assertLess(wireBytes, 1.1 * data.length);
});

Deno.test("an exposer that is closed half-way is named, and the other brings the rest", async () => {
  const data = noise(24 * MIB);
  await using folder = await TestFolder.make();
  const [one, other] = await two(folder.file("state"), data, 16 * MIB);
  await using _other = other;
  const events: PullEvent[] = [];
  let closing: Promise<void> | undefined;
  let bytes = 0;
  const task = pull(one.ticket, { from: [other.ticket], onEvent: (event) => events.push(event) });
  const got = new Uint8Array(data.length);
  for await (const chunk of task) {
    got.set(chunk.bytes, chunk.index * 65_536);
    bytes += chunk.bytes.length;
    if (bytes > 8 * MIB) closing ??= one.close();
  }
  await closing;
  assertSame(got, data);
  const dropped = events.filter((event) => event.kind === "dropped");
  assertEquals(dropped.map(({ source, error }) => [source, error.condition]), [
    [`127.0.0.1:${one.address.port}`, "WITHDRAWN"],
  ]);
});

Deno.test("another source that nobody answers for costs nothing", async () => {
  const data = noise(2 * MIB);
  await using exposure = await expose(data, { host: "127.0.0.1", port: 0 });
  const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  assert(silent.addr.transport === "udp");
  const task = pull(exposure.ticket, { from: [`127.0.0.1:${silent.addr.port}`] });
  assertSame(await task.bytes(), data);
  silent.close();
  assertEquals(task.stats().sources.length, 1);
});

Deno.test("the other sources of a pull must be of the same exposure, and at most seven", async () => {
  await using one = await expose(noise(10), { host: "127.0.0.1", port: 0 });
  await using other = await expose(noise(10), { host: "127.0.0.1", port: 0 });
  const isArgument = (error: unknown) => error instanceof RgtpError && error.condition === "INVALID_ARG";
  for (const from of [[other.ticket], ["no address"], new Array(8).fill("127.0.0.1:9000")]) {
    assert(isArgument(assertThrows(() => pull(one.ticket, { from }))));
  }
  // Only its own address is wrong: then the other one serves.
  const ticket = parseTicket(one.ticket);
  const wrong = formatTicket({ ...ticket, addresses: [{ host: "127.0.0.1", port: 9 }] });
  assertEquals((await pull(wrong, { from: [one.ticket] }).bytes()).length, 10);
  await assertRejects(() => pull(wrong, { from: ["127.0.0.1:9"], timeoutMs: 500 }).bytes(), RgtpError);
});
