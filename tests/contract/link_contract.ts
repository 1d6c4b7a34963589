/**
 * What every kind of link must do. A kind passes the whole list, or says by name which test it cannot pass and why.
 *
 * @module
 */
import type { Address } from "../../codec/address.ts";
import { RgtpError } from "../../core/errors.ts";
import {
  type Datagrams,
  joined,
  joinedBytes,
  type Link,
  segments,
  splitDatagramsMax,
} from "../../transport/link/link.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../_assert.ts";

/** What a test asks of a kind's `open`. */
export interface OpenOptions {
  /** The first link of a test, or any other. A dual stack is tested between two families. */
  readonly role: "first" | "other";
  /** As for a link: 0 is any free port. */
  readonly port: number;
}

/** A link, and the address at which the test's other links reach it. */
export interface OpenedLink {
  /** The link under test. */
  readonly link: Link;
  /** Where it is reached, and what its datagrams must come from. */
  readonly address: Address;
}

/** Opens a link of the kind under test. All links of one test must reach each other. */
export type OpenForTest = (options: OpenOptions) => Promise<OpenedLink>;

/** Tests that a kind cannot pass. */
export interface Skip {
  /** Name of the test, or `"*"` for all. */
  readonly name: string;
  /** Shown in the test's name. */
  readonly reason: string;
}

/** Registers the contract's tests for the kind `name`. */
export function testLink(
  name: string,
  open: OpenForTest,
  options: { readonly skip?: readonly Skip[] } = {},
): void {
  for (const [title, body] of Object.entries(contract)) {
    const skip = options.skip?.find((entry) => entry.name === title || entry.name === "*");
    Deno.test({
      name: `link ${name}: ${title}${skip ? ` [skipped: ${skip.reason}]` : ""}`,
      ignore: skip !== undefined,
      fn: async () => {
        const opened: Link[] = [];
        const tracked = async (asked: Partial<OpenOptions> = {}) => {
          const result = await open({ role: opened.length === 0 ? "first" : "other", port: 0, ...asked });
          opened.push(result.link);
          return result;
        };
        try {
          await body(tracked);
        } finally {
          for (const link of opened) link.close();
        }
      },
    });
  }
}

/** Each test gets a function that opens links, which are closed for it at the end. */
type Body = (open: (asked?: Partial<OpenOptions>) => Promise<OpenedLink>) => Promise<void>;

const contract: Record<string, Body> = {
  "bytes and borders arrive exactly": async (open) => {
    const [a, b] = [await open(), await open()];
    // An Ethernet's worth, one byte, a short last one, a lone datagram of more than one frame, and the smallest of all.
    const long = Math.min(9000, a.link.payloadBytesMax);
    const shapes: [number, number][] = [[1452, 1452], [1, 1], [5 * 1452 + 3, 1452], [long, long], [3, 1], [
      0,
      0,
    ]];
    for (const [length, segmentSize] of shapes) {
      for (const [from, to] of [[a, b], [b, a]]) {
        const sent = { peer: to.address, bytes: pattern(length, length), segmentSize };
        await from.link.send(sent);
        const expected = [...segments(sent)];
        assertEquals(payloads(await collect(to.link, expected.length)), expected);
      }
    }
  },

  "an empty datagram arrives as one, between its neighbours": async (open) => {
    const [a, b] = [await open(), await open()];
    for (const length of [2, 0, 3]) {
      await a.link.send({ peer: b.address, bytes: new Uint8Array(length), segmentSize: length });
    }
    assertEquals(sizes(await collect(b.link, 3)), [0, 2, 3]);
    assertEquals([b.link.stats.packetsReceived, b.link.stats.bytesReceived], [3, 5]);
  },

  "the sender's address is canonical, and can be answered": async (open) => {
    const [a, b] = [await open(), await open()];
    for (const [from, to] of [[a, b], [b, a]]) {
      await from.link.send({ peer: to.address, bytes: Uint8Array.of(1), segmentSize: 1 });
      const [question] = await collect(to.link, 1);
      assertEquals(question.peer, from.address);
      await to.link.send({ peer: question.peer, bytes: Uint8Array.of(2), segmentSize: 1 });
      assertEquals((await collect(from.link, 1))[0], {
        peer: to.address,
        bytes: Uint8Array.of(2),
        segmentSize: 1,
      });
    }
  },

  "a burst of what the link says it holds arrives whole and in order": async (open) => {
    const [a, b] = [await open(), await open()];
    const count = 80;
    assertLessOrEqual(count, b.link.burstPacketsMax);
    const bytes = pattern(count * 1452, 1);
    await a.link.send({ peer: b.address, bytes, segmentSize: 1452 });
    assertEquals(payloads(await collect(b.link, count)), [
      ...segments({ peer: b.address, bytes, segmentSize: 1452 }),
    ]);
    const { packetsSent, bytesSent, sendErrors } = a.link.stats;
    assertEquals([packetsSent, bytesSent, sendErrors], [count, bytes.length, 0]);
    const { packetsReceived, bytesReceived, receiveDrops } = b.link.stats;
    assertEquals([packetsReceived, bytesReceived, receiveDrops], [count, bytes.length, 0]);
  },

  "datagrams that lie apart arrive as if they had been put together, in any order": async (open) => {
    const [a, b] = [await open(), await open()];
    // A run of full bodies, one that ends in a short body, one that is only that, many, and the smallest of all.
    const shapes = [[4 * 1428], [3 * 1428 + 5], [9], [1428, 17, 2 * 1428 + 1, 5 * 1428], [60 * 1428 + 3], [
      1,
    ]];
    for (const lengths of shapes) {
      const runs = lengths.map((length, i) => pattern(length, i));
      const count = lengths.reduce((sum, length) => sum + Math.ceil(length / 1428), 0);
      const headers = pattern(count * 24, 7);
      const split = { peer: b.address, headers, headerBytes: 24, runs, bodyBytes: 1428 };
      const rows = joined(split, new Uint8Array(joinedBytes(split)));
      const expected = Array.from(rows, (row) => [...segments({ ...row, bytes: row.bytes.slice() })])
        .flat();
      assertEquals(expected.length, count);
      if (a.link.sendSplit) await a.link.sendSplit(split);
      else for (const row of joined(split, new Uint8Array(joinedBytes(split)))) await a.link.send(row);
      // What was sent may be used again.
      for (const run of runs) run.fill(0);
      headers.fill(0);
      assertEquals(hexes(payloads(await collect(b.link, count))), hexes(expected));
    }
  },

  "datagrams that lie apart are counted, and refused, like others": async (open) => {
    const [a, b] = [await open(), await open()];
    const { sendSplit } = a.link;
    if (!sendSplit) return;
    const many = (count: number, peer = b.address) => ({
      ...{ peer, headers: new Uint8Array(count), headerBytes: 1, bodyBytes: 2 },
      runs: [new Uint8Array(2 * count)],
    });
    await a.link.sendSplit!(many(splitDatagramsMax));
    assertEquals([a.link.stats.packetsSent, a.link.stats.bytesSent], [
      splitDatagramsMax,
      3 * splitDatagramsMax,
    ]);
    await collect(b.link, splitDatagramsMax);
    assertThrows(() => a.link.sendSplit!(many(splitDatagramsMax + 1)), RangeError, "at once");
    assertThrows(
      () => a.link.sendSplit!(many(1, { host: "peer.example", port: 9 })),
      TypeError,
      "peer.example",
    );
    a.link.close();
    assertThrows(() => a.link.sendSplit!(many(1)), RgtpError, "closed");
  },

  "the buffer may be used again after send": async (open) => {
    const [a, b] = [await open(), await open()];
    const bytes = new Uint8Array(4 * 100);
    for (let round = 0; round < 10; round++) {
      bytes.fill(round);
      await a.link.send({ peer: b.address, bytes, segmentSize: 100 });
    }
    bytes.fill(255);
    const got = payloads(await collect(b.link, 40));
    for (let i = 0; i < 40; i++) assertEquals(got[i], new Uint8Array(100).fill(i >> 2));
  },

  "what receive returned stays as it is until the next call": async (open) => {
    const [a, b] = [await open(), await open()];
    await a.link.send({ peer: b.address, bytes: Uint8Array.of(1, 1), segmentSize: 2 });
    const [first] = await b.link.receive();
    for (let i = 0; i < 40; i++) {
      await a.link.send({ peer: b.address, bytes: Uint8Array.of(2, 2), segmentSize: 2 });
    }
    await pause(20);
    assertEquals(first.bytes, Uint8Array.of(1, 1));
    assertEquals((await collect(b.link, 40)).length, 40);
  },

  "what has arrived can be had at once, while somebody waits for it": async (open) => {
    const [a, b] = [await open(), await open()];
    if (!b.link.receiveNow) return;
    const waiting = b.link.receive();
    await pause(5);
    assertEquals(b.link.receiveNow(), []);
    const sent = a.link.send({ peer: b.address, bytes: Uint8Array.of(1), segmentSize: 1 });
    // Nothing else has its turn here, so nobody else can have it.
    let now = b.link.receiveNow();
    for (const since = performance.now(); now.length === 0 && performance.now() < since + 1000;) {
      now = b.link.receiveNow();
    }
    assertEquals(payloads(now), [Uint8Array.of(1)]);
    await sent;
    await a.link.send({ peer: b.address, bytes: Uint8Array.of(2), segmentSize: 1 });
    assertEquals(payloads(await waiting), [Uint8Array.of(2)]);
    assertEquals(b.link.stats.packetsReceived, 2);
    b.link.close();
    assertEquals(b.link.receiveNow(), []);
  },

  "slices at odd offsets of a larger buffer": async (open) => {
    const [a, b] = [await open(), await open()];
    const whole = pattern(4096, 9);
    for (let offset = 0; offset < 8; offset++) {
      const sent = { peer: b.address, bytes: whole.subarray(offset, offset + 2001), segmentSize: 667 };
      await a.link.send(sent);
      assertEquals(payloads(await collect(b.link, 3)), [...segments(sent)]);
    }
  },

  "sends at the same time do not mix": async (open) => {
    const [a, b, c] = [await open(), await open(), await open()];
    const toB = { peer: b.address, bytes: pattern(20 * 700, 2), segmentSize: 700 };
    const toC = { peer: c.address, bytes: pattern(20 * 300, 3), segmentSize: 300 };
    // In a dual stack both "other" links reach the first, but not each other.
    await Promise.all([a.link.send(toB), a.link.send(toC)]);
    assertEquals(payloads(await collect(b.link, 20)), [...segments(toB)]);
    assertEquals(payloads(await collect(c.link, 20)), [...segments(toC)]);
  },

  "close ends a waiting receive with nothing": async (open) => {
    const { link } = await open();
    const waiting = link.receive();
    await pause(5);
    link.close();
    assertEquals(await waiting, []);
    assertEquals(await link.receive(), []);
  },

  "close twice is fine, and so is `using`": async (open) => {
    const { link } = await open();
    link.close();
    link.close();
    link[Symbol.dispose]();
  },

  "send after close fails, and says so": async (open) => {
    const [a, b] = [await open(), await open()];
    a.link.close();
    const error = await assertRejects(
      () => a.link.send({ peer: b.address, bytes: Uint8Array.of(1), segmentSize: 1 }),
      RgtpError,
      "closed",
    );
    assertEquals(error.condition, "SOCKET");
    assertEquals(a.link.stats.packetsSent, 0);
  },

  "a datagram that is too long is counted, the others go": async (open) => {
    const [a, b] = [await open(), await open()];
    const segmentSize = a.link.payloadBytesMax + 1;
    await a.link.send({ peer: b.address, bytes: new Uint8Array(segmentSize + 7), segmentSize });
    assertEquals(sizes(await collect(b.link, 1)), [7]);
    assertEquals([a.link.stats.sendErrors, a.link.stats.packetsSent], [1, 1]);
    assertStringIncludes(a.link.stats.lastSendError ?? "", String(segmentSize));
  },

  "the longest datagram goes": async (open) => {
    const [a, b] = [await open(), await open()];
    const bytes = pattern(a.link.payloadBytesMax, 4);
    await a.link.send({ peer: b.address, bytes, segmentSize: bytes.length });
    assertEquals(payloads(await collect(b.link, 1)), [bytes]);
  },

  "a port where nobody listens harms nothing": async (open) => {
    const [a, b, gone] = [await open(), await open(), await open()];
    gone.link.close();
    for (let i = 0; i < 10; i++) {
      await a.link.send({ peer: gone.address, bytes: Uint8Array.of(1), segmentSize: 1 });
      await pause(2);
    }
    await b.link.send({ peer: a.address, bytes: Uint8Array.of(7), segmentSize: 1 });
    assertEquals(payloads(await collect(a.link, 1)), [Uint8Array.of(7)]);
    await a.link.send({ peer: b.address, bytes: Uint8Array.of(8), segmentSize: 1 });
    assertEquals(payloads(await collect(b.link, 1)), [Uint8Array.of(8)]);
  },

  "a peer that the network refuses is counted, the link lives": async (open) => {
    const [a, b] = [await open(), await open()];
    // Port 0 can be no destination. A link may also drop it silently, as the memory network does.
    await a.link.send({ peer: { host: b.address.host, port: 0 }, bytes: Uint8Array.of(1), segmentSize: 1 });
    assertEquals(a.link.stats.sendErrors + a.link.stats.packetsSent, 1);
    await a.link.send({ peer: b.address, bytes: Uint8Array.of(2), segmentSize: 1 });
    assertEquals(payloads(await collect(b.link, 1)), [Uint8Array.of(2)]);
  },

  "a taken port is ADDRESS_IN_USE and names the port": async (open) => {
    const { address } = await open();
    const error = await assertRejects(
      () => open({ role: "first", port: address.port }),
      RgtpError,
      `${address.port}`,
    );
    assertEquals(error.condition, "ADDRESS_IN_USE");
  },

  "the caller's mistakes throw": async (open) => {
    const { link, address } = await open();
    const bytes = Uint8Array.of(1, 2);
    await assertRejects(() => link.send({ peer: address, bytes, segmentSize: 0 }), RangeError, "segmentSize");
    const peer = { host: "peer.example", port: 9 };
    await assertRejects(() => link.send({ peer, bytes, segmentSize: 2 }), TypeError, "peer.example");
    const waiting = link.receive();
    await assertRejects(() => link.receive(), TypeError, "one reader");
    link.close();
    assertEquals(await waiting, []);
  },

  "a flood that nobody reads takes bounded memory, and the link works after it": async (open) => {
    const [a, b] = [await open(), await open()];
    // Wakes the link, whatever it keeps armed for receiving.
    await a.link.send({ peer: b.address, bytes: Uint8Array.of(1), segmentSize: 1 });
    await collect(b.link, 1);
    const bytes = new Uint8Array(20 * 1452);
    for (let i = 0; i < 500; i++) await a.link.send({ peer: b.address, bytes, segmentSize: 1452 });
    assertEquals(a.link.stats.packetsSent, 10_001);
    await pause(20);
    await a.link.send({ peer: b.address, bytes: new Uint8Array(2), segmentSize: 2 });
    let held = 0;
    for (let quiet = false; !quiet;) {
      const batch = await within(b.link.receive(), 5000);
      for (const datagrams of batch) held += datagrams.bytes.length;
      // The queue was full when the mark was sent, so the mark may be gone: send another once all is read.
      quiet = batch.some(({ bytes }) => bytes.length === 2);
      if (!quiet) await a.link.send({ peer: b.address, bytes: new Uint8Array(2), segmentSize: 2 });
    }
    assertLessOrEqual(held, 8 * 1024 * 1024);
    assert(b.link.stats.packetsReceived < 10_000);
  },
};

/** Datagrams of all batches until there are `count`; copies, since a batch is good until the next. */
async function collect(link: Link, count: number): Promise<Datagrams[]> {
  const all: Datagrams[] = [];
  while (all.length < count) {
    const batch = await within(link.receive(), 3000, () => `${all.length} of ${count} datagrams came`);
    if (batch.length === 0) throw new Error(`the link closed after ${all.length} of ${count} datagrams`);
    for (const datagrams of batch) {
      for (const segment of segments(datagrams)) {
        all.push({ peer: datagrams.peer, bytes: segment.slice(), segmentSize: segment.length });
      }
    }
  }
  return all;
}

function payloads(all: readonly Datagrams[]): Uint8Array[] {
  return all.map(({ bytes }) => bytes);
}

function hexes(all: readonly Uint8Array[]): string[] {
  return all.map((bytes) => bytes.toHex()).sort();
}

/** Sorted: these datagrams went out separately, and order among them is not promised. */
function sizes(all: readonly Datagrams[]): number[] {
  return all.map(({ bytes }) => bytes.length).sort((a, b) => a - b);
}

/** Bytes that differ from datagram to datagram and from place to place. */
function pattern(length: number, salt: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + salt) & 255);
}

async function within<Value>(
  promise: Promise<Value>,
  ms: number,
  what = () => "nothing came",
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
