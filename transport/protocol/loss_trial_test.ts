import { assertEquals } from "../../tests/_assert.ts";
import { verdictOf } from "./loss_trial.ts";

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
