import { assertEquals } from "../../tests/_assert.ts";
import { isDip, verdictOf } from "./loss_trial.ts";

const trial = {
  window: 100,
  rate: 10,
  loss: 0.2,
  usual: 0.2,
  perEvent: 1,
  burst: 16,
  isOfStart: false,
  rounds: 0,
};
const cases = [
  { what: "less is lost of less", loss: 0.02, rate: 9, isQueued: false, verdict: "ours" },
  { what: "as much is lost, and less comes", loss: 0.2, rate: 7, isQueued: false, verdict: "the path's" },
  { what: "as much is lost, and as much comes", loss: 0.2, rate: 9.8, isQueued: false, verdict: "unclear" },
  { what: "as much is lost before a queue", loss: 0.2, rate: 7, isQueued: true, verdict: "ours" },
  { what: "nothing is lost before a queue", loss: 0, rate: 7, isQueued: true, verdict: "ours" },
] as const;

for (const { what, loss, rate, isQueued, verdict } of cases) {
  Deno.test(`loss trial: ${what}: ${verdict}`, () => {
    assertEquals(verdictOf(trial, { window: 60, rate, loss, baseline: 0, isQueued }), verdict);
  });
}

Deno.test("loss trial: what is known to be the path's does not count as still lost", () => {
  const outcome = { window: 60, rate: 6, baseline: 0.15, isQueued: false };
  assertEquals(verdictOf(trial, { ...outcome, loss: 0.16 }), "ours");
  assertEquals(verdictOf(trial, { ...outcome, loss: 0.17 }), "the path's");
});

const dips = [
  { what: "as much less comes as is lost", rate: 6, loss: 0.4, is: true },
  { what: "a little less comes, and a little is lost", rate: 9, loss: 0.1, is: true },
  { what: "nearly as much comes as before", rate: 9.4, loss: 0.1, is: false },
  { what: "somewhat less comes, and most of it is lost", rate: 8, loss: 0.69, is: false },
];

for (const { what, rate, loss, is } of dips) {
  Deno.test(`loss trial: ${what}: ${is ? "the weather's" : "to be tried"}`, () => {
    assertEquals(isDip({ rate, bestRate: 10, loss, baseline: 0 }), is);
  });
}

Deno.test("loss trial: what lacks in what comes is held against what the path did not lose before", () => {
  assertEquals(isDip({ rate: 8, bestRate: 10, loss: 0.69, baseline: 0.5 }), true);
});
