import { assert, assertEquals, assertGreater, assertLess } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { SafeWindow } from "./window.ts";

const SYMBOLS_FAR_MAX = 1024;

Deno.test("window: whatever happens, it stays within its bounds and is a number", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { integer, float, chance } = seededRandom(seed);
    const burstMax = 1 + integer(200);
    const window = new SafeWindow(chance(0.2) ? 0 : float() * 1000, burstMax);
    let now = 0;
    for (let i = 0; i < 400; i++) {
      now += float() * 50;
      const what = integer(10);
      if (what === 0) window.handleRoundTrip(float() * 10 ** integer(5));
      else if (what === 1) window.handleLoss(now);
      else if (what === 2) window.handleTimeout();
      else if (what === 3) window.handleContact();
      else for (let n = integer(40); n > 0; n--) window.handleSymbol();
      const { symbols, burst, timeout, roundTrip } = window;
      assert(
        symbols >= Math.min(8, burstMax) && symbols <= Math.max(burstMax, SYMBOLS_FAR_MAX),
        `${symbols}`,
      );
      assert(burst >= 1 && burst <= burstMax && Number.isInteger(burst), `${burst} of ${burstMax}`);
      assert(timeout >= 30 && timeout <= 3000, `${timeout}`);
      assert(roundTrip >= 0);
    }
  }
});

Deno.test("window: near, one burst is the most that may be under way", () => {
  const window = new SafeWindow(0.2, 80);
  for (let i = 0; i < 5000; i++) window.handleSymbol();
  assertEquals(window.symbols, 80);
  const far = new SafeWindow(30, 80);
  for (let i = 0; i < 5000; i++) far.handleSymbol();
  assertEquals(far.symbols, SYMBOLS_FAR_MAX);
  // A single short sample shows that it is near.
  far.handleRoundTrip(1);
  assertEquals(far.symbols, 80);
});

Deno.test("window: it doubles in a round trip until something is lost, is cut once a round trip, and then grows slowly", () => {
  const window = new SafeWindow(20, 80);
  const start = window.symbols;
  for (let i = 0; i < start; i++) window.handleSymbol();
  assertEquals(window.symbols, 2 * start);
  window.handleLoss(100);
  const cut = window.symbols;
  assertLess(cut, 2 * start);
  window.handleLoss(101);
  assertEquals(window.symbols, cut);
  for (let i = 0; i < cut; i++) window.handleSymbol();
  assert(window.symbols <= cut + 1);
  window.handleLoss(200);
  assertLess(window.symbols, cut);
});

Deno.test("window: timeouts back off to 3 s, and a symbol or a handshake ends that", () => {
  const window = new SafeWindow(20, 80);
  const first = window.timeout;
  let last = first;
  for (let i = 0; i < 20; i++) {
    window.handleTimeout();
    assert(window.timeout >= last);
    last = window.timeout;
  }
  assertEquals(last, 3000);
  window.handleSymbol();
  assertEquals(window.timeout, first);
  window.handleTimeout();
  assertGreater(window.timeout, first);
  window.handleContact();
  assertEquals(window.timeout, first);
});
