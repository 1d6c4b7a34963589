import { RgtpError } from "../../core/errors.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStringIncludes,
} from "../../tests/_assert.ts";
import { Libc } from "./_libc.ts";
import { segments } from "./link.ts";
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
