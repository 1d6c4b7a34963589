import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLess } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import type { SeededRandom } from "../../tests/sim/random.ts";
import { LossModel } from "./loss_model.ts";

/** Each call says what becomes of so many symbols next: how many get lost, of how many requests. */
type Way = (symbols: number) => { readonly lost: number; readonly lossy: number };

const REQUEST_SYMBOLS = 16;

/** A way that decides for each symbol. */
function each(isLost: () => boolean): Way {
  return (symbols) => {
    const lossy = new Set<number>();
    let lost = 0;
    for (let i = 0; i < symbols; i++) {
      if (!isLost()) continue;
      lost++;
      lossy.add(Math.floor(i / REQUEST_SYMBOLS));
    }
    return { lost, lossy: lossy.size };
  };
}

/** Each symbol by itself. */
function even(rate: number, { chance }: SeededRandom): Way {
  return each(() => chance(rate));
}

/** In bursts of `length` symbols on average. */
function bursty(rate: number, length: number, { chance }: SeededRandom): Way {
  let isBad = false;
  return each(() => isBad = chance(isBad ? 1 - 1 / length : rate / (1 - rate) / length));
}

/** The same number each time, spread over all requests. */
function fixed(lost: number): Way {
  return (symbols) => ({ lost, lossy: Math.min(lost, Math.ceil(symbols / REQUEST_SYMBOLS)) });
}

function note(model: LossModel, symbols: number, { lost, lossy }: ReturnType<Way>): void {
  model.note(symbols, lost, Math.ceil(symbols / REQUEST_SYMBOLS), lossy);
}

/** A model that has been told what the path loses. */
function told(rate: number): LossModel {
  const model = new LossModel();
  model.accept(rate);
  return model;
}

/** Notes samples as a controller does, which begins anew after each alarm; answers with what share of them raised one. */
function alarms(model: LossModel, way: Way, samples: number, symbols: number): number {
  let alarms = 0;
  for (let i = 0; i < samples; i++) {
    note(model, symbols, way(symbols));
    if (model.takeExcess() <= 0) continue;
    alarms++;
    model.restart();
  }
  return alarms / samples;
}

/** Samples until there is an alarm. */
function samplesUntilAlarm(model: LossModel, way: Way, symbols: number): number {
  for (let samples = 1; samples <= 1000; samples++) {
    note(model, symbols, way(symbols));
    if (model.takeExcess() > 0) return samples;
  }
  return Infinity;
}

const SAMPLES = 10_000;

Deno.test("loss model: loss that stays as it is raises an alarm in one of 100 samples at most", () => {
  for (const rate of [0.001, 0.01, 0.05, 0.2, 0.5, 0.7]) {
    for (const symbols of [64, 256, 1000]) {
      const way = even(rate, seededRandom(symbols, `even ${rate}`));
      const share = alarms(told(rate), way, SAMPLES, symbols);
      assertLess(share, 1 / 100, `${rate} of ${symbols}`);
    }
  }
  assertEquals(alarms(new LossModel(), fixed(0), SAMPLES, 64), 0);
  assertEquals(alarms(told(1 / 4), fixed(16), SAMPLES, 64), 0);
});

Deno.test("loss model: so does loss in bursts", () => {
  for (const [rate, length] of [[0.01, 5], [0.05, 20], [0.1, 10]]) {
    for (const symbols of [64, 256]) {
      const way = bursty(rate, length, seededRandom(symbols, `bursts of ${length}`));
      assertLess(alarms(told(rate), way, SAMPLES, symbols), 1 / 6);
    }
  }
});

Deno.test("loss model: what one event takes is 1 where symbols get lost by themselves, and most of a burst where they do not", () => {
  const random = seededRandom(9);
  const ways: [way: Way, least: number, most: number][] = [
    [even(0.02, random), 1, 1.4],
    [even(0.1, random), 1, 1.4],
    [even(0.5, random), 1, 1.1],
    [bursty(0.05, 10, random), 5, 15],
  ];
  for (const [way, least, most] of ways) {
    const model = told(0.05);
    let sum = 0;
    for (let i = 0; i < 200; i++) {
      note(model, 640, way(640));
      sum += model.perEvent;
    }
    assertGreater(sum / 200, least - 1e-9);
    assertLess(sum / 200, most);
  }
});

Deno.test("loss model: a jump shows within a few samples", () => {
  const jumps = [[0, 0.05], [0, 0.1], [0.01, 0.1], [0.1, 0.25], [0.3, 0.5]];
  for (const [before, after] of jumps) {
    for (const symbols of [64, 256]) {
      const seen: number[] = [];
      for (let seed = 1; seed <= 101; seed++) {
        const random = seededRandom(seed, `${before} to ${after}`);
        const model = told(before);
        alarms(model, even(before, random), 100, symbols);
        model.restart();
        seen.push(samplesUntilAlarm(model, even(after, random), symbols));
      }
      seen.sort((a, b) => a - b);
      assertLess(seen[50], 12);
      assertLess(seen[95], 60);
    }
  }
});

Deno.test("loss model: the baseline is what is lost, less what chance makes of it, follows it down fast and up slowly", () => {
  const random = seededRandom(1);
  for (const rate of [0.02, 0.1, 0.4]) {
    const model = told(rate);
    alarms(model, even(rate, random), 300, 256);
    assertGreater(model.baseline, rate - 1.5 * Math.sqrt(rate * (1 - rate) / 256));
    assertLess(model.baseline, rate * 1.1);
    alarms(model, even(rate / 10, random), 40, 256);
    assertLess(model.baseline, rate / 3);
    const before = model.baseline;
    alarms(model, even(rate / 10 + 0.01, random), 5, 256);
    assertLess(model.baseline, before + 0.01);
    alarms(model, even(rate / 10 + 0.01, random), 500, 256);
    assertGreater(model.baseline, rate / 20);
  }
});

Deno.test("loss model: what was found to be the path's own raises no alarm; when less helped, it is not taken for that", () => {
  const random = seededRandom(2);
  const model = new LossModel();
  alarms(model, even(0.01, random), 100, 256);
  model.restart();
  assert(samplesUntilAlarm(model, even(0.2, random), 256) < 10);
  model.accept(0.2);
  assertEquals([model.baseline, model.takeExcess()], [0.2, 0]);
  assertLess(alarms(model, even(0.2, random), 100, 256), 1 / 10);
  assertGreater(model.baseline, 0.1);

  model.restart();
  note(model, 256, fixed(8)(256));
  model.lower(false);
  assertEquals(model.baseline, 8 / 256);
  // What was lost may have been too much for a path that is full.
  model.accept(0.1);
  model.lower(true);
  assert(model.baseline > 8 / 256 && model.baseline < 0.06);
  const { baseline } = model;
  note(model, 256, fixed(200)(256));
  model.lower(true);
  assert(model.baseline <= baseline * 1.2, "on a full path it is never raised");
});

Deno.test("loss model: while others keep the queue full, what is lost is not learnt as the path's own, but less is", () => {
  const random = seededRandom(4);
  const noteCrowded = (model: LossModel, rate: number) => {
    for (let i = 0; i < 200; i++) {
      const { lost, lossy } = even(rate, random)(256);
      model.note(256, lost, 16, lossy, true);
    }
  };
  const model = told(0.02);
  noteCrowded(model, 0.03);
  assert(model.baseline <= 0.02);
  noteCrowded(model, 0.001);
  assertLess(model.baseline, 0.01);
});

Deno.test("loss model: a sample is at least 64 symbols; one that is begun anew forgets what it had", () => {
  const model = new LossModel();
  for (let i = 0; i < 10; i++) note(model, 64, fixed(0)(64));
  note(model, 63, fixed(63)(63));
  assertEquals([model.last, model.takeExcess()], [0, 0]);
  model.restart();
  note(model, 64, fixed(0)(64));
  assertEquals([model.last, model.takeExcess()], [0, 0]);
  note(model, 63, fixed(63)(63));
  note(model, 1, fixed(1)(1));
  assertEquals(model.last, 1);
  assert(samplesUntilAlarm(model, fixed(64), 64) < 10);
  note(model, 64, fixed(64)(64));
  assert(model.takeExcess() > 0.9);
  assertEquals(model.takeExcess(), 0, "taken once");
});

Deno.test("loss model: the rate is that of the last thousand symbols or so, and never more than a way can lose", () => {
  const model = new LossModel();
  assertEquals(model.rate, 0);
  model.noteRate(10, 1);
  assertEquals(model.rate, 0.1);
  model.noteRate(30, 9);
  assertAlmostEquals(model.rate, 0.25);
  const random = seededRandom(3);
  for (const rate of [0.3, 0.02]) {
    const way = even(rate, random);
    for (let i = 0; i < 200; i++) model.noteRate(50, way(50).lost);
    assertAlmostEquals(model.rate, rate, 0.06);
  }
  for (let i = 0; i < 200; i++) model.noteRate(50, 50);
  assertAlmostEquals(model.rate, 0.75);
  for (let i = 0; i < 200; i++) model.noteRate(50, 0);
  assertLess(model.rate, 0.01, "it comes back");
});

Deno.test("loss model: whatever happens, all of it is a share", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { integer, chance } = seededRandom(seed);
    const model = new LossModel();
    for (let i = 0; i < 500; i++) {
      const symbols = 1 + integer(chance(0.1) ? 30_000 : 200);
      const lost = chance(0.2) ? symbols : chance(0.3) ? 0 : integer(symbols + 1);
      model.noteRate(symbols, lost);
      note(model, symbols, fixed(lost)(symbols));
      if (chance(0.1)) model.accept(model.last);
      if (chance(0.1)) model.lower(chance(0.5));
      if (chance(0.1)) model.restart();
      const { rate, baseline, last } = model;
      const excess = model.takeExcess();
      for (const share of [rate, baseline, last, excess]) {
        assert(Number.isFinite(share) && share <= 1, `seed ${seed}: ${share}`);
      }
      assert(rate >= 0 && rate <= 0.75 && baseline >= 0 && baseline <= 0.75 && last >= 0 && excess >= 0);
    }
  }
});
