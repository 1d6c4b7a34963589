/*
 * Whom a node turns away, on real sockets: first those who cannot prove who they are, then those who break the protocol.
 */
import net from "node:net";
import tls from "node:tls";
import { concatBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { encodePacked } from "../../codec/msgpack_map.ts";
import type { NodeOptions } from "../../cluster/io/node.ts";
import { startNode } from "../../cluster/io/node.ts";
import {
  assertStrangersRefused,
  createMutualTlsServer,
  dialMutualTls,
  listen,
} from "../../cluster/io/tls.ts";
import type { Credentials } from "../../cluster/io/tls.ts";
import { FRAME_HEADER_BYTES, FrameFlag, writeFrameHeader } from "../../cluster/protocol/frame.ts";
import { encodeMessage } from "../../cluster/protocol/payload.ts";
import type { Message } from "../../cluster/protocol/payload.ts";
import { inventedFrame, templateOf } from "../fuzz/rnp_frames.ts";
import { seededRandom } from "../sim/random.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../_assert.ts";
import {
  credentialsOf,
  expiredCredentials,
  helloOf,
  listeningNode,
  oddCredentials,
  RawPeer,
  strangersCredentials,
  until,
} from "./_cluster.ts";

const credentials = await credentialsOf("node-b");
const { ca } = credentials;

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/** Connects as somebody; the node must close without having taken a peer. Gives what the node noted. */
async function turnedAway(
  who: Credentials | undefined,
  tlsOptions: tls.ConnectionOptions = {},
  nodeOptions: Partial<NodeOptions> = {},
): Promise<string> {
  await using node = await listeningNode("node-a", nodeOptions);
  using peer = new RawPeer(node.address!.port, ca, who, tlsOptions);
  await until(() => peer.isClosed, "the connection is closed");
  await until(() => node.troubles.length > 0, "the node notes why");
  assertEquals([peer.messages, node.peers], [[], []]);
  return node.troubles[0];
}

Deno.test("rnp refuses: a peer without a certificate", async () => {
  assertStringIncludes(await turnedAway(undefined), "no certificates");
});

Deno.test("rnp refuses: certificates of another authority of the same name, expired ones, and those that are not for clients", async () => {
  await turnedAway(await strangersCredentials("node-b"));
  await turnedAway(await expiredCredentials("node-b"));
  await turnedAway(await oddCredentials(["node-b"], SERVER_AUTH));
});

Deno.test("rnp refuses: certificates that name no node, two, or something that is no node's ID", async () => {
  for (const names of [[], ["node-b", "node-c"], ["*.example.org"], ["node-b.example.org"]]) {
    assertStringIncludes(
      await turnedAway(await oddCredentials(names)),
      "its certificate names no node",
      `${names}`,
    );
  }
  // The same with one name is taken: it is the names that are refused.
  await using node = await listeningNode("node-a");
  using peer = new RawPeer(node.address!.port, ca, await oddCredentials(["node-b"]));
  await until(() => node.peers.length === 1, "it is taken");
  assertEquals(peer.isClosed, false);
});

Deno.test("rnp refuses: nodes that are not on the list, and one with the node's own name", async () => {
  assertStringIncludes(
    await turnedAway(credentials, {}, { allow: ["node-c"] }),
    "'node-b' was refused: it is not on the list",
  );
  assertStringIncludes(await turnedAway(await credentialsOf("node-a")), "own certificate");
});

Deno.test("rnp refuses: TLS 1.2, and clients that speak something else over TLS", async () => {
  await turnedAway(credentials, { maxVersion: "TLSv1.2", minVersion: "TLSv1.2" });
  await turnedAway(credentials, { ALPNProtocols: ["h2"] });
  assertStringIncludes(await turnedAway(credentials, { ALPNProtocols: [] }), "does not speak RNP");
});

Deno.test("rnp refuses: to talk to another node than the one that was meant", async () => {
  await using node = await listeningNode("node-a");
  const error = await assertRejects(() => dialMutualTls(node.address!, credentials, "node-c"), RgtpError);
  assertEquals(error.condition, "AUTH_FAIL");
  // Nor to one of another authority, whatever its name.
  const foreign = await strangersCredentials("node-c");
  const server = createMutualTlsServer({ ...foreign, ca }, () => {});
  await listen(server, { host: "127.0.0.1", port: 0 });
  const { port } = server.address() as net.AddressInfo;
  for (const name of ["node-c", undefined]) {
    await assertRejects(() => dialMutualTls({ host: "127.0.0.1", port }, credentials, name), RgtpError);
  }
  server.close();
});

Deno.test("rnp refuses: to listen where the runtime would let in a peer without a certificate", async () => {
  await assertStrangersRefused(credentials);
  const lax: typeof createMutualTlsServer = ({ cert, key }, onConnection) =>
    tls.createServer({ cert, key, ALPNProtocols: ["rnp/1"] }, (socket: tls.TLSSocket) => {
      onConnection({ socket, peerId: "anybody", expires: Infinity });
      socket.destroy();
    });
  const error = await assertRejects(() => assertStrangersRefused(credentials, lax), RgtpError);
  assertEquals(error.condition, "NOT_SUPPORTED");
});

Deno.test("rnp refuses: to start with credentials that do not belong together", async () => {
  const other = await credentialsOf("node-b");
  const wrong: [Credentials, string][] = [
    [{ ...credentials, key: other.key }, "not that of the certificate"],
    [await strangersCredentials("node-b"), "another authority"],
    [await expiredCredentials("node-b"), "ended at"],
    [await oddCredentials([]), "names no node"],
    [{ ...credentials, cert: "nothing" }, "the certificate cannot be read"],
    [{ ...credentials, key: "nothing" }, "the key cannot be read"],
  ];
  for (const [given, text] of wrong) {
    const error = await assertRejects(() => startNode({ credentials: given }), RgtpError, text);
    assertEquals(error.condition, "INVALID_ARG");
  }
});

Deno.test("rnp refuses: whoever opens connections and says nothing: few at once, and not for long", async () => {
  const refused: string[] = [];
  const server = createMutualTlsServer(credentials, () => {}, (why) => refused.push(why), 300);
  await listen(server, { host: "127.0.0.1", port: 0 });
  const { port } = server.address() as net.AddressInfo;
  let open = 0;
  const sockets = Array.from({ length: limits.rnpGreetingsMax + 1 }, () => {
    const socket = net.connect(port, "127.0.0.1", () => open++);
    socket.on("error", () => {});
    socket.on("close", () => open--);
    // A byte of a TLS record, and then no more.
    socket.write(Uint8Array.of(0x16));
    return socket;
  });
  await until(() => refused.some((why) => why.startsWith("too many")), "one is too many");
  await until(
    () => refused.filter((why) => why.includes("in the time")).length === limits.rnpGreetingsMax,
    "time is up",
  );
  await until(() => open === 0, "all are closed");
  for (const socket of sockets) socket.destroy();
  server.close();
});

const hello = helloOf("node-b");
const ping: Message = {
  ...hello,
  id: "550e8400-e29b-41d4-a716-446655440001",
  type: "ping",
  data: { timestamp: 1 },
};

function framed(payload: Uint8Array, flags = 0): Uint8Array {
  const frame = concatBytes(new Uint8Array(FRAME_HEADER_BYTES), payload);
  writeFrameHeader(frame, frame.length - FRAME_HEADER_BYTES, flags);
  return frame;
}

const good = encodeMessage(ping);
const nested = concatBytes(
  Uint8Array.of(0x81, 0xa1, 0x61),
  new Uint8Array(10_000).fill(0x91),
  Uint8Array.of(0),
);
const lz4Bomb = concatBytes(Uint8Array.of(1, 0, 0, 0, 0x1f, 0x61, 1, 0), new Uint8Array(60_000).fill(255));

/** What is sent after a greeting, the error that must come back, and what it says. */
const broken: readonly (readonly [string, Uint8Array, string, string])[] = [
  ["noise", new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), "PROTOCOL_ERROR", "no RNP frame"],
  ["another version", good.with(4, 2), "VERSION_MISMATCH", "version 2.0"],
  ["reserved flags", good.with(10, 0x40), "PROTOCOL_ERROR", "reserved flags are set: 0x4000"],
  ["an oversized frame", good.with(6, 0x10), "PROTOCOL_ERROR", "allowed"],
  ["a nested bomb", framed(nested), "PROTOCOL_ERROR", "no MessagePack map"],
  [
    "a list that claims 2^32 values",
    framed(Uint8Array.fromHex("81a161ddffffffff")),
    "PROTOCOL_ERROR",
    "no MessagePack map",
  ],
  ["an LZ4 bomb", framed(lz4Bomb, FrameFlag.COMPRESSED), "PROTOCOL_ERROR", "compressed payload"],
  [
    "an id that is none",
    framed(encodePacked({ ...ping, id: "1" } as never)),
    "PROTOCOL_ERROR",
    "id of a 'ping'",
  ],
  ["another sender", encodeMessage({ ...ping, sender: "node-c" }), "AUTH_FAILED", "a message of 'node-c'"],
  ["a second greeting", encodeMessage(hello), "PROTOCOL_ERROR", "a second greeting"],
];

Deno.test("rnp refuses: each kind of broken frame, with the reason, and closes", async () => {
  await using node = await listeningNode("node-a");
  for (const [what, bytes, code, text] of broken) {
    using peer = new RawPeer(node.address!.port, ca, credentials);
    peer.send(encodeMessage(hello));
    await until(() => peer.messages.length === 1, "it has greeted");
    peer.send(bytes);
    await until(() => peer.isClosed, `closed after ${what}`);
    const last = peer.messages.at(-1)!;
    assertEquals([last.type, last.data.code], ["error", code], what);
    assertStringIncludes(String(last.data.message), text, what);
    assertStringIncludes(node.troubles[0], text);
  }
});

Deno.test("rnp refuses: messages without the cluster's hmac, and takes those with it", async () => {
  const secret = new Uint8Array(32).fill(5);
  await using node = await listeningNode("node-a", { secret });
  using bare = new RawPeer(node.address!.port, ca, credentials);
  bare.send(encodeMessage(hello));
  await until(() => bare.isClosed, "closed");
  assertEquals(bare.messages.at(-1)?.data.code, "AUTH_FAILED");

  using signed = new RawPeer(node.address!.port, ca, credentials);
  const integrity = { engine: defaultEngine(), secret };
  const capabilities = ["lz4", "hmac"];
  signed.send(encodeMessage({ ...hello, data: { ...hello.data, capabilities } }, { integrity }));
  await until(() => signed.messages.length === 1, "it has greeted");
  assertEquals(signed.messages[0].type, "hello_ack");
  const frame = encodeMessage(ping, { integrity });
  signed.send(frame.with(frame.length - 1, frame.at(-1)! ^ 1));
  await until(() => signed.isClosed, "closed");
  assertStringIncludes(String(signed.messages.at(-1)?.data.message), "the hmac of a 'ping' is wrong");
});

Deno.test("rnp refuses: a replay, over the same link and a new one", async () => {
  await using node = await listeningNode("node-a");
  const seen: string[] = [];
  node.handle("heartbeat", (_data, { id }) => void seen.push(id));
  const data = { cpu_percent: 1, ram_used_mb: 1, instance_count: 1 };
  const beat = encodeMessage({ ...ping, type: "heartbeat", data });
  const numbered = encodeMessage(
    { ...ping, id: hello.id, type: "heartbeat", data, channel: "main", seq: 1 },
    { flags: FrameFlag.REQUIRES_ACK },
  );
  for (let link = 0; link < 2; link++) {
    using peer = new RawPeer(node.address!.port, ca, credentials);
    peer.send(encodeMessage(hello));
    await until(() => peer.messages.length === 1, "it has greeted");
    peer.send(concatBytes(beat, numbered, beat, numbered));
    await until(() => peer.messages.some(({ type }) => type === "ack"), "acknowledged");
    // Acknowledged again, since whoever sends again has missed it.
    assertEquals(peer.messages.find(({ type }) => type === "ack")?.data, { channels: { main: 1 } });
  }
  assertEquals(seen, [ping.id, hello.id]);
  assert(node.peers[0].counters.duplicates >= 2 && node.peers[0].counters.stale >= 2);
});

Deno.test("rnp refuses: invented frames: a link goes on, or is closed with the reason; others are served meanwhile", async () => {
  await using node = await listeningNode("node-a");
  await using good = await startNode({
    credentials: await credentialsOf("node-c"),
    peers: { "node-a": node.address! },
  });
  const random = seededRandom(1, "sockets");
  const template = templateOf(hello);
  let closed = 0;
  for (let i = 0; i < 40; i++) {
    using peer = new RawPeer(node.address!.port, ca, credentials);
    peer.send(encodeMessage(hello));
    // Perhaps more: what was left of the link before comes again.
    await until(() => peer.messages.length > 0, "it has greeted");
    peer.send(concatBytes(...Array.from({ length: 20 }, () => inventedFrame(random, template))));
    // Whatever came before it, this one cannot be.
    peer.send(new Uint8Array(100_000).fill(255));
    await until(() => peer.isClosed, `peer ${i} is closed`);
    // An error that it has invented itself is not answered.
    if (node.troubles[0]?.startsWith("node-b: 'node-b' says")) continue;
    const last = peer.messages.findLast(({ type, reply_to }) =>
      type === "goodbye_ack" || (type === "error" && reply_to === undefined)
    );
    assert(last, `peer ${i} was not told why: ${peer.messages.at(-1)?.type}, ${node.troubles[0]}`);
    const { type, data } = last;
    if (type === "error") assertEquals(`node-b: ${data.message}`, node.troubles[0], `peer ${i}`);
    if (data.code === "PROTOCOL_ERROR") closed++;
  }
  assert(closed > 20, `${closed} of 40 were closed with PROTOCOL_ERROR`);
  assert(await good.ping("node-a") < 10_000);
});
