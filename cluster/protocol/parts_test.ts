/*
 * The small parts that links and peers are made of.
 */
import fc from "fast-check";
import { limits } from "../../core/limits.ts";
import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { Fifo } from "./_fifo.ts";
import { Channels, defaultPools } from "./channels.ts";
import { isRnpErrorName, rnpError, RnpErrorCode } from "./errors.ts";
import type { RnpErrorName } from "./errors.ts";
import { Inbox } from "./inbox.ts";
import { isNodeId } from "./node_id.ts";
import { Outbox } from "./outbox.ts";
import type { Delivery, Outgoing } from "./outbox.ts";
import type { Message } from "./payload.ts";
import { Requests } from "./requests.ts";
import { defaultRetry, retryDelay } from "./retry.ts";
import { SeenIds } from "./seen_ids.ts";
import { Slot } from "./slot.ts";
import { uuidSource } from "./uuid.ts";

Deno.test("fifo: gives what an array would, whatever is done to it", () => {
  const steps = fc.array(fc.oneof(fc.constant("shift" as const), fc.constant("drain" as const), fc.nat(99)), {
    maxLength: 600,
  });
  fc.assert(fc.property(steps, (all) => {
    const fifo = new Fifo<number>();
    let model: number[] = [];
    for (const step of all) {
      if (step === "shift") assertEquals(fifo.shift(), model.shift());
      else if (step === "drain") {
        // Rarely: else it never grows.
        if (model.length < 40) continue;
        assertEquals(fifo.drain(), model);
        model = [];
      } else {
        fifo.push(step);
        model.push(step);
      }
      assertEquals([fifo.length, fifo.first], [model.length, model[0]]);
      assertEquals(fifo.sum((n) => n), model.reduce((sum, n) => sum + n, 0));
    }
  }));
});

Deno.test("retry: the document's table, and its formula with its bound", () => {
  const waits = Array.from({ length: 12 }, (_, i) => retryDelay({ ...defaultRetry, attemptsMax: 11 }, i + 1));
  assertEquals(waits, [0, 100, 300, 900, 2700, 8100, 24_300, 30_000, 30_000, 30_000, 30_000, undefined]);
});

Deno.test("node IDs: one label of a host name", () => {
  const good = ["a", "node-1", "controller", "0", "a--b", "x".repeat(63)];
  const bad = ["", "-a", "a-", "A", "a.b", "a_b", "a b", "ä", "../x", "a\n", "x".repeat(64)];
  assertEquals([...good, ...bad].filter(isNodeId), good);
});

Deno.test("uuids: have the form of RFC 9562, version 4, and none comes twice", () => {
  const newId = uuidSource(seededRandom(1).bytes);
  const ids = Array.from({ length: 1000 }, newId);
  for (const id of ids) {
    assertMatch(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  assertEquals(new Set(ids).size, 1000);
});

Deno.test("errors: every one becomes a condition with its number", () => {
  for (const [code, number] of Object.entries(RnpErrorCode)) {
    const error = rnpError({ code: code as RnpErrorName, message: "m", details: { a: 1 } });
    assertEquals([error.message, error.data], ["m", { a: 1, rnp: number, name: code }]);
    assert(error.code < 0);
  }
  assertEquals([isRnpErrorName("TIMEOUT"), isRnpErrorName("toString"), isRnpErrorName("")], [
    true,
    false,
    false,
  ]);
});

Deno.test("seen IDs: none is taken twice, whatever is forgotten; memory is bounded", () => {
  const order = fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { maxLength: 300 });
  fc.assert(fc.property(order, (messages) => {
    const seen = new SeenIds(5);
    const taken = new Set<string>();
    let clock = 0;
    for (const [id, jitter] of messages) {
      // Timestamps ascend, but not strictly, and some messages are late.
      clock += jitter % 3;
      if (!seen.take(`${id}`, Math.max(0, clock - jitter))) continue;
      assert(!taken.has(`${id}`), `${id} was taken twice`);
      taken.add(`${id}`);
    }
  }));
});

Deno.test("seen IDs: among the last ones a new message is always taken, and a replay never", () => {
  const seen = new SeenIds(100);
  for (let i = 0; i < 1000; i++) assert(seen.take(`${i}`, i));
  for (let i = 900; i < 1000; i++) assert(!seen.take(`${i}`, i));
  // Not newer than what was forgotten: nobody knows whether it is new.
  assert(!seen.take("another", 700));
  assert(seen.take("another", 999));
});

Deno.test("requests: each is due at its time, once", () => {
  const requests = new Requests();
  for (const [id, due] of [["a", 30], ["b", 10], ["c", 20]] as const) requests.add(id, due);
  assertEquals([requests.deadline, requests.takeDue(9)], [10, []]);
  assertEquals([requests.take("c"), requests.take("c")], [true, false]);
  assertEquals(requests.takeDue(15), ["b"]);
  assertEquals([requests.deadline, requests.takeDue(30), requests.size], [30, ["a"], 0]);
  assertEquals(requests.deadline, Infinity);
});

Deno.test("slot: is dialled only when it has something to send and no link", () => {
  const slot = new Slot("peer", 0);
  assert(slot.plan(0, defaultRetry));
  assertEquals(slot.dialAt, Infinity);
  slot.outbox.add(outgoing(1));
  assert(slot.plan(50, defaultRetry));
  assertEquals(slot.dialAt, 50);
  slot.dialAt = Infinity;
  slot.isDialling = true;
  assert(slot.plan(60, defaultRetry));
  assertEquals(slot.dialAt, Infinity);
});

Deno.test("channels: are spread over the links of their pool, and stay where they are", () => {
  const channels = new Channels(defaultPools);
  const indexes = new Set<number>();
  for (let i = 0; i < 100; i++) indexes.add(channels.place("at-most-once", `c${i}`, "data").slot.index);
  assertEquals(indexes.size, defaultPools.data);
  const place = channels.place("exactly-once", "main", "data");
  assertEquals([place.seq, channels.slotOf("main")], [1, undefined]);
  channels.take("main", place);
  assertEquals([channels.place("exactly-once", "main", "data").seq, channels.slotOf("main")], [
    2,
    place.slot,
  ]);
  assertThrows(() => channels.place("at-most-once", "main", "peer"), RangeError, "in the pool 'data'");
});

const base: Message = { type: "app.note", id: "", timestamp: 0, sender: "a", data: {} };

function outgoing(
  seq: number,
  channel = "main",
  delivery: Delivery = "exactly-once",
  bytes = 1000,
): Outgoing {
  const message = delivery === "at-most-once" ? base : { ...base, channel, seq };
  return { message, delivery, compress: false, frame: { length: bytes, parts: [] } };
}

function greetingOf(incarnation: string, channels?: Record<string, number>) {
  return {
    version: "1.0",
    node_id: "b",
    incarnation,
    capabilities: [],
    pool: "peer",
    slot: 0,
    window: 1 << 20,
    ...(channels && { received: { incarnation: "us", channels } }),
  } as const;
}

/** Sends all that an outbox lets pass. */
function pass(outbox: Outbox, to: string): (number | undefined)[] {
  const sent: (number | undefined)[] = [];
  for (let next = outbox.next(); next; next = outbox.next()) {
    sent.push(next.message.seq);
    if (next.delivery === "at-most-once") continue;
    next.sentTo = to;
    outbox.keep(next);
  }
  return sent;
}

Deno.test("outbox: what a link took with it goes again, in order, also when that link ends early as well", () => {
  const outbox = new Outbox();
  for (let seq = 1; seq <= 100; seq++) outbox.add(outgoing(seq));
  assertEquals(pass(outbox, "r1").length, 65);
  assertEquals(outbox.acknowledged("main", 10).map(({ message }) => message.seq).at(-1), 10);
  outbox.resume(greetingOf("r1", { main: 20 }), "us");
  const second = [outbox.next()!, outbox.next()!];
  for (const one of second) outbox.keep({ ...one, sentTo: "r1" });
  assertEquals(second.map(({ message }) => message.seq), [21, 22]);
  // The second link ends after two messages: these come first again.
  outbox.resume(greetingOf("r1"), "us");
  const rest: (number | undefined)[] = [];
  for (let i = 0; i < 10; i++) {
    const sent = pass(outbox, "r1");
    rest.push(...sent);
    outbox.acknowledged("main", rest.at(-1)!);
  }
  assertEquals(rest, Array.from({ length: 80 }, (_, i) => i + 21));
  assert(outbox.isEmpty);
});

Deno.test("outbox: a peer that was started again gets what it cannot have had, and what may come twice", () => {
  const outbox = new Outbox();
  outbox.add(outgoing(1, "once"));
  outbox.add(outgoing(1, "least", "at-least-once"));
  assertEquals(pass(outbox, "r1"), [1, 1]);
  outbox.add(outgoing(2, "once"));
  const { done, unknown } = outbox.resume(greetingOf("r2"), "us");
  assertEquals([done, unknown.map(({ message }) => message.channel)], [[], ["once"]]);
  const sent = [outbox.next(), outbox.next(), outbox.next()].map((one) => one?.message);
  assertEquals(sent.map((one) => one && `${one.channel} ${one.seq}`), ["least 1", "once 2", undefined]);
});

Deno.test("outbox: counts the bytes that wait and those that are on their way, through everything", () => {
  const outbox = new Outbox();
  for (let seq = 1; seq <= 5; seq++) outbox.add(outgoing(seq));
  outbox.add(outgoing(0, "x", "at-most-once", 7));
  assertEquals([outbox.waitingBytes, outbox.sentBytes], [5007, 0]);
  pass(outbox, "r1");
  assertEquals([outbox.waitingBytes, outbox.sentBytes], [0, 5000]);
  outbox.acknowledged("main", 2);
  assertEquals([outbox.waitingBytes, outbox.sentBytes], [0, 3000]);
  outbox.resume(greetingOf("r1", { main: 3 }), "us");
  assertEquals([outbox.waitingBytes, outbox.sentBytes], [2000, 0]);
  pass(outbox, "r1");
  outbox.add(outgoing(6));
  assertEquals(outbox.drain().map(({ message }) => message.seq), [4, 5, 6]);
  assertEquals([outbox.waitingBytes, outbox.sentBytes, outbox.isEmpty], [0, 0, true]);
});

function numbered(seq: number, channel = "main"): Message {
  return { ...base, channel, seq };
}

Deno.test("inbox: is acknowledged up to the first that is not handled", () => {
  const inbox = new Inbox();
  inbox.greet("r1");
  for (const seq of [1, 2, 3, 5]) assertEquals(inbox.take(0, numbered(seq), true), "new");
  const handle = (seq: number) => inbox.handled(0, numbered(seq), true, inbox.generation, 10);
  handle(2);
  handle(5);
  assertEquals(inbox.takeAck(), undefined);
  handle(1);
  assertEquals(inbox.takeAck(), { channels: { main: 2 } });
  handle(3);
  // 4 was given up by its sender.
  assertEquals(inbox.takeAck(), { channels: { main: 5 } });
  assertEquals(inbox.take(0, numbered(4), true), "duplicate");
  assertEquals(inbox.takeAck(), { channels: { main: 5 } });
  assertEquals(inbox.received, { incarnation: "r1", channels: { main: 5 } });
});

Deno.test("inbox: a handler that ends after its peer was started again acknowledges nothing of the new run", () => {
  const inbox = new Inbox();
  inbox.greet("r1");
  inbox.take(0, numbered(1), true);
  const before = inbox.generation;
  inbox.greet("r2");
  assertNotEquals(inbox.generation, before);
  inbox.take(0, numbered(1), true);
  inbox.handled(0, numbered(1), true, before, 10);
  assertEquals(inbox.takeAck(), undefined);
  assertEquals([inbox.greet("r1"), inbox.greet("r2")], [false, true]);
});

Deno.test("inbox: acknowledges after ten milliseconds, or at once when much was handled", () => {
  const inbox = new Inbox();
  inbox.greet("r1");
  inbox.take(100, numbered(1), true);
  assertEquals([inbox.ackDue, inbox.isAckUrgent], [Infinity, false]);
  inbox.handled(105, numbered(1), true, inbox.generation, 10);
  assertEquals([inbox.ackDue, inbox.isAckUrgent], [105 + limits.rnpAckDelayMs, false]);
  inbox.take(106, numbered(2), true);
  inbox.handled(106, numbered(2), true, inbox.generation, limits.rnpAckBytesMax);
  assertEquals([inbox.ackDue, inbox.isAckUrgent], [105 + limits.rnpAckDelayMs, true]);
  inbox.takeAck();
  assertEquals([inbox.ackDue, inbox.isAckUrgent], [Infinity, false]);
});

Deno.test("inbox: messages without a number are told by their ID, and acknowledged by it when they ask", () => {
  const inbox = new Inbox();
  inbox.greet("r1");
  const one = { ...base, id: "x", timestamp: 5 };
  assertEquals([inbox.take(0, one, true), inbox.take(0, one, true)], ["new", "duplicate"]);
  assertEquals(inbox.takeAck(), { ids: ["x"] });
  inbox.handled(0, one, true, inbox.generation, 1);
  assertEquals(inbox.takeAck(), { ids: ["x"] });
  const other = { ...base, id: "y", timestamp: 6 };
  assertEquals([inbox.take(0, other, false), inbox.take(0, other, false)], ["new", "stale"]);
  assertEquals(inbox.takeAck(), undefined);
});

Deno.test("inbox: one channel too many is no place in it", () => {
  const inbox = new Inbox();
  inbox.greet("r1");
  for (let i = 0; i < limits.rnpChannelsMax; i++) {
    assertEquals(inbox.take(0, numbered(1, `c${i}`), true), "new");
  }
  assertEquals(inbox.take(0, numbered(1, "more"), true), "crowded");
});
