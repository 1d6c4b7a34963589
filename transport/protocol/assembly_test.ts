import { assert, assertAlmostEquals, assertEquals, assertLessOrEqual } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { blockPlan, blockStart, blockSymbols } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, writeChunkHeader } from "../../codec/packet.ts";
import { BLOCK_INDEXES, blockData, makeParity } from "../../fec/mod.ts";
import { dataPackets } from "../../tests/sim/data_packets.ts";
import { Assembly } from "./assembly.ts";
import type { SymbolRun, Weather } from "./assembly.ts";

const PIECE = 7;
/** Far below what goes over a wire, so that many pieces are put together in a short time. */
const SMALL = 16;
const CALM: Weather = { lossRate: 0, margin: 0.5 };

/** All packets of a piece, by block and by index in it: its data, then `parity` symbols, or as many as there are. */
function blocksOf(piece: Uint8Array, symbolSize: number, parity = BLOCK_INDEXES): Uint8Array[][] {
  const plan = blockPlan(piece.length, symbolSize);
  const data = dataPackets(PIECE, piece, symbolSize);
  const stride = CHUNK_HEADER_BYTES + symbolSize;
  return Array.from({ length: plan.blocks }, (_, block) => {
    const [first, k] = [blockStart(plan, block), blockSymbols(plan, block)];
    const extra = Array.from(
      { length: Math.min(parity, BLOCK_INDEXES - k) },
      () => new Uint8Array(stride),
    );
    extra.forEach((packet, i) => writeChunkHeader(packet, block, k + i, PIECE));
    const symbols = extra.map((packet) => packet.subarray(CHUNK_HEADER_BYTES));
    makeParity(blockData(piece, plan, block, symbolSize), k, symbols);
    const own = Array.from(
      { length: k },
      (_, i) => data.slice((first + i) * stride, (first + i + 1) * stride),
    );
    return [...own, ...extra];
  });
}

/** All ways to choose `k` of the numbers below `n`, in every order. */
function* arrangements(n: number, k: number, chosen: number[] = []): Generator<number[]> {
  if (chosen.length === k) yield chosen;
  else {
    for (let i = 0; i < n; i++) if (!chosen.includes(i)) yield* arrangements(n, k, [...chosen, i]);
  }
}

/** The numbers below `n`, mixed. */
function shuffled(n: number, integer: (below: number) => number): number[] {
  const left = Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: n }, () => left.splice(integer(left.length), 1)[0]);
}

Deno.test("assembly: any k symbols of data and parity, in every order, each twice, give the piece", () => {
  const { bytes } = seededRandom(1);
  for (const length of [1, SMALL - 1, SMALL, SMALL + 1, 2 * SMALL + 5, 3 * SMALL, 3 * SMALL + 1]) {
    const piece = bytes(length);
    const k = Math.ceil(length / SMALL);
    const [packets] = blocksOf(piece, SMALL, 3);
    for (const order of arrangements(k + 3, k)) {
      const assembly = new Assembly(PIECE, new Uint8Array(length).fill(0xee), SMALL);
      for (const i of order) {
        assert(!assembly.whole);
        assertEquals(assembly.accept(packets[i]), "new");
        assertEquals(assembly.accept(packets[i]), "duplicate");
      }
      assert(assembly.whole);
      for (const packet of packets) assertEquals(assembly.accept(packet), "duplicate", "it can do without");
      assembly.repair();
      assertEquals(assembly.bytes, piece);
      assertEquals(assembly.asked, 0);
    }
  }
});

Deno.test("assembly: the largest chunk on Ethernet, as many of its symbols as must be, of each block and mixed", () => {
  const { bytes, integer } = seededRandom(2);
  const piece = bytes(1_048_576 + 16);
  const blocks = blocksOf(piece, 1428, 40);
  assertEquals(blocks.length, 6);
  for (let round = 0; round < 3; round++) {
    const assembly = new Assembly(PIECE, new Uint8Array(piece.length), 1428);
    const here = blocks.flatMap((packets) =>
      shuffled(packets.length, integer).slice(0, packets.length - 40).map((i) => packets[i])
    );
    for (const i of shuffled(here.length, integer)) {
      assert(!assembly.whole);
      assertEquals(assembly.accept(here[i]), "new");
    }
    assert(assembly.whole);
    assembly.repair();
    assertEquals(assembly.bytes, piece);
  }
});

Deno.test("assembly: symbols that are too long, too short or nowhere in the piece change nothing", () => {
  const { bytes } = seededRandom(3);
  const size = 1200;
  const piece = bytes(2 * size + 100);
  const [packets] = blocksOf(piece, size, 1);
  const assembly = new Assembly(PIECE, new Uint8Array(piece.length), size);
  const [first, , short, parity] = packets;
  const wrong = [
    first.slice(0, -1),
    Uint8Array.of(...first, 0),
    short.slice(0, -1),
    Uint8Array.of(...short, 0),
    parity.slice(0, -1),
    Uint8Array.of(...parity, 0),
    first.with(3, 2),
    short.with(3, 0),
    short.with(3, 3),
    first.with(3, 255),
    first.with(2, 1),
    parity.with(2, 1),
    first.slice(0, CHUNK_HEADER_BYTES),
    parity.slice(0, CHUNK_HEADER_BYTES),
  ];
  for (const packet of wrong) assertEquals(assembly.accept(packet), "malformed");
  for (const packet of [parity, first, short]) assertEquals(assembly.accept(packet), "new");
  assert(assembly.whole);
  assembly.repair();
  assertEquals(assembly.bytes, piece);
});

Deno.test("assembly: parity that nobody asked for, the last there can be, is taken and bars no way", () => {
  const { bytes } = seededRandom(4);
  const piece = bytes(100 * SMALL);
  const [packets] = blocksOf(piece, SMALL);
  const assembly = new Assembly(PIECE, new Uint8Array(piece.length), SMALL);
  assertEquals(assembly.accept(packets[254]), "new");
  assertEquals(assembly.accept(packets[254]), "duplicate");
  assertEquals(assembly.asked, 0);
  for (let request = 1; !assembly.whole; request++) {
    assertLessOrEqual(request, 1000);
    const run = assembly.take(13, request, { lossRate: 0.5, margin: 0.5 });
    if (!run) continue;
    for (const index of indexesOf(run, 0, 100).filter((i) => i % 2 === request % 2)) {
      assembly.accept(packets[index]);
    }
    assembly.release(run, request);
  }
  assembly.repair();
  assertEquals(assembly.bytes, piece);
});

/** Indexes in the block that a run asks for. */
function indexesOf(
  { first, count, parityFirst, parityCount }: SymbolRun,
  start: number,
  k: number,
): number[] {
  return [
    ...Array.from({ length: count }, (_, i) => first - start + i),
    ...Array.from({ length: parityCount }, (_, i) => k + parityFirst + i),
  ];
}

Deno.test("assembly: at first it asks for the data, and for as much parity as the loss is likely to cost", () => {
  for (const k of [1, 2, 10, 46, 128]) {
    for (const lossRate of [0, 0.01, 0.1, 0.3, 0.49]) {
      const assembly = new Assembly(PIECE, new Uint8Array(k * SMALL), SMALL);
      const run = assembly.take(1000, 1, { lossRate, margin: 0.5 })!;
      assertEquals([run.first, run.count], [0, k]);
      assertAlmostEquals((run.count + run.parityCount) * (1 - lossRate), k, 1);
      assertEquals(assembly.take(1000, 2, { lossRate, margin: 0.5 }), undefined, "the rest is luck");
    }
  }
});

Deno.test("assembly: a block that bursts will likely miss is asked for without parity, and if one hits, for what it took", () => {
  const [k, lossRate] = [46, 0.05];
  // Bursts of ten hit one block in five; losses one by one hit nine of ten. Where nothing comes after it, there is parity in any case.
  const cases: [perEvent: number | undefined, parity: number][] = [[10, 0], [1, 2], [undefined, 2]];
  for (const [perEvent, parity] of cases) {
    const weather = { lossRate, margin: 1.5, ...(perEvent !== undefined && { perEvent }) };
    const piece = seededRandom(6).bytes(k * SMALL);
    const [packets] = blocksOf(piece, SMALL);
    const assembly = new Assembly(PIECE, new Uint8Array(piece.length), SMALL);
    const run = assembly.take(1000, 1, weather)!;
    assertEquals([run.count, run.parityCount], [k, parity]);
    for (let i = 0; i < k - 10; i++) assembly.accept(packets[i]);
    assertEquals(assembly.release(run, 1), 10 + parity);
    const again = assembly.take(1000, 2, weather)!;
    assertEquals(again.count + again.parityCount, perEvent === 10 ? 10 : 11);
  }
});

Deno.test("assembly: a repair allows for luck by whole symbols: where little gets lost, one that is lacking is asked for once", () => {
  const cases: [lossRate: number, lacking: number, asked: number][] = [[0.1, 1, 1], [0.1, 4, 5], [0.5, 1, 4]];
  for (const [lossRate, lacking, asked] of cases) {
    const piece = seededRandom(7).bytes(46 * SMALL);
    const [packets] = blocksOf(piece, SMALL);
    const assembly = new Assembly(PIECE, new Uint8Array(piece.length), SMALL);
    const run = assembly.take(1000, 1, { lossRate, margin: 1.5 })!;
    for (let i = 0; i < 46 - lacking; i++) assembly.accept(packets[i]);
    assembly.release(run, 1);
    const again = assembly.take(1000, 2, { lossRate, margin: 1.5 })!;
    assertEquals(again.count + again.parityCount, asked);
  }
});

Deno.test("assembly: what is lost now and then is made up for with parity where much is, else asked for again; so is a long run", () => {
  const cases: [lost: number[], lossRate: number, isParity: boolean][] = [
    [[5, 20, 33], 0.1, true],
    [[20], 0, false],
    [[20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31], 0.1, false],
  ];
  for (const [lost, lossRate, isParity] of cases) {
    const piece = seededRandom(5).bytes(46 * SMALL);
    const [packets] = blocksOf(piece, SMALL);
    const assembly = new Assembly(PIECE, new Uint8Array(piece.length), SMALL);
    const runs = [assembly.take(40, 1, CALM)!, assembly.take(46, 2, CALM)!];
    for (let i = 0; i < 46; i++) if (!lost.includes(i)) assembly.accept(packets[i]);
    assertEquals(assembly.release(runs[0], 1) + assembly.release(runs[1], 2), lost.length);
    const asked: SymbolRun[] = [];
    for (let request = 3; request < 100; request++) {
      const again = assembly.take(46, request, { lossRate, margin: 0.5 });
      if (again) asked.push(again);
    }
    const sum = (of: (run: SymbolRun) => number) => asked.reduce((total, one) => total + of(one), 0);
    if (isParity) assertEquals(sum(({ count }) => count), 0);
    else {assertEquals(
        new Set(asked.flatMap((one) => indexesOf(one, 0, 46).slice(0, one.count))),
        new Set(lost),
      );}
    assert(sum(({ count, parityCount }) => count + parityCount) >= lost.length);
    assertLessOrEqual(sum(({ count, parityCount }) => count + parityCount), 2 * lost.length);
  }
});

/** What a test knows of one block: by index, the request that asks for a symbol, or that it is here. */
class BlockModel {
  readonly owners = new Map<number, number | "here">();
  readonly k: number;
  readonly start: number;
  /** The requests that asked for parity of it. */
  readonly parityIn = new Set<number>();

  constructor(k: number, start: number) {
    this.k = k;
    this.start = start;
  }

  get whole(): boolean {
    return this.owners.values().filter((owner) => owner === "here").toArray().length >= this.k;
  }

  get asked(): number {
    return this.owners.values().filter((owner) => owner !== "here").toArray().length;
  }

  take(run: SymbolRun, request: number, max: number): void {
    const indexes = indexesOf(run, this.start, this.k);
    assert(indexes.length >= 1 && indexes.length <= max);
    assert(!this.whole);
    assert(run.first >= this.start && run.first + run.count <= this.start + this.k);
    assert(run.first < this.start + this.k, "parity alone names a symbol of its block too");
    assertLessOrEqual(run.parityCount, this.k);
    assert(run.parityFirst >= 0);
    if (run.parityCount > 0) {
      assert(!this.parityIn.has(request), "one run of parity of a block for each request");
      this.parityIn.add(request);
    }
    for (const index of indexes) {
      assert(index < BLOCK_INDEXES);
      assert(!this.owners.has(index), `symbol ${index} is here or under way`);
      this.owners.set(index, request);
    }
  }

  release(run: SymbolRun, request: number): number {
    const mine = indexesOf(run, this.start, this.k).filter((index) => this.owners.get(index) === request);
    for (const index of mine) this.owners.delete(index);
    return mine.length;
  }

  accept(index: number): "new" | "duplicate" {
    if (this.whole || this.owners.get(index) === "here") return "duplicate";
    this.owners.set(index, "here");
    return "new";
  }
}

Deno.test("assembly: who owns which symbol, against a model, also in a second life, over random takes, losses and arrivals in any weather", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const { bytes, integer, chance, float } = seededRandom(seed);
    const piece = bytes(1 + integer(seed % 10 === 0 ? 300 * SMALL : 30 * SMALL));
    const plan = blockPlan(piece.length, SMALL);
    const packets = blocksOf(piece, SMALL);
    const assembly = new Assembly(PIECE, new Uint8Array(piece.length), SMALL);
    const taken: { run: SymbolRun; request: number }[] = [];
    let request = 1;
    // Mostly it is asked for a little and much arrives; or the other way round.
    const arrives = chance(0.5) ? 0.5 : 0.1;
    // What was asked for in a first life, which ends anywhere, may be given back in the second.
    for (const steps of [integer(60), Infinity]) {
      const model = packets.map((_, i) => new BlockModel(blockSymbols(plan, i), blockStart(plan, i)));
      assembly.restart(PIECE);
      request++;
      for (let step = 0; !assembly.whole && step < steps; step++) {
        assert(step < 50_000, `seed ${seed} never ends`);
        if (chance(0.3)) request++;
        if (chance(arrives)) {
          const block = integer(packets.length);
          const underWay = model[block].owners.entries().filter(([, owner]) => owner !== "here").toArray();
          // What was asked for, or what nobody asked for: late, or twice.
          const index = underWay.length > 0 && chance(0.8)
            ? underWay[integer(underWay.length)][0]
            : integer(chance(0.9) ? model[block].k : packets[block].length);
          assertEquals(assembly.accept(packets[block][index]), model[block].accept(index));
        } else if (chance(0.5) && taken.length > 0) {
          const at = integer(taken.length);
          const { run, request: owner } = taken[at];
          // Now and then it is given back once more, when others may have asked for the same.
          if (chance(0.8)) taken.splice(at, 1);
          assertEquals(assembly.release(run, owner), model[run.block].release(run, owner));
        } else {
          const max = 1 + integer(chance(0.5) ? 4 : 200);
          const weather = { lossRate: chance(0.3) ? 0 : float() * 0.75, margin: float() * 2 };
          const run = assembly.take(max, request, weather);
          if (run) {
            model[run.block].take(run, request, max);
            taken.push({ run, request });
          }
        }
        assertEquals(assembly.asked, model.reduce((sum, block) => sum + block.asked, 0));
        assertEquals(assembly.whole, model.every((block) => block.whole));
      }
    }
    assembly.repair();
    assertEquals(assembly.bytes, piece, `seed ${seed}`);
  }
});

Deno.test("assembly: it is whole in the end however much is lost, and whatever it was told of that", () => {
  for (const loss of [0, 0.02, 0.3, 0.9, 0.98]) {
    for (const told of [0, 0.05, 0.75]) {
      for (const symbols of [1, 46, 128, 129, 300]) {
        const { bytes, chance } = seededRandom(symbols, `loss ${loss} told ${told}`);
        const piece = bytes(symbols * SMALL - 3);
        const plan = blockPlan(piece.length, SMALL);
        const packets = blocksOf(piece, SMALL);
        const assembly = new Assembly(PIECE, new Uint8Array(piece.length), SMALL);
        let sent = 0;
        for (let request = 1; !assembly.whole; request++) {
          assert(request < 5000, "it never ends");
          const runs: SymbolRun[] = [];
          while (runs.length < 32) {
            const run = assembly.take(64, request, { lossRate: told, margin: 0.5 });
            if (!run) break;
            runs.push(run);
          }
          assert(runs.length > 0, "nothing is under way, so something must be asked for");
          for (const run of runs) {
            const indexes = indexesOf(run, blockStart(plan, run.block), blockSymbols(plan, run.block));
            sent += indexes.length;
            for (const index of indexes) if (!chance(loss)) assembly.accept(packets[run.block][index]);
          }
          for (const run of runs) assembly.release(run, request);
          assertEquals(assembly.asked, 0);
        }
        assembly.repair();
        assertEquals(assembly.bytes, piece);
        // Told the truth, or less: what is asked for again was lost, but for a little luck.
        if (told <= loss) assertLessOrEqual(sent, 2 * symbols / (1 - loss) + 200);
      }
    }
  }
});
