import { limits } from "../../core/limits.ts";
import { assertEquals } from "../../tests/_assert.ts";
import { HandshakeQueue } from "./handshake_queue.ts";

const one = (port: number) => ({ from: { host: "192.0.2.1", port }, packet: Uint8Array.of(port) });

function ports(queue: HandshakeQueue): number[] {
  const all: number[] = [];
  for (let next = queue.take(); next; next = queue.take()) all.push(next.from.port);
  return all;
}

Deno.test("handshake queue: who has proved an address comes first, each in the order of arrival", () => {
  const queue = new HandshakeQueue();
  for (const port of [1, 2, 3, 4]) assertEquals(queue.add(one(port), port > 2), true);
  assertEquals(ports(queue), [3, 4, 1, 2]);
});

Deno.test("handshake queue: a full one takes proven addresses in place of the newest of the others, and nobody else", () => {
  const queue = new HandshakeQueue();
  for (let port = 1; port <= limits.handshakeQueueMax; port++) queue.add(one(port), false);
  assertEquals(queue.add(one(1000), false), false);
  for (let port = 2001; port <= 2000 + limits.handshakeQueueMax; port++) {
    assertEquals(queue.add(one(port), true), false);
    assertEquals(queue.size, limits.handshakeQueueMax);
  }
  // No other one is left to go.
  assertEquals(queue.add(one(3000), true), false);
  assertEquals(ports(queue), Array.from({ length: limits.handshakeQueueMax }, (_, i) => 2001 + i));
});

Deno.test("handshake queue: a network that fills it with good cookies keeps out itself, and others have their turns", () => {
  const queue = new HandshakeQueue();
  for (let port = 1; port <= limits.handshakeQueueMax; port++) queue.add(one(port), true);
  const other = (i: number, port: number) => ({ ...one(port), from: { host: `198.51.100.${i}`, port } });
  for (let i = 1; i <= 3; i++) queue.add(other(i, 1000 + i), true);
  queue.add(other(1, 2001), true);
  assertEquals([queue.add(one(5000), true), queue.size], [false, limits.handshakeQueueMax]);
  assertEquals(ports(queue).slice(0, 8), [1, 1001, 1002, 1003, 2, 2001, 3, 4]);
});

Deno.test("handshake queue: as many networks as it has places share it; one more finds none", () => {
  const queue = new HandshakeQueue();
  const from = (i: number) => ({ ...one(i), from: { host: `198.51.${i >> 8}.${i & 255}`, port: i } });
  for (let i = 1; i <= limits.handshakeQueueMax; i++) assertEquals(queue.add(from(i), true), true);
  assertEquals(queue.add(from(1000), true), false);
  assertEquals(ports(queue), Array.from({ length: limits.handshakeQueueMax }, (_, i) => i + 1));
  assertEquals(queue.size, 0);
});

Deno.test("handshake queue: a packet is its own, whatever becomes of the buffer that it came in", () => {
  const queue = new HandshakeQueue();
  const waiting = one(7);
  queue.add(waiting, false);
  waiting.packet.fill(0);
  assertEquals(queue.take()!.packet, Uint8Array.of(7));
});
