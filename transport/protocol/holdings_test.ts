import { assert, assertEquals } from "../../tests/_assert.ts";
import { Holdings } from "./holdings.ts";

Deno.test("holdings: everything until a source says otherwise, then exactly its runs", () => {
  const holdings = new Holdings();
  assert(!holdings.isPartial && holdings.has(0) && holdings.has(1e9));
  assertEquals(holdings.wishAt, Infinity);
  holdings.update(0, [{ first: 2, count: 3 }, { first: 10, count: 1 }, { first: 20, count: 5 }]);
  const here = Array.from({ length: 30 }, (_, chunk) => chunk).filter((chunk) => holdings.has(chunk));
  assertEquals(here, [2, 3, 4, 10, 20, 21, 22, 23, 24]);
  assert(holdings.update(1, [{ first: 0, count: 30 }]), "more than before is progress");
  assert(!holdings.update(2, []), "less is none");
  assert(!holdings.has(0));
});

Deno.test("holdings: a source that lacks what is wanted is asked for it now and then", () => {
  const holdings = new Holdings();
  assert(!holdings.takeWish());
  holdings.update(1000, []);
  assert(holdings.takeWish() && !holdings.takeWish());
  const at = holdings.wishAt;
  assert(at > 1000 && at < 2000);
  holdings.handleTimeout(at);
  assert(holdings.takeWish() && holdings.wishAt > at);
});
