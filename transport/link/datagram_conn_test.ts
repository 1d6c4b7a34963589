import { RgtpError } from "../../core/errors.ts";
import { assert, assertEquals, assertRejects } from "../../tests/_assert.ts";
import { openDatagramConn } from "./datagram_conn.ts";
import type { Link } from "./link.ts";

type Outcome = Error | Uint8Array;

/** A link over a socket whose receives end as told, and then wait for ever. */
async function scripted(outcomes: Outcome[]): Promise<Link> {
  const addr = { transport: "udp", hostname: "::", port: 9000 };
  const socket = {
    addr,
    send: () => Promise.reject(new Deno.errors.ConnectionRefused("refused")),
    receive: (buffer: Uint8Array) => {
      const outcome = outcomes.shift();
      if (outcome === undefined) return new Promise(() => {});
      if (outcome instanceof Error) return Promise.reject(outcome);
      buffer.set(outcome);
      return Promise.resolve([buffer.subarray(0, outcome.length), { ...addr, hostname: "::ffff:192.0.2.1" }]);
    },
    close: () => {},
  };
  const original = Reflect.get(Deno, "listenDatagram");
  Reflect.set(Deno, "listenDatagram", () => socket);
  try {
    return await openDatagramConn({ host: "::", port: 9000 });
  } finally {
    Reflect.set(Deno, "listenDatagram", original);
  }
}

Deno.test("datagram_conn: refusals reported by receive are counted, and what comes after them arrives", async () => {
  const refusals = Array.from({ length: 40 }, () => new Deno.errors.ConnectionRefused("refused"));
  using link = await scripted([...refusals, Uint8Array.of(7)]);
  const [datagrams] = await link.receive();
  assertEquals(datagrams, {
    peer: { host: "192.0.2.1", port: 9000 },
    bytes: Uint8Array.of(7),
    segmentSize: 1,
  });
  assertEquals([link.stats.receiveErrors, link.stats.lastReceiveError], [40, "refused"]);
});

Deno.test("datagram_conn: refusals reported by send are counted", async () => {
  using link = await scripted([]);
  await link.send({ peer: { host: "192.0.2.1", port: 9 }, bytes: new Uint8Array(3), segmentSize: 1 });
  const { packetsSent, sendErrors, lastSendError } = link.stats;
  assertEquals([packetsSent, sendErrors, lastSendError], [0, 3, "refused"]);
});

Deno.test("datagram_conn: close stops the retries", async () => {
  const link = await scripted(Array.from({ length: 40 }, () => new Error("always")));
  const waiting = link.receive();
  await new Promise((resolve) => setTimeout(resolve, 2));
  link.close();
  assertEquals(await waiting, []);
  const { receiveErrors } = link.stats;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(link.stats.receiveErrors, receiveErrors);
});

Deno.test("datagram_conn: a socket that is gone is an error, then and later", async () => {
  using link = await scripted([new Deno.errors.BadResource("gone")]);
  for (let i = 0; i < 2; i++) {
    const error = await assertRejects(() => link.receive(), RgtpError, "has failed (gone)");
    assertEquals(error.condition, "SOCKET");
    assert(error.cause instanceof Deno.errors.BadResource);
  }
  const lost = { peer: { host: "192.0.2.1", port: 9 }, bytes: Uint8Array.of(1), segmentSize: 1 };
  await assertRejects(() => link.send(lost), RgtpError, "open another one");
});
