import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertStringIncludes,
  assertThrows,
} from "../../tests/_assert.ts";
import { Pair, testNode } from "./_pair.ts";
import type { PairOptions, Side } from "./_pair.ts";
import { defaultRetry } from "./retry.ts";
import type { SendOptions } from "./peer_types.ts";

function note(pair: Pair, side: Side, n: number, options?: SendOptions): string {
  return pair.do(side, (machine) => machine.send(pair.now, "app.note", { n }, options));
}

function numbers(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** A pair whose left side has a link already. */
function joined(options?: PairOptions): Pair {
  const pair = new Pair(options);
  note(pair, pair.left, 0);
  pair.run(() => pair.left.settled.size === 1);
  pair.right.delivered.length = 0;
  pair.left.settled.clear();
  return pair;
}

Deno.test("peer: the first message dials; it arrives and is acknowledged", () => {
  const pair = new Pair();
  const id = note(pair, pair.left, 7);
  pair.run(() => pair.left.settled.size === 1);
  assertEquals(pair.right.notes(), [7]);
  assertEquals(pair.left.settled.get(id), undefined);
  assertEquals([pair.left.machine.isReachable, pair.right.machine.isReachable], [true, true]);
  // Dial, greeting, message; then the acknowledgement waits ten milliseconds for others.
  assertLessOrEqual(pair.now, 6 + limits.rnpAckDelayMs);
});

Deno.test("peer: attempts come at 0, 100, 300, 900 and 2700 ms after each other, then the message fails", () => {
  const dials: number[] = [];
  const pair = new Pair({
    delayMs: 0,
    dials: (now) => {
      dials.push(now);
      return false;
    },
  });
  const id = note(pair, pair.left, 1);
  pair.run(() => pair.left.settled.size === 1);
  assertEquals(dials.map((at, i) => at - (dials[i - 1] ?? 0)), [0, 100, 300, 900, 2700]);
  const fault = pair.left.settled.get(id);
  assertEquals([fault?.code, fault?.details], ["TIMEOUT", undefined]);
  assertStringIncludes(fault!.message, "could not be reached in 5 attempts: nobody is there");
  assertEquals(pair.left.machine.deadline, Infinity);
  // The next message begins anew.
  note(pair, pair.left, 2);
  pair.run(() => dials.length === 6, 1);
  assertEquals(dials.length, 6);
});

Deno.test("peer: a policy without end goes on every thirty seconds", () => {
  const dials: number[] = [];
  const retry = { ...defaultRetry, attemptsMax: Infinity };
  const pair = new Pair({ delayMs: 0, retry, dials: (now) => dials.push(now) > 12 });
  note(pair, pair.left, 1);
  pair.run(() => pair.left.settled.size === 1, 1e6);
  const waits = dials.map((at, i) => at - (dials[i - 1] ?? 0));
  assertEquals(waits.slice(5), [8100, 24_300, ...new Array(6).fill(30_000)]);
  assertEquals(pair.right.notes(), [1]);
});

Deno.test("peer: thousands of messages keep their order, in each channel, over several links", () => {
  const pair = new Pair({ pools: { control: 1, peer: 4, data: 1 }, pieceBytesMax: 5000 });
  const channels = ["a", "b", "c", "d", "e"];
  for (let n = 0; n < 2000; n++) note(pair, pair.left, n, { channel: channels[n % 5] });
  pair.run(() => pair.left.settled.size === 2000);
  for (const [i, channel] of channels.entries()) {
    assertEquals(pair.right.notes(channel), numbers(400).map((k) => 5 * k + i));
  }
  assert(pair.left.opened > 1, "all went over one link");
});

Deno.test("peer: acknowledgements are few", () => {
  const pair = joined();
  const [forth, back] = [pair.left.bytes, pair.right.bytes];
  for (let n = 0; n < 2000; n++) note(pair, pair.left, n);
  pair.run(() => pair.left.settled.size === 2000);
  assertLessOrEqual(pair.right.bytes - back, 0.02 * (pair.left.bytes - forth));
});

Deno.test("peer: at most once goes out once, and is not missed", () => {
  const pair = joined();
  note(pair, pair.left, 1, { delivery: "at-most-once" });
  // It is on its way.
  pair.cut();
  pair.run(undefined, 20_000);
  assertEquals(pair.right.delivered, []);
  assertEquals(pair.left.settled.size, 1);
  assertEquals(pair.left.machine.pendingBytes, 0);
});

Deno.test("peer: at least once reaches a peer that was started again; exactly once tells that nobody knows", () => {
  for (const delivery of ["at-least-once", "exactly-once"] as const) {
    // The handler takes longer than the peer lives.
    const pair = joined({ handlingMs: () => 1e6 });
    const id = note(pair, pair.left, 5, { delivery });
    pair.run(() => pair.right.delivered.length === 1);
    pair.restart(pair.right, testNode("right", 99));
    pair.right.delivered.length = 0;
    // Only a greeting tells that it is another run: one more message brings it about where the first is not sent again.
    const next = note(pair, pair.left, 6, { delivery });
    pair.run(undefined, 500);
    assertEquals(pair.right.notes(), delivery === "at-least-once" ? [5, 6] : [6]);
    if (delivery === "exactly-once") {
      assertStringIncludes(
        pair.left.settled.get(id)!.message,
        "was started again before it had acknowledged this",
      );
      assertEquals(pair.left.settled.get(id)!.details, { uncertain: 1 });
    }
    assertEquals(pair.left.settled.has(next), false, "it is still being handled");
  }
});

Deno.test("peer: what never was on its way goes to a peer that was started again, also exactly once", () => {
  const pair = joined();
  pair.restart(pair.right, testNode("right", 99));
  for (let n = 0; n < 5; n++) note(pair, pair.left, n);
  pair.run(() => pair.left.settled.size === 5);
  assertEquals(pair.right.notes(), numbers(5));
});

Deno.test("peer: a sender that was started again begins its numbers anew, and is heard", () => {
  const pair = joined();
  for (let n = 0; n < 5; n++) note(pair, pair.left, n);
  pair.run(() => pair.left.settled.size === 5);
  pair.restart(pair.left, testNode("left", 99));
  for (let n = 5; n < 10; n++) note(pair, pair.left, n);
  pair.run(() => pair.left.settled.size === 10);
  assertEquals(pair.right.notes(), numbers(10));
});

Deno.test("peer: a run that has ended does not come back: its late greeting is refused", () => {
  const pair = joined();
  const old = pair.left.node;
  pair.restart(pair.left, testNode("left", 99));
  note(pair, pair.left, 1);
  pair.run(() => pair.left.settled.size === 1);
  pair.restart(pair.left, old);
  note(pair, pair.left, 2);
  pair.run(() => pair.left.settled.size === 2);
  const fault = Array.from(pair.left.settled.values()).at(-1);
  assertStringIncludes(fault!.message, "this node was started again since");
});

Deno.test("peer: messages that wait for handlers are acknowledged when these are done, in any order", () => {
  const waits = [300, 10, 200, 0, 100];
  let next = 0;
  const pair = new Pair({ handlingMs: () => waits[next++ % 5] });
  for (let n = 0; n < 5; n++) note(pair, pair.left, n);
  pair.run(() => pair.left.settled.size > 0);
  // The first one is done last: nothing could be acknowledged before.
  assert(pair.now >= 300, `${pair.now}`);
  assertEquals(pair.left.settled.size, 5);
});

Deno.test("peer: the window begins at 64 KiB and doubles, up to what the peer allows", () => {
  const right = testNode("right", 1, { windowBytes: 300_000 });
  const pair = new Pair({ right, delayMs: 20 });
  let most = 0;
  const note1k = { n: 1, filler: new Uint8Array(1000) };
  for (let n = 0; n < 3000; n++) {
    pair.do(pair.left, (machine) => machine.send(0, "app.note", note1k));
  }
  pair.right.onDelivered = () => {
    most = Math.max(most, pair.left.machine.sentBytes);
  };
  pair.run(() => pair.left.settled.size === 3000, 120_000);
  assertLessOrEqual(most, 300_000);
  assert(most > 262_144, `${most}`);
  assertEquals(pair.right.delivered.length, 3000);
});

Deno.test("peer: a message that is larger than the window goes alone", () => {
  const pair = new Pair();
  for (let n = 0; n < 3; n++) {
    pair.do(pair.left, (machine) => machine.send(0, "app.note", { n, filler: new Uint8Array(500_000) }));
  }
  pair.run(() => pair.left.settled.size === 3);
  assertEquals(pair.right.notes(), [0, 1, 2]);
});

Deno.test("peer: too much is refused, before that the sender is asked to wait, and told when there is room", () => {
  const pair = joined({ dials: () => true });
  pair.cut();
  const filler = new Uint8Array(1 << 20);
  let [sent, fullAt] = [0, 0];
  const error = assertThrows(
    () => {
      for (; sent < 100; sent++) {
        pair.do(pair.left, (machine) => machine.send(pair.now, "app.note", { n: sent, filler }));
        if (fullAt === 0 && pair.left.machine.isFull) fullAt = sent + 1;
      }
    },
    RgtpError,
    "wait for 'right' already",
  );
  assertEquals(error.data.rnp, 3000);
  assertEquals([fullAt, sent], [1, 64]);
  pair.run(() => pair.left.settled.size === sent, 600_000);
  assertEquals([pair.left.writable, pair.left.machine.isFull], [1, false]);
  assertEquals(pair.right.notes(), numbers(sent));
});

Deno.test("peer: what a connection has not written holds back what comes after it", () => {
  const pair = joined({ writingMs: 50 });
  const before = pair.left.bytes;
  const filler = new Uint8Array(1000);
  for (let n = 0; n < 500; n++) {
    const delivery = n % 2 === 0 ? "exactly-once" : "at-most-once";
    pair.do(pair.left, (machine) => machine.send(pair.now, "app.note", { n, filler }, { delivery }));
  }
  const given = pair.left.bytes - before;
  assert(given >= limits.rnpWindowBytesMin && given < limits.rnpUnwrittenBytesMax + 2000, `${given}`);
  pair.run(() => pair.right.delivered.length === 500 && pair.left.settled.size === 500);
  assertEquals([pair.right.delivered.length, pair.left.settled.size], [500, 500]);
});

Deno.test("peer: a request is answered, answered with an error, or late", () => {
  const pair = new Pair();
  pair.right.onDelivered = ({ message: { id, data } }) => {
    const n = Number(data.n);
    if (n === 3) return;
    const answer = n === 2 ? { code: "NOT_FOUND", message: "no such note" } : { n: n + 100 };
    const type = n === 2 ? "error" : "app.note";
    pair.do(pair.right, (machine) => machine.send(pair.now, type, answer, { replyTo: id }));
  };
  const ids = [1, 2, 3].map((n) =>
    pair.do(pair.left, (machine) => machine.request(pair.now, "app.note", { n }, 1000))
  );
  pair.run(() => pair.left.answered.size === 3, 5000);
  const [good, bad, late] = ids.map((id) => pair.left.answered.get(id)!);
  assertEquals(good.message?.data, { n: 101 });
  assertEquals(bad.fault, { code: "NOT_FOUND", message: "'right' says: no such note" });
  assertEquals(late.fault?.code, "TIMEOUT");
  assertEquals(pair.left.delivered, [], "answers go to whoever has asked");
});

Deno.test("peer: a request whose peer cannot be reached fails before its time", () => {
  const pair = new Pair({ dials: () => false });
  const id = pair.do(pair.left, (machine) => machine.request(0, "app.note", { n: 1 }, 60_000));
  pair.run(() => pair.left.answered.size === 1, 20_000);
  assertStringIncludes(pair.left.answered.get(id)!.fault!.message, "could not be reached");
});

Deno.test("peer: whoever cannot dial uses the links that the other has opened", () => {
  let asked = 0;
  // The right side's dials fail, as those of a node whose peer has no address.
  const pair = new Pair({ pools: { control: 1, peer: 8, data: 1 }, dials: () => asked++ === 0 });
  note(pair, pair.left, 0);
  pair.run(() => pair.left.settled.size === 1);
  for (const [n, channel] of ["a", "b", "c", "d"].entries()) note(pair, pair.right, n, { channel });
  pair.run(() => pair.right.settled.size === 4, 10_000);
  assertEquals(pair.left.delivered.length, 4);
  // And again after that link was replaced.
  asked = 0;
  pair.cut();
  note(pair, pair.left, 1);
  for (const [n, channel] of ["a", "b", "c", "d"].entries()) note(pair, pair.right, n + 4, { channel });
  pair.run(() => pair.right.settled.size === 8, 10_000);
  assertEquals(pair.left.delivered.length, 8);
});

Deno.test("peer: both dial at once, and nothing is lost or doubled", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const pair = new Pair({ seed, delayMs: 5, pieceBytesMax: 200 });
    for (let n = 0; n < 50; n++) {
      note(pair, pair.left, n);
      note(pair, pair.right, n);
    }
    pair.run(() => pair.left.settled.size + pair.right.settled.size === 100);
    assertEquals([pair.left.notes(), pair.right.notes()], [numbers(50), numbers(50)], `seed ${seed}`);
  }
});

Deno.test("peer: of two links, the one that is left takes over what was on its way", () => {
  for (const place of [0, 1]) {
    const pair = new Pair({ delayMs: 5 });
    for (const side of [pair.left, pair.right]) note(pair, side, 0);
    pair.run(() => pair.left.settled.size + pair.right.settled.size === 2);
    assertEquals([pair.links.length, pair.left.opened, pair.right.opened], [2, 2, 2]);
    for (let n = 1; n < 20; n++) {
      for (const side of [pair.left, pair.right]) note(pair, side, n);
    }
    pair.cut(pair.links[place]);
    pair.run(() => pair.left.settled.size + pair.right.settled.size === 40, 1000);
    assertEquals([pair.left.notes(), pair.right.notes()], [numbers(20), numbers(20)]);
    assertEquals([pair.left.opened, pair.right.opened], [2, 2], "no other link was needed");
  }
});

Deno.test("peer: renewed links take over without a message lost or doubled", () => {
  const pair = joined({ delayMs: 5 });
  const opened = pair.left.opened;
  for (let n = 0; n < 300; n++) {
    pair.at(n, () => {
      note(pair, pair.left, n);
      note(pair, pair.right, n);
      if (n % 100 === 50) pair.do(pair.left, (machine) => machine.renew());
    });
  }
  pair.run(() => pair.left.settled.size + pair.right.settled.size === 600);
  assertEquals(pair.right.notes(), numbers(300));
  assertEquals(pair.left.notes(), numbers(300));
  assertEquals(pair.left.opened - opened, 3);
});

Deno.test("peer: goodbye drains: what was handled is acknowledged, and both ends close without a fault", () => {
  const pair = joined();
  for (let n = 0; n < 20; n++) note(pair, pair.left, n);
  pair.run(() => pair.right.delivered.length === 20);
  pair.do(pair.right, (machine) => machine.goodbye(pair.now, "shutdown"));
  pair.run(() => pair.left.settled.size === 20, 1000);
  assertEquals(Array.from(pair.left.settled.values()), new Array(20).fill(undefined));
  pair.run(() => !pair.left.machine.isReachable && !pair.right.machine.isReachable, 1000);
  assertEquals([pair.left.faults, pair.right.faults], [[], []]);
});

Deno.test("peer: links without messages are closed after five minutes, and kept alive until then", () => {
  const pair = joined();
  pair.run(undefined, limits.rnpIdleMsMax - 1000);
  assert(pair.left.machine.isReachable);
  pair.run(() => !pair.left.machine.isReachable, 10_000);
  assertEquals([pair.left.machine.isReachable, pair.left.faults], [false, []]);
  pair.run(undefined, 100);
  assertEquals(pair.left.machine.deadline, Infinity);
  note(pair, pair.left, 1);
  pair.run(() => pair.left.settled.size === 1);
  assertEquals(pair.right.notes(), [1]);
});

Deno.test("peer: a timeout before its time changes nothing, one at its time is not due for ever", () => {
  const pair = joined();
  note(pair, pair.left, 1);
  pair.do(pair.left, (machine) => machine.request(pair.now, "app.note", { n: 2 }, 5000));
  const { machine } = pair.left;
  let repeats = 0;
  for (let i = 0; i < 30 && machine.deadline < Infinity; i++) {
    const { deadline } = machine;
    if (deadline > pair.now) {
      machine.handleTimeout(deadline - 0.001);
      assertEquals([machine.poll(), machine.deadline], [undefined, deadline]);
    }
    pair.now = deadline;
    pair.do(pair.left, (machine) => machine.handleTimeout(deadline));
    // The first attempt to dial is due at once.
    repeats = machine.deadline > deadline ? 0 : repeats + 1;
    assertLessOrEqual(repeats, 1, `${deadline} is due again and again`);
  }
});

Deno.test("peer: a replay over the same or another link is not delivered", () => {
  const pair = new Pair();
  const written: Uint8Array[] = [];
  const original = pair.right.machine.handleBytes.bind(pair.right.machine);
  pair.right.machine.handleBytes = (now, link, bytes) => {
    written.push(bytes.slice());
    original(now, link, bytes);
  };
  note(pair, pair.left, 1);
  note(pair, pair.left, 2, { delivery: "at-most-once" });
  pair.run(() => pair.right.delivered.length === 2);
  const [, ...frames] = written;
  for (const bytes of frames) pair.do(pair.right, () => original(pair.now, 1, bytes));
  pair.run(undefined, 100);
  assertEquals(pair.right.delivered.length, 2);
  assertEquals(pair.right.machine.counters, { duplicates: 1, stale: 1, unfit: 0 });
});

Deno.test("peer: the 257th channel is refused, on both sides", () => {
  const pair = joined();
  for (let n = 0; n < limits.rnpChannelsMax - 1; n++) note(pair, pair.left, n, { channel: `c${n}` });
  assertThrows(() => note(pair, pair.left, 0, { channel: "one-more" }), RangeError, "use one of them");
  pair.run(() => pair.left.settled.size === limits.rnpChannelsMax - 1);
});

Deno.test("peer: a caller's mistakes are named before anything is sent", () => {
  const pair = new Pair();
  const table: [string, Record<string, string | number>, SendOptions, string][] = [
    ["hello", {}, {}, "the link's own"],
    ["app.nobody", {}, {}, "define the type first"],
    ["app.note", { n: "one" }, {}, "data.n is not: count"],
    ["app.note", {}, {}, "data.n is missing"],
    ["app.note", { n: 1 }, { channel: "" }, "no name for a channel"],
    ["app.note", { n: 1 }, { channel: "x".repeat(65) }, "no name for a channel"],
  ];
  for (const [type, data, options, text] of table) {
    assertThrows(
      () => pair.do(pair.left, (machine) => machine.send(0, type, data, options)),
      RangeError,
      text,
    );
  }
  note(pair, pair.left, 1);
  assertThrows(
    () => note(pair, pair.left, 1, { pool: "data" }),
    RangeError,
    "in the pool 'peer', not 'data'",
  );
  assertEquals(pair.left.machine.pendingBytes > 0, true);
});

Deno.test("peer: what waits long is sent with a new timestamp, and is not refused as old", () => {
  let isUp = false;
  const retry = { ...defaultRetry, attemptsMax: Infinity };
  const pair = new Pair({ retry, dials: () => isUp });
  note(pair, pair.left, 1);
  pair.run(undefined, 3_600_000);
  isUp = true;
  pair.run(() => pair.left.settled.size === 1);
  assertEquals(pair.right.notes(), [1]);
});
