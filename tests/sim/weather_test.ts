import { assert, assertAlmostEquals, assertEquals } from "../_assert.ts";
import { perfectPath } from "./path.ts";
import { mbit, mostBytes, mostGoodput, payloadShare, weatherRule, weathers } from "./weather.ts";
import type { Weather } from "./weather.ts";

const all: readonly (readonly [string, Weather])[] = Object.entries(weathers);

Deno.test("weather: every one has a rate, and loses less than everything", () => {
  for (const [name, weather] of all) {
    const most = mostGoodput(weather, 1428);
    assert(most > 0 && most < Infinity, name);
    const times = (weather.later ?? []).map(({ atMs }) => atMs);
    assertEquals(times, times.toSorted((a, b) => a - b), name);
  }
});

Deno.test("weather: what can be had of 200 Mbit/s with 10 % loss", () => {
  assertAlmostEquals(payloadShare(1428), 1428 / 1480);
  assertAlmostEquals(mostGoodput(weathers["loss 10 %"], 1428), mbit(200) * 0.9 * 1428 / 1480);
  assertAlmostEquals(mostGoodput(weathers.policer, 1428), mbit(50) * 1428 / 1480);
});

Deno.test("weather: all pullers of an exposer share one bottleneck each way", () => {
  const rule = weatherRule(weathers.adsl, "192.0.2.1");
  const options = (from: string, to: string) => ({ ...perfectPath, ...rule(from, to) });
  assertEquals(options("192.0.2.1", "192.0.2.2"), options("192.0.2.1", "192.0.2.3"));
  assertEquals(options("192.0.2.1", "192.0.2.2").bytesPerSecond, mbit(16));
  assertEquals(options("192.0.2.2", "192.0.2.1").bytesPerSecond, mbit(0.8));
  assertEquals(["down", "up"], [rule("192.0.2.1", "x").link, rule("x", "192.0.2.1").link]);
});

Deno.test("weather: what can be had follows its changes", () => {
  const rises = weathers["rate rises"];
  const rate = (megabits: number) => mbit(megabits) * 1428 / 1480;
  assertAlmostEquals(mostBytes(rises, 0, 1000, 1428), rate(20), 1e-3);
  assertAlmostEquals(mostBytes(rises, 1000, 2500, 1428), rate(20) * 0.5 + rate(200), 1e-3);
  assertAlmostEquals(mostBytes(rises, 3000, 4000, 1428), rate(200), 1e-3);
  // 400 ms before the outage of 2 s, and 600 ms after it.
  assertAlmostEquals(mostBytes(weathers.outage, 0, 3000, 1428), rate(200), 1e-3);
  assertEquals(mostBytes(weathers.clean, 5, 5, 1428), 0);
});
