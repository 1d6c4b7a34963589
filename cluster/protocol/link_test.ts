import { concatBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import { drain } from "../../core/machine.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { assert, assertEquals, assertLessOrEqual, assertStringIncludes } from "../../tests/_assert.ts";
import { EPOCH_MS, testNode } from "./_pair.ts";
import { FRAME_HEADER_BYTES, FrameFlag, FrameReader } from "./frame.ts";
import type { RnpFault } from "./errors.ts";
import { LinkMachine } from "./link.ts";
import type { LinkOutput, LocalNode } from "./link.ts";
import type { Greeting } from "./message_data.ts";
import { decodeMessage, encodeMessage } from "./payload.ts";
import type { FrameOptions, Message } from "./payload.ts";

const NOW = 1000;

/** A node's end of a link whose other end is the test: it can send anything. */
class Fixture {
  readonly node: LocalNode;
  readonly link: LinkMachine;
  readonly outputs: LinkOutput[] = [];
  #ids = 0;

  constructor({ isDialer = false, node = testNode("node-a") } = {}) {
    this.node = node;
    this.link = new LinkMachine(NOW, node, { peerId: "node-b", isDialer, pool: "peer", slot: 0 });
    if (isDialer) this.link.greet(NOW, undefined);
    this.collect();
  }

  collect(): void {
    drain(this.link, (output) => {
      this.outputs.push(output);
      if (output.kind === "greeted") this.link.welcome(NOW, output.greeting, undefined);
    });
  }

  bytes(bytes: Uint8Array, now = NOW): this {
    this.link.handleBytes(now, bytes);
    this.collect();
    return this;
  }

  message(change: Partial<Message> = {}): Message {
    const id = `550e8400-e29b-41d4-a716-${String(++this.#ids).padStart(12, "0")}`;
    return {
      type: "ping",
      id,
      timestamp: EPOCH_MS + NOW,
      sender: "node-b",
      data: { timestamp: 1 },
      ...change,
    };
  }

  send(change: Partial<Message>, options?: FrameOptions, now = NOW): this {
    return this.bytes(encodeMessage(this.message(change), options), now);
  }

  /** The peer's greeting. */
  greet(change: Record<string, unknown> = {}, options?: FrameOptions): this {
    const type = this.link.settings.isDialer ? "hello_ack" : "hello";
    return this.send({ type, data: { ...greeting, ...change } as Message["data"] }, options);
  }

  timeout(now: number): this {
    this.link.handleTimeout(now);
    this.collect();
    return this;
  }

  /** What the peer is sent. */
  get sent(): Message[] {
    return this.outputs.flatMap((output) => {
      if (output.kind !== "write") return [];
      const reader = new FrameReader();
      reader.push(output.bytes);
      const frame = reader.next();
      assert(frame && "payload" in frame);
      return [decodeMessage(frame, this.node.integrity) as Message];
    });
  }

  kinds(): string[] {
    return this.outputs.map(({ kind }) => kind);
  }

  /** Why it has ended; it must have told the peer so. */
  get end(): RnpFault {
    const end = this.outputs.find((output) => output.kind === "end");
    assert(end?.kind === "end" && end.fault, `it has not ended with a fault: ${this.kinds()}`);
    const told = this.sent.find(({ type }) => type === "error");
    assertEquals([told?.data.code, told?.data.message], [end.fault.code, end.fault.message]);
    assertEquals(this.link.deadline, Infinity);
    return end.fault;
  }
}

const greeting: Greeting = {
  version: "1.0",
  node_id: "node-b",
  incarnation: "0123456789abcdef",
  capabilities: ["lz4"],
  pool: "peer",
  slot: 0,
  window: 65_536,
};
const integrity = { engine: defaultEngine(), secret: new Uint8Array(32).fill(7) };

Deno.test("link: the dialer greets first; each opens with the other's greeting", () => {
  const dialer = new Fixture({ isDialer: true });
  assertEquals(dialer.sent.map(({ type }) => type), ["hello"]);
  assertEquals(dialer.sent[0].data.version, "1.0");
  dialer.greet();
  assertEquals(dialer.kinds(), ["write", "open"]);
  const acceptor = new Fixture().greet({ pool: "data", slot: 3 });
  assertEquals(acceptor.kinds(), ["greeted", "write", "open"]);
  assertEquals(acceptor.sent.map(({ type, data }) => [type, data.pool, data.slot]), [[
    "hello_ack",
    "data",
    3,
  ]]);
});

Deno.test("link: speaks with any 1.x, and agrees on what both can do", () => {
  for (const version of ["1.0", "1.1", "1.99"]) {
    const { outputs } = new Fixture().greet({ version, capabilities: ["lz4", "teleport"] });
    const open = outputs.find((output) => output.kind === "open");
    assertEquals(open?.kind === "open" && open.capabilities, ["lz4"]);
  }
});

Deno.test("link: greetings that are refused", () => {
  const table: [Record<string, unknown>, RnpFault["code"], string][] = [
    [{ version: "2.0" }, "VERSION_MISMATCH", "'2.0'"],
    [{ version: "0.9" }, "VERSION_MISMATCH", "'0.9'"],
    [{ version: "one" }, "VERSION_MISMATCH", "'one'"],
    [{ node_id: "node-c" }, "AUTH_FAILED", "another node than 'node-b'"],
    [{ incarnation: "1" }, "PROTOCOL_ERROR", "incarnation"],
    [{ pool: "swimming" }, "PROTOCOL_ERROR", "data.pool"],
    [{ slot: limits.rnpSlotsMax }, "QUOTA_EXCEEDED", "slot 64"],
    [{ slot: -1 }, "PROTOCOL_ERROR", "data.slot"],
    [{ window: "large" }, "PROTOCOL_ERROR", "data.window"],
    [{ capabilities: [1] }, "PROTOCOL_ERROR", "data.capabilities[0]"],
    [
      { received: { incarnation: "x", channels: { main: -1 } } },
      "PROTOCOL_ERROR",
      "data.received.channels.main",
    ],
  ];
  for (const [change, code, text] of table) {
    const { end } = new Fixture().greet(change);
    assertEquals(end.code, code, JSON.stringify(change));
    assertStringIncludes(end.message, text);
  }
});

Deno.test("link: before the greeting nothing else is taken", () => {
  assertStringIncludes(new Fixture().send({}).end.message, "'ping' before the greeting");
  assertStringIncludes(new Fixture().send({ type: "ack", data: {} }).end.message, "before the greeting");
  const empty = new Fixture().send({ type: "error", data: {} });
  assertStringIncludes(empty.end.message, "an 'error' whose data.code is missing".slice(3));
  // A dialer waits for the answer to its own greeting.
  const dialer = new Fixture({ isDialer: true }).send({ type: "hello", data: greeting });
  assertStringIncludes(dialer.end.message, "'hello' before the greeting");
  assertStringIncludes(new Fixture().greet().greet().end.message, "a second greeting");
  const long = { ...greeting, note: "x".repeat(limits.rnpGreetingBytesMax) };
  assertStringIncludes(new Fixture().send({ type: "hello", data: long }).end.message, "65536 are allowed");
});

Deno.test("link: a sender that is not the certificate's is refused, in the greeting and later", () => {
  const early = new Fixture().send({ type: "hello", data: greeting, sender: "node-c" });
  assertEquals(early.end.code, "AUTH_FAILED");
  const late = new Fixture().greet().send({ sender: "node-c" });
  assertStringIncludes(
    late.end.message,
    "a message of 'node-c' from a node whose certificate is for 'node-b'",
  );
});

Deno.test("link: with a cluster secret, every message needs a right hmac", () => {
  const fixture = () => new Fixture({ node: testNode("node-a", 1, { integrity }) });
  const capabilities = ["lz4", "hmac"];
  assertEquals(fixture().greet({ capabilities }, { integrity }).kinds(), ["greeted", "write", "open"]);
  assertEquals(fixture().greet({ capabilities }).end.code, "AUTH_FAILED");
  assertStringIncludes(fixture().greet({}, { integrity }).end.message, "the peer does not use one");
  assertEquals(fixture().greet({ capabilities }, { integrity }).send({}).end.code, "AUTH_FAILED");
  const other = { ...integrity, secret: new Uint8Array(32) };
  const wrong = fixture().greet({ capabilities }, { integrity }).send({}, { integrity: other });
  assertStringIncludes(wrong.end.message, "the hmac of a 'ping' is wrong");
  // The peer without one learns why from a message that has one.
  assert("hmac" in wrong.sent.at(-1)!);
});

Deno.test("link: clocks that differ by more than five minutes are refused at the greeting, with the difference", () => {
  for (const skew of [-limits.rnpClockSkewMsMax, limits.rnpClockSkewMsMax]) {
    const timestamp = EPOCH_MS + NOW + skew;
    const data = greeting;
    assertEquals(new Fixture().send({ type: "hello", data, timestamp }).kinds(), [
      "greeted",
      "write",
      "open",
    ]);
    const { end } = new Fixture().send({ type: "hello", data, timestamp: timestamp + Math.sign(skew) });
    assertStringIncludes(end.message, "300 s from this node's clock");
  }
});

Deno.test("link: later, what is too old is dropped, but what is numbered ends the link: it comes again", () => {
  const timestamp = EPOCH_MS + NOW - limits.rnpClockSkewMsMax - 1;
  assertEquals(new Fixture().greet().send({ timestamp }).kinds().at(-1), "stale");
  const numbered = new Fixture().greet().send({ timestamp, channel: "main", seq: 1 });
  assertEquals(numbered.end.code, "PROTOCOL_ERROR");
});

Deno.test("link: data that is not as its type demands is refused with an error that names the message", () => {
  const data = { cpu_percent: "much", ram_used_mb: 1, instance_count: 1 };
  const fixture = new Fixture().greet().send({ type: "heartbeat", data });
  assertEquals(fixture.kinds(), ["greeted", "write", "open", "unfit", "write"]);
  const error = fixture.sent.at(-1)!;
  assertEquals([error.type, error.data.code, error.data.number], ["error", "PROTOCOL_ERROR", 1000]);
  assertEquals(error.data.message, "a 'heartbeat' whose data.cpu_percent is not: number");
  assertEquals(error.reply_to?.slice(-1), "2");
  // The link goes on.
  assertEquals(fixture.send({}).sent.at(-1)!.type, "pong");
  // An error that is none is not answered by another.
  assertEquals(new Fixture().greet().send({ type: "error", data: {} }).kinds().at(-1), "unfit");
  // The link's own messages must be right.
  assertEquals(new Fixture().greet().send({ type: "ack", data: { ids: 5 } }).end.code, "PROTOCOL_ERROR");
});

Deno.test("link: broken frames end it, with the reason", () => {
  const good = encodeMessage(new Fixture().message());
  const wrong: [Uint8Array, string][] = [
    [good.with(0, 0), "no RNP frame"],
    [good.with(11, 0x10), "reserved flags"],
    [good.with(11, FrameFlag.ENCRYPTED), "encrypted by itself"],
    [good.with(6, 9), "allowed"],
    [good.with(FRAME_HEADER_BYTES, 0xc1), "no MessagePack map"],
    [good.with(11, FrameFlag.COMPRESSED), "compressed payload"],
  ];
  for (const [bytes, text] of wrong) {
    const { end } = new Fixture().greet().bytes(bytes);
    assertEquals(end.code, "PROTOCOL_ERROR");
    assertStringIncludes(end.message, text);
  }
  assertEquals(new Fixture().greet().bytes(good.with(4, 2)).end.code, "VERSION_MISMATCH");
});

Deno.test("link: whoever says nothing, or only a part of a greeting, is waited for ten seconds", () => {
  const silent = new Fixture();
  assertEquals(silent.link.deadline, NOW + limits.rnpGreetingMsMax);
  assertEquals(silent.timeout(silent.link.deadline - 1).kinds(), []);
  assertEquals(silent.timeout(silent.link.deadline).end.code, "TIMEOUT");
});

Deno.test("link: a slow-loris, who sends a byte now and then, is waited for no longer", () => {
  const hello = encodeMessage(new Fixture().message({ type: "hello", data: greeting }));
  const early = new Fixture();
  let now = NOW;
  for (let i = 0; i < hello.length && early.link.deadline < Infinity; i++, now += 1000) {
    early.bytes(hello.subarray(i, i + 1), now).timeout(now);
  }
  assertEquals(early.end.code, "TIMEOUT");
  assertLessOrEqual(now, NOW + limits.rnpGreetingMsMax + 1000);

  const late = new Fixture().greet();
  const frame = encodeMessage(late.message({ data: { timestamp: 1, x: new Uint8Array(65_536) } }));
  now = NOW;
  for (let i = 0; i < frame.length && late.link.deadline < Infinity; i++, now += 500) {
    late.bytes(frame.subarray(i, i + 1), now).timeout(now);
  }
  assertEquals(late.end.message, "a frame was begun and not finished in time");
  // Ten seconds, and one for 64 KiB.
  assertLessOrEqual(now - NOW, limits.rnpFrameMsMax + 2000);
});

Deno.test("link: a large frame at a slow but honest rate is not taken for one", () => {
  const fixture = new Fixture().greet();
  const frame = encodeMessage(fixture.message({ data: { timestamp: 1, x: new Uint8Array(4 << 20) } }));
  let now = NOW;
  for (let at = 0; at < frame.length; at += 80_000, now += 1000) {
    fixture.bytes(frame.subarray(at, at + 80_000), now).timeout(now);
  }
  assertEquals(fixture.sent.at(-1)!.type, "pong");
});

Deno.test("link: a silent peer is asked after a minute, and given up ten seconds later", () => {
  const fixture = new Fixture().greet();
  assertEquals(fixture.link.deadline, NOW + limits.rnpKeepaliveMs);
  fixture.timeout(NOW + limits.rnpKeepaliveMs);
  assertEquals(fixture.sent.at(-1)!.type, "ping");
  const due = NOW + limits.rnpKeepaliveMs + limits.rnpKeepaliveAnswerMsMax;
  assertEquals(fixture.link.deadline, due);
  const alive = new Fixture().greet().timeout(NOW + limits.rnpKeepaliveMs);
  alive.send({ type: "pong", data: { request_timestamp: 1, response_timestamp: 1 } }, {}, due - 1).timeout(
    due,
  );
  assertEquals(alive.kinds().includes("end"), false);
  assertEquals(fixture.timeout(due).end.message, "the peer has fallen silent");
});

Deno.test("link: a ping is answered with its own time, and names what it answers", () => {
  const fixture = new Fixture().greet().send({ data: { timestamp: 12 } });
  const { type, data, reply_to: replyTo } = fixture.sent.at(-1)!;
  assertEquals([type, data], ["pong", { request_timestamp: 12, response_timestamp: EPOCH_MS + NOW }]);
  assertEquals(replyTo, fixture.message({ id: "550e8400-e29b-41d4-a716-000000000002" }).id);
});

Deno.test("link: goodbye waits for its answer, and takes what still comes", () => {
  const fixture = new Fixture().greet();
  fixture.link.goodbye(NOW, "shutdown");
  fixture.collect();
  assertEquals(fixture.sent.at(-1)!.data, { reason: "shutdown" });
  assertEquals(fixture.link.isOpen, false);
  fixture.send({ type: "heartbeat", data: { cpu_percent: 1, ram_used_mb: 1, instance_count: 1 } });
  assertEquals(fixture.kinds().at(-1), "message");
  fixture.send({ type: "goodbye_ack", data: {} });
  assertEquals(fixture.outputs.at(-1), { kind: "end" });
  fixture.link.acknowledge(NOW, { ids: ["550e8400-e29b-41d4-a716-000000000001"] });
  assertEquals(fixture.link.poll(), undefined);
});

Deno.test("link: the answer to a goodbye that nobody has said is a mistake", () => {
  const { end } = new Fixture().greet().send({ type: "goodbye_ack", data: {} });
  assertEquals([end.code, end.message], ["PROTOCOL_ERROR", "a 'goodbye_ack', and nobody has said goodbye"]);
});

Deno.test("link: goodbye before the greeting ends it at once", () => {
  const fixture = new Fixture({ isDialer: true });
  fixture.link.goodbye(NOW, "shutdown");
  fixture.collect();
  assertEquals(fixture.kinds(), ["write", "end"]);
});

Deno.test("link: a goodbye that nobody answers ends after five seconds, without a fault", () => {
  const fixture = new Fixture().greet();
  fixture.link.goodbye(NOW, "shutdown");
  assertEquals(fixture.link.deadline, NOW + limits.rnpGoodbyeMsMax);
  fixture.timeout(NOW + limits.rnpGoodbyeMsMax);
  assertEquals(fixture.outputs.at(-1), { kind: "end" });
});

Deno.test("link: the peer's goodbye is answered, and then nothing is written", () => {
  const fixture = new Fixture().greet().send({ type: "goodbye", data: { reason: "idle" } });
  assertEquals(fixture.outputs.at(-1), { kind: "leaving", reason: "idle" });
  fixture.link.confirmGoodbye(NOW);
  fixture.collect();
  assertEquals(fixture.sent.at(-1)!.type, "goodbye_ack");
  assertEquals(fixture.outputs.at(-1), { kind: "end" });
});

Deno.test("link: an error that answers nothing is about the link, and ends it", () => {
  const data = { code: "QUOTA_EXCEEDED", message: "too many" };
  const end = new Fixture().greet().send({ type: "error", data }).outputs.at(-1);
  assertEquals(end, { kind: "end", fault: { code: "QUOTA_EXCEEDED", message: "'node-b' says: too many" } });
  const unknown = new Fixture().send({ type: "error", data: { code: "E_WEIRD", message: "m" } }).outputs.at(
    -1,
  );
  assertEquals(unknown?.kind === "end" && unknown.fault?.code, "INTERNAL_ERROR");
});

Deno.test("link: it ends once, whatever comes after", () => {
  const fixture = new Fixture().greet().bytes(Uint8Array.of(1));
  const count = fixture.outputs.length;
  const good = encodeMessage(fixture.message());
  fixture.bytes(concatBytes(good, good)).timeout(1e9);
  fixture.link.handleClosed();
  fixture.link.refuse(NOW, { code: "TIMEOUT", message: "x" });
  fixture.link.goodbye(NOW, "x");
  fixture.link.acknowledge(NOW, {});
  fixture.collect();
  assertEquals(fixture.outputs.length, count);
});
