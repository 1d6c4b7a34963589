import { assertEquals } from "../../tests/_assert.ts";
import { openNodeDgram } from "./node_dgram.ts";

Deno.test("node_dgram: what waits in the queue keeps no more memory alive than its bytes", async () => {
  using link = await openNodeDgram({ host: "127.0.0.1", port: 0 });
  await link.send({ peer: link.local, bytes: Uint8Array.of(1, 2, 3), segmentSize: 3 });
  const [{ bytes }] = await link.receive();
  assertEquals(bytes.buffer.byteLength, 3);
});
