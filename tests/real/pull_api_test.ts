/*
 * `readable`, `range`, events and stats of a pull over loopback: order, borders, slow readers, cancels, silence.
 */
import { chunkDataPiece, isChunkData } from "../../codec/packet.ts";
import { expose, formatTicket, parseTicket, pull, RgtpError } from "../../mod.ts";
import type { PullEvent } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess, assertRejects, assertThrows } from "../_assert.ts";
import { assertSame, noise } from "./_bytes.ts";

const here = { host: "127.0.0.1", port: 0, shared: "off" } as const;
const CHUNK = 65_536;
const MIB = 1_048_576;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function collect(slices: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(
    await new Blob(await Array.fromAsync(slices, (slice) => slice.slice())).arrayBuffer(),
  );
}

/** Passes packets on between one puller and an exposer, except those to the puller that `drops` names. */
function relay(exposer: number, drops: (packet: Uint8Array) => boolean): { port: number } & Disposable {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  let puller: Deno.Addr | undefined;
  const run = async () => {
    for await (const [packet, from] of socket) {
      const isAnswer = from.transport === "udp" && from.port === exposer;
      if (!isAnswer) puller = from;
      if (isAnswer && drops(packet)) continue;
      const to = isAnswer ? puller! : { transport: "udp" as const, hostname: "127.0.0.1", port: exposer };
      await socket.send(packet, to);
    }
  };
  // It ends when the socket is closed.
  run().catch(() => {});
  const { addr } = socket;
  assert(addr.transport === "udp");
  return { port: addr.port, [Symbol.dispose]: () => socket.close() };
}

Deno.test("readable: all bytes in their order, and the stream is one", async () => {
  const data = noise(5_000_001);
  await using exposure = await expose(data, here);
  const one = pull(exposure.ticket);
  assert(one.readable === one.readable);
  assertSame(await collect(one.readable), data);
  assertEquals(one.stats().state, "done");
  await using none = await expose(new Uint8Array(0), here);
  assertEquals((await collect(pull(none.ticket).readable)).length, 0);
});

Deno.test("readable: from a stream to a stream", async () => {
  const data = noise(3_000_000);
  const read: number[] = [];
  await using exposure = await expose(new Blob([data]).stream(), {
    ...here,
    onRead: (bytes) => read.push(bytes),
  });
  assertEquals([exposure.bytes, read.at(-1)], [3_000_000, 3_000_000]);
  assertSame(await collect(pull(exposure.ticket).readable), data);
});

Deno.test("readable: a reader that sleeps longer than the timeout holds the pull back, in bounded memory", async () => {
  const data = noise(60 * MIB);
  await using exposure = await expose(data, here);
  await using slow = pull(exposure.ticket, { timeoutMs: 1000 });
  const reader = slow.readable.getReader();
  assertEquals(slow.stats().state, "idle");
  const first = await reader.read();
  await pause(2500);
  const { wireBytes, bytes, state } = slow.stats();
  assertEquals(state, "pulling");
  assertLess(wireBytes, 36 * MIB);
  assertLess(bytes, MIB);
  let at = first.value!.length;
  assertSame(first.value!, data.subarray(0, at));
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    assertSame(next.value, data.subarray(at, at + next.value.length));
    at += next.value.length;
  }
  assertEquals(at, data.length);
});

Deno.test("readable: a cancel in the middle closes the pull, as do leaving a loop and the end of a block", async () => {
  await using exposure = await expose(noise(40 * MIB), here);
  const cancelled = pull(exposure.ticket);
  const reader = cancelled.readable.getReader();
  await reader.read();
  await reader.cancel();
  assertEquals(cancelled.stats().state, "failed");
  const waiting = pull(exposure.ticket);
  const pending = waiting.readable.getReader();
  const read = pending.read();
  await pending.cancel();
  assertEquals((await read).done, true);
  const left = pull(exposure.ticket);
  for await (const slice of left.readable) {
    assertGreater(slice.length, 0);
    break;
  }
  assertEquals(left.stats().state, "failed");
  const events: PullEvent[] = [];
  let rest: ReadableStreamDefaultReader<Uint8Array>;
  {
    await using block = pull(exposure.ticket, { onEvent: (event) => events.push(event) });
    rest = block.readable.getReader();
    await rest.read();
  }
  const last = events.at(-1)!;
  assert(last.kind === "failed" && last.error instanceof RgtpError && last.error.condition === "CANCELLED");
  const error = await assertRejects(async () => {
    while (!(await rest.read()).done);
  }, RgtpError);
  assertEquals(error.condition, "CANCELLED");
  // One that was never begun has nothing to wait for.
  await pull(exposure.ticket)[Symbol.asyncDispose]();
});

Deno.test("range: borders of chunks, one byte, nothing, all; only its chunks move", async () => {
  const data = noise(10 * CHUNK + 7);
  await using exposure = await expose(data, { ...here, chunkSize: CHUNK });
  const table = [
    [0, 1],
    [CHUNK - 1, CHUNK + 1],
    [CHUNK, 2 * CHUNK],
    [3 * CHUNK + 5, 6 * CHUNK - 5],
    [10 * CHUNK, 10 * CHUNK + 7],
    [10 * CHUNK + 6, 10 * CHUNK + 7],
    [0, data.length],
  ];
  for (const [from, to] of table) {
    const one = pull(exposure.ticket);
    assertSame(await one.range(from, to).bytes(), data.subarray(from, to));
    const chunks = Math.ceil(to / CHUNK) - Math.floor(from / CHUNK);
    assertLess(one.stats().wireBytes, chunks * CHUNK * 1.05 + 2000);
    assertSame(await collect(pull(exposure.ticket).range(from, to)), data.subarray(from, to));
  }
  assertSame(await pull(exposure.ticket).range(9 * CHUNK).bytes(), data.subarray(9 * CHUNK));
  for (const at of [0, 5, CHUNK, data.length]) {
    const empty = pull(exposure.ticket);
    assertEquals((await empty.range(at, at).bytes()).length, 0);
    assertEquals([empty.stats().wireBytes, empty.stats().state], [0, "done"]);
  }
});

Deno.test("range: far into something large, with pages of leaves, and left in the middle", async () => {
  const data = noise(20 * MIB);
  await using exposure = await expose(data, { ...here, chunkSize: 4096 });
  const from = 15 * MIB + 100;
  assertSame(await pull(exposure.ticket).range(from, from + MIB).bytes(), data.subarray(from, from + MIB));
  let at = from;
  for await (const slice of pull(exposure.ticket).range(from)) {
    assertSame(slice, data.subarray(at, at + slice.length));
    at += slice.length;
    if (at > from + MIB) break;
  }
});

Deno.test("range: what leads outside, a second use, and a collection are refused", async () => {
  await using exposure = await expose(noise(1000), here);
  assertThrows(() => pull(exposure.ticket).range(5, 4), RangeError);
  assertThrows(() => pull(exposure.ticket).range(-1), RangeError);
  await assertRejects(() => pull(exposure.ticket).range(0, 1001).bytes(), RangeError, "1000");
  await assertRejects(() => pull(exposure.ticket).range(1001).bytes(), RangeError);
  const once = pull(exposure.ticket);
  const range = once.range(0, 10);
  assertEquals((await range.bytes()).length, 10);
  await assertRejects(() => range.bytes(), TypeError, "once");
  await assertRejects(() => collect(once.readable), TypeError, "once");
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/a`, "a");
    await using collection = await expose(folder, here);
    for (
      const use of [
        () => pull(collection.ticket).range(0).bytes(),
        () => collect(pull(collection.ticket).readable),
      ]
    ) {
      assertEquals((await assertRejects(use, RgtpError)).condition, "NOT_SUPPORTED");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readable: when one chunk never comes, what was before it is given, and then TIMEOUT", async () => {
  const data = noise(60 * MIB);
  await using exposure = await expose(data, { ...here, chunkSize: CHUNK });
  using between = relay(
    exposure.address.port,
    (packet) => isChunkData(packet) && chunkDataPiece(packet) === 3,
  );
  const ticket = formatTicket({
    ...parseTicket(exposure.ticket),
    addresses: [{ host: "127.0.0.1", port: between.port }],
  });
  const events: PullEvent[] = [];
  await using held = pull(ticket, { timeoutMs: 2000, onEvent: (event) => events.push(event) });
  let got = 0;
  const error = await assertRejects(async () => {
    for await (const slice of held.readable) got += slice.length;
  }, RgtpError);
  assertEquals([error.condition, got], ["TIMEOUT", 3 * CHUNK]);
  // What waits for it is bounded: 32 MiB, and what was on its way.
  assertLess(held.stats().wireBytes, 35 * MIB);
  assertEquals(events.at(-1), { kind: "failed", error });
});

Deno.test("events and stats: a grant and an end, with their numbers", async () => {
  await using exposure = await expose(noise(1_000_000), here);
  const events: PullEvent[] = [];
  const one = pull(exposure.ticket, { onEvent: (event) => events.push(event) });
  const nothing = {
    totalBytes: 0,
    bytes: 0,
    reusedBytes: 0,
    sharedBytes: 0,
    wireBytes: 0,
    rate: 0,
    loss: 0,
    roundTripMs: 0,
    drops: {},
  };
  assertEquals(one.stats(), { state: "idle", ...nothing, sources: [] });
  await collect(one.readable);
  const source = { host: "127.0.0.1", port: exposure.address.port };
  assertEquals(events, [
    { kind: "granted", source, bytes: 1_000_000, chunks: exposure.chunks },
    { kind: "done" },
  ]);
  const { sources, ...stats } = one.stats();
  const { wireBytes, loss, roundTripMs } = stats;
  assertEquals([stats.state, stats.bytes, stats.totalBytes, stats.reusedBytes], [
    "done",
    1_000_000,
    1_000_000,
    0,
  ]);
  const { leastRoundTripMs } = sources[0];
  const handshake = "x25519" as const;
  const expected = {
    address: source,
    wireBytes,
    loss,
    roundTripMs,
    handshake,
    leastRoundTripMs,
    isGone: false,
  };
  assertEquals(sources, [expected]);
  assertGreater(leastRoundTripMs, 0);
  assertGreater(wireBytes, 1_000_000);
  assertGreater(roundTripMs, 0);
  assertGreater(stats.rate, 0);
  assert(loss >= 0 && loss < 0.5);
});

Deno.test("events: an exposer that goes is noticed as a stall, and then as the end", async () => {
  const exposure = await expose(noise(30 * MIB), here);
  let isSilent = false;
  using between = relay(exposure.address.port, () => isSilent);
  const ticket = formatTicket({
    ...parseTicket(exposure.ticket),
    addresses: [{ host: "127.0.0.1", port: between.port }],
  });
  const kinds: string[] = [];
  await using one = pull(ticket, {
    timeoutMs: 4500,
    limitRate: 5_000_000,
    onEvent: ({ kind }) => kinds.push(kind),
  });
  await assertRejects(async () => {
    for await (const slice of one.readable) isSilent ||= slice.length > 0;
  }, RgtpError);
  assertEquals(kinds, ["granted", "stalled", "failed"]);
  await exposure.close();
});
