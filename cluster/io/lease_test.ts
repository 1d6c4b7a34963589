import { assertEquals } from "../../tests/_assert.ts";
import { Lease } from "./lease.ts";
import { openSqliteStore } from "./sqlite_store.ts";

Deno.test("lease: the first one leads, and the next one when it has been silent for seven seconds", async () => {
  await using store = openSqliteStore(":memory:");
  const [a, b] = [new Lease(store, "controller-a"), new Lease(store, "controller-b")];
  assertEquals([await a.hold(0), await b.hold(0)], [true, false]);
  // As long as it says so, nobody else does.
  for (let now = 2000; now <= 20_000; now += 2000) {
    assertEquals([await a.hold(now), await b.hold(now)], [true, false]);
  }
  // Silence counts from when it was noticed.
  assertEquals(await b.hold(22_000), false);
  assertEquals(await b.hold(26_000), false);
  assertEquals(await b.hold(28_000), true);
  assertEquals(await a.hold(28_000), false, "it was away, and hears that another one leads");
});

Deno.test("lease: clocks need not agree, and whoever lets go is followed at once", async () => {
  await using store = openSqliteStore(":memory:");
  const [a, b] = [new Lease(store, "controller-a"), new Lease(store, "controller-b")];
  assertEquals(await a.hold(1e9), true);
  assertEquals(await b.hold(5), false);
  await a.release();
  assertEquals(await b.hold(2005), true);
  // What is not one's own is not let go.
  await a.release();
  assertEquals(await b.hold(4005), true);
});

Deno.test("lease: the same controller, started again, goes on leading", async () => {
  await using store = openSqliteStore(":memory:");
  assertEquals(await new Lease(store, "controller").hold(0), true);
  assertEquals(await new Lease(store, "controller").hold(0), true);
});
