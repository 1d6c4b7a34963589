import { assert, assertEquals, assertLessOrEqual } from "../_assert.ts";
import { simExposure } from "./transfer.ts";
import type { SimExposure } from "./transfer.ts";
import { seededRandom } from "./random.ts";
import type { SeededRandom } from "./random.ts";
import type { Grant } from "../../codec/grant.ts";
import { blockOf, blockPlan } from "../../codec/geometry.ts";
import { chunkDataRequest, PAGE_BIT, stampChunkHeader } from "../../codec/packet.ts";
import { decodePullRequest } from "../../codec/pull_request.ts";
import type { PullRequest, RequestEntry } from "../../codec/pull_request.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { packetMacIsRight } from "../../crypto/tokens.ts";
import { packetsFor } from "../../transport/answer_train.ts";
import { pieceBytes } from "../../transport/exposure/pieces.ts";
import { answersOf } from "../../transport/protocol/answers.ts";
import type { Assembly } from "../../transport/protocol/assembly.ts";
import type { SymbolRun, Weather } from "../../transport/protocol/assembly.ts";
import { ChunkPlan } from "../../transport/protocol/chunk_plan.ts";
import { trafficClasses } from "../../transport/protocol/traffic_class.ts";
import { DropCounter } from "../../transport/protocol/drops.ts";
import { Flow } from "../../transport/protocol/flow.ts";
import { PiecesInHand } from "../../transport/protocol/pieces_in_hand.ts";

/** The flow tag of all of them. */
export const tag: Uint8Array = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
/** 25 chunks of one block each. */
export const smallChunks: SimExposure = await simExposure(1, 400_000, { chunkSize: 16_384 });
/** Its chunks are of six blocks each, or seven. */
export const largeChunks: SimExposure = await simExposure(2, 1_500_000, { chunkSize: 1_048_576 });

/** A grant of an exposure, with a token and keys of its own. */
export function grantOf(random: SeededRandom, { sealed }: SimExposure, changes: Partial<Grant> = {}): Grant {
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
  /** The luck that was allowed for, before all that is left was in hand, and then. */
  readonly margins = { before: new Set<number>(), tail: new Set<number>() };

  override takeRuns(max: number, runsMax: number, request: number, weather: Weather): SymbolRun[] {
    this.margins[this.isTail ? "tail" : "before"].add(weather.margin);
    const runs = super.takeRuns(max, runsMax, request, weather);
    for (const { assembly } of runs) if (!this.assemblies.has(assembly)) this.#watch(assembly);
    return runs;
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
export class FlowBench {
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
  /** Requests of which a symbol has come. */
  readonly #answered = new Set<number>();
  parityAsked = 0;
  grant: Grant;
  readonly #random: SeededRandom;

  constructor(
    seed: number,
    options: { limitRate?: number; roundTrip?: number; pullRateMax?: number; exposure?: SimExposure } = {},
  ) {
    const { limitRate, roundTrip = 20, pullRateMax = 0, exposure = smallChunks } = options;
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
      for (const [age, entries] of request.sections.entries()) {
        const isRepeat = age > 0 && entries.length > 0;
        assert(!isRepeat || !this.#answered.has(number - age), "it repeats what was answered");
      }
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
    const { manifest, sealed: { store } } = this.exposure;
    const parityOf = block === undefined ? {} : { parityOf: block };
    const run = { piece, symbolSize: this.symbolSize, first: symbol, count: 1, ...parityOf };
    const packet = packetsFor(store, manifest, run)!;
    stampChunkHeader(packet, 0, tag, number, receipt);
    return packet;
  }

  deliver(packet: Uint8Array): void {
    const number = chunkDataRequest(packet);
    this.#answered.add(number);
    const left = this.underWay.get(number);
    if (left !== undefined) this.underWay.set(number, left - 1);
    const whole = this.flow.handleSymbol(this.now, packet);
    this.flow.settleArrivals();
    if (!whole) return;
    const { piece } = whole;
    assertEquals(this.hand.complete(whole), this.exposure.sealed.store.piece(piece)!.slice());
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
    this.flow.forget(this.now);
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

/** A way there and back that a {@linkcode FlowBench} pulls over until it has everything. */
export interface Way {
  readonly seed?: number;
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly lossRate?: number;
  readonly doubleRate?: number;
  /** Symbols a ms through a queue without end; absent: any number. */
  readonly rate?: number;
}

/** Pulls until everything is here; what is under way must be right all the time. */
export function pullOver(bench: FlowBench, way: Way): void {
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
