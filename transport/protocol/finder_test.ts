import { assert, assertEquals, assertLessOrEqual, assertMatch } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { exposedOf, exposerAddress, pullerAddress, simExposure } from "../../tests/sim/transfer.ts";
import { refusal, RefusalReason } from "../../codec/control.ts";
import { AskKind } from "../../codec/grant.ts";
import { HandshakeMessage } from "../../codec/handshake.ts";
import { readWord } from "../../codec/packet.ts";
import { drain } from "../../core/machine.ts";
import { ExposerMachine } from "./exposer.ts";
import { passphraseProver } from "./passphrase_prover.ts";
import { FinderMachine } from "./finder.ts";
import type { FinderOptions, FinderOutput } from "./finder.ts";

const { bytes: random, uint32 } = seededRandom(1, "finder");
const exposure = await simExposure(1, 5000);
const { engine, staticKey, staticPrivate, sealed } = exposure;

const byName = (name: string) => ({ kind: AskKind.NAME, name });

function exposer(access: "open" | "denied" = "open"): ExposerMachine {
  const machine = new ExposerMachine(0, { engine, staticPrivate, random });
  machine.add(exposedOf(exposure, () => access));
  return machine;
}

function finder(options: Partial<FinderOptions> = {}): FinderMachine {
  return new FinderMachine(0, {
    engine,
    random,
    staticPrivate: random(32),
    ask: byName("simulated"),
    addresses: [exposerAddress],
    timeoutMs: 15_000,
    ...options,
  });
}

/** Both until the finder ends, over a path of 10 ms that loses each packet with some probability; and what the exposer told of it. */
function run(asks: FinderMachine, answers: ExposerMachine, loss = 0) {
  let ended: FinderOutput | undefined;
  let sent = 0;
  const told: string[] = [];
  for (let now = 0; !ended && now <= 20_000; now += 10) {
    if (asks.deadline <= now) asks.handleTimeout(now);
    const questions: Uint8Array[] = [];
    drain(asks, (output) => {
      if (output.kind === "send") questions.push(output.bytes);
      else if (output.kind === "stalled") told.push(`stalled at ${now}`);
      else ended = output;
    });
    sent += questions.length;
    for (const packet of questions) {
      if (uint32() / 2 ** 32 < loss) continue;
      answers.handleDatagram(now, pullerAddress, packet);
      drain(answers, (output) => {
        if (output.kind !== "send") told.push(output.kind);
        else if (uint32() / 2 ** 32 >= loss) asks.handleDatagram(now, exposerAddress, output.bytes);
      });
    }
  }
  return { ended, sent, told };
}

Deno.test("finder: denied, absent and a label of nothing are one answer, over XX and IK", () => {
  for (const exposerKey of [undefined, staticKey]) {
    const key = exposerKey && { exposerKey };
    // What is no list is none, however open.
    const noList = run(finder({ ...key, ask: { kind: AskKind.LIST } }), exposer());
    assertEquals(noList.ended, { kind: "failed", why: "denied" });
    for (
      const [asks, answers] of [
        [finder({ ...key }), exposer("denied")],
        [finder({ ...key, ask: byName("absent") }), exposer()],
        [finder({ ...key, ask: byName("00".repeat(16)) }), exposer()],
      ] as const
    ) {
      assertEquals(run(asks, answers).ended, { kind: "failed", why: "denied" });
    }
  }
});

Deno.test("finder: finds over XX and IK, also where a quarter of all packets gets lost; an exposer takes it for no pull", () => {
  for (const exposerKey of [undefined, staticKey]) {
    for (const loss of [0, 0.25]) {
      const { ended, told } = run(finder({ ...(exposerKey && { exposerKey }) }), exposer(), loss);
      assert(ended?.kind === "found", `${JSON.stringify(ended)} ${exposerKey} ${loss}`);
      assertEquals([ended.exposerKey, ended.grant.manifest], [staticKey, sealed.manifest]);
      assertEquals(told, []);
    }
  }
});

const PASSPHRASE = random(32).slice();

/** With something that a passphrase opens. */
function secured(): ExposerMachine {
  const machine = new ExposerMachine(0, { engine, staticPrivate, random });
  const passphrase = { stretched: PASSPHRASE, ticketSecret: SECRET, ticketId: random(8) };
  machine.add({ ...exposedOf(exposure, () => "denied"), passphrase });
  return machine;
}

const SECRET = random(16).slice();

Deno.test("finder: by passphrase: a wrong one, and one for what needs none, are denied; the right one finds, through loss and packets of any kind", () => {
  for (const exposerKey of [undefined, staticKey]) {
    const key = exposerKey && { exposerKey };
    const knows = { ...key, passphrase: passphraseProver(engine, random, () => PASSPHRASE) };
    const guesses = { ...key, passphrase: passphraseProver(engine, random, () => random(32)) };
    assertEquals(run(finder(guesses), secured()).ended, { kind: "failed", why: "denied" });
    assertEquals(run(finder(knows), exposer()).ended, { kind: "failed", why: "denied" });
    assertEquals(run(finder({ ...key }), secured()).ended, { kind: "failed", why: "denied" });
    for (const loss of [0, 0.25]) {
      const asks = finder(knows);
      for (let i = 0; i < 200; i++) {
        const noise = random(uint32() % 300).slice();
        if (noise.length > 0) noise[0] = 0x27;
        asks.handleDatagram(0, exposerAddress, noise);
      }
      const { ended, told } = run(asks, secured(), loss);
      assert(ended?.kind === "found", JSON.stringify(ended));
      assertEquals([ended.exposerKey, ended.grant.secret, told], [staticKey, SECRET, []]);
    }
  }
});

Deno.test("finder: an exposer that takes the proof and says nothing is asked anew, with another share, until the time is over", () => {
  const asks = finder({ passphrase: passphraseProver(engine, random, () => PASSPHRASE) });
  const answers = secured();
  const proofs = new Set<string>();
  for (let now = 0; asks.deadline < Infinity; now += 10) {
    if (asks.deadline <= now) asks.handleTimeout(now);
    const questions: Uint8Array[] = [];
    drain(asks, (output) => output.kind === "send" && questions.push(output.bytes));
    for (const packet of questions) {
      const word = readWord(packet)!;
      if (word.field >> 8 === HandshakeMessage.PASS_PROOF) {
        proofs.add(packet.slice(-32).toHex());
        continue;
      }
      answers.handleDatagram(now, pullerAddress, packet);
      drain(
        answers,
        (output) => output.kind === "send" && asks.handleDatagram(now, exposerAddress, output.bytes),
      );
    }
  }
  // Each is a guess that it might have made: few enough.
  assert(proofs.size > 1 && proofs.size < 10, `${proofs.size}`);
});

Deno.test("finder: another key than the known one ends it as that, and silence as silence", () => {
  const other = engine.x25519.publicKey(random(32));
  assertEquals(run(finder({ exposerKey: other }), exposer()).ended, { kind: "failed", why: "wrong key" });
  const asks = finder();
  const { ended, sent, told } = run(asks, exposer(), 1);
  assertEquals(ended, { kind: "failed", why: "silence" });
  assertEquals(told, ["stalled at 3000"]);
  assertMatch(asks.silence.what, /no answer from .*'rgtp doctor/);
  assertLessOrEqual(sent, 20);
});

Deno.test("finder: hints of somebody who does not see its packets, and packets of any kind, end nothing", () => {
  const asks = finder({ exposerKey: staticKey });
  drain(asks, () => {});
  for (let i = 0; i < 1000; i++) {
    const forged = refusal.encode({ echo: random(8) }, { field: RefusalReason.KEY });
    asks.handleDatagram(i, exposerAddress, i % 2 ? forged : random(uint32() % 100));
    drain(asks, (output) => assertEquals(output.kind, "send"));
  }
  assertEquals(run(asks, exposer()).ended?.kind, "found");
});
