import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { RequestsUnderWay } from "./requests_under_way.ts";
import type { SentRequest } from "./requests_under_way.ts";

const TRIP = 100;

function request(number: number, sentAt: number, symbols = 4): SentRequest {
  return {
    number,
    sentAt,
    repeatedAt: sentAt,
    runs: [],
    entries: [],
    symbols,
    underWay: symbols,
    remaining: symbols,
    firstAt: Infinity,
    lastAt: Infinity,
    overtakenAt: Infinity,
  };
}

/** Requests from number `first` on, one a millisecond. */
function sent(requests: RequestsUnderWay, count: number, first = 1): SentRequest[] {
  const all = Array.from({ length: count }, (_, i) => request(first + i, i));
  for (const one of all) requests.add(one);
  return all;
}

function removeAll(requests: RequestsUnderWay): void {
  for (const one of requests.values()) requests.remove(one);
}

/** How long after it was overtaken a request is given up now. Leaves none. */
function tolerance(requests: RequestsUnderWay, first: number, now: number): number {
  const [lost] = sent(requests, 2, first);
  requests.handleArrival(now, first + 1);
  const until = requests.deadline(TRIP);
  assertEquals(requests.overdue(until, TRIP), lost);
  removeAll(requests);
  return until - now;
}

Deno.test("requests under way: what is not overtaken waits, whatever the clock says", () => {
  const requests = new RequestsUnderWay();
  assert(requests.empty);
  sent(requests, 3);
  assertEquals(requests.oldest!.number, 1);
  for (const now of [50, 1e6]) {
    // The first answers itself: nothing is overtaken by that.
    requests.handleArrival(now, 1);
    assertEquals(requests.overdue(now, TRIP), undefined);
    assertEquals(requests.deadline(TRIP), Infinity);
  }
});

Deno.test("requests under way: what a later one overtakes is overdue after a small share of a round trip, in order, and the rest is not", () => {
  const requests = new RequestsUnderWay();
  const [first, second, third, fourth] = sent(requests, 4);
  requests.handleArrival(100, 3);
  const until = requests.deadline(TRIP);
  assertGreater(until, 100);
  assertLessOrEqual(until, 100 + TRIP / 4);
  assertEquals(requests.overdue(until - 0.01, TRIP), undefined);
  for (const expected of [first, second]) {
    assertEquals(requests.overdue(until, TRIP), expected);
    requests.remove(expected);
  }
  assertEquals(requests.overdue(1e9, TRIP), undefined);
  assertEquals([...requests.values()], [third, fourth]);
  assertEquals(requests.deadline(TRIP), Infinity);
});

Deno.test("requests under way: overtaken once more, it gets no more time", () => {
  const requests = new RequestsUnderWay();
  sent(requests, 4);
  requests.handleArrival(100, 2);
  const until = requests.deadline(TRIP);
  requests.handleArrival(101, 3);
  requests.handleArrival(102, 4);
  assertEquals(requests.deadline(TRIP), until);
});

Deno.test("requests under way: an answer to one that was removed is told from one that never was", () => {
  const requests = new RequestsUnderWay();
  const [lost, whole] = sent(requests, 2);
  requests.remove(lost);
  whole.remaining = 0;
  requests.remove(whole);
  assertEquals(requests.handleArrival(10, 1), lost, "given up before all of it came");
  assertEquals(requests.handleArrival(10, 2), undefined, "all of it was here");
  assertEquals(requests.handleArrival(10, 3), undefined);
});

Deno.test("requests under way: stragglers get time for more such, at most a round trip, and are forgotten slowly", () => {
  const requests = new RequestsUnderWay();
  const plain = tolerance(requests, 1, 1000);
  for (const [late, least, most] of [[30, 30, 60], [400, TRIP, TRIP]]) {
    const [straggler] = sent(requests, 2, 10 * late);
    requests.handleArrival(2000, 10 * late + 1);
    removeAll(requests);
    assertEquals(requests.handleArrival(2000 + late, 10 * late), straggler, "although it was given up");
    const more = tolerance(requests, 10 * late + 10, 3000);
    assert(more >= least && more <= most, `${more} ms after one that was ${late} ms late`);
  }
  let answers = 0;
  for (let first = 10_000; tolerance(requests, first, first) > plain; first += 2) {
    assertLessOrEqual(++answers, 5000);
  }
  assertGreater(answers, 50, "not forgotten at once");
});

Deno.test("requests under way: the longer the way, the longer what is overtaken may take", () => {
  const requests = new RequestsUnderWay();
  sent(requests, 2);
  requests.handleArrival(0, 2);
  const deadlines = [0.01, 1, 20, 100, 600].map((trip) => requests.deadline(trip));
  assertEquals(deadlines, deadlines.toSorted((a, b) => a - b));
  assertGreater(deadlines[0], 0);
  assertGreater(deadlines[4], deadlines[0]);
});

Deno.test("requests under way: some of those that were given up are remembered, not all", () => {
  const requests = new RequestsUnderWay();
  for (const one of sent(requests, 5000)) requests.remove(one);
  const remembered = Array.from({ length: 5000 }, (_, i) => requests.handleArrival(0, i + 1))
    .filter((one) => one !== undefined).map(({ number }) => number);
  assert(remembered.length >= 64 && remembered.length <= 1024, `${remembered.length}`);
  assertEquals(remembered.at(-1), 5000, "the latest ones");
  assertEquals(remembered[0], 5000 - remembered.length + 1);
});

Deno.test("requests under way: against a model, over random sends, arrivals and times", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { integer, chance, float } = seededRandom(seed);
    const requests = new RequestsUnderWay();
    /** Those under way, with the time at which each was overtaken. */
    const model = new Map<number, { readonly request: SentRequest; overtakenAt: number }>();
    let [now, next, newest] = [0, 1, 0];
    for (let step = 0; step < 500; step++) {
      now += float() * 20;
      if (chance(0.4)) {
        const one = request(next++, now, 1 + integer(5));
        requests.add(one);
        model.set(one.number, { request: one, overtakenAt: Infinity });
      } else if (next > 1) {
        const number = Math.max(1, next - 1 - integer(12));
        const answered = requests.handleArrival(now, number);
        if (model.has(number)) assertEquals(answered, model.get(number)!.request);
        for (const [earlier, one] of model) {
          if (earlier < number && number > newest) one.overtakenAt = Math.min(one.overtakenAt, now);
        }
        newest = Math.max(newest, number);
        if (answered && model.has(number) && --answered.remaining === 0) {
          requests.remove(answered);
          model.delete(number);
        }
      }
      // What is overdue was overtaken, is the oldest, and has had its time; nothing that has had all the time there is stays.
      for (let lost = requests.overdue(now, TRIP); lost; lost = requests.overdue(now, TRIP)) {
        const [oldest, { overtakenAt }] = model.entries().next().value!;
        assertEquals(lost.number, oldest);
        assertLessOrEqual(overtakenAt, now);
        requests.remove(lost);
        model.delete(oldest);
      }
      for (const { overtakenAt } of model.values()) assertGreater(overtakenAt + TRIP, now);
      assertGreater(requests.deadline(TRIP), now);
      assertEquals([...requests.values()].map((one) => one.number), [...model.keys()]);
      assertEquals(requests.oldest?.number, model.keys().next().value);
      assertEquals(requests.empty, model.size === 0);
    }
    assertGreater(next, 100);
  }
});
