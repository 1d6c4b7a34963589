/*
 * What a direction of the emulated link does to packets, in virtual time: exactly as much as was asked for.
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertThrows,
} from "../_assert.ts";
import { seededRandom } from "../sim/random.ts";
import { Flight } from "./_flight.ts";
import { countsSince, Histogram, mean, quantile } from "./_histogram.ts";
import { Path, type PathOptions, perfectPath } from "./_path.ts";

const BYTES = 1250; // 10,000 bits: 1 ms at 10 Mbit/s

function pathOf(options: Partial<PathOptions>, seed = 1): Path {
  return new Path({ ...perfectPath, ...options }, seededRandom(seed, "path"));
}

/** Offers packets of one flow at given times; answers with each one's arrival. */
function offerAll(path: Path, times: readonly number[], flow = 7): number[] {
  return times.map((now) => path.offer(now, BYTES, flow));
}

const every = (ms: number, count: number) => Array.from({ length: count }, (_, i) => i * ms);

Deno.test("a perfect path takes no time and loses nothing", () => {
  assertEquals(offerAll(pathOf({}), [0, 0, 5]), [0, 0, 5]);
});

Deno.test("delay and rate add up, and the rate holds for all flows together", () => {
  const path = pathOf({ delayMs: 20, mbitPerSecond: 10 });
  assertEquals([path.offer(0, BYTES, 1), path.offer(0, BYTES, 2), path.offer(10, BYTES, 1)], [21, 22, 31]);
});

Deno.test("a queue takes what it may hold, drops what is more, and empties again", () => {
  const path = pathOf({ mbitPerSecond: 10, queueMs: 5 });
  const arrivals = offerAll(path, [...Array(10).fill(0), 6, 6]);
  // One on the line, five behind it that wait 1 to 5 ms; at 6 ms all have gone.
  assertEquals(arrivals, [1, 2, 3, 4, 5, 6, -1, -1, -1, -1, 7, 8]);
  assertEquals(path.tally(7).queueDrops, 4);
  assertEquals(quantile(path.queueing.toJSON(), 1), 6);
});

Deno.test("losses come at the rate that was asked for, and one by one", () => {
  const losses = offerAll(pathOf({ lossRate: 0.1 }), every(1, 100_000)).map((at) => at < 0);
  // 6 standard deviations of a binomial distribution.
  assertAlmostEquals(losses.filter(Boolean).length, 10_000, 6 * Math.sqrt(100_000 * 0.1 * 0.9));
  assertAlmostEquals(meanRun(losses), 1 / 0.9, 0.05);
});

Deno.test("losses come in runs of the length that was asked for, and at the same rate", () => {
  const losses = offerAll(pathOf({ lossRate: 0.05, lossRun: 10 }), every(1, 400_000)).map((at) => at < 0);
  assertAlmostEquals(losses.filter(Boolean).length / 400_000, 0.05, 0.01);
  assertAlmostEquals(meanRun(losses), 10, 1);
});

Deno.test("runs that no such loss can come in are refused", () => {
  assertThrows(() => pathOf({ lossRate: 0.95, lossRun: 2 }), RangeError, "runs of 2");
});

Deno.test("what is lost has used the bottleneck", () => {
  const path = pathOf({ mbitPerSecond: 10, lossRate: 0.5 });
  const arrivals = offerAll(path, Array(100).fill(0));
  assertGreater(path.tally(7).lost, 20);
  for (const [i, at] of arrivals.entries()) assert(at === -1 || at === i + 1);
});

Deno.test("a policer lets through its burst, then its rate", () => {
  const path = pathOf({ policerMbitPerSecond: 10, policerBytes: 4 * BYTES });
  const passed = offerAll(path, every(0.5, 1000)).filter((at) => at >= 0).length;
  // 4 at once and 1 for each of the 500 ms.
  assertAlmostEquals(passed, 504, 1);
  assertEquals(path.tally(7).policed, 1000 - passed);
});

Deno.test("some packets are held back, and others overtake them", () => {
  const path = pathOf({ delayMs: 20, reorderRate: 0.05, reorderMs: 5 });
  const late = offerAll(path, every(1, 10_000)).map((at, i) => at - i - 20);
  assertAlmostEquals(late.filter((ms) => ms === 5).length, 500, 130);
  assertEquals(late.filter((ms) => ms !== 5 && ms !== 0), []);
});

Deno.test("jitter is spread evenly between nothing and what was asked for", () => {
  const late = offerAll(pathOf({ jitterMs: 4 }), every(10, 10_000)).map((at, i) => at - 10 * i);
  assert(late.every((ms) => ms >= 0 && ms < 4));
  assertAlmostEquals(late.reduce((sum, ms) => sum + ms, 0) / late.length, 2, 0.1);
});

Deno.test("the same seed has the same fate, another seed another one", () => {
  const fate = (seed: number) => offerAll(pathOf({ lossRate: 0.3 }, seed), every(1, 100)).join();
  assertEquals(fate(3), fate(3));
  assert(fate(3) !== fate(4));
});

Deno.test("packets in flight arrive in order of time, those of one time in the order in which they came", () => {
  const random = seededRandom(5);
  const flight = new Flight(1000);
  const sent: { at: number; number: number }[] = [];
  for (let number = 0; number < 1000; number++) {
    const at = random.integer(50);
    flight.lengths[flight.vacant] = number;
    flight.add(at);
    sent.push({ at, number });
  }
  assertEquals(flight.vacant, -1);
  const expected = sent.toSorted((a, b) => a.at - b.at || a.number - b.number);
  for (const { at, number } of expected) {
    assertEquals(flight.nextAt, at);
    assertEquals(flight.lengths[flight.pop()], number);
  }
  assertEquals([flight.count, flight.nextAt], [0, Infinity]);
});

Deno.test("a slot is taken once, however packets come and go", () => {
  const random = seededRandom(6);
  const flight = new Flight(16);
  const taken = new Set<number>();
  for (let step = 0; step < 5000; step++) {
    if (flight.vacant >= 0 && random.chance(0.5)) {
      assert(!taken.has(flight.vacant));
      taken.add(flight.vacant);
      flight.add(random.float());
    } else if (flight.count > 0) {
      assert(taken.delete(flight.pop()));
    }
    assertEquals(taken.size, flight.count);
  }
});

Deno.test("a histogram knows its quantiles, and what came since", () => {
  const histogram = new Histogram(2, 10);
  const before = histogram.toJSON();
  assertEquals(quantile(before, 0.5), 0);
  for (const value of [0, 1, 3, 19, 500]) histogram.add(value);
  const counts = histogram.toJSON();
  assertEquals(counts.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
  assertEquals([0.4, 0.5, 0.6, 1].map((share) => quantile(counts, share)), [2, 4, 4, 20]);
  assertEquals(mean(counts), (1 + 1 + 3 + 19 + 19) / 5);
  histogram.add(3);
  assertEquals(countsSince(counts, histogram.toJSON()).counts, [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  assertLess(quantile(histogram.toJSON(), 0), 3);
});

/** How many are true in a row on average. */
function meanRun(values: readonly boolean[]): number {
  const starts = values.filter((value, i) => value && !values[i - 1]).length;
  return values.filter(Boolean).length / starts;
}
