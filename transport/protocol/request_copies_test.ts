import { assertEquals, assertGreaterOrEqual } from "../../tests/_assert.ts";
import { copiesOf, isLossy } from "./request_copies.ts";

Deno.test("request copies: one where nothing gets lost, and one more for each timeout in a row, up to six", () => {
  assertEquals([0, 1, 2, 5, 6, 100].map((timeouts) => copiesOf(0, timeouts, false)), [1, 2, 3, 6, 6, 6]);
});

Deno.test("request copies: at any loss that they can make up for, fewer than one request in fifty does not get through", () => {
  for (const isTail of [false, true]) {
    for (let loss = 0.005; loss < 0.5; loss += 0.005) {
      const sent = copiesOf(loss, 0, isTail) * (isTail ? 1 : 3);
      if (sent < (isTail ? 6 : 18)) assertGreaterOrEqual(0.02, loss ** sent, `${loss}`);
    }
  }
});

Deno.test("request copies: the worse the way, the more; at the end, where nothing repeats them, most", () => {
  let [before, beforeTail] = [0, 0];
  for (let loss = 0; loss < 1; loss += 0.01) {
    const [copies, tail] = [copiesOf(loss, 0, false), copiesOf(loss, 0, true)];
    assertGreaterOrEqual(copies, before);
    assertGreaterOrEqual(tail, beforeTail);
    assertGreaterOrEqual(tail, copies);
    [before, beforeTail] = [copies, tail];
  }
  assertEquals([isLossy(0.004), isLossy(0.005)], [false, true]);
});
