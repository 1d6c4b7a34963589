import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../../tests/_assert.ts";
import { simExposure } from "../../tests/sim/transfer.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import type { SeededRandom } from "../../tests/sim/random.ts";
import { blockPlan } from "../../codec/geometry.ts";
import type { Grant } from "../../codec/grant.ts";
import { CHUNK_HEADER_BYTES, chunkDataPiece, PAGE_BIT, stampChunkHeader } from "../../codec/packet.ts";
import { decodePullRequest } from "../../codec/pull_request.ts";
import type { PullRequest } from "../../codec/pull_request.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { packetMacIsRight } from "../../crypto/tokens.ts";
import { pieceBytes } from "../exposure/pieces.ts";
import { ChunkPlan } from "./chunk_plan.ts";
import { DropCounter } from "./drops.ts";
import { Flow } from "./flow.ts";
import { PiecesInHand } from "./pieces_in_hand.ts";

const exposure = await simExposure(1, 400_000, { chunkSize: 16_384 });
const { manifest, sealed } = exposure;
const pieces = [...Array.from({ length: sealed.chunkCount }, (_, i) => i), PAGE_BIT];
const tag = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

function grantOf(random: SeededRandom, changes: Partial<Grant> = {}): Grant {
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

/** A flow with everything around it, a model of what has arrived, and answers that a test can deliver, lose or repeat. */
class Bench {
  now = 0;
  symbolSize = 1428;
  readonly plan: ChunkPlan;
  readonly hand: PiecesInHand;
  readonly flow: Flow;
  readonly drops = new DropCounter();
  /** Requests that were sent, newest last. */
  readonly requests: PullRequest[] = [];
  /** Answers that are on their way. */
  readonly answers: Uint8Array[] = [];
  /** Symbols here, by piece in assembly. */
  readonly got = new Map<number, Set<number>>();
  readonly settled = new Set<number>();
  grant: Grant;
  readonly #random: SeededRandom;

  constructor(seed: number, options: { limitRate?: number; roundTrip?: number; pullRateMax?: number } = {}) {
    const { limitRate, roundTrip = 20, pullRateMax = 0 } = options;
    this.#random = seededRandom(seed);
    this.grant = grantOf(this.#random, { pullRateMax });
    this.plan = new ChunkPlan({
      chunks: sealed.chunkCount,
      hasLeaves: () => false,
      candidates: () => undefined,
    });
    this.hand = new PiecesInHand(manifest, this.plan, this.symbolSize);
    this.flow = new Flow(0, this.hand, {
      engine,
      grant: this.grant,
      tag,
      roundTrip,
      burstPacketsMax: 80,
      drops: this.drops,
      ...(limitRate !== undefined && { limitRate }),
    });
  }

  /** Sends what may be sent; the exposer answers each request as a new one. */
  request(): void {
    for (let bytes = this.flow.nextRequest(this.now); bytes; bytes = this.flow.nextRequest(this.now)) {
      assert(packetMacIsRight(engine, this.grant.pullKey, bytes));
      const request = decodePullRequest(bytes)!;
      assertEquals(request.token, this.grant.token);
      assertEquals(request.symbolSize, this.symbolSize);
      this.requests.push(request);
      for (const { piece, first, count } of request.sections[0]) {
        for (let i = first; i < first + count; i++) this.answers.push(this.answer(request.number, piece, i));
      }
    }
  }

  answer(number: number, piece: number, symbol: number, receipt = 77): Uint8Array {
    const stride = CHUNK_HEADER_BYTES + this.symbolSize;
    const packet = sealed.store.packets(piece, this.symbolSize)!.slice(
      symbol * stride,
      (symbol + 1) * stride,
    );
    stampChunkHeader(packet, 0, tag, number, receipt);
    return packet;
  }

  deliver(packet: Uint8Array): void {
    const piece = chunkDataPiece(packet);
    const inHand = this.hand.assembly(piece);
    if (inHand && packet.length <= CHUNK_HEADER_BYTES + this.symbolSize) {
      const { symbols } = blockPlan(pieceBytes(manifest, piece)!, this.symbolSize);
      const got = this.got.get(piece) ?? new Set();
      // These pieces are of one block each, so an index is a symbol.
      if (packet[3] < symbols) this.got.set(piece, got.add(packet[3]));
    }
    const whole = this.flow.handleSymbol(this.now, packet);
    if (!whole) return;
    this.hand.complete(whole);
    this.got.delete(piece);
    this.hand.settle(piece);
    assert(!this.settled.has(piece), `piece ${piece} was whole twice`);
    this.settled.add(piece);
    if (piece >= PAGE_BIT) this.plan.settlePage(0, true);
    else this.plan.settleChunk(piece, true);
  }

  restart(): void {
    this.flow.forget();
    this.symbolSize = 1200;
    this.hand.restart(1200);
    this.answers.length = 0;
    this.got.clear();
  }

  /** What is under way is what is neither here nor free to be asked for. */
  check(): void {
    let lacking = 0;
    for (const piece of pieces) {
      const assembly = this.hand.assembly(piece);
      if (!assembly) continue;
      const { symbols } = blockPlan(pieceBytes(manifest, piece)!, this.symbolSize);
      lacking += symbols - (this.got.get(piece)?.size ?? 0) - assembly.needed;
    }
    assertEquals(this.flow.underWay, lacking);
    assertLessOrEqual(this.flow.underWay, 1024);
    assert(!Number.isNaN(this.flow.deadline));
  }
}

Deno.test("flow: what is under way is the sum of what requests lack, and no symbol is lost for ever", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const bench = new Bench(seed, seed % 3 === 0 ? { limitRate: 200_000 } : {});
    const random = seededRandom(seed, "operations");
    const { integer, chance, float } = random;
    for (let i = 0; i < 400 && !bench.plan.finished; i++) {
      bench.now += float() * 5;
      const what = integer(40);
      const at = integer(bench.answers.length);
      const packet = bench.answers[at];
      if (what === 0) {
        bench.grant = grantOf(random);
        const lost = chance(0.5);
        const { underWay } = bench.flow;
        bench.flow.renew(bench.now, bench.grant, lost);
        assertEquals(bench.flow.underWay, lost ? 0 : underWay);
      } else if (what === 1 && bench.symbolSize === 1428 && chance(0.3)) bench.restart();
      else if (what <= 4) {
        bench.now = Math.max(bench.now, Math.min(bench.flow.deadline, bench.now + 5000));
        bench.flow.handleTimeout(bench.now);
      } else if (what <= 6) bench.answers.splice(at, 1);
      else if (what <= 8 && packet) bench.deliver(packet);
      else if (packet) bench.deliver(bench.answers.splice(at, 1)[0]);
      bench.check();
      bench.request();
      bench.check();
    }
    // From now on everything that is asked for comes.
    for (let rounds = 0; !bench.plan.finished; rounds++) {
      assert(rounds < 2000, `seed ${seed}: ${bench.settled.size} of ${pieces.length} pieces`);
      for (const packet of bench.answers.splice(0)) bench.deliver(packet);
      bench.now = Math.max(bench.now + 1, Math.min(bench.flow.deadline, bench.now + 5000));
      bench.flow.handleTimeout(bench.now);
      bench.request();
      bench.check();
    }
    assertEquals(bench.settled.size, pieces.length);
    assertEquals(bench.flow.underWay, 0);
  }
});

Deno.test("flow: a timeout takes what has had its time, not what was sent a moment ago", () => {
  let tried = 0;
  for (let limitRate = 60_000; limitRate < 300_000; limitRate += 1000) {
    const bench = new Bench(1, { limitRate });
    bench.request();
    const before = bench.flow.underWay;
    const limitEnds = bench.flow.deadline;
    bench.now = limitEnds;
    if (bench.flow.handleTimeout(limitEnds) === "lost") continue;
    bench.request();
    const late = bench.flow.underWay - before;
    const silentAt = bench.flow.deadline;
    if (late === 0 || silentAt > limitEnds + 10) continue;
    // The limit has let one more go, just before the silence is too long for those before it.
    tried++;
    bench.now = silentAt;
    assertEquals(bench.flow.handleTimeout(silentAt), "lost");
    assertEquals([bench.flow.underWay, bench.flow.symbolsLost], [late, before]);
    for (const packet of bench.answers.slice(-late)) bench.deliver(packet);
    assertEquals(bench.flow.underWay, 0);
  }
  assertGreater(tried, 0);
});

Deno.test("flow: receipts of answers under an old token do not go into requests under the new one", () => {
  const bench = new Bench(2);
  bench.request();
  const late = bench.answers.splice(0, 4);
  bench.grant = grantOf(seededRandom(9));
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
  bench.deliver(bench.answer(next.number, next.sections[0][0].piece, next.sections[0][0].first, 4242));
  assertEquals(decodePullRequest(bench.flow.doneRequest(bench.now))!.receipt, 4242);
});

Deno.test("flow: requests repeat what was asked for before, but not across tokens: the new one's window does not know it", () => {
  for (const renewed of [false, true]) {
    const bench = new Bench(2);
    bench.request();
    assert(bench.requests.length > 1);
    assertEquals(bench.requests[1].sections[1], bench.requests[0].sections[0]);
    bench.grant = grantOf(seededRandom(9));
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
