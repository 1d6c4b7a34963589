import { assert, assertEquals, assertGreater } from "../_assert.ts";
import { runMixed } from "./mixed.ts";
import { HAPPENING_MS_MAX, mixedPlan } from "./mixed_plan.ts";
import type { Happening, MixedPlan } from "./mixed_plan.ts";
import { failingSeeds, runSeeds } from "./seed_runs.ts";
import { simSeeds } from "./world.ts";

const SEEDS = 1000;

Deno.test(`mixed weather: ${SEEDS} seeds`, async () => {
  const failures = await runSeeds({ first: 1, count: SEEDS });
  assertEquals(failures.map(({ message }) => message), []);
});

Deno.test("mixed weather: seeds that have failed once", async () => {
  for (const seed of simSeeds(...failingSeeds())) await runMixed(seed);
});

Deno.test("mixed weather: a seed gives the same run each time, in a worker too", async () => {
  const [first, again] = [await runMixed(12), await runMixed(12)];
  assertEquals(first, again);
  assertEquals(mixedPlan(12), mixedPlan(12));
  assertEquals(await runSeeds({ first: 12, count: 3, workers: 2 }), []);
});

Deno.test("mixed weather: whatever may happen does, within its bounds", () => {
  const plans = Array.from({ length: 2000 }, (_, seed) => mixedPlan(seed));
  const happenings = plans.flatMap((plan) => plan.happenings);
  const kinds = Map.groupBy(happenings, ({ kind }) => kind);
  const all: Happening["kind"][] = [
    "restart",
    "move",
    "suspend",
    "clock",
    "outage",
    "path",
    "withdraw",
    "revoke",
  ];
  for (const kind of all) assertGreater(kinds.get(kind)?.length ?? 0, 20, kind);
  for (const one of happenings) {
    const times = Object.entries(one).filter(([key]) => key.endsWith("Ms")).map(([, ms]) => Number(ms));
    assert(times.every((ms) => ms > 0 && ms <= HAPPENING_MS_MAX), JSON.stringify(one));
  }
  const have = (what: (plan: MixedPlan) => boolean) => plans.filter(what).length;
  const cases: readonly (readonly [string, (plan: MixedPlan) => boolean])[] = [
    ["nothing to pull", ({ size }) => size === 0],
    ["one byte", ({ size }) => size === 1],
    ["several pullers", ({ pullers }) => pullers.length > 2],
    ["loss", ({ down }) => (down.lossRate ?? 0) > 0.1],
    ["bursts", ({ down }) => (down.burstLossRate ?? 0) > 0.01],
    ["other paths up than down", ({ down, up }) => down.delayMs !== up.delayMs],
    ["one medium for both directions", ({ down, up }) => down.link === up.link],
    ["a policer", ({ down }) => down.policedBytesPerSecond !== undefined],
    ["a small MTU", ({ down }) => (down.mtu ?? 1500) < 1450],
    ["something on disk", ({ pullers }) => pullers.some(({ disk }) => disk.includes("wrong"))],
    ["an exposer with a limit", ({ exposer }) => exposer.limitRate !== undefined],
  ];
  for (const [what, isSo] of cases) assertGreater(have(isSo), 20, what);
});
