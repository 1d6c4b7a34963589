import { keepalive, rateReport } from "../../codec/control.ts";
import { encodeHandshake, HandshakeMessage, Offer } from "../../codec/handshake.ts";
import type { Handshake } from "../../codec/handshake.ts";
import { PacketType } from "../../codec/packet.ts";
import { encodePullRequest } from "../../codec/pull_request.ts";
import { TOKEN_BYTES } from "../../codec/token.ts";
import { RgtpError } from "../../core/errors.ts";
import { assertEquals, assertGreater, assertLess, assertRejects } from "../../tests/_assert.ts";
import { Libc } from "./_libc.ts";
import { runBpf } from "./_run_bpf.ts";
import { strangersProgram } from "./_strangers.ts";
import { type Link, segments } from "./link.ts";
import { openLinuxUdp } from "./linux_udp.ts";

const [PULLS, STRANGERS, RETURNING] = [0, 1, 2];
const none = new Uint8Array(0);
const token = new Uint8Array(TOKEN_BYTES);
const mac = () => new Uint8Array(8);
const common = { tag: new Uint8Array(8), number: 1, token };

function handshake(changes: Partial<Handshake>): Uint8Array {
  return encodeHandshake({
    ...{ message: HandshakeMessage.IK1, fragment: 0, fragments: 1, exchange: new Uint8Array(8) },
    ...{ offers: [Offer.X25519], retryCookie: none, stateCookie: none, body: new Uint8Array(1167) },
    ...changes,
  });
}

/** Each with the socket that it is for. */
const packets: Readonly<Record<string, readonly [Uint8Array, number]>> = {
  "a request": [
    encodePullRequest({ ...common, receipt: 0, received: 0, symbolSize: 1428, sections: [[]] }, mac),
    PULLS,
  ],
  "a keepalive": [keepalive.encode(common, {}, mac), PULLS],
  "a report": [
    rateReport.encode({ token, number: 1, loss: 0, delayUs: 0, wantedRate: 0 }, {}, mac),
    PULLS,
  ],
  "a first message": [handshake({}), STRANGERS],
  "a first message with a cookie": [handshake({ retryCookie: new Uint8Array(16) }), RETURNING],
  "a last message": [
    handshake({ message: HandshakeMessage.XX3, offers: [], stateCookie: new Uint8Array(200), body: none }),
    RETURNING,
  ],
  "a last message with a cookie of 256 bytes": [
    handshake({ message: HandshakeMessage.XX3, offers: [], stateCookie: new Uint8Array(256), body: none }),
    RETURNING,
  ],
  "nothing": [none, STRANGERS],
  "one byte of a request": [Uint8Array.of(0x20 | PacketType.PULL_REQUEST), STRANGERS],
  "a request that is too short to be one": [
    new Uint8Array(127).fill(0x20 | PacketType.PULL_REQUEST),
    STRANGERS,
  ],
  "a request of another version": [new Uint8Array(139).fill(0x30 | PacketType.PULL_REQUEST), STRANGERS],
  "what no puller sends": [new Uint8Array(1452).fill(0x20 | PacketType.CHUNK_DATA), STRANGERS],
  "noise": [new Uint8Array(500).fill(0xee), STRANGERS],
};

Deno.test("strangers: the program tells what belongs to pulls from what does not, and who comes back with a cookie", () => {
  for (const [name, [packet, socket]] of Object.entries(packets)) {
    assertEquals(runBpf(strangersProgram, packet), socket, name);
  }
});

const libc = Libc.load();
libc?.close();
const why = libc === undefined ? "needs Linux and --allow-ffi" : "";

/** A test with sockets of Linux, skipped by name elsewhere. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `strangers: ${name}${why && ` [skipped: ${why}]`}`, ignore: why !== "", fn });
}

function linksOf(link: Link): Link[] {
  const all = [link, ...link.strangers ?? []];
  assertEquals(all.length, 3, "the system has not given the sockets");
  return all;
}

async function payload(link: Link): Promise<Uint8Array> {
  const [datagrams] = await link.receive();
  return [...segments(datagrams)][0].slice();
}

test("each packet comes to its socket, from peers of both families, and can be answered", async () => {
  for (const [host, from] of [["127.0.0.1", "127.0.0.1"], ["::1", "::1"], ["::", "127.0.0.1"]]) {
    using to = await openLinuxUdp({ host, port: 0, strangersApart: true });
    using peer = await openLinuxUdp({ host: from, port: 0 });
    const links = linksOf(to);
    for (const [name, [bytes, socket]] of Object.entries(packets)) {
      const there = { host: from, port: to.local.port };
      await peer.send({ peer: there, bytes, segmentSize: Math.max(1, bytes.length) });
      const [datagrams] = await links[socket].receive();
      assertEquals(datagrams.bytes, bytes, name);
      assertEquals(datagrams.peer, peer.local, name);
    }
    assertEquals(to.stats.packetsReceived, Object.keys(packets).length);
    await to.send({ peer: peer.local, bytes: Uint8Array.of(7), segmentSize: 1 });
    assertEquals(await payload(peer), Uint8Array.of(7));
  }
});

test("what nobody reads of strangers is lost there, and takes no room from pulls", async () => {
  using to = await openLinuxUdp({ host: "127.0.0.1", port: 0, strangersApart: true });
  using from = await openLinuxUdp({ host: "127.0.0.1", port: 0 });
  const [first] = packets["a first message"];
  // More than the whole buffer of the socket for pulls.
  const flood = to.burstPacketsMax * 2;
  for (let i = 0; i < flood; i++) {
    await from.send({ peer: to.local, bytes: first, segmentSize: first.length });
  }
  const [request] = packets["a request"];
  for (let i = 0; i < 500; i++) {
    request[20] = i;
    await from.send({ peer: to.local, bytes: request, segmentSize: request.length });
  }
  for (let next = 0; next < 500;) {
    for (const datagrams of await to.receive()) {
      for (const one of segments(datagrams)) assertEquals(one[20], next++ & 255);
    }
  }
  const [, strangers] = linksOf(to);
  assertGreater((await strangers.receive()).length, 0);
  assertLess(strangers.burstPacketsMax, 1000);
});

test("a port is taken as ever: for who has strangers apart, and for who has not", async () => {
  for (const strangersApart of [true, false]) {
    using to = await openLinuxUdp({ host: "127.0.0.1", port: 0, strangersApart: true });
    const { port } = to.local;
    const error = await assertRejects(
      () => openLinuxUdp({ host: "127.0.0.1", port, strangersApart }),
      RgtpError,
    );
    assertEquals(error.condition, "ADDRESS_IN_USE");
    assertEquals(linksOf(to).map((link) => link.local.port), [port, port, port]);
  }
});

test("they end with the link that they belong to, and its port is free at once", async () => {
  const to = await openLinuxUdp({ host: "127.0.0.1", port: 0, strangersApart: true });
  const waiting = linksOf(to).map((link) => link.receive());
  to.close();
  assertEquals(await Promise.all(waiting), [[], [], []]);
  using again = await openLinuxUdp({ host: "127.0.0.1", port: to.local.port, strangersApart: true });
  assertEquals(again.local.port, to.local.port);
  assertEquals(to.strangers?.length, 2);
});

test("who does not ask for it gets all in one", async () => {
  using to = await openLinuxUdp({ host: "127.0.0.1", port: 0 });
  using from = await openLinuxUdp({ host: "127.0.0.1", port: 0 });
  assertEquals(to.strangers, []);
  const [first] = packets["a first message"];
  await from.send({ peer: to.local, bytes: first, segmentSize: first.length });
  assertEquals(await payload(to), first);
});
