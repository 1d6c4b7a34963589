import { limits } from "../core/limits.ts";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../tests/_assert.ts";
import type { Datagrams, Link } from "./link/link.ts";
import { StrangersDoor } from "./strangers_door.ts";

const batch: readonly Datagrams[] = [{
  peer: { host: "192.0.2.1", port: 1 },
  bytes: Uint8Array.of(1),
  segmentSize: 1,
}];

/** A door under a flood that never ends, in a time of its own: each batch takes 0.3 ms, and pulls are served whenever it rests. */
async function flooded(links: number, untilMs: number, hasPulls: boolean, isGranted = false) {
  let [now, spent, served, granted, rests] = [0, 0, 0, 0, 0];
  const perLink: number[] = Array(links).fill(0);
  const feed = () => {
    now += 0.3;
    spent += 0.3;
    if (isGranted) granted++;
  };
  const later = (ms: number, what: () => void) => {
    queueMicrotask(() => {
      now += ms;
      rests++;
      if (hasPulls) served++;
      what();
    });
    return () => {};
  };
  const link = (number: number) => ({
    receive: () => Promise.resolve(now < untilMs ? (perLink[number]++, batch) : []),
  });
  const all = perLink.map((_, i) => link(i) as unknown as Link);
  // Somebody pulls already.
  if (hasPulls) queueMicrotask(() => served++);
  await new StrangersDoor(all, feed, () => ({ served, granted }), () => now, later).run();
  return { now, spent, rests, perLink };
}

Deno.test("strangers' door: while others pull, a flood gets its part of the time and no more", async () => {
  for (const links of [1, 2]) {
    const { now, spent, perLink } = await flooded(links, 10_000, true);
    const percent = 100 * spent / now;
    assertLessOrEqual(percent, limits.strangersTimePercent + 1);
    // It is read, too.
    assertGreater(percent, limits.strangersTimePercent - 1);
    // One flooded link does not keep the other from being read.
    for (const count of perLink) assertGreater(count, 0.9 * perLink[0]);
  }
});

Deno.test("strangers' door: while others pull, those who are let in get more of the time, and no more than theirs", async () => {
  const { now, spent } = await flooded(2, 10_000, true, true);
  const percent = 100 * spent / now;
  assertLessOrEqual(percent, limits.newcomersTimePercent + 1);
  assertGreater(percent, limits.newcomersTimePercent - 1);
});

Deno.test("strangers' door: when nobody else is there, nothing rests", async () => {
  const { now, spent, rests } = await flooded(2, 1000, false);
  assertEquals(rests, 0);
  assertEquals(spent, now);
});

Deno.test("strangers' door: a process that is suspended in the middle of its work opens soon after", async () => {
  let [now, batches] = [0, 0];
  const rests: number[] = [];
  const link = { receive: () => Promise.resolve(batches++ < 3 ? batch : []) } as unknown as Link;
  const door = new StrangersDoor(
    [link],
    () => now += 20_000,
    () => ({ served: now, granted: 0 }),
    () => now,
    (ms, what) => {
      rests.push(ms);
      queueMicrotask(what);
      return () => {};
    },
  );
  await door.run();
  assertEquals(rests, Array(3).fill(limits.strangersRestMsMax));
});

Deno.test("strangers' door: a rest ends when it is closed", async () => {
  let [now, cancelled] = [0, false];
  const link = { receive: () => Promise.resolve(batch) } as unknown as Link;
  const resting = Promise.withResolvers<void>();
  const door = new StrangersDoor(
    [link],
    () => {},
    () => ({ served: now, granted: 0 }),
    () => now += 5,
    () => {
      resting.resolve();
      return () => void (cancelled = true);
    },
  );
  const running = door.run();
  await resting.promise;
  door.close();
  door.close();
  await running;
  assert(cancelled);
});
