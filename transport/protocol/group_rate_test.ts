import { assertEquals } from "../../tests/_assert.ts";
import { chosenRate, GROUP_RATE_MIN, GroupRate } from "./group_rate.ts";

const votes = [100, 400, 300, 200];

Deno.test("a group's rate: each policy makes its own of the same votes", () => {
  assertEquals(chosenRate({ name: "slowest" }, votes), 100);
  assertEquals(chosenRate({ name: "percentile", share: 1 }, votes), 100);
  assertEquals(chosenRate({ name: "percentile", share: 0.75 }, votes), 200);
  assertEquals(chosenRate({ name: "percentile", share: 0.25 }, votes), 400);
  assertEquals(chosenRate({ name: "fixed", rate: 7 }, votes), 7);
  for (const name of ["slowest"] as const) assertEquals(chosenRate({ name }, []), undefined);
});

Deno.test("a group's rate: one slow one of eight does not count where three of four do", () => {
  const wanted = [1, 80, 80, 80, 80, 80, 80, 80];
  assertEquals(chosenRate({ name: "percentile", share: 0.75 }, wanted), 80);
});

Deno.test("a group's rate: down at once, up once in each interval of reports, and never below its least", () => {
  const rate = new GroupRate({ name: "slowest" }, 50_000_000);
  rate.follow(0, [1_000_000], 100);
  assertEquals(rate.current, 1_000_000);
  rate.follow(10, [1_500_000], 100);
  assertEquals(rate.current, 1_500_000);
  rate.follow(50, [9_000_000], 100);
  assertEquals(rate.current, 1_500_000);
  rate.follow(110, [9_000_000], 100);
  assertEquals(rate.current, 3_000_000);
  rate.follow(111, [0], 100);
  assertEquals(rate.current, GROUP_RATE_MIN);
  for (let now = 1000; now < 9000; now += 100) rate.follow(now, [2 ** 40], 100);
  assertEquals(rate.current, 50_000_000);
});
