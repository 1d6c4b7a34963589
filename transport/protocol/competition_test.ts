import { assertEquals, assertGreater, assertLess } from "../../tests/_assert.ts";
import { Competition } from "./competition.ts";
import type { CompetingMove, CompetingRound } from "./competition.ts";

const ROUND_MS = 100;

/** A flow that competes, round by round; `round` says what is unlike a usual one. */
class Flow {
  window = 100;
  now = 0;
  readonly competition: Competition;

  constructor(lineRate = 2, before?: Competition) {
    this.competition = new Competition(this.now, lineRate, before);
  }

  run(round: Partial<CompetingRound> = {}): CompetingMove {
    this.now += ROUND_MS;
    const move = this.competition.move({
      now: this.now,
      window: this.window,
      used: this.window,
      rate: 1,
      pipe: 40,
      isLossy: false,
      trip: 80,
      roundTrip: 100,
      leastTrip: 40,
      spread: 0,
      queueMax: 3,
      duration: ROUND_MS,
      isLimited: true,
      ...round,
    });
    if (move !== "alone") this.window = move.window;
    return move;
  }

  /** Has lost something at a queue of 60 ms, and searches no more. */
  static known(): Flow {
    const flow = new Flow();
    flow.run();
    flow.run({ isLossy: true, trip: 100 });
    flow.window = 100;
    return flow;
  }
}

Deno.test("competing: a loss leaves 0.7, and the window is back where it was when CUBIC says so", () => {
  const flow = Flow.known();
  flow.run({ isLossy: true, trip: 100 });
  assertEquals(flow.window, 70);
  // K is the third root of 30 / 0.4: 4.2 s.
  for (let i = 0; i < 43; i++) flow.run();
  assertGreater(flow.window, 99);
  const { window } = flow;
  for (let i = 0; i < 20; i++) flow.run();
  assertGreater(flow.window, window);
  assertLess(flow.window, window + 21);
});

Deno.test("competing: of a queue that is nearly full nothing more is taken, and a loss there leaves more", () => {
  const flow = Flow.known();
  for (let i = 0; i < 20; i++) flow.run({ trip: 97 });
  assertEquals(flow.window, 100);
  flow.run({ isLossy: true, trip: 100 });
  assertEquals(flow.window, 85);
});

Deno.test("competing: who has little takes up to half of the line, or until the second loss", () => {
  const flow = new Flow(2);
  for (let i = 0; i < 8; i++) flow.run({ rate: 0.1 + i / 10 });
  assertGreater(flow.window, 240);
  const { window } = flow;
  flow.run({ rate: 1.1 });
  flow.run({ rate: 1.2 });
  assertLess(flow.window, window * 1.25);

  const losing = new Flow(Infinity);
  losing.run({ isLossy: true, trip: 100 });
  losing.run({ rate: 2 });
  assertGreater(losing.window, 75);
  losing.run({ isLossy: true, trip: 100 });
  const after = losing.window;
  losing.run({ rate: 3 });
  assertLess(losing.window, after + 5);
});

Deno.test("competing: a search leaves half of the room in the queue", () => {
  const flow = new Flow(Infinity);
  flow.run({ isLossy: true, trip: 100 });
  flow.window = 400;
  // 95 ms are as good as full: 5 ms are left, of which ours is 1 symbol a ms at least.
  flow.run({ trip: 90 });
  assertEquals(flow.window, 402.5);
});

Deno.test("competing: it steps back when nothing was lost for long, and is alone if the queue goes", () => {
  const flow = Flow.known();
  const lastLoss = flow.now;
  while (flow.window !== 20) {
    assertLess(flow.now, lastLoss + 13_000);
    flow.run({ trip: 97 });
  }
  assertGreater(flow.now, lastLoss + 11_900);
  assertEquals(flow.run({ trip: 42 }), "alone");
});

Deno.test("competing: others who lose something, or a queue that stays, or a path that is shorter than ever: it goes on as before", () => {
  const flow = Flow.known();
  for (let i = 0; i < 300; i++) {
    flow.run({ trip: i % 50 === 0 ? 80 : 97 });
    assertGreater(flow.window, 99);
  }
  for (const seen of [{ trip: 60 }, { trip: 35, leastTrip: 35 }]) {
    const looking = Flow.known();
    while (looking.window !== 20) looking.run({ trip: 97 });
    assertEquals(looking.run(seen), { window: 100, hold: 0 });
  }
});

Deno.test("competing: what is not used for some rounds is given up, and taken back as far as there is room", () => {
  const flow = Flow.known();
  flow.run({ used: 40 });
  flow.run({ used: 40 });
  assertGreater(flow.window, 99);
  flow.run({ used: 40 });
  assertEquals(flow.window, 40);
  for (let i = 0; i < 10; i++) flow.run({ rate: 0.4 + i / 20 });
  assertGreater(flow.window, 60);
});

Deno.test("competing: how long the queue is at most is known from an earlier time, and learnt anew when it is longer", () => {
  const again = new Flow(2, Flow.known().competition);
  again.run({ trip: 97 });
  assertEquals(again.window, 100);
  const flow = Flow.known();
  for (let i = 0; i < 10; i++) flow.run({ trip: 120 });
  for (let i = 0; i < 60; i++) flow.run({ trip: 105 });
  assertGreater(flow.window, 101);
});
