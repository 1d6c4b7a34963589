import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "../../tests/_assert.ts";
import {
  entriesOf,
  ExposerBench,
  exposure,
  integer,
  known,
  random,
  request,
  tag,
  us,
} from "../../tests/sim/exposer_bench.ts";
import { exposedOf, leastWireBytes } from "../../tests/sim/exposure.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import type { Address } from "../../codec/address.ts";
import {
  complete,
  CompleteReason,
  keepalive,
  keepaliveEcho,
  refusal,
  RefusalReason,
  retry,
} from "../../codec/control.ts";
import { PacketType, readWord } from "../../codec/packet.ts";
import type { PullRequest } from "../../codec/pull_request.ts";
import { limits } from "../../core/limits.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { packetMac } from "../../crypto/tokens.ts";
import { SERVES_AT_ONCE } from "./exposer.ts";
import type { ExposerOptions } from "./exposer_types.ts";
import { Initiator } from "./initiator.ts";

const { sealed, staticKey: exposerKey, psk } = exposure;

/** A bitmap of the first `chunks` chunks. */
function bitmapOf(chunks: number, base = 0): PullRequest["bitmap"] {
  return { base, bits: new Uint8Array(Math.ceil(chunks / 8)).fill(255) };
}

Deno.test("exposer: the first is turned away: tokens that are invented, of another address or changed, and MACs that are wrong", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  const packet = request(grant, 1);
  const wrong: [Address, Uint8Array, string][] = [
    [us, request({ ...grant, token: random(104) }, 1), "bad token"],
    [{ ...us, port: 4001 }, packet, "bad token"],
    [{ ...us, host: "198.51.100.3" }, packet, "bad token"],
    [us, request({ ...grant, pullKey: random(32) }, 1), "wrong mac"],
    [us, packet.with(packet.length - 9, packet[packet.length - 9] ^ 1), "wrong mac"],
    [us, packet.with(packet.length - 1, packet[packet.length - 1] ^ 1), "wrong mac"],
  ];
  for (const [from, bytes, reason] of wrong) {
    const before = bench.machine.drops.all()[reason] ?? 0;
    bench.now += 1000;
    bench.hear(from, bytes);
    assertEquals(bench.machine.drops.all()[reason], before + 1);
    assertEquals(bench.serving.length, 0);
    const refused = bench.sent.splice(0);
    assertEquals(refused.length, reason === "bad token" ? 1 : 0);
    for (const { to, bytes: refusing } of refused) {
      assertEquals(to, from);
      assertLess(refusing.length, bytes.length);
      const message = refusal.decode(refusing)!;
      assertEquals([message.field, message.echo.toHex()], [RefusalReason.TOKEN, tag.toHex()]);
    }
  }
  bench.hear(us, packet);
  assertEquals(bench.serving.length, 1);
});

Deno.test("exposer: a request and its repeats are served once, whatever their order; replays are counted", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  const numbers = Array.from({ length: 60 }, (_, i) => i + 1);
  const packets = numbers.map((n) =>
    request(grant, n, { sections: [n, n - 1, n - 2].map((one) => one > 0 ? entriesOf(one) : []) })
  );
  const order = [...numbers, ...numbers, ...numbers].map((n) => ({ n, at: integer(1000) })).toSorted((a, b) =>
    a.at - b.at
  );
  const pieces: number[] = [];
  for (const { n } of order) {
    bench.hear(us, packets[n - 1]);
    for (let serve = bench.serving.shift(); serve; serve = bench.serving.shift()) {
      assertEquals(serve.request, serve.piece);
      pieces.push(serve.piece);
      bench.end(serve);
    }
  }
  assertEquals(pieces.toSorted((a, b) => a - b), numbers);
  assertGreaterOrEqual(bench.machine.drops.of("replayed request"), 120);
});

Deno.test("exposer: one request may ask for more than 256 KiB only of who shows that he receives, where no rate has a ceiling", () => {
  // 62 chunks of 4 KiB are 256 KiB on the wire.
  const asks = (options: Partial<ExposerOptions>, changes: Partial<PullRequest>) => {
    const bench = new ExposerBench(options);
    const grant = bench.grant();
    const granted = grant.requestBytesMax;
    bench.hear(us, request(grant, 1, { bitmap: bitmapOf(64), sections: [], ...changes }));
    bench.serveAll();
    return { granted, served: bench.served, tooLarge: bench.machine.drops.of("request too large") };
  };
  const [less, more] = [limits.requestBytesMax, limits.requestBytesLanMax];
  const served = 64 * (4096 + 16 + 3 * 24);
  assertEquals(asks({}, {}), { granted: more, served, tooLarge: 0 });
  assertEquals(asks({}, { receipt: 1 }), { granted: more, served: 0, tooLarge: 1 });
  assertEquals(asks({ pullRateMax: 1e9 }, {}), { granted: less, served: 0, tooLarge: 1 });
  assertEquals(asks({ limitRate: 1e9 }, {}), { granted: less, served: 0, tooLarge: 1 });
});

Deno.test("exposer: what a request asks for leaves in one turn, as far as that reaches; under a shared rate chunk by chunk", () => {
  const [turn, rest] = [SERVES_AT_ONCE, 4];
  const turnsOf = (options: Partial<ExposerOptions>) => {
    const bench = new ExposerBench(options);
    const pullers = [1, 2].map((port) => ({ ...us, port }));
    const grants = pullers.map((from) => bench.grant(from));
    for (const [i, from] of pullers.entries()) {
      bench.hear(from, request(grants[i], 1, { sections: [entriesOf(...Array(turn + rest).keys())] }));
      assertEquals(bench.serving.length, turn);
    }
    let ports = "";
    for (let serve = bench.serving.shift(); serve; serve = bench.serving.shift()) {
      ports += serve.puller.address.port;
      bench.end(serve);
    }
    return ports;
  };
  const [first, second] = ["1".repeat(turn), "2".repeat(turn)];
  assertEquals(turnsOf({}), `${first}${"1".repeat(rest)}${second}${"2".repeat(rest)}`);
  assertEquals(turnsOf({ limitRate: 1e9 }), `${first}${"12".repeat(rest)}${second}`);
});

Deno.test("exposer: what is beyond a ceiling is dropped and counted: one request, one puller, all of them", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  const others = Array.from({ length: 9 }, (_, i) => ({ ...us, port: 5001 + i }));
  const grants = others.map((from) => bench.grant(from));
  // 1 MiB are 250 chunks of 4 KiB.
  bench.hear(us, request(grant, 1, { bitmap: bitmapOf(256), sections: [] }));
  assertEquals([bench.machine.drops.of("request too large"), bench.machine.memory.answers], [1, 0]);
  for (let number = 2; number < 64; number++) {
    bench.hear(us, request(grant, number, { bitmap: bitmapOf(56), sections: [] }));
  }
  const { answerBytes } = bench.machine.memory;
  assertLessOrEqual(answerBytes, limits.tokenQueueBytesMax);
  assertGreater(answerBytes, limits.tokenQueueBytesMax - 262_144);
  assertGreater(bench.machine.drops.of("over the limit"), 40);
  others.forEach((from, i) => {
    for (let number = 1; number < 64; number++) {
      bench.hear(from, request(grants[i], number, { bitmap: bitmapOf(56), sections: [] }));
    }
  });
  assertLessOrEqual(bench.machine.memory.answerBytes, limits.answerQueueBytesMax);
  assertGreater(bench.machine.memory.answerBytes, limits.answerQueueBytesMax - 262_144);
  assertGreater(bench.machine.drops.of("queue full"), 100);
  bench.serveAll();
  assertEquals([bench.machine.memory.answers, bench.machine.memory.answerBytes], [0, 0]);
});

Deno.test("exposer: tiny answers are bounded by their number", () => {
  const bench = new ExposerBench();
  // The last symbol of a 4 KiB chunk has 1256 bytes; of the last chunk, fewer.
  const entries = (from: number) =>
    Array.from({ length: 100 }, (_, i) => ({ ...entriesOf(from + i)[0], first: 2, count: 1 }));
  const all = Array.from({ length: 20 }, (_, i) => ({ ...us, port: 5000 + i }));
  const grants = all.map((from) => bench.grant(from));
  for (const [i, from] of all.entries()) {
    const grant = grants[i];
    for (let number = 1; number < 60; number++) {
      bench.hear(from, request(grant, number, { sections: [entries(number)] }));
    }
  }
  assertLessOrEqual(bench.machine.memory.answers, limits.answerQueueEntriesMax);
  assertGreater(bench.machine.memory.answers, limits.answerQueueEntriesMax - 101);
  bench.serveAll();
  assertEquals(bench.machine.memory.answers, 0);
});

Deno.test("exposer: pieces that are not there, sizes that are none, and what no puller sends are dropped and counted", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  const { chunkCount } = sealed;
  const cases: [Uint8Array, string][] = [
    [request(grant, 1, { sections: [entriesOf(chunkCount)] }), "piece out of bounds"],
    [request(grant, 2, { sections: [entriesOf(0x80000001)] }), "piece out of bounds"],
    [request(grant, 3, { sections: [[{ ...entriesOf(0)[0], count: 4 }]] }), "piece out of bounds"],
    [request(grant, 4, { sections: [], bitmap: bitmapOf(8, chunkCount) }), "piece out of bounds"],
    [Uint8Array.of(0x21, 0, 0, 0, 1), "unknown type"],
    [refusal.encode({ echo: tag }, { field: 1 }), "unknown type"],
    [Uint8Array.of(0x24), "malformed"],
  ];
  for (const [packet, reason] of cases) {
    const before = bench.machine.drops.all()[reason] ?? 0;
    bench.hear(us, packet);
    assertEquals(bench.machine.drops.all()[reason], before + 1, reason);
  }
  assertEquals([bench.serving.length, bench.sent.length], [0, 0]);
});

Deno.test("exposer: pullers are served in turn, so many answers at a time, also after one was forgotten in mid-serve", () => {
  const bench = new ExposerBench();
  const [a, b] = [us, { ...us, port: 4001 }];
  const [first, second] = [bench.grant(a), bench.grant(b)];
  const most = SERVES_AT_ONCE;
  for (let number = 1; number <= 2 * most; number++) bench.hear(a, request(first, number));
  assertEquals(bench.serving.length, most);
  for (let number = 1; number <= 2 * most; number++) bench.hear(b, request(second, number));
  assertEquals(bench.serving.length, most);
  const order: number[] = [];
  for (let i = 0; i < 2 * most; i++) {
    const serve = bench.serving.shift()!;
    order.push(serve.puller.address.port);
    bench.end(serve);
  }
  assertEquals(order.slice(most).join(" "), Array(most / 2).fill("4000 4001").join(" "));
  // All is taken back while serves are under way: their ends still count.
  bench.machine.withdraw(bench.now, sealed.id);
  bench.drain();
  assertEquals(bench.machine.memory.answers, 0);
  bench.machine.add(exposedOf(exposure, () => psk));
  bench.hear(a, request(first, 100));
  bench.hear(a, request(first, 101));
  assertEquals(bench.serving.length, most);
  bench.serveAll();
  for (let number = 102; number < 104 + most; number++) bench.hear(a, request(first, number));
  assertEquals(bench.serving.length, most);
});

Deno.test("exposer: a handshake comes after pulls, but not after all of them, and not behind a limited rate", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  for (let number = 1; number < 64; number++) {
    bench.hear(us, request(grant, number, { sections: [entriesOf(number, number + 100, number + 200)] }));
  }
  const puller = new Initiator({
    engine,
    random,
    staticPrivate: random(32),
    exposerKey,
    ask: { kind: 0, exposureId: sealed.id, ticketId: known },
  });
  bench.hear({ ...us, port: 1 }, puller.packet);
  let before = 0;
  for (; bench.sent.length === 0; before++) bench.end(bench.serving.shift()!);
  assertLessOrEqual(before, 40);
  assertGreater(before, 0);

  const limited = new ExposerBench({ limitRate: 1000 });
  const slow = limited.grant();
  for (let number = 1; number < 20; number++) limited.hear(us, request(slow, number));
  limited.serveAll();
  assertGreater(limited.machine.memory.answers, 0);
  limited.hear({ ...us, port: 1 }, puller.packet);
  assertEquals(limited.sent.length, 1);
});

Deno.test("exposer: a flood of first messages while all serve: each gets its cookie at once, and who comes back with one is the next", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  for (let number = 1; number < 64; number++) {
    bench.hear(us, request(grant, number, { sections: [entriesOf(number, number + 100, number + 200)] }));
  }
  const puller = () =>
    new Initiator({
      ...{ engine, random, staticPrivate: random(32), exposerKey, psk },
      ask: { kind: 0, exposureId: sealed.id, ticketId: known },
    });
  const { packet } = puller();
  const flood = 5000;
  for (let i = 0; i < flood; i++) bench.hear({ host: "203.0.113.1", port: i + 1 }, packet);
  const { handshakesPerSecondBeforeRetry: before, handshakeQueueMax } = limits;
  // The first ones wait, as many as there is room for; all that come later have their answers already.
  assertEquals(bench.machine.memory.handshakes, handshakeQueueMax);
  assertEquals(bench.machine.drops.of("handshake queue full"), before - 1 - handshakeQueueMax);
  assertEquals(bench.sent.length, flood - before + 1);
  for (const { bytes } of bench.sent.splice(0)) assertEquals(readWord(bytes)?.type, PacketType.RETRY);
  const newcomer = puller();
  const from = { ...us, port: 4001 };
  bench.hear(from, newcomer.packet);
  newcomer.handleRetry(retry.decode(bench.sent.pop()!.bytes)!.cookie.slice());
  bench.hear(from, newcomer.packet);
  for (let i = 0; bench.sent.length === 0 && i < 40; i++) bench.end(bench.serving.shift()!);
  assertEquals(bench.sent[0].to, from);
  const result = newcomer.handle(bench.sent[0].bytes);
  assert(result && result !== "next" && result.answer.granted);
});

Deno.test("exposer: the rate of all pullers together is kept, and its deadline says when it goes on", () => {
  const bench = new ExposerBench({ limitRate: 100_000 });
  const grant = bench.grant();
  const start = bench.now;
  let most = 0;
  for (let number = 1; bench.now < start + 20_000; number++) {
    bench.hear(us, request(grant, number % 900, { number, receipt: grant.receipt }));
    bench.serveAll();
    const { deadline } = bench.machine;
    assertGreaterOrEqual(deadline, bench.now);
    bench.tick(10);
    bench.serveAll();
    most = Math.max(most, bench.served - (bench.now - start) * 100);
  }
  // Its burst, and one answer of debt.
  assertLessOrEqual(most, 16_384 + 4200);
});

Deno.test("exposer: refusals are rare: one to a host in 100 ms, whatever it sends", () => {
  const bench = new ExposerBench();
  const packets = [
    random(150).with(0, 0x24).with(2, 0x05).with(3, 0x94).with(1, 0),
    random(150).with(0, 0x37),
    random(150).with(0, 0x14),
  ];
  for (let i = 0; i < 1000; i++) {
    bench.now++;
    bench.hear({ ...us, port: 1 + i }, packets[i % 3].with(128, 0).with(129, 0).with(130, 0));
  }
  assertLessOrEqual(bench.sent.length, 10);
  assertGreaterOrEqual(bench.sent.length, 9);
  for (const { bytes } of bench.sent) assertEquals(bytes.length, 12);
});

Deno.test("exposer: refusals, RETRYs and data of any version are never answered", () => {
  const bench = new ExposerBench();
  for (let version = 0; version < 16; version++) {
    for (const type of [PacketType.REFUSAL, PacketType.RETRY, PacketType.CHUNK_DATA]) {
      bench.now += 1000;
      bench.hear(us, random(60).with(0, (version << 4) | type));
    }
    assertEquals(bench.sent.length, 0);
  }
  bench.hear(us, random(60).with(0, 0x37));
  assertEquals(refusal.decode(bench.sent[0].bytes)?.field, RefusalReason.VERSION);
});

Deno.test("exposer: nobody's first packet gets more than it was", () => {
  const { integer, chance } = seededRandom(7);
  const bench = new ExposerBench();
  for (let i = 0; i < 3000; i++) {
    bench.now += 200;
    const packet = random(1 + integer(chance(0.5) ? 60 : 1400));
    packet[0] = chance(0.8) ? 0x20 | integer(16) : integer(256);
    bench.hear({ host: `203.0.113.${i % 250}`, port: 1 + i }, packet);
    const answered = bench.sent.splice(0).reduce((sum, { bytes }) => sum + bytes.length, 0);
    assertLessOrEqual(answered, packet.length);
    assertEquals(bench.serving.length, 0);
  }
});

Deno.test("exposer: a source that changed is said with a MAC, to a puller that asked", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  bench.hear(us, request(grant, 1));
  bench.end(bench.serving.shift()!, false);
  const [{ bytes, to }] = bench.sent;
  assertEquals(to, us);
  const message = refusal.decode(bytes)!;
  assertEquals([message.field, message.echo], [RefusalReason.SOURCE_CHANGED, tag]);
  assertEquals(bytes.slice(-8), packetMac(engine, grant.pullKey, bytes.slice(0, -8)));
});

Deno.test("exposer: a keepalive keeps, and is echoed when it asks", () => {
  const bench = new ExposerBench();
  const { token, pullKey } = bench.grant();
  const mac = (packet: Uint8Array) => packetMac(engine, pullKey, packet);
  for (const flags of [0, 1]) {
    bench.hear(us, keepalive.encode({ tag, number: 5, token }, { flags }, mac));
    assertEquals(bench.sent.length, flags);
  }
  const echo = keepaliveEcho.decode(bench.sent[0].bytes)!;
  assertEquals([echo.number, echo.flags], [5, 2]);
  bench.hear(us, keepalive.encode({ tag, number: 5, token }, {}, () => random(8)));
  assertEquals(bench.machine.drops.of("wrong mac"), 1);
  assertEquals(bench.machine.memory.liveTokens, 1);
  bench.tick(limits.tokenIdleMsMax + 5001);
  assertEquals(bench.machine.memory.liveTokens, 0);
});

Deno.test("exposer: who only keeps its way open does not count as pulling, and is told all the same when it is withdrawn", () => {
  const bench = new ExposerBench();
  const { token, pullKey } = bench.grant();
  const mac = (packet: Uint8Array) => packetMac(engine, pullKey, packet);
  for (let number = 0; number < 10; number++) {
    bench.hear(us, keepalive.encode({ tag, number, token }, {}, mac));
    // One of two gets lost.
    bench.tick(2 * limits.keepaliveIntervalMs);
    assertEquals(bench.machine.pullers(bench.now), []);
  }
  bench.sent.length = 0;
  bench.machine.withdraw(bench.now, exposure.sealed.id);
  bench.drain();
  const [{ to, bytes }] = bench.sent;
  const message = complete.decode(bytes)!;
  assertEquals([to, message.field, message.tag], [us, CompleteReason.WITHDRAWN, tag]);
  assertEquals(bytes.slice(-8), packetMac(engine, pullKey, bytes.slice(0, -8)));
});

Deno.test("exposer: it says who came and who left, once", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  for (let number = 1; number <= 3; number++) bench.hear(us, request(grant, number));
  bench.serveAll();
  assertEquals(bench.machine.pullers(bench.now).length, 1);
  for (let i = 0; i < 2; i++) bench.hear(us, request(grant, 4 + i, { sections: [], done: true }));
  assertEquals(bench.machine.pullers(bench.now).length, 0);
  bench.tick(60_000);
  assertEquals(bench.events.map((event) => event.kind), ["granted", "left"]);
  const left = bench.events[1];
  assert(left.kind === "left" && left.done);
  assertEquals(left.bytesSent, bench.served);
  assertLess(bench.served, leastWireBytes(exposure));
});

Deno.test("exposer: a token ends with its ticket, or with the state of the policy that granted it, in the middle of a pull", () => {
  const bench = new ExposerBench();
  const policy = { isGood: true, epoch: 7 };
  bench.machine.add({
    ...exposedOf(exposure, () => psk),
    stillGood: () => policy.isGood,
    epoch: () => policy.epoch,
  });
  let number = 0;
  const served = (grant: Parameters<typeof request>[0]) => {
    const before = bench.served;
    bench.hear(us, request(grant, ++number));
    bench.serveAll();
    return bench.served > before;
  };
  const grant = bench.grant();
  assert(served(grant));
  policy.epoch = 8;
  const refused = bench.sent.length;
  assert(!served(grant));
  assertEquals(bench.machine.memory.liveTokens, 0);
  assertEquals(refusal.decode(bench.sent[refused].bytes)?.field, RefusalReason.TOKEN);
  const again = bench.grant();
  assert(served(again));
  // Its ticket has expired meanwhile: nobody has told the machine.
  policy.isGood = false;
  assert(!served(again));
  assertEquals(bench.machine.memory.liveTokens, 0);
});

Deno.test("exposer: when nobody has come for as long as a token lives, nothing is left to do", () => {
  const bench = new ExposerBench();
  bench.grant();
  // Nobody is remembered, but secrets in memory wait to be overwritten.
  bench.tick(limits.tokenLifeMsMax - 1000);
  assert(bench.machine.deadline < Infinity);
  bench.tick(11_000);
  assertEquals(bench.machine.deadline, Infinity);
  assert(readWord(request(bench.grant(), 1))?.type === PacketType.PULL_REQUEST);
});
