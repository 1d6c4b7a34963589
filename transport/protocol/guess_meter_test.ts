import { assert, assertEquals, assertLessOrEqual } from "../../tests/_assert.ts";
import { limits } from "../../core/limits.ts";
import { GuessMeter } from "./guess_meter.ts";

const at = (host: string) => ({ host, port: 1000 });
const eve = at("203.0.113.1");
const bob = at("198.51.100.1");

/** Wrong guesses from one address until none is allowed any more. */
function guess(meter: GuessMeter, now: number, from = eve): number {
  for (let guesses = 0; guesses < 1000; guesses++) {
    if (!meter.allows(now, from)) return guesses;
    meter.note(now, from);
  }
  throw new Error("it never ends");
}

Deno.test("guesses: one network has so many, then one in each interval, and others go on", () => {
  const meter = new GuessMeter(0);
  assertEquals(guess(meter, 0), limits.guessesAtOnceMax);
  assert(meter.allows(0, bob));
  assertEquals(guess(meter, limits.guessIntervalMs - 1), 0);
  assertEquals(guess(meter, limits.guessIntervalMs), 1);
  assertEquals(guess(meter, 3 * limits.guessIntervalMs), 2);
  assertEquals(guess(meter, 1000 * limits.guessIntervalMs), limits.guessesAtOnceMax);
});

Deno.test("guesses: another port, and another address of one IPv6 network, share an account", () => {
  const meter = new GuessMeter(0);
  guess(meter, 0);
  assert(!meter.allows(0, { ...eve, port: 2 }));
  guess(meter, 0, at("2001:db8::1"));
  assert(!meter.allows(0, at("2001:db8::ffff:1")));
  assert(meter.allows(0, at("2001:db8:0:1::1")));
  assert(meter.allows(0, at("203.0.113.2")));
});

Deno.test("guesses: from ever new addresses they come down to the rate of all together", () => {
  const meter = new GuessMeter(0);
  let guesses = 0;
  const hour = 3_600_000;
  for (let now = 0, i = 0; now < hour; now += 500, i++) {
    const from = at(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    if (!meter.allows(now, from)) continue;
    meter.note(now, from);
    guesses++;
  }
  assertLessOrEqual(guesses, limits.guessesTotalAtOnceMax + hour / limits.guessTotalIntervalMs);
  assert(guesses > hour / limits.guessTotalIntervalMs);
});

Deno.test("guesses: memory is bounded; beyond the bound newcomers share an account; what is full again is forgotten", () => {
  const meter = new GuessMeter(0);
  for (let i = 0; i < 3 * limits.guessNetworksMax; i++) meter.note(0, at(`10.0.${i >> 8}.${i & 255}`));
  assertLessOrEqual(meter.size, limits.guessNetworksMax);
  const later = limits.guessesAtOnceMax * limits.guessIntervalMs;
  assert(meter.allows(later, eve));
  assertEquals(meter.size, 0);
});

Deno.test("guesses: a clock that stands still, or a wrong guess too many, takes nothing more away", () => {
  const meter = new GuessMeter(100);
  for (let i = 0; i < 10; i++) meter.note(100, eve);
  assert(!meter.allows(0, eve));
  assertEquals(guess(meter, 100 + limits.guessIntervalMs), 1);
});
