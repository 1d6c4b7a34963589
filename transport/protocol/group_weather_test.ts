import { assert, assertAlmostEquals, assertEquals, assertLess } from "../../tests/_assert.ts";
import { GroupWeather } from "./group_weather.ts";

const BYTES = 1452;

/** Packets from number `from` on, one each ms, that were `delay(i)` ms on their way; `isLost(i)` says which do not come. */
function send(
  weather: GroupWeather,
  from: number,
  count: number,
  delay: (i: number) => number,
  isLost: (i: number) => boolean = () => false,
): void {
  for (let i = from; i < from + count; i++) {
    if (!isLost(i)) weather.handlePacket(i + delay(i), i % 2 ** 32, (i * 1000 + 12_345) % 2 ** 32, BYTES);
  }
  weather.handleSequence((from + count) % 2 ** 32);
}

const RATE = BYTES * 1000;

Deno.test("a receiver sees what it loses, and how fast it comes, across the end of the numbers", () => {
  const weather = new GroupWeather();
  send(weather, 2 ** 32 - 50, 100, () => 3, (i) => i % 10 === 0);
  const view = weather.look(RATE);
  assertAlmostEquals(view.loss, 0.1, 0.02);
  assertAlmostEquals(view.arrivalRate, RATE * 0.9, RATE * 0.03);
  assertEquals(weather.received, 90);
  assertEquals(weather.sent, 100);
});

Deno.test("while all comes and nothing waits, it wants more; less as soon as packets wait", () => {
  const weather = new GroupWeather();
  send(weather, 0, 100, () => 2);
  const first = weather.look(RATE);
  assert(first.wantedRate > RATE);
  send(weather, 100, 100, (i) => 2 + (i - 100) * 0.1);
  assertEquals(weather.look(RATE).wantedRate > RATE, false);
  send(weather, 200, 100, () => 40);
  const queued = weather.look(RATE);
  assertAlmostEquals(queued.delayMs, 38, 0.01);
  assertLess(queued.wantedRate, RATE);
  // Once may be chance.
  send(weather, 300, 100, () => 2);
  assertEquals(weather.look(RATE).wantedRate, first.wantedRate);
  // When it has been too much for a while, more is felt for in small steps; well below that it is not.
  for (const from of [400, 500]) {
    send(weather, from, 100, () => 40);
    assertLess(weather.look(RATE).wantedRate, RATE);
  }
  send(weather, 600, 100, () => 2);
  assertLess(weather.look(RATE).wantedRate, first.wantedRate);
  send(weather, 700, 100, () => 2);
  assertAlmostEquals(weather.look(RATE / 2).wantedRate, 0.75 * RATE, 1);
});

Deno.test("a machine that stands still for a while, the sender's or the receiver's, is no reason for much less", () => {
  const weather = new GroupWeather();
  send(weather, 0, 100, () => 2);
  weather.look(RATE);
  // The sender: half a second passes between two trains, and the first of them was stamped long before it went.
  const train = (from: number, sentAt: number, delay: number) => {
    for (let i = 0; i < 50; i++) {
      weather.handlePacket(sentAt + i + delay, from + i, (sentAt + i) * 1000 + 12_345, BYTES);
    }
  };
  train(100, 100, 300);
  train(150, 600, 40);
  assert(weather.look(RATE).wantedRate >= 0.75 * RATE);
  // The receiver: all of 200 ms at once, and late.
  for (let i = 0; i < 200; i++) {
    weather.handlePacket(1350, 200 + i, (1100 + i) * 1000 + 12_345, BYTES);
  }
  assert(weather.look(RATE).wantedRate >= 0.75 * RATE);
  // What is lost says more.
  send(weather, 400, 100, () => 1300, (i) => i % 4 > 0);
  assertEquals(weather.look(RATE).wantedRate, RATE, "too little has come yet");
  send(weather, 500, 100, () => 1300, (i) => i % 4 > 0);
  assertLess(weather.look(RATE).wantedRate, 0.3 * RATE);
});

Deno.test("loss that is always there is no reason for less; more of it is", () => {
  const weather = new GroupWeather();
  for (let window = 0; window < 3; window++) {
    send(weather, 100 * window, 100, () => 2, (i) => i % 20 === 0);
    assert(weather.look(RATE).wantedRate >= RATE, `window ${window}`);
  }
  send(weather, 300, 100, () => 2, (i) => i % 4 === 0);
  assertLess(weather.look(RATE).wantedRate, RATE);
});

Deno.test("too few packets say nothing", () => {
  const weather = new GroupWeather();
  send(weather, 0, 5, () => 2, (i) => i > 0);
  assertEquals(weather.look(RATE).loss, 0);
});
