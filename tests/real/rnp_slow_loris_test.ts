/*
 * Peers with good certificates that take their time, on real sockets: they are told so and closed, while others are served.
 */
import { concatBytes } from "../../core/bytes.ts";
import { startNode } from "../../cluster/io/node.ts";
import { FRAME_HEADER_BYTES, writeFrameHeader } from "../../cluster/protocol/frame.ts";
import { encodeMessage } from "../../cluster/protocol/payload.ts";
import { assert, assertEquals, assertStringIncludes } from "../_assert.ts";
import { credentialsOf, helloOf, listeningNode, RawPeer, until } from "./_cluster.ts";

const DRIP_MS = 200;
/** Ten seconds, and room for a busy machine. */
const ENDED_MS_MAX = 40_000;

const hello = encodeMessage(helloOf("node-b"));
const frame = concatBytes(new Uint8Array(FRAME_HEADER_BYTES), new Uint8Array(60_000).fill(0x90));
writeFrameHeader(frame, frame.length - FRAME_HEADER_BYTES, 0);

/** What each sends at once, what it drips afterwards, and what it is told. */
const slow: readonly (readonly [string, Uint8Array, Uint8Array, string])[] = [
  ["says nothing", new Uint8Array(0), new Uint8Array(0), "no greeting in the time"],
  ["drips its greeting", new Uint8Array(0), hello, "no greeting in the time"],
  ["drips a frame", hello, frame, "a frame was begun and not finished"],
  [
    "leaves a frame at half",
    concatBytes(hello, frame.subarray(0, 30_000)),
    new Uint8Array(0),
    "not finished",
  ],
];

Deno.test("rnp refuses: a slow-loris with a good certificate, wherever it is slow", async () => {
  await using node = await listeningNode("node-a");
  await using good = await startNode({
    credentials: await credentialsOf("node-c"),
    peers: { "node-a": node.address! },
  });
  const credentials = await credentialsOf("node-b");
  await Promise.all(slow.map(async ([what, first, rest, told]) => {
    using peer = new RawPeer(node.address!.port, credentials.ca, credentials);
    if (first.length > 0) peer.send(first);
    let at = 0;
    const drip = setInterval(() => at < rest.length && peer.send(rest.subarray(at, ++at)), DRIP_MS);
    try {
      await until(() => peer.isClosed, `closed, who ${what}`, ENDED_MS_MAX);
    } finally {
      clearInterval(drip);
    }
    const { type, data } = peer.messages.at(-1)!;
    assertEquals([type, data.code], ["error", "TIMEOUT"], what);
    assertStringIncludes(String(data.message), told, what);
    assert(await good.ping("node-a") < 10_000);
  }));
});
