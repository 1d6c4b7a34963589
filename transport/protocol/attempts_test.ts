import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../../tests/_assert.ts";
import { exposedOf, simExposure } from "../../tests/sim/transfer.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { TokenMint } from "../../crypto/tokens.ts";
import { Attempts } from "./attempts.ts";
import type { InitiatorOptions } from "./initiator.ts";
import { Responder } from "./responder.ts";

const { bytes: random } = seededRandom(1, "attempts");
const exposure = await simExposure(1, 100);
const us = { host: "198.51.100.2", port: 4000 };
const addresses = [1, 2, 3].map((n) => ({ host: `192.0.2.${n}`, port: 9000 }));

function responder(): Responder {
  const exposed = exposedOf(exposure, () => "open");
  const mint = new TokenMint(engine, random, 0);
  return new Responder({
    engine,
    staticPrivate: exposure.staticPrivate,
    random,
    mint,
    pullRateMax: 0,
    find: () => exposed,
  });
}

function options(known = true): InitiatorOptions {
  return {
    engine,
    random,
    staticPrivate: random(32),
    ask: { kind: 0, exposureId: exposure.sealed.id, ticketId: new Uint8Array(8) },
    ...(known && { exposerKey: exposure.staticKey }),
  };
}

/** All that is sent until `end`, with its time. */
function sends(attempts: Attempts, end: number): { at: number; host: string; bytes: Uint8Array }[] {
  const sent: { at: number; host: string; bytes: Uint8Array }[] = [];
  for (let now = attempts.deadline; now <= end; now = attempts.deadline) {
    for (const { to, bytes } of attempts.due(now)) sent.push({ at: now, host: to.host, bytes });
    assertGreater(attempts.deadline, now);
  }
  return sent;
}

Deno.test("attempts: addresses begin 250 ms apart, each goes on ever less often, with one exchange of its own", () => {
  const sent = sends(new Attempts(100, addresses, options()), 20_100);
  addresses.forEach(({ host }, i) => {
    const own = sent.filter((one) => one.host === host);
    assertEquals(own[0].at, 100 + 250 * i);
    const gaps = own.slice(1).map((one, n) => one.at - own[n].at);
    gaps.forEach((gap, n) => n > 0 && assert(gap >= gaps[n - 1] - 1e-9 && gap <= 2000 + 1e-9));
    // Some 15 packets of 1.2 kB in 20 s: a ticket that names a victim does him no harm.
    assertLessOrEqual(own.length, 18);
    assertEquals(new Set(own.map(({ bytes }) => bytes.toHex())).size, 1);
  });
  assertEquals(new Set(sent.map(({ bytes }) => bytes.subarray(4, 12).toHex())).size, 3);
});

Deno.test("attempts: the result names the address that was asked, and a round trip that is never too short", () => {
  const attempts = new Attempts(0, addresses, options());
  const [first] = [...attempts.due(0)];
  // Sent again at 250 and 550: the answer at 600 may be to the first of them.
  [...attempts.due(250), ...attempts.due(550)];
  const { bytes } = responder().answer(600, us, first.bytes);
  const result = attempts.handle(600, bytes!);
  assert(result && typeof result === "object");
  assertEquals([result.address, result.roundTrip], [addresses[0], 600]);
});

Deno.test("attempts: answers of another exchange, and to another attempt's, are nobody's", () => {
  const [old, attempts] = [new Attempts(0, addresses, options()), new Attempts(0, addresses, options())];
  const [packet] = [...old.due(0)];
  [...attempts.due(0)];
  assertEquals(attempts.handle(1, responder().answer(0, us, packet.bytes).bytes!), undefined);
  assertEquals(attempts.handle(1, new Uint8Array(0)), undefined);
  assertEquals(attempts.handle(1, new Uint8Array(300)), undefined);
});

Deno.test("attempts: when the cookie of XX is dead, the handshake starts anew by itself", () => {
  const attempts = new Attempts(0, addresses.slice(0, 1), options(false));
  const before = responder();
  const [first] = [...attempts.due(0)];
  assertEquals(attempts.handle(5, before.answer(5, us, first.bytes).bytes!), "next");
  // It is restarted here: nobody can open the cookie any more.
  const after = responder();
  let result: ReturnType<Attempts["handle"]>;
  let now = 5;
  for (; now < 10_000 && !(result && result !== "next"); now = Math.max(now + 1, attempts.deadline)) {
    for (const { bytes } of [...attempts.due(now)]) {
      const reply = after.answer(now, us, bytes);
      if (reply.bytes) result = attempts.handle(now, reply.bytes);
    }
  }
  assert(typeof result === "object" && result.answer.granted);
  assertLessOrEqual(now, 4000);
});

Deno.test("attempts: hints count once for each packet of ours, and all addresses must agree", () => {
  const single = new Attempts(0, addresses.slice(0, 1), options());
  const [packet] = [...single.due(0)];
  for (let i = 0; i < 100; i++) single.handleHint(packet.bytes.slice(4, 12), "key");
  assert(!single.wrongExposer);
  const attempts = new Attempts(0, addresses.slice(0, 2), options());
  const exchanges: Uint8Array[] = [];
  const send = (now: number) => {
    for (const { to, bytes } of attempts.due(now)) {
      exchanges[to.host === "192.0.2.1" ? 0 : 1] = bytes.slice(4, 12);
    }
  };
  send(0);
  for (let i = 0; i < 100; i++) assert(attempts.handleHint(exchanges[0], "key"));
  for (const now of [250, 500, 550, 800, 1000]) send(now);
  for (let i = 0; i < 100; i++) attempts.handleHint(exchanges[0], "key");
  assert(!attempts.wrongExposer);
  for (let i = 0; i < 3; i++) attempts.handleHint(exchanges[1], "key");
  assert(attempts.wrongExposer);
  assert(!attempts.handleHint(random(8), "version") && !attempts.otherVersion);
  assert(attempts.handleHint(exchanges[0], "version") && attempts.otherVersion);
});

Deno.test("attempts: RETRYs without end bring three packets more, not one each", () => {
  const attempts = new Attempts(0, addresses.slice(0, 1), options());
  const [{ bytes }] = [...attempts.due(0)];
  let sent = 1;
  for (let now = 1; now <= 200; now++) {
    assert(attempts.handleRetry(now, { exchange: bytes.slice(4, 12), cookie: random(16), flags: 0 }));
    sent += [...attempts.due(now)].length;
  }
  assertLessOrEqual(sent, 5);
  assert(!attempts.handleRetry(300, { exchange: random(8), cookie: random(16), flags: 0 }));
});
