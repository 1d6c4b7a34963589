/*
 * What a handshake costs each side in time, plain and hybrid, in turn: one process, no network.
 *
 *   deno task bench:handshakes [ROUNDS]
 */
import { retry } from "../codec/control.ts";
import { AskKind } from "../codec/grant.ts";
import { systemRandom as random } from "../core/machine.ts";
import { OFFERS } from "../transport/protocol/handshake_shape.ts";
import { Initiator } from "../transport/protocol/initiator.ts";
import type { Responder } from "../transport/protocol/responder.ts";
import { engine, exposed, from, identity, responderOf } from "./_responder.ts";

const rounds = Number(Deno.args[0] ?? 300);

/** Microseconds of each side until the grant, its first question included. */
function time(responder: Responder, i: number, isHybrid: boolean, exposerKey: Uint8Array | undefined) {
  const spent = { puller: 0, exposer: 0 };
  const timed = <Result>(side: keyof typeof spent, work: () => Result): Result => {
    const started = performance.now();
    const result = work();
    spent[side] += 1000 * (performance.now() - started);
    return result;
  };
  // Far enough apart that no load asks for a cookie, and none is old.
  const now = i * 1000;
  const options = {
    engine,
    random,
    staticPrivate: random(32),
    ask: { kind: AskKind.ID, exposureId: exposed.id, ticketId: new Uint8Array(8) },
    offers: OFFERS[isHybrid ? "auto" : "off"],
    ...(exposerKey && { exposerKey }),
  };
  let puller = timed("puller", () => new Initiator(options));
  if (isHybrid) {
    const { bytes } = timed("exposer", () => responder.answer(now, from, puller.packet));
    const { cookie } = retry.decode(bytes!)!;
    puller = timed("puller", () => new Initiator({ ...options, isHybrid }));
    puller.handleRetry(cookie);
  }
  for (;;) {
    const replies = puller.packets.map((packet) =>
      timed("exposer", () => responder.answer(now, from, packet))
    );
    const answers = replies.flatMap(({ bytes, more = [] }) => bytes ? [bytes, ...more] : []);
    const results = answers.map((bytes) => timed("puller", () => puller.handle(bytes)));
    const last = results.at(-1);
    if (last === undefined) throw new Error("a handshake has failed");
    if (last !== "next") return spent;
  }
}

const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
console.log(`${rounds} handshakes of each kind in turn, engine ${engine.name}; microseconds, medians`);
for (const [name, key] of [["XX", undefined], ["IK", identity.staticKey]] as const) {
  const responder = responderOf({ find: () => exposed });
  const times = { plain: [] as ReturnType<typeof time>[], hybrid: [] as ReturnType<typeof time>[] };
  for (let i = 0; i < rounds; i++) {
    times.plain.push(time(responder, 2 * i, false, key));
    times.hybrid.push(time(responder, 2 * i + 1, true, key));
  }
  for (const side of ["puller", "exposer"] as const) {
    const [plain, hybrid] = [times.plain, times.hybrid].map((all) => median(all.map((one) => one[side])));
    const first = times.hybrid[0][side];
    console.log(
      `${name} ${side.padEnd(8)} plain ${plain.toFixed(0).padStart(6)}  hybrid ${
        hybrid.toFixed(0).padStart(6)
      }` +
        `  ratio ${(hybrid / plain).toFixed(2)}  the first hybrid of all ${first.toFixed(0)}`,
    );
  }
}
