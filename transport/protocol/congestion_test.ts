import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "../../tests/_assert.ts";
import { Line, rivalComes } from "../../tests/sim/line.ts";
import type { LinePath } from "../../tests/sim/line.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { Congestion } from "./congestion.ts";
import { trafficClasses } from "./traffic_class.ts";

const MBIT_200 = 17;

Deno.test("congestion: 200 Mbit/s, 40 ms away, are filled within 15 round trips, without a window far beyond what the way holds", () => {
  const line = new Line({ rate: MBIT_200, delayMs: 40, queueMax: 1000 });
  const { windowMost, dropped } = line.run(15 * 40);
  assertLess(windowMost, 3 * 40 * MBIT_200);
  assertEquals(dropped, 0);
  assertGreater(line.run(10 * 40).share, 0.8);
  assertGreater(line.run(1000).share, 0.95);
  assert(!line.congestion.isStarting);
});

const paths: Readonly<Record<string, LinePath>> = {
  "2.4 Mbit/s, 60 ms": { rate: 0.2, delayMs: 60 },
  "10 Mbit/s, 20 ms": { rate: 0.8, delayMs: 20 },
  "100 Mbit/s, 5 ms": { rate: 8, delayMs: 5 },
  "100 Mbit/s, 200 ms": { rate: 8, delayMs: 200 },
  "100 Mbit/s, 600 ms": { rate: 8, delayMs: 600 },
  "1 Gbit/s, 10 ms": { rate: 80, delayMs: 10 },
  "1 Gbit/s, 100 ms": { rate: 80, delayMs: 100 },
};

for (const [name, path] of Object.entries(paths)) {
  Deno.test(`congestion: ${name}: full, and with a short queue`, () => {
    const line = new Line({ ...path, queueMax: path.rate * Math.max(100, path.delayMs) });
    line.run(3000 + 15 * path.delayMs);
    // Several swings: where in one of them it begins and ends is luck.
    const { share, queueMs, dropped, modes } = line.run(5000 + 50 * path.delayMs);
    assertGreater(share, 0.95);
    // Where a round is long, so is each step of the swing.
    assertLess(queueMs, 12 + 20 / Math.sqrt(path.rate) + path.delayMs / 100);
    assertEquals([dropped, line.silences.length, modes], [0, 0, new Set(["steady"])]);
  });
}

Deno.test("congestion: a start goes as fast as trains came, until something is lost; then a window a round trip and a quarter", () => {
  const { normal: traffic } = trafficClasses;
  const start = () => {
    const congestion = new Congestion(0, { roundTrip: 40, burstPacketsMax: 1000, traffic });
    congestion.handleAnswer(40, 1, { longest: 40, shortest: 40 }, 32, 5);
    congestion.handleTrain(8, 0.45);
    congestion.handleArrivals(8);
    return congestion;
  };
  const calm = start();
  assertGreater(calm.pace, 5 * calm.window / 40);
  calm.handleSettled(1, 8, 0);
  assertGreater(calm.pace, 5 * calm.window / 40);
  calm.handleSettled(2, 8, 1);
  assertLess(calm.pace, 1.3 * calm.window / 40);
  const again = start();
  again.handleSilence(200, 5);
  again.handleTrain(8, 0.45);
  assertLess(again.pace, 1.3 * again.window / 40);
});

Deno.test("congestion: trains let a start grow by four for one up to a window, or to a rate where the way is long", () => {
  const windowAfter = (roundTrip: number) => {
    const { normal: traffic } = trafficClasses;
    const congestion = new Congestion(0, { roundTrip, burstPacketsMax: 5000, traffic });
    congestion.handleAnswer(roundTrip, 1, { longest: roundTrip, shortest: roundTrip }, 32, 5);
    congestion.handleTrain(32, 1.8);
    congestion.handleArrivals(200);
    return congestion.window;
  };
  assertLess(windowAfter(40), 450);
  assertEquals(windowAfter(300), 32 + 200 * 3);
});

Deno.test("congestion: a start that late answers have ended goes on when it was no queue that held them up", () => {
  for (const after of [50, 70, 90, 110]) {
    for (const lateMs of [12, 20, 40]) {
      const line = new Line({ rate: MBIT_200, delayMs: 40, queueMax: 1000 });
      line.run(after);
      line.path = { ...line.path, delayMs: 40 + lateMs };
      line.run(60);
      line.path = { ...line.path, delayMs: 40 };
      const { share, dropped } = line.run(540 - after);
      assertGreater(share, 0.45);
      assertEquals(dropped, 0);
    }
  }
});

Deno.test("congestion: loss that comes of itself does not slow it", () => {
  for (const lossRate of [0.01, 0.1, 0.3, 0.5]) {
    const line = new Line({ rate: 8, delayMs: 40, queueMax: 400, lossRate });
    line.run(3000);
    const { share, dropped } = line.run(10_000);
    assertGreater(share, 0.93 * (1 - lossRate));
    assertLess(dropped, 0.01);
  }
});

Deno.test("congestion: a way that becomes worse, and good again: what it can carry is carried a second later", () => {
  for (const lossRate of [0.02, 0.15, 0.4]) {
    const line = new Line({ rate: 8, delayMs: 40, queueMax: 400 });
    line.run(3000);
    for (const now of [lossRate, 0]) {
      line.path = { ...line.path, lossRate: now };
      line.run(1000);
      assertGreater(line.run(3000).share, 0.85 * (1 - now));
    }
  }
});

Deno.test("congestion: a queue too short to show before it is full: the way is used, and little is sent in vain", () => {
  for (const queueMax of [30, 40, 80]) {
    const line = new Line({ rate: 8, delayMs: 40, queueMax });
    line.run(5000);
    const { share, dropped } = line.run(10_000);
    assertGreater(share, 0.85);
    assertLess(dropped, 0.04);
  }
});

Deno.test("congestion: the line becomes slower, then faster: the queue is short, and the line full, soon after", () => {
  const line = new Line({ rate: 8, delayMs: 40, queueMax: 800 });
  line.run(5000);
  for (const rate of [4, 20, 10, 8]) {
    line.path = { ...line.path, rate };
    line.run(4000);
    const { share, queueMs } = line.run(3000);
    assertGreater(share, 0.95);
    assertLess(queueMs, 12 + 20 / Math.sqrt(rate));
  }
});

Deno.test("congestion: the way becomes longer: it goes on, and has all of it when the shorter one is forgotten", () => {
  const line = new Line({ rate: 8, delayMs: 20, queueMax: 800 });
  line.run(5000);
  line.path = { ...line.path, delayMs: 60 };
  // It takes the longer way for the queue of others, and looks whether they have gone after 12 s and 36 s.
  assertGreater(line.run(45_000).share, 0.1);
  const { share, queueMs } = line.run(10_000);
  assertGreater(share, 0.95);
  assertLess(queueMs, 20);
});

for (const traffic of ["realtime", "high", "normal"] as const) {
  Deno.test(`congestion: ${traffic}: somebody fills the queue: it keeps a share, and lets the queue be when it is alone again`, () => {
    const line = new Line({ rate: 8, delayMs: 40, queueMax: 1200 }, traffic);
    line.run(5000);
    assertEquals(line.congestion.state.mode, "steady");
    rivalComes(line, 800);
    const beside = line.run(10_000);
    assertEquals([beside.modes.has("competing"), line.silences.length], [true, 0]);
    assert(beside.share > 0.15 && beside.share < 0.75, `a share of ${beside.share}`);
    line.path = { ...line.path, rival: 0 };
    line.run(15_000);
    const alone = line.run(5000);
    assertEquals(alone.modes, new Set(["steady"]));
    assertGreater(alone.share, 0.95);
    assertLess(alone.queueMs, 12);
  });
}

Deno.test("congestion: batch gives way to whoever fills the queue, and takes all of it when he has gone", () => {
  const line = new Line({ rate: 8, delayMs: 40, queueMax: 1200 }, "batch");
  line.run(5000);
  rivalComes(line, 800);
  line.run(2000);
  const beside = line.run(20_000);
  assertLess(beside.share, 0.05);
  assertGreater(beside.share, 0);
  assert(!beside.modes.has("competing"));
  line.path = { ...line.path, rival: 0 };
  line.run(5000);
  assertGreater(line.run(5000).share, 0.95);
});

Deno.test("congestion: realtime and batch keep a shorter queue than normal does; high takes what is free sooner", () => {
  const queues = (["realtime", "batch", "normal"] as const).map((traffic) => {
    const line = new Line({ rate: 8, delayMs: 40, queueMax: 800 }, traffic);
    line.run(3000);
    return line.run(10_000).queueMs;
  });
  assertLess(queues[0], queues[2]);
  assertLess(queues[1], queues[2]);
  const [high, normal] = (["high", "normal"] as const).map((traffic) => {
    let share = 0;
    // Where in its own swing a controller is when the line becomes faster is luck.
    for (let before = 5000; before < 5800; before += 50) {
      const line = new Line({ rate: 8, delayMs: 40, queueMax: 800 }, traffic);
      line.run(before);
      line.path = { ...line.path, rate: 30 };
      share += line.run(600).share;
    }
    return share;
  });
  assertGreater(high, normal);
});

Deno.test("congestion: timeouts double up to 3 s while nothing comes; then it begins with a small window, and soon has it all", () => {
  const line = new Line({ rate: 8, delayMs: 40, queueMax: 400 });
  line.run(3000);
  assertLess(line.congestion.timeout, 500);
  line.path = { ...line.path, lossRate: 1 };
  line.run(30_000);
  const gaps = line.silences.slice(1).map((at, i) => at - line.silences[i]);
  assertGreater(gaps.length, 6);
  for (const [i, gap] of gaps.slice(1).entries()) {
    assert(gap <= 3000.001 && (gap > 2900 || Math.abs(gap / gaps[i] - 2) < 0.05), `${gaps}`);
  }
  assertEquals([line.congestion.timeout, line.congestion.isStarting], [3000, true]);
  assertLessOrEqual(line.congestion.window, 32);
  line.congestion.handleContact();
  assertLess(line.congestion.timeout, 500);
  line.path = { ...line.path, lossRate: 0 };
  line.run(6000);
  assertGreater(line.run(2000).share, 0.95);
});

Deno.test("congestion: before the first answer the handshake counts, up to a second; whatever comes, a timeout is 30 ms to 3 s", () => {
  for (
    const [roundTrip, least, most] of [[0.1, 30, 30], [20, 40, 100], [900, 900, 1000], [60_000, 1000, 1000]]
  ) {
    const traffic = trafficClasses.normal;
    const congestion = new Congestion(0, { roundTrip, burstPacketsMax: 80, traffic });
    assert(congestion.timeout >= least && congestion.timeout <= most, `${congestion.timeout}`);
    congestion.handleAnswer(60_000, 1, { longest: 60_000, shortest: 60_000 }, 1, 2);
    assertEquals(congestion.timeout, 3000);
  }
});

Deno.test("congestion: an answer that is too early for the last sending of its request was to an earlier one", () => {
  const congestion = new Congestion(0, {
    roundTrip: 50,
    burstPacketsMax: 80,
    traffic: trafficClasses.normal,
  });
  for (let number = 1; number < 200; number++) {
    congestion.handleArrivals(1);
    // Repeated 2 ms before its answer came; every tenth one because it had got lost.
    const shortest = number % 10 === 0 ? 60 : 2;
    const longest = number % 10 === 0 ? 110 : 52;
    congestion.handleAnswer(number * 5, number, { longest, shortest }, 4, number + 1);
  }
  assert(congestion.roundTrip > 45 && congestion.roundTrip < 65, `${congestion.roundTrip}`);
  assert(congestion.state.leastTrip >= 50);
});

Deno.test("congestion: on a near way what is under way fits the receive buffer, however small that is", () => {
  for (const burstPacketsMax of [1, 2, 5, 80, 300]) {
    const line = new Line({ rate: 80, delayMs: 0.3 }, "normal", burstPacketsMax);
    const { windowMost, burstMost, share } = line.run(2000);
    assertLessOrEqual(windowMost, burstPacketsMax);
    assertLessOrEqual(burstMost, Math.max(1, burstPacketsMax));
    if (burstPacketsMax >= 80) assertGreater(share, 0.9);
  }
});

Deno.test("congestion: on a near way what is under way grows with what has come, up to what the buffer holds", () => {
  const first = new Line({ rate: 80, delayMs: 0.3 }, "normal", 300, 100).run(100);
  assertEquals(first.windowMost, 100);
  const line = new Line({ rate: 80, delayMs: 0.3 }, "normal", 300, 100);
  let come = 0;
  for (let i = 0; i < 40; i++) {
    const { windowMost, share } = line.run(20);
    come += share * 80 * 20;
    assertLessOrEqual(windowMost, Math.max(100, come / 96));
  }
  assertEquals(line.congestion.window, 300);
});

Deno.test("congestion: within one machine a request asks for half a window; on other near ways for 176 symbols at most", () => {
  const { normal: traffic } = trafficClasses;
  for (const burstPacketsMax of [5, 92, 1024]) {
    for (const isLoopback of [false, true]) {
      const congestion = new Congestion(0, { roundTrip: 0.2, burstPacketsMax, traffic, isLoopback });
      congestion.handleArrivals(2000);
      const half = burstPacketsMax >> 1;
      const longest = isLoopback ? half : Math.min(half, 176);
      assertEquals([congestion.window, congestion.burst], [burstPacketsMax, longest]);
    }
  }
  // A process that is busy with others takes its time.
  const busy = new Congestion(0, { roundTrip: 50, burstPacketsMax: 1024, traffic, isLoopback: true });
  busy.handleArrivals(500);
  assertEquals(busy.burst, 176);
});

Deno.test("congestion: whatever happens in whatever order, window, burst, pace and timeout are numbers within their bounds", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { integer, chance, float } = seededRandom(seed);
    const burstPacketsMax = [1, 3, 80, 3000][integer(4)];
    const traffic = Object.values(trafficClasses)[integer(4)];
    const congestion = new Congestion(0, { roundTrip: float() * 10 ** integer(4), burstPacketsMax, traffic });
    let [now, next] = [0, 1];
    // How long answers take and what gets lost, for a while.
    let [trip, loss] = [10, 0];
    for (let step = 0; step < 400; step++) {
      now += float() * trip / 4;
      if (chance(0.02)) trip = 0.01 + float() * 10 ** integer(4);
      if (chance(0.05)) loss = chance(0.5) ? 0 : chance(0.3) ? 1 : float();
      const what = integer(20);
      next += integer(3);
      const number = Math.max(1, next - 1 - integer(20));
      if (what < 8) {
        for (let symbols = integer(100); symbols > 0; symbols--) congestion.handleArrivals(1);
        congestion.handleArrivals(1);
        const longest = trip * (1 + float());
        const shortest = longest * (chance(0.8) ? 1 : float());
        congestion.handleAnswer(now, number, { longest, shortest }, 1 + integer(5000), next);
      } else if (what < 14) {
        const symbols = 1 + integer(200);
        congestion.handleSettled(
          number,
          symbols,
          Math.min(symbols, Math.round(symbols * loss * (0.5 + float()))),
        );
      } else if (what < 16) congestion.handleTrain(1 + integer(200), float() * trip);
      else if (what < 18) congestion.handleLimited();
      else if (what === 18 && chance(0.2)) congestion.handleSilence(now, next);
      else if (chance(0.2)) congestion.handleContact();
      const { window, burst, pace, timeout, roundTrip, lossRate, state } = congestion;
      const facts = JSON.stringify({
        seed,
        step,
        window,
        burst,
        pace,
        timeout,
        roundTrip,
        lossRate,
        ...state,
      });
      assert(Number.isInteger(window) && window >= Math.min(4, burstPacketsMax) && window <= 32_768, facts);
      assert(Number.isInteger(burst) && burst >= 1 && burst <= burstPacketsMax, facts);
      assert(pace > 0 && timeout >= 30 && timeout <= 3000, facts);
      assert(lossRate >= 0 && lossRate < 1, facts);
      for (const one of [roundTrip, state.leastTrip, state.capacity, state.baseline]) {
        assert(Number.isFinite(one) && one >= 0, facts);
      }
    }
  }
});
