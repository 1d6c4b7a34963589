import { RgtpError } from "../../core/errors.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStringIncludes,
} from "../../tests/_assert.ts";
import { openDatagramConn } from "./datagram_conn.ts";
import { Libc } from "./_libc.ts";
import { type Link, segments } from "./link.ts";
import { openLinuxUdp } from "./linux_udp.ts";

const libc = Libc.load();
libc?.close();
const why = libc === undefined ? "needs Linux and --allow-ffi" : "";

/** A test of this kind of link, skipped by name elsewhere. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `linux_udp: ${name}${why && ` [skipped: ${why}]`}`, ignore: why !== "", fn });
}

const loopback = { host: "127.0.0.1", port: 0 };

test("it holds more than the 80 packets of a socket as it comes", async () => {
  using link = await openLinuxUdp(loopback);
  assertGreater(link.burstPacketsMax, 80);
});

test("a burst of all that it says it holds arrives whole", async () => {
  using from = await openLinuxUdp(loopback);
  using to = await openLinuxUdp(loopback);
  const count = to.burstPacketsMax;
  const one = new Uint8Array(1452);
  for (let i = 0; i < count; i++) {
    one[0] = i;
    await from.send({ peer: to.local, bytes: one, segmentSize: 1452 });
  }
  let next = 0;
  while (next < count) {
    for (const datagrams of await to.receive()) {
      for (const segment of segments(datagrams)) assertEquals(segment[0], next++ & 255);
    }
  }
});

/** Datagrams of one size, each filled with its number. */
function train(count: number, size: number, first = 0): Uint8Array {
  const bytes = new Uint8Array(count * size);
  for (let i = 0; i < count; i++) bytes.fill(first + i, i * size, (i + 1) * size);
  return bytes;
}

/** What a receiver got from each port: how many messages, and the first byte of each datagram. */
async function collect(
  link: Link,
  datagrams: number,
): Promise<Map<number, { messages: number; numbers: number[] }>> {
  const all = new Map<number, { messages: number; numbers: number[] }>();
  for (let got = 0; got < datagrams;) {
    const batch = await link.receive();
    if (batch.length === 0) throw new Error(`the link closed after ${got} of ${datagrams} datagrams`);
    for (const one of batch) {
      const from = all.get(one.peer.port) ?? { messages: 0, numbers: [] };
      all.set(one.peer.port, from);
      from.messages++;
      for (const segment of segments(one)) {
        from.numbers.push(segment[0]);
        got++;
      }
    }
  }
  return all;
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test("the datagrams of a default chunk go out, and come in, as two messages", async () => {
  for (const host of ["127.0.0.1", "::1"]) {
    using from = await openLinuxUdp({ host, port: 0 });
    using to = await openLinuxUdp({ host, port: 0 });
    // 45 symbols of 1428 bytes and one of 1292, with their headers.
    const bytes = train(46, 1452).subarray(0, 66_656);
    await from.send({ peer: to.local, bytes, segmentSize: 1452 });
    const got = (await collect(to, 46)).get(from.local.port);
    assertEquals(got, { messages: 2, numbers: upTo(46) });
    assertEquals([to.stats.packetsReceived, to.stats.bytesReceived], [46, 66_656]);
    assertEquals([from.stats.packetsSent, from.stats.bytesSent], [46, 66_656]);
  }
});

test("all sizes and counts of segments around the borders of a message arrive", async () => {
  using from = await openLinuxUdp(loopback);
  using to = await openLinuxUdp(loopback);
  const shapes = [[1, 1], [64, 1], [65, 1], [128, 100], [129, 100], [2, 32_753], [2, 32_754], [3, 32_753], [
    2,
    65_507,
  ]];
  for (const [count, size] of shapes) {
    for (const cut of [0, size - 1]) {
      const bytes = train(count, size);
      await from.send({ peer: to.local, bytes: bytes.subarray(0, bytes.length - cut), segmentSize: size });
      assertEquals((await collect(to, count)).get(from.local.port)?.numbers, upTo(count));
    }
  }
  assertEquals(from.stats.sendErrors, 0);
});

test("each datagram of a train is what was sent, whatever came into its place before", async () => {
  using from = await openLinuxUdp(loopback);
  using to = await openLinuxUdp(loopback);
  // One at a time, so all come into the first buffer: longer, shorter, of another size, back again.
  for (
    const [count, size, cut] of [[3, 1452, 9], [40, 1452, 0], [2, 1452, 700], [5, 1000, 1], [9, 1452, 0]]
  ) {
    const bytes = train(count, size).map((byte, i) => i % size === 0 ? byte : (i * 7 + size) & 255);
    const sent = bytes.subarray(0, bytes.length - cut);
    await from.send({ peer: to.local, bytes: sent, segmentSize: size });
    const got: number[] = [];
    while (got.length < sent.length) {
      for (const one of await to.receive()) for (const segment of segments(one)) got.push(...segment);
    }
    assertEquals(Uint8Array.from(got), sent);
  }
});

test("trains of two senders at the same time stay apart", async () => {
  using a = await openLinuxUdp(loopback);
  using b = await openLinuxUdp(loopback);
  using to = await openLinuxUdp(loopback);
  for (let first = 0; first < 200; first += 20) {
    await a.send({ peer: to.local, bytes: train(20, 700, first), segmentSize: 700 });
    await b.send({ peer: to.local, bytes: train(20, 900, first), segmentSize: 900 });
  }
  const got = await collect(to, 400);
  for (const { local } of [a, b]) assertEquals(got.get(local.port)?.numbers, upTo(200));
});

test("to and from a link that knows no trains", async () => {
  using plain = await openDatagramConn(loopback);
  using link = await openLinuxUdp(loopback);
  await link.send({ peer: plain.local, bytes: train(40, 1000), segmentSize: 1000 });
  assertEquals((await collect(plain, 40)).get(link.local.port), { messages: 40, numbers: upTo(40) });
  await plain.send({ peer: link.local, bytes: train(40, 1000), segmentSize: 1000 });
  assertEquals((await collect(link, 40)).get(plain.local.port)?.numbers, upTo(40));
});

test("what answers a request goes out as few messages: each may end in a short datagram", async () => {
  using from = await openLinuxUdp(loopback);
  using to = await openLinuxUdp(loopback);
  const [bodyBytes, chunk] = [1428, 65_552];
  // A part of a chunk, three whole ones, the begin of another: 176 datagrams in five runs, of which four end short.
  const lengths = [1292 + 10 * bodyBytes, chunk, chunk, chunk, 27 * bodyBytes];
  const count = lengths.reduce((sum, length) => sum + Math.ceil(length / bodyBytes), 0);
  const headers = Uint8Array.from({ length: count * 24 }, (_, i) => Math.floor(i / 24));
  const runs = lengths.map((length) => new Uint8Array(length));
  await from.sendSplit!({ peer: to.local, headers, headerBytes: 24, runs, bodyBytes });
  const got = (await collect(to, count)).get(from.local.port)!;
  assertEquals([count, got.messages], [176, 4]);
  assertEquals(got.numbers.sort((a, b) => a - b), upTo(176));
});

test("a link that naps wakes for what comes, soon or late, and when it is closed", async () => {
  using to = await openLinuxUdp({ ...loopback, naps: true });
  using from = await openLinuxUdp(loopback);
  let number = 0;
  const send = () => from.send({ peer: to.local, bytes: Uint8Array.of(number++), segmentSize: 1 });
  for (const pauseMs of [0, 0, 0, 20, 0, 0, 3, 0]) {
    const waiting = collect(to, 1);
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    await send();
    assertEquals((await waiting).get(from.local.port)?.numbers, [number - 1]);
  }
  const waiting = to.receive();
  // Timers run while it waits.
  for (let ticks = 0; ticks < 10; ticks++) await new Promise((resolve) => setTimeout(resolve, 1));
  to.close();
  assertEquals(await waiting, []);
});

test("a port is free as soon as its link is closed, even if someone waits", async () => {
  let { port } = loopback;
  for (let i = 0; i < 50; i++) {
    const link = await openLinuxUdp({ host: "127.0.0.1", port });
    ({ port } = link.local);
    const waiting = link.receive();
    await new Promise((resolve) => setTimeout(resolve, 1));
    link.close();
    (await openLinuxUdp({ host: "127.0.0.1", port })).close();
    assertEquals(await waiting, []);
  }
});

test("a thousand links leave no descriptor and no thread", async () => {
  const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const threads = () => [...Deno.readDirSync("/proc/self/task")].length;
  const use = async () => {
    const link = await openLinuxUdp(loopback);
    const waiting = link.receive();
    link.close();
    await waiting;
  };
  await use();
  const before = [open(), threads()];
  for (let i = 0; i < 1000; i++) await use();
  const after = [open(), threads()];
  // The runtime itself may open something meanwhile, but not a thousand times.
  assert(after[0] - before[0] < 20, `${before[0]} descriptors became ${after[0]}`);
  assert(after[1] - before[1] < 20, `${before[1]} threads became ${after[1]}`);
});

test("many links that wait hold up neither each other nor files", async () => {
  // The pool of threads in which the runtime waits, and reads files, has about 32.
  using first = await openLinuxUdp(loopback);
  const links = await Promise.all(Array.from({ length: 100 }, () => openLinuxUdp(loopback)));
  const waiting = links.map((link) => link.receive());
  assertEquals(await Deno.readTextFile("/proc/sys/kernel/ostype"), "Linux\n");
  for (const [i, { local }] of links.entries()) {
    await first.send({ peer: local, bytes: Uint8Array.of(i), segmentSize: 1 });
  }
  for (const [i, batch] of (await Promise.all(waiting)).entries()) assertEquals(batch[0].bytes[0], i);
  for (const link of links) link.close();
});

/** What a program prints that opens a link, `link`, under some permissions. */
async function outputOf(program: string, ...permissions: string[]): Promise<string> {
  const source = `import { openLinuxUdp } from "${new URL("./linux_udp.ts", import.meta.url).href}";
    const link = await openLinuxUdp({ host: "127.0.0.1", port: 0 });
    ${program}`;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", ...permissions],
      `data:text/typescript,${encodeURIComponent(source)}`,
    ],
    stdin: "null",
    signal: AbortSignal.timeout(20_000),
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

test("a program ends when its links are closed, or nobody reads them", async () => {
  for (const end of ["link.close();", ""]) {
    const program = `const waiting = link.receive();
      await new Promise((resolve) => setTimeout(resolve, 10));
      await link.send({ peer: link.local, bytes: new Uint8Array(1), segmentSize: 1 });
      console.log((await waiting).length);
      ${end}`;
    assertEquals(await outputOf(program, "-A"), "1");
  }
});

test("whom Deno does not permit is not sent to, and the folder of the library is enough", async () => {
  const program = `for (const port of [9, 10]) {
      await link.send({ peer: { host: "127.0.0.1", port }, bytes: new Uint8Array(3), segmentSize: 1 });
    }
    const { packetsSent, sendErrors, lastSendError } = link.stats;
    console.log(packetsSent, sendErrors, lastSendError);`;
  const permissions = ["--allow-net=127.0.0.1:0,127.0.0.1:9", "--allow-ffi=/lib,/lib64"];
  assertEquals(
    await outputOf(program, ...permissions),
    "3 3 Deno does not permit to send to 127.0.0.1:10",
  );
});

test("timers run while there is always something to receive", async () => {
  using link = await openLinuxUdp(loopback);
  const bytes = new Uint8Array(1000);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const end = performance.now() + 200;
  while (performance.now() < end) {
    await link.send({ peer: link.local, bytes, segmentSize: 1000 });
    await link.receive();
  }
  clearInterval(timer);
  assertGreater(ticks, 5);
});

test("a peer of another family is counted, and what comes after it is sent", async () => {
  using link = await openLinuxUdp(loopback);
  await link.send({ peer: { host: "::1", port: 9 }, bytes: new Uint8Array(10), segmentSize: 3 });
  assertEquals([link.stats.sendErrors, link.stats.packetsSent], [4, 0]);
  assertStringIncludes(link.stats.lastSendError ?? "", "EAFNOSUPPORT");
  await link.send({ peer: link.local, bytes: Uint8Array.of(1), segmentSize: 1 });
  assertEquals((await link.receive())[0].bytes, Uint8Array.of(1));
});

test("a socket that is gone is an error, then and later", async () => {
  const before = new Set(openSockets());
  const link = await openLinuxUdp(loopback);
  const library = Libc.load()!;
  for (const descriptor of openSockets().filter((one) => !before.has(one))) library.call.close(descriptor);
  library.close();
  for (let i = 0; i < 2; i++) {
    const error = await assertRejects(() => link.receive(), RgtpError, "has failed");
    assertEquals(error.condition, "SOCKET");
    await assertRejects(
      () => link.send({ peer: link.local, bytes: new Uint8Array(1), segmentSize: 1 }),
      RgtpError,
      "EBADF",
    );
  }
  link.close();
});

function openSockets(): number[] {
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name)).filter((descriptor) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${descriptor}`).startsWith("socket:");
    } catch {
      // It was open for the listing alone.
      return false;
    }
  });
}
