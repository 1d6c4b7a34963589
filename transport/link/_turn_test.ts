import { setImmediate } from "node:timers";
import { assertEquals } from "../../tests/_assert.ts";
import { Turn } from "./_turn.ts";

Deno.test("turns: those who read on are called one after the other, and the event loop goes round before each", async () => {
  const turn = new Turn();
  const seen: string[] = [];
  let isOver = false;
  const round = () => {
    if (seen.at(-1) !== "round") seen.push("round");
    if (!isOver) setImmediate(round);
  };
  setImmediate(round);
  const read = async (name: string, times: number) => {
    for (let i = 0; i < times; i++) {
      await turn.next();
      seen.push(name);
    }
  };
  await Promise.all([read("a", 3), read("b", 2), read("c", 1)]);
  isOver = true;
  // Who has had a turn stands behind the others.
  assertEquals(seen.filter((one) => one !== "round"), ["a", "b", "c", "a", "b", "a"]);
  const called = seen.flatMap((one, i) => one === "round" ? [] : [i]);
  for (const i of called) assertEquals(seen[i - 1], "round");
});
