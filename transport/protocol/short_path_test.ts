import { assertEquals } from "../../tests/_assert.ts";
import { ShortPath } from "./short_path.ts";

Deno.test("short path: what may be under way is a 96th of what has come, from the first bound to the buffer's", () => {
  const path = new ShortPath({ burstPacketsMax: 300, burstPacketsFirst: 100 });
  const mostAfter = (symbols: number) => (path.handleArrivals(symbols), path.most);
  assertEquals([path.most, mostAfter(9600), mostAfter(9600), mostAfter(96_000)], [100, 100, 200, 300]);
  assertEquals(new ShortPath({ burstPacketsMax: 80 }).most, 80);
});

Deno.test("short path: a longer queue may stand within one machine, once much has come, and nowhere else", () => {
  for (const isLoopback of [true, false]) {
    const path = new ShortPath({ burstPacketsMax: 300, burstPacketsFirst: 100, isLoopback });
    assertEquals([path.queueTarget(3), path.queueTarget(20)], [3, 20]);
    path.handleArrivals(9601);
    assertEquals([path.queueTarget(3), path.queueTarget(20)], [isLoopback ? 12 : 3, 20]);
  }
});
