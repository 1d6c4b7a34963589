import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "../../tests/_assert.ts";
import { simExposure } from "../../tests/sim/transfer.ts";
import type { SimExposure } from "../../tests/sim/transfer.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import type { SeededRandom } from "../../tests/sim/random.ts";
import type { Grant } from "../../codec/grant.ts";
import { blockOf, blockPlan } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, chunkDataRequest, PAGE_BIT, stampChunkHeader } from "../../codec/packet.ts";
import { decodePullRequest } from "../../codec/pull_request.ts";
import type { PullRequest, RequestEntry } from "../../codec/pull_request.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { packetMacIsRight } from "../../crypto/tokens.ts";
import { depacketise } from "../exposure/packetise.ts";
import { pieceBytes } from "../exposure/pieces.ts";
import { answersOf } from "./answers.ts";
import type { Assembly } from "./assembly.ts";
import type { Weather } from "./assembly.ts";
import { ChunkPlan } from "./chunk_plan.ts";
import { trafficClasses } from "./congestion.ts";
import { DropCounter } from "./drops.ts";
import { Flow } from "./flow.ts";
import { PiecesInHand } from "./pieces_in_hand.ts";
import type { AskedRun } from "./requests_under_way.ts";

const tag = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const small = await simExposure(1, 400_000, { chunkSize: 16_384 });
/** Its chunks are of six blocks each, or seven. */
const large = await simExposure(2, 1_500_000, { chunkSize: 1_048_576 });

function grantOf(random: SeededRandom, { sealed }: SimExposure, changes: Partial<Grant> = {}): Grant {
  return {
    manifest: sealed.manifest,
    exposureKey: sealed.exposureKey,
    token: random.bytes(104),
    pullKey: random.bytes(32),
    receipt: 1 + random.integer(1e9),
    tokenLifeSeconds: 600,
    requestBytesMax: 262_144,
    pullRateMax: 0,
    name: "",
    leaves: new Uint8Array(0),
    ...changes,
  };
}

/** Sees which requests give back what they asked for. */
class WatchedHand extends PiecesInHand {
  readonly released = new Set<number>();
  readonly assemblies = new Set<Assembly>();

  override takeRun(max: number, request: number, weather: Weather): AskedRun | undefined {
    const run = super.takeRun(max, request, weather);
    if (run && !this.assemblies.has(run.assembly)) this.#watch(run.assembly);
    return run;
  }

  /** Symbols that are asked for, over all pieces that are being assembled. */
  get asked(): number {
    return this.assemblies.values().filter((one) => this.assembly(one.piece) === one)
      .reduce((sum, { asked }) => sum + asked, 0);
  }

  #watch(assembly: Assembly): void {
    this.assemblies.add(assembly);
    const release = assembly.release.bind(assembly);
    assembly.release = (run, request) => {
      this.released.add(request);
      return release(run, request);
    };
  }
}

/** A flow with everything around it, a model of what is under way, and answers that a test can deliver, lose or repeat. */
class Bench {
  now = 0;
  symbolSize = 1428;
  readonly exposure: SimExposure;
  readonly pieces: number[];
  readonly plan: ChunkPlan;
  readonly hand: WatchedHand;
  readonly flow: Flow;
  readonly drops = new DropCounter();
  /** Requests that were sent, newest last, and when; how often each. */
  readonly requests: PullRequest[] = [];
  readonly sentAt: number[] = [];
  readonly copies = new Map<number, number>();
  /** Answers that are on their way. */
  readonly answers: Uint8Array[] = [];
  /** By request, how many of its symbols have not come; until it has given back what it asked for. */
  readonly underWay = new Map<number, number>();
  readonly settled = new Set<number>();
  parityAsked = 0;
  grant: Grant;
  readonly #random: SeededRandom;

  constructor(
    seed: number,
    options: { limitRate?: number; roundTrip?: number; pullRateMax?: number; exposure?: SimExposure } = {},
  ) {
    const { limitRate, roundTrip = 20, pullRateMax = 0, exposure = small } = options;
    const { sealed, manifest } = exposure;
    this.exposure = exposure;
    this.pieces = [...Array.from({ length: sealed.chunkCount }, (_, i) => i), PAGE_BIT];
    this.#random = seededRandom(seed);
    this.grant = grantOf(this.#random, exposure, { pullRateMax });
    this.plan = new ChunkPlan({
      chunks: sealed.chunkCount,
      hasLeaves: () => false,
      candidates: () => undefined,
    });
    this.hand = new WatchedHand(manifest, this.plan, this.symbolSize);
    this.flow = new Flow(0, this.hand, {
      engine,
      grant: this.grant,
      tag,
      roundTrip,
      burstPacketsMax: 80,
      traffic: trafficClasses.normal,
      drops: this.drops,
      ...(limitRate !== undefined && { limitRate }),
    });
  }

  /** Sends what may be sent; the exposer answers each request once. */
  request(): void {
    for (let bytes = this.flow.nextRequest(this.now); bytes; bytes = this.flow.nextRequest(this.now)) {
      assert(packetMacIsRight(engine, this.grant.pullKey, bytes));
      const request = decodePullRequest(bytes);
      assert(request, "its entries are not sorted, or not disjoint");
      const { number } = request;
      this.copies.set(number, (this.copies.get(number) ?? 0) + 1);
      if (this.copies.get(number)! > 1) continue;
      assertEquals(request.token, this.grant.token);
      assertEquals(request.symbolSize, this.symbolSize);
      this.requests.push(request);
      this.sentAt.push(this.now);
      const answers = this.answersTo(number, request.sections[0]);
      this.underWay.set(number, answers.length);
      this.answers.push(...answers);
    }
  }

  /** What an exposer that takes the entries sends. */
  answersTo(number: number, entries: readonly RequestEntry[]): Uint8Array[] {
    const { manifest } = this.exposure;
    const answers = answersOf(manifest, entries, this.symbolSize, number);
    assert(answers, "the exposer would drop it");
    assertLessOrEqual(answers.reduce((sum, { bytes }) => sum + bytes, 0), this.grant.requestBytesMax);
    const parities = entries.filter(({ parityCount }) => parityCount > 0).map(({ piece, first }) =>
      `${piece} ${blockOf(blockPlan(pieceBytes(manifest, piece)!, this.symbolSize), first)}`
    );
    assertEquals(new Set(parities).size, parities.length, "a block has one run of parity in a request");
    return answers.flatMap(({ piece, first, count, parityOf }) => {
      if (parityOf !== undefined) this.parityAsked += count;
      return Array.from({ length: count }, (_, i) => this.answer(number, piece, first + i, parityOf));
    });
  }

  answer(number: number, piece: number, symbol: number, block?: number, receipt = 77): Uint8Array {
    const { store } = this.exposure.sealed;
    const stride = CHUNK_HEADER_BYTES + this.symbolSize;
    const packet = block === undefined
      ? store.packets(piece, this.symbolSize)!.slice(symbol * stride, (symbol + 1) * stride)
      : store.parityPackets(piece, this.symbolSize, { block, first: symbol, count: 1 })!.slice();
    stampChunkHeader(packet, 0, tag, number, receipt);
    return packet;
  }

  deliver(packet: Uint8Array): void {
    const number = chunkDataRequest(packet);
    const left = this.underWay.get(number);
    if (left !== undefined) this.underWay.set(number, left - 1);
    const whole = this.flow.handleSymbol(this.now, packet);
    if (!whole) return;
    const { piece } = whole;
    const { manifest, sealed } = this.exposure;
    const bytes = pieceBytes(manifest, piece)!;
    assertEquals(this.hand.complete(whole), depacketise(sealed.store.packets(piece, 1428)!, 1428, bytes));
    this.hand.settle(piece);
    assert(!this.settled.has(piece), `piece ${piece} was whole twice`);
    this.settled.add(piece);
    if (piece >= PAGE_BIT) this.plan.settlePage(0, true);
    else this.plan.settleChunk(piece, true);
  }

  /** The clock moves on, to what the flow waits for at most. */
  wait(ms: number): "lost" | "keepalive" | undefined {
    this.now = Math.max(this.now, Math.min(this.flow.deadline, this.now + ms));
    return this.now >= this.flow.deadline ? this.flow.handleTimeout(this.now) : undefined;
  }

  /** Nothing of full size comes through: begins again with smaller symbols. */
  restart(): void {
    this.flow.forget();
    this.symbolSize = 1200;
    this.hand.restart(1200);
    this.answers.length = 0;
    this.underWay.clear();
  }

  /** What is under way is what has not come of requests that have given nothing back. */
  check(): void {
    for (const number of this.underWay.keys()) {
      if (this.hand.released.has(number)) this.underWay.delete(number);
    }
    assertEquals(this.flow.underWay, this.underWay.values().reduce((sum, left) => sum + left, 0));
    assert(!Number.isNaN(this.flow.deadline));
  }
}

/** A way there and back that a {@linkcode Bench} pulls over until it has everything. */
interface Way {
  readonly seed?: number;
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly lossRate?: number;
  readonly doubleRate?: number;
  /** Symbols a ms through a queue without end; absent: any number. */
  readonly rate?: number;
}

function pullOver(bench: Bench, way: Way): void {
  const { seed = 1, delayMs = 20, jitterMs = 0, lossRate = 0, doubleRate = 0, rate = Infinity } = way;
  const { chance, float } = seededRandom(seed, "way");
  const onTheWay: { at: number; packet: Uint8Array }[] = [];
  let freeAt = 0;
  const put = (packet: Uint8Array) => {
    freeAt = Math.max(freeAt, bench.now) + 1 / rate;
    const at = freeAt + delayMs + float() * jitterMs;
    const behind = onTheWay.findLastIndex((one) => one.at <= at);
    onTheWay.splice(behind + 1, 0, { at, packet });
  };
  for (let steps = 0; !bench.plan.finished; steps++) {
    assert(steps < 100_000, "it never ends");
    bench.request();
    for (const packet of bench.answers.splice(0)) {
      if (chance(lossRate)) continue;
      put(packet);
      if (chance(doubleRate)) put(packet);
    }
    bench.check();
    const next = onTheWay[0]?.at ?? Infinity;
    if (next <= bench.flow.deadline) {
      bench.now = Math.max(bench.now, next);
      bench.deliver(onTheWay.shift()!.packet);
    } else {
      assert(bench.flow.deadline > bench.now - 1e-6, "a deadline that has passed");
      bench.wait(Infinity);
    }
    bench.check();
  }
  assertEquals(bench.settled.size, bench.pieces.length);
}

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
    for (const exposure of [small, large]) {
      for (const limitRate of [undefined, 2_000_000]) {
        const bench = new Bench(1, { exposure, ...(limitRate && { limitRate }) });
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
    const exposure = seed % 5 === 0 ? large : small;
    const bench = new Bench(seed, { exposure, ...(seed % 3 === 0 && { limitRate: 200_000 }) });
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
      if (!doubles && exposure === small) assertLessOrEqual(bench.hand.asked, bench.flow.underWay);
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
    const bench = new Bench(1, { limitRate });
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
  const bench = new Bench(8);
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
  const bench = new Bench(9, { exposure: large });
  pullOver(bench, { rate: 2 });
  for (const [number, copies] of bench.copies) assertEquals(copies, 1, `request ${number}`);
  const late = bench.requests.slice(bench.requests.length >> 1);
  assertGreater(late.length, 5);
  assertEquals(late.flatMap(({ sections }) => sections.slice(1).flat()), []);
});

Deno.test("flow: where much gets lost requests repeat what was not answered yet, word for word, and the last ones go out more than once", () => {
  const bench = new Bench(9, { exposure: large });
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

Deno.test("flow: in a lossy way the last symbols come with more parity than those before them", () => {
  const shares = [false, true].map((isTail) => {
    const asked = { data: 0, parity: 0 };
    for (let seed = 1; seed <= 20; seed++) {
      const bench = new Bench(seed);
      pullOver(bench, { seed, rate: 2, lossRate: 0.15 });
      const from = bench.requests.findIndex(({ sections }) =>
        sections[0].some(({ piece }) => piece === bench.pieces.length - 2)
      );
      const some = isTail ? bench.requests.slice(from) : bench.requests.slice(from >> 1, from);
      for (const { count, parityCount } of some.flatMap(({ sections }) => sections[0])) {
        asked.data += count;
        asked.parity += parityCount;
      }
    }
    return asked.parity / asked.data;
  });
  assertGreater(shares[1], shares[0]);
});

Deno.test("flow: requests follow each other at a pace, not all at once when a window opens", () => {
  const bench = new Bench(10, { exposure: large, roundTrip: 100 });
  pullOver(bench, { delayMs: 100, rate: 2 });
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
  const bench = new Bench(11);
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
  const bench = new Bench(12);
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
  const bench = new Bench(2);
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
    const bench = new Bench(2);
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

Deno.test("flow: a packet with a wrong tag or a number that was never used is dropped without effect", () => {
  const bench = new Bench(3);
  bench.request();
  const { underWay } = bench.flow;
  const [packet] = bench.answers;
  bench.flow.handleSymbol(1, packet.with(5, packet[5] ^ 1));
  for (const number of [bench.requests.at(-1)!.number + 1, 2 ** 32 - 1]) {
    const forged = packet.slice();
    stampChunkHeader(forged, 0, tag, number, 1);
    bench.flow.handleSymbol(1, forged);
  }
  assertEquals([bench.flow.underWay, bench.flow.symbolsLost, bench.flow.bytesReceived], [underWay, 0, 0]);
  assertEquals([bench.drops.of("wrong tag"), bench.drops.of("unexpected")], [1, 2]);
});

Deno.test("flow: a timeout that is shorter than the way is found out by the answers that come after it", () => {
  const bench = new Bench(4, { roundTrip: 10 });
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
  const bench = new Bench(5);
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
    const bench = new Bench(6, options);
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

Deno.test("flow: idle, it keeps the way open every 25 s, and each fourth time asks for an echo", () => {
  for (let start = 0; start < 20; start++) {
    const bench = new Bench(7);
    // A fraction that sums and differences round.
    bench.now = start / 7;
    bench.request();
    bench.flow.forget();
    const flags: number[] = [];
    for (let i = 0; i < 8; i++) {
      const { deadline } = bench.flow;
      assertEquals(bench.flow.handleTimeout(deadline - 0.01), undefined);
      assertEquals(bench.flow.handleTimeout(deadline), "keepalive");
      flags.push(bench.flow.keepalive(deadline)[1]);
      assert(bench.flow.deadline > deadline + 24_999);
    }
    assertEquals(flags, [0, 0, 0, 1, 0, 0, 0, 1]);
  }
});
