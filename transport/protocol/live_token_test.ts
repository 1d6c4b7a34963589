import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../../tests/_assert.ts";
import { exposedOf, simExposure } from "../../tests/sim/transfer.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { limits } from "../../core/limits.ts";
import { LiveToken } from "./live_token.ts";

const exposed = exposedOf(await simExposure(1, 100), () => "open");

function liveToken(pullRateMax = 0, now = 0): LiveToken {
  return new LiveToken(now, {
    address: { host: "192.0.2.7", port: 7 },
    exposed,
    token: new Uint8Array(104),
    pullKey: new Uint8Array(32),
    ticketId: new Uint8Array(8),
    epoch: 0,
    expiresAt: 600_000,
  }, pullRateMax);
}

Deno.test("request window: no number is accepted twice, in any order and however old", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { integer } = seededRandom(seed);
    const live = liveToken();
    const accepted = new Set<number>();
    for (let i = 0; i < 2000; i++) {
      const number = integer(seed % 2 === 0 ? 300 : 2 ** 32);
      if (!live.accept(number)) continue;
      assert(!accepted.has(number));
      accepted.add(number);
    }
  }
});

Deno.test("request window: of the last 64 numbers each is accepted once, whatever their order; the 65th is too old", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { integer } = seededRandom(seed);
    const live = liveToken();
    const start = integer(2 ** 31);
    const numbers = Array.from({ length: limits.requestWindow }, (_, i) => start + i);
    for (const left = numbers.slice(); left.length > 0;) {
      assert(live.accept(left.splice(integer(left.length), 1)[0]));
    }
    for (const number of numbers) assert(!live.accept(number));
    assert(live.accept(start + limits.requestWindow));
    if (start > 0) assert(!live.accept(start - 1));
  }
});

/** Bytes that are allowed when everything is asked for, `bytes` at a time every `everyMs`, for `forMs`. */
function allowed(
  live: LiveToken,
  { bytes, everyMs = 5, fromMs = 0, forMs, fresh = true, share = 1 }: {
    bytes: number;
    everyMs?: number;
    fromMs?: number;
    forMs: number;
    fresh?: boolean;
    /** Of what is sent, what it reports as received. */
    share?: number;
  },
): number {
  let sum = 0;
  for (let now = fromMs; now < fromMs + forMs; now += everyMs) {
    if (!live.allows(now, bytes, fresh, Math.floor(live.bytesSent * share) % 2 ** 32)) continue;
    sum += bytes;
    live.bytesSent += bytes;
  }
  return sum;
}

const FLOOR = limits.floorBytesPerSecond;

Deno.test("stale receipts: the floor rate, and at most one request beyond it", () => {
  for (const bytes of [1000, 10_000, limits.requestBytesMax]) {
    const sum = allowed(liveToken(), { bytes, forMs: 60_000, fresh: false });
    assertLessOrEqual(sum, 60 * FLOOR + FLOOR / 4 + bytes);
    assertGreater(sum, 0.8 * 60 * FLOOR - bytes);
  }
});

Deno.test("stale receipts: nothing that is more than one request of usual size", () => {
  assert(!liveToken().allows(0, limits.requestBytesMax + 1, false, 0));
  assert(liveToken().allows(0, limits.requestBytesMax + 1, true, 0));
});

Deno.test("circuit breaker: who reports under a tenth is held at the floor rate after 5 s, and is free again when more comes", () => {
  const live = liveToken();
  const bytes = 100_000;
  assertGreater(allowed(live, { bytes, forMs: 5000, share: 0.05 }), 50_000_000);
  // The window that has just ended is judged by the next request.
  const held = allowed(live, { bytes, fromMs: 5000, forMs: 30_000, share: 0.05 });
  assertLessOrEqual(held, 30 * FLOOR + FLOOR / 4 + bytes);
  allowed(live, { bytes, fromMs: 35_000, forMs: 10_000, share: 0.9 });
  assertGreater(allowed(live, { bytes, fromMs: 45_000, forMs: 1000, share: 0.9 }), 10_000_000);
});

Deno.test("circuit breaker: reports wrap at 2^32, and who asks for little is not judged", () => {
  const live = liveToken();
  live.bytesSent = 2 ** 32 - 50_000_000;
  const bytes = 100_000;
  for (let from = 0; from < 30_000; from += 5000) {
    assertGreater(allowed(live, { bytes, fromMs: from, forMs: 5000, share: 0.5 }), 90_000_000);
  }
  assertEquals(allowed(liveToken(), { bytes: 1000, everyMs: 100, forMs: 60_000, share: 0 }), 600_000);
});

Deno.test("ceilings: the rate of a puller, and the bytes that wait for it", () => {
  const sum = allowed(liveToken(1_000_000), { bytes: 50_000, forMs: 20_000 });
  assertLessOrEqual(sum, 20 * 1_000_000 + limits.requestBytesMax + 50_000);
  assertGreater(sum, 19 * 1_000_000);
  const live = liveToken();
  live.queuedBytes = limits.tokenQueueBytesMax - 1000;
  assert(live.allows(0, 1000, true, 0));
  assert(!live.allows(0, 1001, true, 0));
});
