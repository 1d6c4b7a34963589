import { parseTicket } from "../codec/ticket.ts";
import { expose } from "../transport/expose.ts";
import { openLink } from "../transport/link/open_link.ts";
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "../tests/_assert.ts";
import { judgePings, judgePull, pathChecks, ping, tryPull } from "./_doctor_path.ts";
import type { PathFacts } from "./_doctor_path.ts";

const HERE = { host: "127.0.0.1", port: 0 };
const address = { host: "192.0.2.7", port: 9000 };
/** A way on which nothing is amiss. */
const facts: PathFacts = {
  source: "192.0.2.7:9000",
  seconds: 5,
  isWhole: false,
  wireBytes: 50_000_000,
  rate: 10_000_000,
  loss: 0.001,
  roundTripMs: 40.5,
  leastRoundTripMs: 40,
  cpu: 0.2,
  lateMs: 0.3,
  burstPacketsMax: 3000,
};

Deno.test("path: what limits a pull has words of its own, and what can be done about it is said", () => {
  const cases: readonly [Partial<PathFacts>, state: "ok" | "warn", says: RegExp][] = [
    [{ isWhole: true, seconds: 0.3 }, "warn", /over before they could show it/],
    [{ rateMax: 11_000_000 }, "ok", /lets each puller have 11\.0 MB\/s/],
    [{ cpu: 0.97 }, "warn", /this machine's processor.*97 %/],
    [{ roundTripMs: 55, lateMs: 9 }, "warn", /this machine's processor.*waited 9\.00 ms for it/],
    [{ burstPacketsMax: 300 }, "warn", /receive buffer of this machine: it holds 300 packets/],
    [
      { roundTripMs: 55 },
      "ok",
      /slowest part of the way, or the exposer, is full at 80\.0 Mbit\/s: packets wait 15 ms/,
    ],
    [{ loss: 0.12 }, "warn", /loss: no queue.*12 % get lost/],
    [{}, "warn", /the exposer gives no more/],
  ];
  for (const [change, state, says] of cases) {
    const { name, state: found, what } = judgePull({ ...facts, ...change }).at(-1)!;
    assertEquals([name, found], ["what limits it", state], what);
    assertMatch(what, says);
  }
});

Deno.test("path: rate, loss and round trip are told in figures, and a loss that costs something is a warning", () => {
  const [rate, loss, way] = judgePull({ ...facts, loss: 0.02 });
  assertMatch(rate.what, /10\.0 MB\/s \(80\.0 Mbit\/s\) from 192\.0\.2\.7:9000: 50\.0 MB in 5\.0 s/);
  assertEquals([loss.state, way.state], ["warn", "ok"]);
  assertMatch(loss.what, /2\.00 % of packets/);
  assertMatch(way.what, /round trip 41 ms, at least 40 ms|round trip 40 ms, at least 40 ms/);
  assertEquals(judgePings(address, [12, 11, 30, 12, 12, 12, 12, 12, 12])[0].state, "ok");
  assertEquals(judgePings(address, [12, 11, 30])[0].state, "warn");
  assertMatch(judgePings(address, [])[0].what, /answers none of 10/);
});

Deno.test("path: an exposer answers small packets whoever sends them, and a socket that is none does not", async () => {
  await using exposure = await expose(new Uint8Array(10), HERE);
  const trips = await ping(exposure.address, 3);
  assertGreater(trips.length, 0);
  for (const trip of trips) assertLess(trip, 1000);
  assertEquals(exposure.stats().memory.liveTokens, 0);
  using deaf = await openLink(HERE);
  assertEquals(await ping(deaf.local, 1), []);
});

Deno.test("path: a limit of the exposer is found, and nothing is kept of what is pulled", async () => {
  const rate = 2_000_000;
  await using exposure = await expose(new Uint8Array(20_000_000), { ...HERE, limitRate: rate });
  const found = await tryPull(parseTicket(exposure.ticket), 1500);
  assertEquals([found.rateMax, found.isWhole], [rate, false]);
  assertLess(found.rate, 1.3 * rate);
  assertMatch(
    judgePull({ ...found, rate }).at(-1)!.what,
    /the exposer: it lets each puller have 2\.00 MB\/s/,
  );
});

Deno.test("path: without a ticket what is open is pulled, and what is not is said to be closed", async () => {
  await using open = await expose(new Uint8Array(30_000), { ...HERE, open: true, name: "small" });
  const names = async (port: number) => {
    const checks = await pathChecks({ addresses: [{ host: HERE.host, port }] }, []);
    return checks.map(({ name, what }) => `${name}: ${what}`);
  };
  const whole = await names(open.address.port);
  assertEquals(whole.length, 5);
  assertMatch(whole.at(-1)!, /what limits it: not known/);
  await using closed = await expose(new Uint8Array(30_000), HERE);
  const [, rate] = await names(closed.address.port);
  assertMatch(rate, /nothing is exposed there that this machine may pull without a ticket/);
  assert(!rate.includes("undefined"));
});
