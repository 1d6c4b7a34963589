import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "../../tests/_assert.ts";
import { FlowBench, grantOf, largeChunks, pullOver, smallChunks, tag } from "../../tests/sim/flow_bench.ts";
import type { Way } from "../../tests/sim/flow_bench.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { stampChunkHeader } from "../../codec/packet.ts";
import { decodePullRequest } from "../../codec/pull_request.ts";
import { limits } from "../../core/limits.ts";

const ways: Readonly<Record<string, Way>> = {
  "next door": { delayMs: 0.2 },
  "far": { delayMs: 300 },
  "slow": { delayMs: 20, rate: 0.2 },
  "lossy": { lossRate: 0.1 },
  "very lossy": { lossRate: 0.6 },
  "disordered": { jitterMs: 15 },
  "doubling": { doubleRate: 0.3 },
  "all of it": { jitterMs: 30, lossRate: 0.2, doubleRate: 0.2, rate: 3 },
};

for (const [name, way] of Object.entries(ways)) {
  Deno.test(`flow: over a way that is ${name} everything arrives, and what is under way is what requests lack`, () => {
    for (const exposure of [smallChunks, largeChunks]) {
      for (const limitRate of [undefined, 2_000_000]) {
        const bench = new FlowBench(1, { exposure, ...(limitRate && { limitRate }) });
        pullOver(bench, way);
        if (way.lossRate) assertGreater(bench.parityAsked, 0);
        else if (!way.jitterMs) assertEquals(bench.parityAsked, 0);
      }
    }
  });
}

Deno.test("flow: what is under way is the sum of what requests lack, and no symbol is lost for ever, whatever happens", () => {
  let parity = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const exposure = seed % 5 === 0 ? largeChunks : smallChunks;
    const bench = new FlowBench(seed, { exposure, ...(seed % 3 === 0 && { limitRate: 200_000 }) });
    const random = seededRandom(seed, "operations");
    const { integer, chance, float } = random;
    const doubles = seed % 2 === 0;
    for (let i = 0; i < 600 && !bench.plan.finished; i++) {
      bench.now += float() * 5;
      const what = integer(40);
      const at = integer(Math.min(bench.answers.length, 50));
      const packet = bench.answers[at];
      if (what === 0 && chance(0.3)) {
        bench.grant = grantOf(random, exposure);
        const lost = chance(0.5);
        const { underWay } = bench.flow;
        bench.flow.renew(bench.now, bench.grant, lost);
        assertEquals(bench.flow.underWay, lost ? 0 : underWay);
      } else if (what === 1 && bench.symbolSize === 1428 && chance(0.1)) bench.restart();
      else if (what <= 4) bench.wait(chance(0.3) ? 5000 : 30);
      else if (what <= 8) bench.answers.splice(at, 1);
      else if (what <= 10 && packet && doubles) bench.deliver(packet);
      else if (packet) bench.deliver(bench.answers.splice(at, 1)[0]);
      bench.check();
      bench.request();
      bench.check();
      // A symbol that came twice has taken the place of another one; and a block that is whole does not count what comes late.
      if (!doubles && exposure === smallChunks) assertLessOrEqual(bench.hand.asked, bench.flow.underWay);
    }
    // From now on everything that is asked for comes.
    for (let rounds = 0; !bench.plan.finished; rounds++) {
      assert(rounds < 5000, `seed ${seed}: ${bench.settled.size} of ${bench.pieces.length} pieces`);
      for (const packet of bench.answers.splice(0)) bench.deliver(packet);
      bench.now++;
      bench.wait(5000);
      bench.request();
      bench.check();
    }
    assertEquals(bench.settled.size, bench.pieces.length);
    parity += bench.parityAsked;
  }
  assertGreater(parity, 1000);
});

Deno.test("flow: a timeout takes what has had its time, not what was sent a moment ago", () => {
  let tried = 0;
  for (let limitRate = 60_000; limitRate < 320_000; limitRate += 10_000) {
    const bench = new FlowBench(1, { limitRate });
    bench.request();
    // The first request is answered; then nothing more.
    while (bench.now < 20) bench.wait(20 - bench.now);
    const { count } = bench.requests[0].sections[0][0];
    for (const packet of bench.answers.splice(0, count)) bench.deliver(packet);
    const early = bench.answers.length;
    // The limit lets one more go now and then, until the silence has been too long for the first ones.
    bench.request();
    assertEquals(bench.answers.length, early);
    for (let steps = 0; bench.wait(Infinity) !== "lost"; steps++) {
      assert(steps < 1000);
      bench.request();
    }
    const late = bench.answers.length - early;
    if (late > 0) tried++;
    assertEquals([bench.flow.underWay, bench.flow.symbolsLost], [late, early]);
    for (const packet of bench.answers.slice(early)) bench.deliver(packet);
    bench.check();
    assertEquals(bench.flow.underWay, 0);
  }
  assertGreater(tried, 5);
});

Deno.test("flow: while nothing comes it asks again, ever more rarely, each time more often; then it goes on as if nothing had been", () => {
  const bench = new FlowBench(8);
  const lostAt: number[] = [];
  bench.request();
  while (bench.now < 30_000) {
    assertLess(lostAt.length, 100);
    if (bench.wait(Infinity) === "lost") {
      lostAt.push(bench.now);
      assertEquals(bench.flow.silentTimeouts, lostAt.length);
      bench.answers.length = 0;
      assertEquals(bench.flow.underWay, 0);
    }
    bench.request();
    bench.check();
    assertGreater(bench.flow.underWay, 0);
  }
  const gaps = lostAt.slice(1).map((at, i) => at - lostAt[i]);
  for (const [i, gap] of gaps.entries()) assert(gap <= 3000.001 && gap >= (gaps[i - 1] ?? 0) - 1e-6);
  assertGreater(gaps.at(-1)!, 2000);
  const copies = bench.requests.map(({ number }) => bench.copies.get(number)!);
  assertEquals(copies[0], 1);
  assert(copies.at(-1)! > 1 && copies.at(-1)! <= 8);
  bench.deliver(bench.answers.shift()!);
  assertEquals(bench.flow.silentTimeouts, 0);
  assertLess(bench.flow.deadline, bench.now + 3001);
  pullOver(bench, {});
});

Deno.test("flow: where nothing gets lost a request is sent once, and after the start it repeats nothing", () => {
  const bench = new FlowBench(9, { exposure: largeChunks });
  pullOver(bench, { rate: 2 });
  for (const [number, copies] of bench.copies) assertEquals(copies, 1, `request ${number}`);
  const late = bench.requests.slice(bench.requests.length >> 1);
  assertGreater(late.length, 5);
  assertEquals(late.flatMap(({ sections }) => sections.slice(1).flat()), []);
});

Deno.test("flow: where much gets lost requests repeat what was not answered yet, word for word, and the last ones go out more than once", () => {
  const bench = new FlowBench(9, { exposure: largeChunks });
  pullOver(bench, { rate: 2, lossRate: 0.2 });
  const sent = new Map(bench.requests.map((request) => [request.number, request]));
  let repeated = 0;
  for (const { number, sections } of bench.requests) {
    for (const [age, entries] of sections.entries()) {
      if (entries.length === 0 || age === 0) continue;
      assertEquals(entries, sent.get(number - age)!.sections[0]);
      repeated++;
    }
  }
  assertGreater(repeated, bench.requests.length / 4);
  const copies = bench.requests.map(({ number }) => bench.copies.get(number)!);
  const most = Math.max(...copies);
  assert(most > 1 && most <= 8, `${most} times`);
  const mean = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const half = copies.length >> 1;
  assertGreater(mean(copies.slice(-5)), mean(copies.slice(0, half)));
});

Deno.test("flow: when all that is left is in hand, more luck is allowed for than before", () => {
  const bench = new FlowBench(1, { exposure: largeChunks });
  pullOver(bench, { rate: 2, lossRate: 0.15 });
  const { before, tail } = bench.hand.margins;
  assertGreater(Math.min(...tail), Math.min(...before));
});

Deno.test("flow: requests follow each other at a pace, not all at once when a window opens", () => {
  const bench = new FlowBench(10, { exposure: largeChunks, roundTrip: 100 });
  // Answers come all at once, as requests would without a pace.
  pullOver(bench, { delayMs: 100 });
  const byTime = new Map<number, number>();
  let [most, mostAtOnce] = [0, 0];
  const from = bench.sentAt.length >> 2;
  for (const [i, { sections }] of bench.requests.entries()) {
    if (i < from) continue;
    const symbols = sections[0].reduce((sum, { count, parityCount }) => sum + count + parityCount, 0);
    byTime.set(bench.sentAt[i], (byTime.get(bench.sentAt[i]) ?? 0) + symbols);
  }
  for (const [at, symbols] of byTime) {
    mostAtOnce = Math.max(mostAtOnce, symbols);
    const within = byTime.entries().filter(([other]) => other >= at && other < at + 100);
    most = Math.max(most, within.reduce((sum, [, one]) => sum + one, 0));
  }
  assertLess(mostAtOnce, most / 2);
});

Deno.test("flow: symbols of a size that the way swallows: what is under way is forgotten, and smaller ones bring it all", () => {
  const bench = new FlowBench(11);
  bench.request();
  const late = bench.answers.slice(0, 3);
  for (let i = 0; i < 3; i++) bench.wait(Infinity);
  bench.restart();
  assertEquals([bench.flow.underWay, bench.hand.pieces], [0, 0]);
  bench.check();
  bench.request();
  const { underWay } = bench.flow;
  assertGreater(underWay, 0);
  for (const packet of late) bench.deliver(packet);
  bench.check();
  assertEquals(bench.flow.underWay, underWay);
  assertEquals(bench.drops.of("malformed"), 3);
  pullOver(bench, { lossRate: 0.1 });
});

Deno.test("flow: a token that is good no longer: all that it was asked for is asked for again, at once", () => {
  const bench = new FlowBench(12);
  bench.request();
  while (bench.flow.silentTimeouts < 4) {
    bench.wait(Infinity);
    bench.request();
  }
  bench.grant = grantOf(seededRandom(9), bench.exposure);
  bench.answers.length = 0;
  bench.flow.renew(bench.now, bench.grant, true);
  assertEquals([bench.flow.underWay, bench.flow.silentTimeouts, bench.hand.asked], [0, 0, 0]);
  bench.request();
  bench.check();
  assertGreater(bench.flow.underWay, 0);
  assertLess(bench.flow.deadline, bench.now + 1001);
  pullOver(bench, {});
});

Deno.test("flow: receipts of answers under an old token do not go into requests under the new one", () => {
  const bench = new FlowBench(2);
  bench.request();
  const late = bench.answers.splice(0, 4);
  bench.grant = grantOf(seededRandom(9), bench.exposure);
  bench.flow.renew(bench.now, bench.grant, false);
  for (const packet of late) bench.deliver(packet);
  for (const packet of bench.answers.splice(0)) bench.deliver(packet);
  const before = bench.requests.length;
  bench.request();
  const next = bench.requests[before];
  assertEquals(next.receipt, bench.grant.receipt);
  assertEquals(next.received, 0);
  // And nothing is repeated that a new token's window does not know.
  assertEquals(next.sections.slice(1).flat(), []);
  bench.deliver(
    bench.answer(next.number, next.sections[0][0].piece, next.sections[0][0].first, undefined, 4242),
  );
  assertEquals(decodePullRequest(bench.flow.doneRequest(bench.now))!.receipt, 4242);
});

Deno.test("flow: requests repeat what was asked for before, but not across tokens: the new one's window does not know it", () => {
  for (const renewed of [false, true]) {
    const bench = new FlowBench(2);
    bench.request();
    assert(bench.requests.length > 1);
    assertEquals(bench.requests[1].sections[1], bench.requests[0].sections[0]);
    bench.grant = grantOf(seededRandom(9), bench.exposure);
    if (renewed) bench.flow.renew(bench.now, bench.grant, false);
    else bench.grant = { ...bench.grant, pullKey: bench.flow.pullKey, token: bench.requests[0].token };
    // The first is answered, and makes room for another one; those after it are not.
    const before = bench.requests.length;
    bench.now = 20;
    const { count } = bench.requests[0].sections[0][0];
    for (const packet of bench.answers.splice(0, count)) bench.deliver(packet);
    bench.request();
    assertGreater(bench.requests.length, before);
    assertEquals(bench.requests[before].sections.slice(1).flat().length > 0, !renewed);
  }
});

Deno.test("flow: a packet with a wrong tag is not its own, one with a number that was never used is dropped without effect", () => {
  const bench = new FlowBench(3);
  bench.request();
  const { underWay } = bench.flow;
  const [packet] = bench.answers;
  assertEquals([packet, packet.with(5, packet[5] ^ 1)].map((one) => bench.flow.owns(one)), [true, false]);
  for (const number of [bench.requests.at(-1)!.number + 1, 2 ** 32 - 1]) {
    const forged = packet.slice();
    stampChunkHeader(forged, 0, tag, number, 1);
    bench.flow.handleSymbol(1, forged);
  }
  assertEquals([bench.flow.underWay, bench.flow.symbolsLost, bench.flow.bytesReceived], [underWay, 0, 0]);
  assertEquals(bench.drops.of("unexpected"), 2);
});

Deno.test("flow: a process that was held up looks at what has come before it believes in silence, once", () => {
  const bench = new FlowBench(10);
  bench.request();
  const answers = bench.answers.splice(0);
  const silentAt = bench.flow.deadline;
  // It wakes 400 ms late, and the answers lie in its socket.
  bench.now = silentAt + 400;
  assertEquals(bench.flow.handleTimeout(bench.now), undefined);
  assertGreater(bench.flow.deadline, bench.now);
  assertLessOrEqual(bench.flow.deadline, bench.now + 400);
  for (const packet of answers) bench.deliver(packet);
  assertEquals([bench.flow.underWay, bench.flow.symbolsLost, bench.flow.silentTimeouts], [0, 0, 0]);
  // Nothing came of the next ones: late or not, the second look counts.
  bench.request();
  const { underWay } = bench.flow;
  for (const outcome of [undefined, "lost"]) {
    bench.now += 5000;
    assertEquals(bench.flow.handleTimeout(bench.now), outcome);
  }
  assertEquals([bench.flow.underWay, bench.flow.symbolsLost], [0, underWay]);
});

Deno.test("flow: a timeout that is shorter than the way is found out by the answers that come after it", () => {
  const bench = new FlowBench(4, { roundTrip: 10 });
  // Every answer takes half a second.
  const onTheWay: { at: number; packet: Uint8Array }[] = [];
  let timeouts = 0;
  for (let step = 0; step < 3000 && !bench.plan.finished; step++) {
    bench.request();
    for (const packet of bench.answers.splice(0)) onTheWay.push({ at: bench.now + 500, packet });
    const arrival = onTheWay[0]?.at ?? Infinity;
    bench.now = Math.max(bench.now, Math.min(arrival, bench.flow.deadline));
    if (arrival <= bench.now) bench.deliver(onTheWay.shift()!.packet);
    else if (bench.flow.handleTimeout(bench.now) === "lost" && bench.now > 3000) timeouts++;
  }
  assert(bench.plan.finished);
  assertEquals(timeouts, 0, "after a few round trips it knows");
  assertGreater(bench.flow.roundTrip, 200);
});

Deno.test("flow: bytes received are reported modulo 2^32", () => {
  const bench = new FlowBench(5);
  bench.request();
  for (const packet of bench.answers.splice(0)) bench.deliver(packet);
  const { received } = decodePullRequest(bench.flow.doneRequest(1))!;
  assertEquals(received, bench.flow.bytesReceived);
  assertGreater(received, 1000);
});

Deno.test("flow: the exposer's ceiling is kept as if it were ours", () => {
  for (
    const options of [{ pullRateMax: 50_000 }, { limitRate: 50_000 }, {
      pullRateMax: 50_000,
      limitRate: 1e9,
    }]
  ) {
    const bench = new FlowBench(6, options);
    let asked = 0;
    while (bench.now < 4000) {
      bench.request();
      for (const packet of bench.answers.splice(0)) {
        asked += packet.length;
        bench.deliver(packet);
      }
      bench.now += 10;
      if (bench.now >= bench.flow.deadline) bench.flow.handleTimeout(bench.now);
    }
    assertLessOrEqual(asked, 50_000 * 4 + 16_384 + 80 * 1452);
    assertGreater(asked, 50_000 * 4 * 0.9);
  }
});

Deno.test("flow: idle, it keeps the way open every few seconds, and each fourth time asks for an echo", () => {
  for (let start = 0; start < 20; start++) {
    const bench = new FlowBench(7);
    // A fraction that sums and differences round.
    bench.now = start / 7;
    bench.request();
    bench.flow.forget(bench.now);
    const flags: number[] = [];
    for (let i = 0; i < 8; i++) {
      const { deadline } = bench.flow;
      assertEquals(bench.flow.handleTimeout(deadline - 0.01), undefined);
      assertEquals(bench.flow.handleTimeout(deadline), "keepalive");
      flags.push(bench.flow.keepalive(deadline)[1]);
      assert(bench.flow.deadline > deadline + limits.keepaliveIntervalMs - 1);
    }
    assertEquals(flags, [0, 0, 0, 1, 0, 0, 0, 1]);
  }
});
