import { assertEquals } from "../../tests/_assert.ts";
import { Caution } from "./caution.ts";

function roundsOf(caution: Caution, window: number): number {
  let rounds = 0;
  for (; caution.isOn && rounds < 1000; rounds++) caution.handleGrowth(window);
  return rounds;
}

Deno.test("caution: 16 rounds, twice as many each time, 256 at most", () => {
  const caution = new Caution();
  assertEquals(caution.isOn, false);
  const rounds = Array.from({ length: 6 }, () => {
    caution.begin(100);
    return roundsOf(caution, 110);
  });
  assertEquals(rounds, [16, 32, 64, 128, 256, 256]);
});

Deno.test("caution: a window that has outgrown what was taken for the most ends it, and what it remembered", () => {
  const caution = new Caution();
  caution.begin(100);
  caution.begin(100);
  caution.handleGrowth(125);
  assertEquals(caution.isOn, true);
  caution.handleGrowth(126);
  assertEquals(caution.isOn, false);
  caution.begin(126);
  assertEquals(roundsOf(caution, 130), 16);
});
