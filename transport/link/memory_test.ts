import { RgtpError } from "../../core/errors.ts";
import { assert, assertEquals, assertThrows } from "../../tests/_assert.ts";
import { memoryNetwork } from "./memory.ts";

Deno.test("memory: a batch arrives as the one batch that it was", async () => {
  const network = memoryNetwork();
  using a = network.open({ host: "192.0.2.1", port: 1 });
  using b = network.open({ host: "2001:db8::1", port: 2 });
  await a.send({ peer: b.local, bytes: new Uint8Array(80 * 1452 - 7), segmentSize: 1452 });
  const batch = await b.receive();
  assertEquals(batch.map(({ bytes, segmentSize }) => [bytes.length, segmentSize]), [[80 * 1452 - 7, 1452]]);
  assertEquals(b.stats.packetsReceived, 80);
});

Deno.test("memory: an address can be used again after close, and two networks do not meet", async () => {
  const network = memoryNetwork();
  const where = { host: "192.0.2.1", port: 1 };
  network.open(where).close();
  using a = network.open(where);
  using elsewhere = memoryNetwork().open(where);
  await a.send({ peer: where, bytes: Uint8Array.of(1), segmentSize: 1 });
  assertEquals((await a.receive()).length, 1);
  assertEquals(elsewhere.stats.packetsReceived, 0);
});

Deno.test("memory: the inbox drops what comes on top, and counts it", async () => {
  const network = memoryNetwork({ inboxBytesMax: 10_000 });
  using a = network.open({ host: "192.0.2.1", port: 1 });
  for (let i = 0; i < 20; i++) await a.send({ peer: a.local, bytes: new Uint8Array(1000), segmentSize: 500 });
  assertEquals((await a.receive()).length, 7); // 7 * (1000 + 256) fit into 10,000
  assertEquals(a.stats.receiveDrops, 26);
});

Deno.test("memory: two links that only answer each other leave timers their turn", async () => {
  const network = memoryNetwork();
  using a = network.open({ host: "192.0.2.1", port: 1 });
  using b = network.open({ host: "192.0.2.2", port: 2 });
  const echo = async (link: typeof a) => {
    for (let batch = await link.receive(); batch.length > 0; batch = await link.receive()) {
      for (const datagrams of batch) await link.send(datagrams).catch(() => {});
    }
  };
  const echoes = [echo(a), echo(b)];
  await a.send({ peer: b.local, bytes: Uint8Array.of(1), segmentSize: 1 });
  await new Promise((resolve) => setTimeout(resolve, 5));
  a.close();
  b.close();
  await Promise.all(echoes);
  assert(a.stats.packetsSent > 1);
});

Deno.test("memory: names are refused", () => {
  assertThrows(() => memoryNetwork().open({ host: "localhost", port: 1 }), TypeError, "localhost");
  const network = memoryNetwork();
  using _ = network.open({ host: "::1", port: 1 });
  assertThrows(() => network.open({ host: "0::1", port: 1 }), RgtpError, "taken");
});
